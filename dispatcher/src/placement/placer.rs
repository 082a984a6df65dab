//! Nodes and categories as placement knows them: their figures on the board, and the
//! descriptions and policies by which a node suits a job.

use std::sync::Arc;

use rolecast_common::id::{Category, NodeId};
use rolecast_common::label::Requirement;

use super::board::Board;
use super::cost::{Needs, NodeFigures, Outlook};
use super::description::Description;
use super::fit::{Fit, Obstacle};
use super::index::{CategoryIndex, ClassIndex, Slot};
use crate::category::Policy;

/// All nodes and categories.
#[derive(Debug)]
pub(crate) struct Placer {
    board: Board,
    /// By slot; a free slot keeps its last one.
    nodes: Vec<Known>,
    policies: Vec<Policy>,
}

/// One node.
#[derive(Debug)]
struct Known {
    id: NodeId,
    description: Arc<Description>,
}

impl Placer {
    pub(crate) fn new(outlook: Outlook, seed: u64) -> Self {
        Self {
            board: Board::new(outlook, seed),
            nodes: Vec::new(),
            policies: Vec::new(),
        }
    }

    /// Adds a category; the same name again changes nothing, and returns its index.
    pub(crate) fn add_category(&mut self, policy: Policy, needs: Needs) -> CategoryIndex {
        let index = self.board.add_category(&policy.category, needs);
        if index.index() == self.policies.len() {
            self.policies.push(policy);
        }
        index
    }

    /// Adds a node, which suits no job until it is described.
    pub(crate) fn add_node(&mut self, id: NodeId, figures: NodeFigures) -> Slot {
        let slot = self.board.add_node(figures);
        let known = Known {
            id,
            description: Arc::default(),
        };
        if slot.index() == self.nodes.len() {
            self.nodes.push(known);
        } else {
            self.nodes[slot.index()] = known;
        }
        slot
    }

    /// Replaces the description of the node.
    pub(crate) fn describe(&mut self, slot: Slot, description: &Arc<Description>) {
        let policies = &self.policies;
        self.board.refit(slot, |category, requirement| {
            description.fit(&policies[category.index()], requirement)
        });
        self.nodes[slot.index()].description = Arc::clone(description);
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// Returns the board, for changes of figures. Nodes and categories are added here.
    pub(crate) fn board_mut(&mut self) -> &mut Board {
        &mut self.board
    }

    pub(crate) fn category(&self, name: &Category) -> Option<CategoryIndex> {
        self.board.category(name)
    }

    pub(crate) fn policy(&self, category: CategoryIndex) -> &Policy {
        &self.policies[category.index()]
    }

    /// Returns the number of slots, of which some may be free.
    pub(crate) fn slot_count(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the id of the node in this slot, or of the last one if it is free.
    pub(crate) fn id_of(&self, slot: Slot) -> &NodeId {
        &self.nodes[slot.index()].id
    }

    pub(super) fn description(&self, slot: Slot) -> &Description {
        &self.nodes[slot.index()].description
    }

    /// Returns the number of further jobs of the category that may run, on all nodes
    /// together.
    pub(crate) fn room_for(&self, category: CategoryIndex) -> u32 {
        let running = self.board.total_of(category);
        let limit = self.policy(category).running_max;
        limit.map_or(u32::MAX, |limit| limit.saturating_sub(running))
    }

    /// Returns the fitness of the node for such jobs, before any figures.
    pub(super) fn fit(
        &self,
        slot: Slot,
        category: CategoryIndex,
        requirement: &Requirement,
    ) -> Result<Fit, Obstacle> {
        if !self.board.is_used(slot) {
            return Err(Obstacle::Gone);
        }
        self.description(slot)
            .fit(self.policy(category), requirement)
    }

    /// Returns the class of such jobs, with a new index if it has none.
    pub(super) fn class(
        &mut self,
        category: CategoryIndex,
        requirement: &Requirement,
    ) -> ClassIndex {
        if let Some(known) = self.board.class(category, requirement) {
            return known;
        }
        let slots = (0..self.slot_count()).map(Slot::new);
        let fits: Vec<_> = slots
            .map(|slot| self.fit(slot, category, requirement))
            .collect();
        self.board
            .add_class(category, requirement, |slot| fits[slot.index()])
    }
}
