//! Commands that the coordinator emits.

use rolecast_common::id::{Epoch, Group, NodeId, Role};
use rolecast_common::wire::{PastRoleChange, RoleAssignment, RoleChange, RoleDocument};

/// A command to the shell; carrying it out late or twice does no harm.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Read the document; answer with `Input::Read` or `Input::Unread`.
    Read { request: u64 },
    /// Write it if the key still has this revision, 0 if it was never written;
    /// answer with `Input::Stored`.
    Store {
        request: u64,
        revision: u64,
        document: Box<RoleDocument>,
    },
    /// Publish it to the node.
    Assign {
        node: NodeId,
        assignment: RoleAssignment,
    },
    /// The result of an operator's order; once for each.
    Answer { id: u64, result: Answer },
    /// Report it, and count it.
    Event(Event),
}

/// The result of an order.
pub type Answer = Result<(), Refusal>;

/// The reason why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this dispatcher is not at work, or has just begun; ask again")]
    NotLeading,
    #[error("role {0} is not managed; give it holders in the configuration")]
    NotManaged(Role),
    #[error("{0} is not known; no heartbeat of it was received")]
    UnknownNode(NodeId),
    #[error("{node} cannot hold {role}: {reason}")]
    Unfit {
        node: NodeId,
        role: Role,
        reason: String,
    },
    #[error("{0} has several holders; name the one to replace")]
    WhichHolder(Role),
    #[error("{node} does not hold {role}")]
    NotHolder { node: NodeId, role: Role },
    #[error("role {role} of the group is being changed; ask again")]
    Busy { role: Role },
    #[error("it was undone: {0}")]
    Undone(String),
}

/// Events for operators, in the order in which they happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// This dispatcher took the roles over; every later step has a greater generation.
    TakenOver { epoch: Epoch, generation: u64 },
    /// A change continues: it begins, or enters its next phase. It is stored.
    Step { group: Group, change: RoleChange },
    /// A change is over. It is stored.
    Finished(PastRoleChange),
    /// A role has too few holders, and nobody can take it.
    Vacant {
        role: Role,
        missing: u32,
        reason: String,
    },
    /// It has enough again.
    Filled { role: Role },
    /// A node claims to act in a managed role that it was not given.
    Claimed { node: NodeId, role: Role },
    /// A node has seen a larger epoch than ours: the lease's key was rolled back, or
    /// another dispatcher leads. It gets no command.
    EpochAhead {
        node: NodeId,
        seen: Epoch,
        ours: Epoch,
    },
    /// The document is of a later dispatcher than this one: nothing is done.
    Overtaken { ours: Epoch, found: Epoch },
}
