//! Inputs of the coordinator.

use rolecast_common::id::{BootId, Epoch, NodeId, Role};
use rolecast_common::time::Time;
use rolecast_common::wire::{Heartbeat, RoleDocument, RoleFailure, RoleVersion, Why};

use crate::lease::Written;

/// An event for the coordinator.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// This dispatcher holds the lease until then, under this epoch. Repeated at each
    /// renewal; without one, inputs after `until` cause no action.
    Lead {
        epoch: Epoch,
        until: Time,
    },
    /// It no longer holds the lease.
    Unlead,
    /// A heartbeat; all of them, also when another dispatcher leads.
    Heartbeat(Report),
    /// The node missed its heartbeats.
    Gone(NodeId),
    /// The nodes by the room they have, most room first; others count as last.
    Ranked(Vec<NodeId>),
    /// The content of the key, with its revision; `request` is as in `Output::Read`.
    Read {
        request: u64,
        entry: Option<(u64, RoleDocument)>,
    },
    /// The key could not be read, or holds no document.
    Unread {
        request: u64,
    },
    /// The result of the write; `request` is as in `Output::Store`.
    Stored {
        request: u64,
        result: Written,
    },
    /// An operator's order, and the number under which it is answered.
    Order {
        id: u64,
        order: Order,
    },
    /// The judge wants the role on another node.
    Move(Move),
    Tick,
}

/// The part of a heartbeat that the coordinator needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub node: NodeId,
    pub boot: BootId,
    pub sequence: u64,
    /// The largest epoch the worker has seen.
    pub epoch: Epoch,
    pub roles: Vec<Role>,
    pub offers: Vec<Role>,
    pub assigned: RoleVersion,
    pub failure: Option<RoleFailure>,
    pub is_draining: bool,
}

impl Report {
    pub fn new(heartbeat: &Heartbeat) -> Self {
        Self {
            node: heartbeat.node.clone(),
            boot: heartbeat.boot.clone(),
            sequence: heartbeat.sequence,
            epoch: heartbeat.epoch,
            roles: heartbeat.roles.clone(),
            offers: heartbeat.offers.clone(),
            assigned: heartbeat.assigned,
            failure: heartbeat.role_failure.clone(),
            is_draining: heartbeat.draining,
        }
    }
}

/// The orders of operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The node holds the role; its only holder gives it up, or a place is free.
    Set {
        role: Role,
        node: NodeId,
    },
    /// `to` holds the role instead of `from`, or of its only holder.
    Swap {
        role: Role,
        from: Option<NodeId>,
        to: NodeId,
    },
    /// The node holds no managed role, and gets none.
    Drain(NodeId),
    Undrain(NodeId),
}

/// A move that no operator ordered.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    pub role: Role,
    pub from: NodeId,
    pub to: NodeId,
    pub why: Why,
}
