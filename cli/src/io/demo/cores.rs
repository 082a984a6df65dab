//! Assigns one core to each worker, so that the own work of a node slows down its own
//! jobs and not those of all.

#[cfg(target_os = "linux")]
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
#[cfg(target_os = "linux")]
use nix::unistd::Pid;

/// The cores this program may use.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Cores {
    all: CpuSet,
    numbers: Vec<usize>,
}

#[cfg(target_os = "linux")]
impl Cores {
    pub(super) fn allowed() -> anyhow::Result<Self> {
        let all = sched_getaffinity(THIS_THREAD)?;
        let is_allowed = |number: &usize| matches!(all.is_set(*number), Ok(true));
        let numbers = (0..CpuSet::count()).filter(is_allowed).collect();
        Ok(Self { all, numbers })
    }

    /// Runs `start`; the processes that it starts stay on one core, with the cores taken
    /// in turn.
    pub(super) fn confined<T>(
        &self,
        turn: usize,
        start: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut one = CpuSet::new();
        one.set(self.numbers[turn % self.numbers.len()])?;
        // They inherit it from the thread that starts them.
        sched_setaffinity(THIS_THREAD, &one)?;
        let started = start();
        sched_setaffinity(THIS_THREAD, &self.all)?;
        started
    }
}

#[cfg(target_os = "linux")]
const THIS_THREAD: Pid = Pid::from_raw(0);

/// On other systems a process cannot be confined, and the system distributes the cores.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Cores;

#[cfg(not(target_os = "linux"))]
impl Cores {
    #[allow(clippy::unnecessary_wraps, reason = "on Linux it may fail")]
    pub(super) fn allowed() -> anyhow::Result<Self> {
        Ok(Self)
    }

    #[allow(clippy::unused_self, reason = "on Linux it is used")]
    pub(super) fn confined<T>(
        &self,
        _turn: usize,
        start: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        start()
    }
}
