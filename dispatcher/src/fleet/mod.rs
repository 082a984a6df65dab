//! The fleet: all nodes, from their heartbeats, with the jobs sent to each; and the learned
//! profiles of all categories.
//!
//! Everything that affects placement passes through here, so that the board, the ledgers
//! and the profiles agree. The choice itself is made by [`placement`](crate::placement).

mod boots;
mod conduct;
mod contention;
mod forecasts;
mod journal;
mod learning;
mod listener;
mod liveness;
mod load;
mod members;
mod node;
mod pace;
mod placing;
mod presence;
mod pulse;
mod rounds;
mod sequence;
mod skew;
mod trust;
mod views;

use std::collections::BTreeMap;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;
use rolecast_forecast::Params;

pub(crate) use conduct::Doubt;
pub(crate) use node::Node;
pub(crate) use presence::{Missed, ROLL_MAX};
pub(crate) use pulse::Presence;

use crate::placement::{Experience, Placer};
use crate::profile::Learner;
use conduct::Peers;
use forecasts::Forecasts;
use presence::Presences;

/// The reason why a heartbeat was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("its node is not the one in its subject")]
    ForeignNode,
    #[error("its sequence is not above the last accepted one")]
    Replayed,
    #[error("its boot was superseded by a later one; do two workers share this node id?")]
    SupersededBoot,
    #[error("another worker has its name; do two workers share this node id?")]
    NameInUse,
    /// It is too early to decide whether it replaces another boot.
    #[error("another worker had its name a moment ago")]
    Contends,
    #[error("its capacity is impossible for a machine")]
    Implausible,
    #[error("too many nodes are known already")]
    TooManyNodes,
}

impl Refusal {
    /// Returns its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Refusal::ForeignNode => "foreign_node",
            Refusal::Replayed => "replayed",
            Refusal::SupersededBoot => "superseded_boot",
            Refusal::NameInUse => "name_in_use",
            Refusal::Contends => "contends",
            Refusal::Implausible => "implausible",
            Refusal::TooManyNodes => "too_many_nodes",
        }
    }
}

/// The changes by a heartbeat, beyond the figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The node is new, or back after it was gone.
    pub joined: bool,
    /// The worker was restarted: the jobs that its former boot had in hand are lost.
    pub rebooted: bool,
    /// It began to drain.
    pub drains: bool,
    /// Its clock was found to be ahead by this many milliseconds, which is too much.
    pub skewed_ms: Option<i64>,
}

/// Settings for judging nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub forecast: Params,
    /// Whether nodes whose jobs take longer than predicted are avoided.
    pub has_feedback: bool,
    pub seed: u64,
}

/// All nodes, in the order of their ids, and all categories.
#[derive(Debug)]
pub struct Fleet {
    nodes: BTreeMap<NodeId, Node>,
    placer: Placer,
    /// The profile of each category, and the conduct of its jobs on all nodes together.
    learners: Vec<Learner>,
    peers: Vec<Peers>,
    experience: Experience,
    /// Whether nodes whose jobs take longer than predicted are avoided.
    has_feedback: bool,
    forecasts: Forecasts,
    presences: Presences,
    /// The next time at which nodes that left nothing behind are forgotten.
    forget_due: Time,
}

#[cfg(test)]
pub(crate) mod tests;
