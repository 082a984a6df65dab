//! The tree of the nodes over the cost of one class of jobs, and its outdated keys.

use rolecast_common::label::Requirement;

use super::board::{CategoryIndex, Slot};
use super::cost::Estimate;
use super::fit::{Fit, Obstacle};
use super::tree::{NEVER, Tree};

/// The relation of a node's key to its cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Current,
    /// The cost may be above it.
    Risen,
    /// The cost may be anything.
    Listed,
}

/// Jobs of the same category that require the same labels.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) category: CategoryIndex,
    pub(super) requirement: Requirement,
    pub(super) fits: Vec<Result<Fit, Obstacle>>,
    tree: Tree,
    states: Vec<State>,
    /// The last request for its best node.
    pub(super) asked: u64,
    /// The slots in [`State::Listed`].
    listed: Vec<u32>,
}

impl Class {
    pub(super) fn new(category: CategoryIndex, requirement: Requirement) -> Self {
        Self {
            category,
            requirement,
            fits: Vec::new(),
            tree: Tree::default(),
            states: Vec::new(),
            asked: 0,
            listed: Vec::new(),
        }
    }

    pub(super) fn grow(&mut self, count: usize) {
        self.fits.resize(count, Err(Obstacle::NotOffered));
        self.states.resize(count, State::Current);
        self.listed.reserve(count.saturating_sub(self.listed.len()));
        self.tree.grow(count);
    }

    pub(super) fn touch_all(&mut self) {
        (0..self.states.len()).for_each(|slot| self.touch(slot));
    }

    /// Marks a node whose cost may have changed.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "there are fewer nodes than 2^32"
    )]
    pub(super) fn touch(&mut self, slot: Slot) {
        if std::mem::replace(&mut self.states[slot], State::Listed) != State::Listed {
            self.listed.push(slot as u32);
        }
    }

    /// Marks a node whose cost cannot have fallen.
    pub(super) fn raise(&mut self, slot: Slot) {
        if self.states[slot] == State::Current {
            self.states[slot] = State::Risen;
        }
    }

    /// Removes and returns one of the nodes whose cost may be anything.
    pub(super) fn take_listed(&mut self) -> Option<Slot> {
        self.listed.pop().map(|slot| slot as usize)
    }

    /// Updates a key; `None` keeps the node from winning.
    pub(super) fn set(&mut self, slot: Slot, key: Option<u64>) {
        self.states[slot] = State::Current;
        self.tree.set(slot, key.unwrap_or(NEVER));
    }

    pub(super) fn key(&self, slot: Slot) -> u64 {
        self.tree.key(slot)
    }

    /// Returns the node with the smallest key.
    pub(super) fn winner(&self) -> Option<(Slot, State)> {
        let slot = self.tree.winner()?;
        Some((slot, self.states[slot]))
    }
}

/// Returns the order of nodes as a number: the cost, then chance.
pub fn key(estimate: Estimate, chance: u32) -> u64 {
    // The bit patterns of non-negative numbers are in the order of the numbers.
    u64::from(estimate.cost.max(0.0).to_bits()) << 32 | u64::from(chance)
}
