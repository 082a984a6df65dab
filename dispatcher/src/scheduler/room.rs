//! The waiting room of one category and priority: jobs fetched and not yet sent.

use std::collections::{BTreeSet, VecDeque};

use rolecast_common::id::Sequence;

use super::pulls::Pulls;
use crate::placement::Slot;

/// Jobs in the order in which the stream accepted them, and the number of further jobs
/// requested.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) waiting: VecDeque<Sequence>,
    /// Waiting jobs that others may pass.
    pub(super) choosy: u32,
    /// Memory that is kept free on a node for a job that waits for it.
    pub(super) claim: Option<(Sequence, Slot)>,
    /// Whether operators were notified that no node can take its first job, and that it
    /// waits long.
    pub(super) is_starved: bool,
    pub(super) is_late: bool,
    /// Looks at all nodes since the last sweep, to find out why jobs cannot be placed.
    pub(super) judgements: usize,
    /// Jobs given back for redelivery at once, and not delivered yet. They go before
    /// later jobs, so room is made for them.
    pub(super) returning: BTreeSet<Sequence>,
    pub(super) pulls: Pulls,
    /// The number of jobs here or requested above which no more are needed for now.
    pub(super) enough: u32,
    /// The turn in which a job was sent last; rooms served least recently go first.
    pub(super) served: u64,
}

impl Room {
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(u32::MAX)
    }

    /// Adds a job; one that was here before, or that waited elsewhere, goes before those
    /// that the stream accepted after it.
    pub(super) fn join(&mut self, sequence: Sequence, is_choosy: bool) {
        let place = self.waiting.partition_point(|waiting| *waiting < sequence);
        self.waiting.insert(place, sequence);
        self.choosy += u32::from(is_choosy);
    }

    pub(super) fn leave(&mut self, sequence: Sequence, is_choosy: bool) {
        let place = self.waiting.binary_search(&sequence);
        if place.is_ok_and(|place| self.waiting.remove(place).is_some()) {
            self.choosy -= u32::from(is_choosy);
        }
        if self.waiting.is_empty() {
            self.is_starved = false;
            self.is_late = false;
        }
    }

    pub(super) fn is_first(&self, sequence: Sequence) -> bool {
        self.waiting.front() == Some(&sequence)
    }
}
