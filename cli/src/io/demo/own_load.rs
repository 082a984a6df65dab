//! Work that nodes have of their own, so that they are unequal.
//!
//! It is a shell in an endless loop beside the worker, a child of the same
//! process, so that the worker measures it as the use of others. It is stopped
//! and continued by signals, and ends with the worker.

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

/// Returns where the work's process id is written.
fn id_file(node: &str) -> String {
    format!("{node}-own-load.pid")
}

/// The work of all nodes, stopped whenever it should not be there.
#[derive(Debug)]
pub(super) struct OwnLoads {
    loads: Vec<OwnLoad>,
    start: Instant,
    /// How many jobs are submitted.
    jobs: u32,
}

#[derive(Debug)]
struct OwnLoad {
    node: &'static str,
    load: Load,
    id: Pid,
    is_on: bool,
}

impl OwnLoads {
    /// Finds the work beside the workers.
    pub(super) fn new(cluster: &Cluster, start: Instant, jobs: usize) -> Self {
        let find = |node: &'static str, load: Load| {
            let id = fs::read_to_string(cluster.path().join(id_file(node))).ok()?;
            Some(OwnLoad {
                node,
                load,
                id: Pid::from_raw(id.trim().parse().ok()?),
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

    /// Starts and stops what it is time for; returns the nodes where it changed,
    /// and whether it is there.
    pub(super) fn turn(&mut self) -> Vec<(&'static str, bool)> {
        let elapsed = self.start.elapsed();
        let mut changed = Vec::new();
        for load in &mut self.loads {
            let is_due = is_loaded(load.load, elapsed, self.jobs);
            if is_due == load.is_on {
                continue;
            }
            load.is_on = is_due;
            load.signal(if is_due {
                Signal::SIGCONT
            } else {
                Signal::SIGSTOP
            });
            changed.push((load.node, is_due));
        }
        changed
    }
}

impl OwnLoad {
    fn signal(&self, signal: Signal) {
        // It may have ended with its worker.
        let _ = kill(self.id, signal);
    }
}

impl Drop for OwnLoad {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}
