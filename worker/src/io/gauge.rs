//! Figures of the runners for the sampler: running commands, and the use of ended ones.

use std::collections::BTreeSet;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Ended commands remembered between two samples. Only while a sampler hangs do they
/// accumulate, and then their use is lost, not the worker.
const ENDED_MAX: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Gauge {
    commands: Mutex<Commands>,
    /// Jobs that handlers in this process work on.
    handlers: AtomicUsize,
}

/// Commands by process id.
#[derive(Debug, Default)]
pub(super) struct Commands {
    pub(super) running: BTreeSet<u32>,
    /// Commands that ended since the last sample, with the CPU time they used.
    pub(super) ended: Vec<(u32, Duration)>,
}

impl Gauge {
    pub(super) fn command_started(&self, id: u32) {
        self.lock().running.insert(id);
    }

    pub(super) fn command_ended(&self, id: u32, cpu: Duration) {
        let mut commands = self.lock();
        commands.running.remove(&id);
        if commands.ended.len() < ENDED_MAX {
            commands.ended.push((id, cpu));
        }
    }

    pub(super) fn set_handlers(&self, count: usize) {
        self.handlers.store(count, Ordering::Relaxed);
    }

    pub(super) fn handlers(&self) -> usize {
        self.handlers.load(Ordering::Relaxed)
    }

    /// Returns the commands that run, and those that ended since the last call.
    pub(super) fn take(&self) -> Commands {
        let mut commands = self.lock();
        Commands {
            running: commands.running.clone(),
            ended: mem::take(&mut commands.ended),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Commands> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
