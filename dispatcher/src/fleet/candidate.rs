//! A job, as the fleet sees it when it is placed.

use std::time::Duration;

use rolecast_common::label::Requirement;

use crate::placement::{CategoryIndex, Claim, Obstacle, Slot};

/// A job to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub category: CategoryIndex,
    pub requirement: &'a Requirement,
    /// The hash of its shard key.
    pub key: Option<u64>,
    pub waited: Duration,
    /// The node where memory is kept free for it, or all of it.
    pub claim: Option<Slot>,
    /// It must be alone: it goes to the node kept for it, or nowhere.
    pub alone: Option<Alone>,
    /// Nodes it must not go to, and why.
    pub barred: &'a [(Slot, Obstacle)],
}

/// Why a job must be alone on its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// It, or one of others like it, may take its node down.
    Suspect,
    /// By what was learned of its memory it fits nowhere.
    Outgrown,
}

impl<'a> Candidate<'a> {
    /// Returns a job of which nothing else is known.
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

    /// Returns why it must not go there, if it must not.
    pub(super) fn bar(&self, slot: Slot) -> Option<Obstacle> {
        let mut barred = self.barred.iter();
        barred.find(|(at, _)| *at == slot).map(|(_, why)| *why)
    }

    /// Returns what is kept for it where its claim is.
    pub(super) fn kind_of_claim(&self) -> Claim {
        match self.alone {
            None => Claim::Memory,
            Some(Alone::Suspect) => Claim::Node,
            Some(Alone::Outgrown) => Claim::EmptyNode,
        }
    }
}
