//! The challenger's view: the time for which the key was seen unchanged.

use std::time::Duration;

use rolecast_common::time::Time;

use super::timing::{GAP_MAX, PATIENCE};

/// The key's revision, and the time since when every answer had it.
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

    /// Handles another read of the key. A change ends the silence; so does a gap in the
    /// answers, because then the holder could not renew either.
    pub(super) fn extend(&mut self, revision: u64, now: Time) {
        if revision != self.revision || now.since(self.answered) > GAP_MAX {
            *self = Self::new(revision, now);
        }
        self.answered = now;
    }

    /// Returns the time at which the holder's lease is certainly over, if the silence
    /// lasts.
    pub(super) fn ends(&self, jitter: Duration) -> Time {
        self.since + PATIENCE + jitter
    }
}
