//! The waiting room of one category and priority: jobs fetched and not yet sent.

use std::collections::{BTreeSet, VecDeque};

use rolecast_common::id::Sequence;

use super::pulls::Pulls;
use crate::placement::Slot;

/// Jobs in the order in which the stream accepted them, and the number of further jobs
/// requested.
#[derive(Debug, Default)]
pub(in crate::scheduler) struct Room {
    waiting: VecDeque<Sequence>,
    /// Waiting jobs that others may pass.
    choosy: u32,
    /// Memory that is kept free on a node for a job that waits for it.
    pub(super) claim: Option<(Sequence, Slot)>,
    /// Whether operators were notified that no node can take its first job, and that it
    /// waits long.
    pub(super) is_starved: bool,
    pub(super) is_late: bool,
    /// Checks of all nodes since the last sweep, to find out why jobs cannot be placed.
    pub(super) judgements: usize,
    /// Jobs given back for redelivery at once, and not delivered yet. They go before
    /// later jobs, so room is made for them.
    pub(super) returning: BTreeSet<Sequence>,
    pub(super) pulls: Pulls,
    /// The number of jobs here or requested above which no more are needed for now.
    pub(super) enough: u32,
    /// The turn in which a job was sent last; rooms served least recently go first.
    served: u64,
}

/// The state that a sent job leaves behind.
#[derive(Clone, Copy, Debug)]
pub(in crate::scheduler) struct Departure {
    /// Whether the room had no eligible node until now.
    pub(in crate::scheduler) was_starved: bool,
    /// The node where memory was claimed for the job.
    pub(in crate::scheduler) claim: Option<Slot>,
}

impl Room {
    pub(in crate::scheduler) fn len(&self) -> u32 {
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

    pub(in crate::scheduler) fn is_first(&self, sequence: Sequence) -> bool {
        self.waiting.front() == Some(&sequence)
    }

    /// Removes a job that is sent in this turn.
    pub(super) fn send(&mut self, sequence: Sequence, is_choosy: bool, turn: u64) -> Departure {
        let was_starved = self.is_first(sequence) && std::mem::take(&mut self.is_starved);
        self.leave(sequence, is_choosy);
        self.served = turn;
        let claim = self.claim.take_if(|(owner, _)| *owner == sequence);
        Departure {
            was_starved,
            claim: claim.map(|(_, slot)| slot),
        }
    }

    pub(in crate::scheduler) fn waiting(&self) -> impl Iterator<Item = Sequence> {
        self.waiting.iter().copied()
    }

    pub(in crate::scheduler) fn at(&self, place: usize) -> Option<Sequence> {
        self.waiting.get(place).copied()
    }

    /// Whether others may pass a job that waits here.
    pub(in crate::scheduler) fn has_choosy(&self) -> bool {
        self.choosy > 0
    }

    pub(in crate::scheduler) fn is_late(&self) -> bool {
        self.is_late
    }

    pub(in crate::scheduler) fn claim(&self) -> Option<(Sequence, Slot)> {
        self.claim
    }

    /// Returns the turn in which a job was sent last; rooms served least recently go
    /// first.
    pub(in crate::scheduler) fn served(&self) -> u64 {
        self.served
    }
}
