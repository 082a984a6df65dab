//! The jobs settled last, so that a redelivery is not run again.

use rolecast_common::id::Sequence;

/// Number of slots; two sequences that many apart share one. A second of the fastest
/// traffic measured fits. Neighbours in time are neighbours in memory.
const SLOTS: usize = 1 << 17;

#[derive(Debug)]
pub(super) struct Recent {
    /// The sequence settled last in each slot; the stream counts from 1.
    slots: Box<[u64]>,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            slots: vec![0; SLOTS].into(),
        }
    }
}

impl Recent {
    pub(super) fn insert(&mut self, sequence: Sequence) {
        self.slots[slot(sequence)] = sequence.get();
    }

    pub(super) fn contains(&self, sequence: Sequence) -> bool {
        self.slots[slot(sequence)] == sequence.get()
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a remainder is smaller than the count of slots"
)]
fn slot(sequence: Sequence) -> usize {
    (sequence.get() % SLOTS as u64) as usize
}
