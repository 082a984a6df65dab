//! The jobs of one category on the board.

use rolecast_common::id::Category;

use super::cost::Needs;
use super::fit::Obstacle;
use super::index::Slot;

/// The needs of a category's jobs, and their number on each node.
#[derive(Clone, Debug)]
pub(super) struct Jobs {
    name: Category,
    needs: Needs,
    /// The number of jobs that were sent to each node and have not ended.
    counts: Vec<u32>,
    total: u32,
    /// The obstacle that keeps the category out of each node for a while.
    refused: Vec<Option<Obstacle>>,
}

impl Jobs {
    /// Returns a category without jobs, on this many nodes.
    pub(super) fn new(name: Category, needs: Needs, node_count: usize) -> Self {
        Self {
            name,
            needs,
            counts: vec![0; node_count],
            total: 0,
            refused: vec![None; node_count],
        }
    }

    /// Adds a node, which is one of this many.
    pub(super) fn add_node(&mut self, slot: Slot, node_count: usize) {
        self.counts.resize(node_count, 0);
        self.refused.resize(node_count, None);
        self.counts[slot.index()] = 0;
        self.refused[slot.index()] = None;
    }

    pub(super) fn name(&self) -> &Category {
        &self.name
    }

    pub(super) fn needs(&self) -> &Needs {
        &self.needs
    }

    pub(super) fn set_needs(&mut self, needs: Needs) {
        self.needs = needs;
    }

    pub(super) fn count(&self, slot: Slot) -> u32 {
        self.counts[slot.index()]
    }

    /// Returns the number on all nodes together, without those set aside.
    pub(super) fn total(&self) -> u32 {
        self.total
    }

    pub(super) fn refused(&self, slot: Slot) -> Option<Obstacle> {
        self.refused[slot.index()]
    }

    /// Sets the obstacle that keeps the category away from the node; returns whether it
    /// changed.
    pub(super) fn set_refused(&mut self, slot: Slot, why: Option<Obstacle>) -> bool {
        std::mem::replace(&mut self.refused[slot.index()], why) != why
    }

    pub(super) fn reserve(&mut self, slot: Slot) {
        self.counts[slot.index()] += 1;
        self.total += 1;
    }

    pub(super) fn release(&mut self, slot: Slot) {
        let count = &mut self.counts[slot.index()];
        *count = count.saturating_sub(1);
        self.total = self.total.saturating_sub(1);
    }

    /// Sets a job aside: it counts on its node, and no longer in the total.
    pub(super) fn set_aside(&mut self) {
        self.total = self.total.saturating_sub(1);
    }

    /// Releases a job that was set aside.
    pub(super) fn release_set_aside(&mut self, slot: Slot) {
        self.total += 1;
        self.release(slot);
    }
}
