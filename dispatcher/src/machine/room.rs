//! The waiting room of one category and priority: jobs fetched and not yet sent.

use std::collections::VecDeque;

use rolecast_common::id::Sequence;
use rolecast_common::time::Time;

/// Jobs in the order they came, and how many more were asked for.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) waiting: VecDeque<Sequence>,
    /// Jobs asked for and neither delivered nor refused yet.
    pub(super) asked: u32,
    /// With more than this many asked for, no more are needed for now.
    pub(super) enough: u32,
    /// When the last pull was sent; long after that it is void.
    pub(super) asked_at: Time,
    /// The turn in which a job was sent last; rooms served least recently go first.
    pub(super) served: u64,
}

impl Room {
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn leave(&mut self, sequence: Sequence) {
        self.waiting.retain(|waiting| *waiting != sequence);
    }
}
