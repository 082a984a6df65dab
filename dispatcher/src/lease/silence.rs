//! The challenger's view: for how long the key was seen unchanged.

use std::time::Duration;

use rolecast_common::time::Time;

use super::timing::{GAP_MAX, PATIENCE};

/// The key's revision, and since when it was the same in every answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    revision: u64,
    since: Time,
    answered: Time,
}

impl Silence {
    pub(super) fn new(revision: u64, now: Time) -> Self {
        Self {
            revision,
            since: now,
            answered: now,
        }
    }

    /// The key was read again. A change ends the silence; so does a gap in the
    /// answers, for then the holder could not renew either.
    pub(super) fn extend(&mut self, revision: u64, now: Time) {
        if revision != self.revision || now.since(self.answered) > GAP_MAX {
            *self = Self::new(revision, now);
        }
        self.answered = now;
    }

    /// Returns when the holder's lease is over for certain, if the silence goes on.
    pub(super) fn ends(&self, jitter: Duration) -> Time {
        self.since + PATIENCE + jitter
    }
}
