//! A load that a node has of its own, which comes and goes.
//!
//! It is a shell in an endless loop beside the worker, a child of the same
//! process, so that the worker measures it as the use of others. It is stopped
//! and continued by signals, and ends with the worker.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cluster::Cluster;
use crate::demo::fleet::LOADED_NODE;

/// How long it stays away, and then how long it stays.
const HALF_ROUND: Duration = Duration::from_secs(4);
/// Where the load writes its process id.
const PID_FILE: &str = "own-load.pid";

/// Starts the worker with the load beside it.
pub(super) fn start_worker(
    cluster: &mut Cluster,
    worker: &Path,
    arguments: &[&str],
) -> anyhow::Result<()> {
    let script = format!(
        "sh -c 'while kill -0 $PPID 2>/dev/null; do :; done' & echo $! > {PID_FILE}; \
         kill -STOP $!; exec \"$0\" \"$@\""
    );
    let worker = worker.to_string_lossy();
    let mut all = vec!["-c", script.as_str(), &worker];
    all.extend(arguments);
    cluster.start(LOADED_NODE, Path::new("/bin/sh"), &all)
}

/// The load, stopped whenever it should not be there.
#[derive(Debug)]
pub(super) struct OwnLoad {
    id: Option<Pid>,
    is_on: bool,
    start: Instant,
    /// How long it comes and goes.
    length: Duration,
}

impl OwnLoad {
    pub(super) fn new(cluster: &Cluster, length: Duration) -> Self {
        let id = fs::read_to_string(cluster.path().join(PID_FILE)).ok();
        let id = id.and_then(|id| id.trim().parse().ok());
        Self {
            id: id.map(Pid::from_raw),
            is_on: false,
            start: Instant::now(),
            length,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Returns whether it will not come again.
    pub(super) fn is_over(&self) -> bool {
        self.start.elapsed() >= self.length
    }

    /// Starts or stops it if it is time; returns whether that changed.
    pub(super) fn turn(&mut self) -> bool {
        let elapsed = self.start.elapsed();
        let halves = elapsed.as_millis() / HALF_ROUND.as_millis();
        let is_due = elapsed < self.length && halves % 2 == 1;
        if is_due == self.is_on {
            return false;
        }
        self.is_on = is_due;
        self.signal(if is_due {
            Signal::SIGCONT
        } else {
            Signal::SIGSTOP
        });
        true
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // It may have ended with its worker.
            let _ = kill(id, signal);
        }
    }
}

impl Drop for OwnLoad {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}
