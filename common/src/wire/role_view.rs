//! Operators' requests about roles, and the answers to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Figures, Message, RoleDocument, is_zero};
use crate::id::{Epoch, Group, NodeId, Role};

/// Holders and candidates of the managed roles: the answer on
/// [`crate::subjects::API_ROLES`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolesView {
    pub v: u8,
    /// The epoch of the dispatcher that answers.
    pub epoch: Epoch,
    pub roles: BTreeMap<Role, ManagedRole>,
    /// The stored document, except for drained nodes that are left out.
    pub document: RoleDocument,
    /// Drained nodes that would have made the message too large.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drained_left_out: u32,
}

/// One managed role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManagedRole {
    pub group: Group,
    /// The number of nodes that should hold it.
    pub holders_wanted: u32,
    /// The nodes that report to act in it.
    pub acting: Vec<NodeId>,
    /// The live nodes that may be given it.
    pub offered_by: Vec<NodeId>,
    /// Figures of the judge about its holder's need to be relieved; empty for a role that
    /// is not judged.
    #[serde(default, skip_serializing_if = "Figures::is_empty")]
    pub judgement: Figures,
    /// Nodes that would have made the message too large; holders are left out last.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub acting_left_out: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offered_left_out: u32,
}

impl Message for RolesView {
    fn version(&self) -> u8 {
        self.v
    }
}

/// An order, sent on [`crate::subjects::API_ROLE_ORDER`]; answered with [`Done`] when it
/// is carried out, and with an error's headers if it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleOrder {
    pub v: u8,
    pub order: RoleOrderKind,
}

/// The kinds of orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleOrderKind {
    /// The node holds the role; its only holder gives it up, or a place is free.
    Set {
        role: Role,
        node: NodeId,
    },
    /// `to` holds the role instead of `from`, or of its only holder.
    Swap {
        role: Role,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<NodeId>,
        to: NodeId,
    },
    /// The node holds no managed role, gets none, and gets no jobs.
    Drain {
        node: NodeId,
    },
    Undrain {
        node: NodeId,
    },
}

impl Message for RoleOrder {
    fn version(&self) -> u8 {
        self.v
    }
}

/// Confirmation that the order is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub v: u8,
}

impl Message for Done {
    fn version(&self) -> u8 {
        self.v
    }
}
