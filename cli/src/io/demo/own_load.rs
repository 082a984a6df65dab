//! Own load of the nodes, which makes them unequal.
//!
//! It is a shell in an endless loop beside the worker, a child of the same process, so
//! that the worker measures it as the use of others. It is stopped and continued by
//! signals, and ends with the worker.

use std::fs;
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cluster::Cluster;
use crate::demo::fleet::{FLEET, Load};
use crate::demo::plan::is_loaded;

/// Starts the worker with the work beside it, stopped.
pub(super) fn start_worker(
    cluster: &mut Cluster,
    node: &str,
    worker: &Path,
    arguments: &[&str],
) -> anyhow::Result<()> {
    let file = id_file(node);
    let script = format!(
        "sh -c 'while kill -0 $PPID 2>/dev/null; do :; done' & echo $! > {file}; \
         kill -STOP $!; exec \"$0\" \"$@\""
    );
    let worker = worker.to_string_lossy();
    let mut all = vec!["-c", script.as_str(), &worker];
    all.extend(arguments);
    cluster.start(node, Path::new("/bin/sh"), &all)
}

/// Returns the file that holds the work's process id.
fn id_file(node: &str) -> String {
    format!("{node}-own-load.pid")
}

/// The own work of all nodes, stopped whenever it should not run.
#[derive(Debug)]
pub(super) struct OwnLoads {
    loads: Vec<Planned>,
    start: Instant,
    /// The number of jobs that are submitted.
    jobs: u32,
}

/// A load with its times.
#[derive(Debug)]
struct Planned {
    node: &'static str,
    load: Load,
    work: OwnLoad,
    is_on: bool,
}

/// The loop beside a worker; it ends with the worker.
#[derive(Debug)]
pub(super) struct OwnLoad(Pid);

impl OwnLoads {
    /// Finds the work beside the workers.
    pub(super) fn new(cluster: &Cluster, start: Instant, jobs: usize) -> Self {
        let find = |node: &'static str, load: Load| {
            Some(Planned {
                node,
                load,
                work: OwnLoad::find(cluster, node).ok()?,
                is_on: false,
            })
        };
        let members = FLEET.iter();
        Self {
            loads: members
                .filter_map(|member| find(member.node, member.load?))
                .collect(),
            start,
            jobs: u32::try_from(jobs).unwrap_or(u32::MAX),
        }
    }

    /// Starts and stops the work that is due; returns the nodes where it changed, and
    /// whether it runs.
    pub(super) fn turn(&mut self) -> Vec<(&'static str, bool)> {
        let elapsed = self.start.elapsed();
        let mut changed = Vec::new();
        for load in &mut self.loads {
            let is_due = is_loaded(load.load, elapsed, self.jobs);
            if is_due == load.is_on {
                continue;
            }
            load.is_on = is_due;
            match is_due {
                true => load.work.go_on(),
                false => load.work.stop(),
            }
            changed.push((load.node, is_due));
        }
        changed
    }
}

impl OwnLoad {
    /// Finds the loop beside a worker.
    pub(super) fn find(cluster: &Cluster, node: &str) -> anyhow::Result<Self> {
        let id = fs::read_to_string(cluster.path().join(id_file(node)))?;
        Ok(Self(Pid::from_raw(id.trim().parse()?)))
    }

    pub(super) fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    pub(super) fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    fn signal(&self, signal: Signal) {
        // It may have ended with its worker.
        let _ = kill(self.0, signal);
    }
}

/// Ends the work of all nodes; the workers continue without it.
pub(super) fn end_all(cluster: &Cluster) {
    let loads = FLEET.iter();
    for load in loads.filter_map(|member| OwnLoad::find(cluster, member.node).ok()) {
        load.signal(Signal::SIGKILL);
    }
}

impl Drop for OwnLoads {
    /// From here on only others let them work.
    fn drop(&mut self) {
        self.loads.iter().for_each(|load| load.work.stop());
    }
}
