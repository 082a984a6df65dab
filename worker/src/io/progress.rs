//! The last progress of each execution, until the agent takes it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rolecast_common::wire::Progress;

use crate::agent::Run;
use crate::progress::Reporter;

/// At most one entry for each execution; a later one replaces it.
#[derive(Clone, Debug, Default)]
pub(super) struct Board(Arc<Mutex<BTreeMap<Run, Progress>>>);

impl Board {
    /// Returns the way for one execution to report its progress.
    pub(super) fn reporter(&self, run: Run) -> Reporter {
        let board = self.clone();
        Reporter::new(move |progress| drop(board.lock().insert(run, progress)))
    }

    /// Returns what was reported since the last call.
    pub(super) fn take(&self) -> Vec<(Run, Progress)> {
        std::mem::take(&mut *self.lock()).into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Run, Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
