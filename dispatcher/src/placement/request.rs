//! A job to be placed, as placement needs it.

use std::time::Duration;

use rolecast_common::label::Requirement;

use super::fit::{Claim, Obstacle};
use super::index::{CategoryIndex, Slot};

/// A job to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub category: CategoryIndex,
    pub requirement: &'a Requirement,
    /// The hash of its shard key.
    pub key: Option<u64>,
    pub waited: Duration,
    /// The node where memory is kept free for it, or all of the node.
    pub claim: Option<Slot>,
    /// The reason if it must run alone: it goes to the node kept for it, or nowhere.
    pub alone: Option<Alone>,
    /// Nodes that it must not go to, with reasons.
    pub barred: &'a [(Slot, Obstacle)],
}

/// The reason why a job must run alone on its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// It, or another suspect like it, may take its node down.
    Suspect,
    /// By its learned memory it fits on no node.
    Outgrown,
}

impl<'a> Request<'a> {
    /// Returns a job without any other conditions.
    pub fn new(category: CategoryIndex, requirement: &'a Requirement, waited: Duration) -> Self {
        Self {
            category,
            requirement,
            key: None,
            waited,
            claim: None,
            alone: None,
            barred: &[],
        }
    }

    /// Returns the reason why it must not go to the node, if there is one.
    pub(super) fn bar(&self, slot: Slot) -> Option<Obstacle> {
        let mut barred = self.barred.iter();
        barred.find(|(at, _)| *at == slot).map(|(_, why)| *why)
    }

    /// Returns the kind of claim that it has.
    pub(super) fn kind_of_claim(&self) -> Claim {
        match self.alone {
            None => Claim::Memory,
            Some(Alone::Suspect) => Claim::Node,
            Some(Alone::Outgrown) => Claim::EmptyNode,
        }
    }
}
