//! The attempts of a job that are known here.

use std::time::Duration;

use rolecast_common::id::Attempt;
use rolecast_common::time::Now;

use super::{History, Job};

impl Job {
    /// Returns its history for the next delivery, which is due after `delay`.
    pub(super) fn history(&self, now: Now, delay: Duration) -> History {
        History {
            job: self.job.clone(),
            attempt: self.attempt,
            failures: self.failures.clone(),
            not_before: (!delay.is_zero()).then(|| now.wall + delay),
            losses: self.losses.clone(),
            suspicion: self.suspicion,
        }
    }

    /// Whether a part of it must survive a restart.
    pub(super) fn has_history(&self) -> bool {
        !self.failures.is_empty() || !self.losses.is_empty()
    }

    /// Returns the number of the attempt that is running or ran last.
    pub(super) fn last_attempt(&self) -> Option<Attempt> {
        (self.attempt > 0).then(|| Attempt::new(self.attempt))
    }
}
