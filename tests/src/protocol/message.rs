//! Messages between processes, and requests to the store.

use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::Sequence;
use rolecast_common::subjects::Source;
use rolecast_common::time::Time;
use rolecast_common::wire::{Heartbeat, LeaseRecord, Outcome, RoleAssignment, RoleDocument};
use rolecast_dispatcher::lease::{Entry, Written};
use rolecast_dispatcher::scheduler::{self, History, Recorded};
use rolecast_worker::agent::Offer;

/// The sender of a command: a dispatcher, and its start.
pub(super) type Sender = (usize, u32);

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Heartbeat(Box<Heartbeat>),
    Assign {
        sender: Sender,
        assignment: RoleAssignment,
    },
    Job {
        sender: Sender,
        offer: Offer,
    },
    Outcomes {
        node: usize,
        reply: String,
        outcomes: Vec<(Assignment, Outcome)>,
    },
    Confirm {
        life: u32,
        batch: u64,
    },
    /// A dispatcher requests a heartbeat at once.
    AskReport,
    Request {
        from: Requester,
        request: Request,
    },
    Response {
        to: Requester,
        response: Response,
    },
}

/// The sender of a request to the store: a dispatcher, its start, and the time it led.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requester {
    pub(super) dispatcher: usize,
    pub(super) life: u32,
    pub(super) service: u64,
}

/// A request of a dispatcher to the store.
#[derive(Clone, Debug)]
pub(super) enum Request {
    ReadLease(Time),
    WriteLease(Time, u64, LeaseRecord),
    ReadRoles(u64),
    WriteRoles(u64, u64, Box<RoleDocument>),
    Histories,
    Pull(Source, u32),
    Acknowledge(Sequence, AckKind),
    Record(Sequence),
    Recover,
}

/// The answer to a delivery.
#[derive(Clone, Copy, Debug)]
pub(super) enum AckKind {
    Done,
    InProgress,
    GiveBack(Duration),
}

/// The target of a request, and whether it writes.
#[derive(Clone, Copy, Debug)]
pub(super) enum RequestKind {
    ReadLease,
    WriteLease,
    ReadRoles,
    WriteRoles,
    ReadJobs,
    WriteJobs,
}

impl Request {
    pub(super) fn kind(&self) -> RequestKind {
        match self {
            Self::ReadLease(..) => RequestKind::ReadLease,
            Self::WriteLease(..) => RequestKind::WriteLease,
            Self::ReadRoles(..) => RequestKind::ReadRoles,
            Self::WriteRoles(..) => RequestKind::WriteRoles,
            Self::Histories | Self::Pull(..) => RequestKind::ReadJobs,
            Self::Acknowledge(..) | Self::Record(..) | Self::Recover => RequestKind::WriteJobs,
        }
    }
}

/// The store's answer to a request.
#[derive(Clone, Debug)]
pub(super) enum Response {
    Lease(Time, Entry),
    LeaseWritten(Time, Written),
    Roles(u64, Option<(u64, Box<RoleDocument>)>),
    RolesWritten(u64, Written),
    Histories(Vec<(Sequence, History)>),
    Pulled(Box<scheduler::Input>),
    Recorded(Sequence, Recorded),
    /// Nothing is answered.
    None,
}
