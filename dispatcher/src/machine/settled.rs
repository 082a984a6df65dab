//! The jobs settled last, so that a repeated delivery is not run again.

use std::collections::VecDeque;

use foldhash::HashSet;
use rolecast_common::id::Sequence;

/// Bounds the memory; a second of the fastest traffic measured fits.
const KEPT_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Settled {
    known: HashSet<Sequence>,
    order: VecDeque<Sequence>,
}

impl Settled {
    pub(super) fn insert(&mut self, sequence: Sequence) {
        if !self.known.insert(sequence) {
            return;
        }
        self.order.push_back(sequence);
        if self.order.len() > KEPT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, sequence: Sequence) -> bool {
        self.known.contains(&sequence)
    }
}
