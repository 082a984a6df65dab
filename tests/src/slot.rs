//! Limit on the systems that one test program runs at once.
//!
//! It makes the limits in time which tests assert meaningful on a small machine.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// The right to run one system, until it is dropped.
#[derive(Debug)]
pub struct Slot(());

impl Slot {
    /// Waits for a free slot. A test takes one only, otherwise two tests could wait for
    /// each other without end.
    pub fn take() -> Slot {
        let mut taken = count();
        while *taken >= slots() {
            taken = FREED.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Slot(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *count() -= 1;
        FREED.notify_one();
    }
}

/// Returns the number of slots. A system is a server, a dispatcher and a few workers:
/// about two busy cores.
fn slots() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).max(1)
}

fn count() -> MutexGuard<'static, usize> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}
