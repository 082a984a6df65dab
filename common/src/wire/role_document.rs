//! Role document: holders of managed roles, changes under way, and past changes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Message;
use crate::bounds;
use crate::id::{Epoch, Group, NodeId, Role};
use crate::time::WallTime;

/// The finished changes that are kept: a day of an unquiet fleet, in a few KiB.
pub const PAST_CHANGES_MAX: usize = 50;
/// The most figures of one decision.
const FIGURES_MAX: usize = 32;

/// The one document about roles, changed by compare-and-set only, as JSON.
///
/// Every step is stored before anybody acts upon it, and adds 1 to `generation`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleDocument {
    pub v: u8,
    /// The epoch of the dispatcher that stored it.
    pub epoch: Epoch,
    #[serde(deserialize_with = "bounds::generation")]
    pub generation: u64,
    /// The holders of each managed role.
    pub roles: BTreeMap<Role, Vec<NodeId>>,
    /// At most one change in a group at a time.
    #[serde(default)]
    pub changes: BTreeMap<Group, RoleChange>,
    /// The last finished changes, oldest first.
    #[serde(default)]
    pub history: Vec<PastRoleChange>,
    /// Nodes that must not hold a managed role.
    #[serde(default)]
    pub drained: BTreeSet<NodeId>,
}

impl Message for RoleDocument {
    fn version(&self) -> u8 {
        self.v
    }
}

impl RoleDocument {
    /// Returns the managed roles this node should have.
    pub fn roles_of(&self, node: &NodeId) -> Vec<Role> {
        let of_node = self.assigned().filter(|(_, holder)| *holder == node);
        let roles: BTreeSet<Role> = of_node.map(|(role, _)| role.clone()).collect();
        roles.into_iter().collect()
    }

    /// Returns each managed role with each node that should have it.
    pub fn assigned(&self) -> impl Iterator<Item = (&Role, &NodeId)> {
        let held = self.roles.iter();
        let held = held.flat_map(|(role, nodes)| nodes.iter().map(move |node| (role, node)));
        let promised = self.changes.values().filter_map(|change| {
            let RolePhase::Promoting { node } = &change.phase else {
                return None;
            };
            Some((&change.role, node))
        });
        held.chain(promised)
    }
}

/// A role that moves from one node to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleChange {
    pub role: Role,
    pub phase: RolePhase,
    /// The generation in which the phase began.
    pub generation: u64,
    /// The holder when the change began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NodeId>,
    /// The node that should get it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<NodeId>,
    /// The role of the same group that its next holder gave up for it, which the former
    /// holder gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_from: Option<Role>,
    pub why: Why,
    pub began_ms: WallTime,
    pub since_ms: WallTime,
    /// The reason why it did not go as planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Progress of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RolePhase {
    /// The node drops the role, or its lease is waited out; then `to` gets it.
    Demoting { node: NodeId, to: Option<NodeId> },
    /// Nobody else has the role; the node takes it on.
    Promoting { node: NodeId },
}

/// The reason why a role moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// An operator ordered it.
    Operator,
    /// Its holder was drained by an operator, or leaves.
    Drain,
    /// Its holder sends no heartbeats any more.
    HolderGone,
    /// Its holder is there and does not act in it, or may not have it.
    HolderUnfit { reason: String },
    /// It had too few holders.
    Election,
    /// Its last holder took another role, and that one's former holder follows.
    Swap,
    /// Its holder cannot serve it because of load that was not foreseen.
    Bottleneck { figures: Figures },
    /// The bottleneck is over.
    Restored { figures: Figures },
}

impl Why {
    /// Returns its name in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Why::Operator => "operator",
            Why::Drain => "drain",
            Why::HolderGone => "holder_gone",
            Why::HolderUnfit { .. } => "holder_unfit",
            Why::Election => "election",
            Why::Swap => "swap",
            Why::Bottleneck { .. } => "bottleneck",
            Why::Restored { .. } => "restored",
        }
    }

    /// Returns whether a role moves because of load: without an order, and without the
    /// death of a node.
    pub fn is_for_load(&self) -> bool {
        match self {
            Why::Bottleneck { .. } | Why::Restored { .. } => true,
            Why::Operator
            | Why::Drain
            | Why::HolderGone
            | Why::HolderUnfit { .. }
            | Why::Election
            | Why::Swap => false,
        }
    }
}

/// A change that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastRoleChange {
    pub group: Group,
    pub role: Role,
    pub from: Option<NodeId>,
    /// The new holder; `None` if no node could take it.
    pub to: Option<NodeId>,
    pub why: Why,
    pub result: RoleChangeResult,
    pub began_ms: WallTime,
    pub ended_ms: WallTime,
    pub epoch: Epoch,
    pub generation: u64,
    /// The reason why it did not go as planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// The result of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleChangeResult {
    /// The role has moved, to the first choice or another.
    Done,
    /// The former holder has it again.
    Undone,
    /// No node has it.
    Vacated,
}

/// The named figures of a decision; finite, and not many.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// Keeps the finite ones of the first figures.
    pub fn new(figures: impl IntoIterator<Item = (&'static str, f64)>) -> Self {
        let finite = figures.into_iter().filter(|(_, value)| value.is_finite());
        let named = finite.map(|(name, value)| (name.to_owned(), value));
        Self(named.take(FIGURES_MAX).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}
