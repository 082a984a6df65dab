//! Inputs of the scheduler.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::id::{Attempt, Category, Epoch, JobId, NodeId, Sequence};
use rolecast_common::options::{InvalidOption, Options};
use rolecast_common::subjects::Source;
use rolecast_common::time::{Time, WallTime};
use rolecast_common::wire::{Heartbeat, Outcome};
use rolecast_forecast::Stack;

use super::cancel::CancelInput;
use super::output::{History, Trouble};
use crate::claim::Claimed;
use crate::roles;
use crate::seal::Seals;

/// An event for the scheduler. The shell passes all inputs that arrived together and then
/// [`Input::Turn`], on which the scheduler places and fetches.
#[derive(Clone, Debug)]
pub enum Input {
    /// A job was delivered by the stream; its payload stays with the shell.
    Delivered(Delivery),
    /// A pull ended with this many jobs undelivered.
    PullEnded {
        source: Source,
        undelivered: u32,
    },
    /// The server works on a pull, and has nothing to deliver.
    PullAlive {
        source: Source,
    },
    /// A pull failed, and others of the same source with it: its consumer has no leader,
    /// or is missing.
    PullFailed {
        source: Source,
    },
    /// The connection is lost.
    Disconnected,
    /// The connection was restored: all pulls are void.
    Reconnected,
    /// More messages are waiting than one turn reads.
    Behind,
    Heartbeat {
        from: NodeId,
        heartbeat: Box<Heartbeat>,
    },
    /// The node answered a [`super::Output::Ping`].
    Latency {
        node: NodeId,
        round_trip: Duration,
    },
    /// The server answered a [`super::Output::Ping`]: nobody listens there.
    Absent {
        node: NodeId,
    },
    /// A [`super::Output::Forward`] was not carried out; the payload is still held.
    Unsent {
        sequence: Sequence,
        attempt: Attempt,
    },
    /// Outcomes of one message, which one answer will confirm.
    Outcomes {
        from: NodeId,
        reply: Option<String>,
        outcomes: Vec<(Claimed<Assignment>, Outcome)>,
    },
    /// Nobody listened on the node's subject.
    Bounced {
        node: NodeId,
        assignment: Assignment,
    },
    /// A [`super::Output::Forward`] was not sent, and never can be.
    Unsendable {
        sequence: Sequence,
        attempt: Attempt,
        why: String,
    },
    /// The stream answered a [`super::Output::Record`].
    Recorded {
        sequence: Sequence,
        result: Recorded,
    },
    /// A [`super::Output::DeadLetter`] ended, with or without success.
    DeadLettered {
        sequence: Sequence,
        is_done: bool,
    },
    /// Jobs were found in an undeclared category; its consumers exist now.
    Found(Category),
    /// The jobs stream was recreated: its former jobs are gone.
    StreamRenewed {
        created: WallTime,
    },
    /// A [`super::Output::Recover`] was carried out.
    Recovered,
    /// No job of this undeclared category was in the stream for long; its consumers are gone.
    Deserted(Category),
    /// The number of jobs of each category in the stream; categories that are absent have
    /// none.
    Backlogs(BTreeMap<Category, u64>),
    /// The global model over the experts was fitted to the lessons.
    StackFitted(Arc<Stack>),
    /// Checkpoints of the forecasts are due, for a restart.
    CheckpointsDue,
    /// A job was found that no consumer will deliver.
    Stray(Stray),
    /// A message could not be read.
    Malformed {
        what: Malformed,
        from: String,
        why: String,
    },
    /// A trouble outside of this process; reported again as long as it lasts.
    Troubled(Trouble),
    /// It is in order, perhaps without ever having been troubled.
    Mended {
        what: String,
    },
    /// An input about cancels.
    Cancel(CancelInput),
    /// An input of the coordinator of roles.
    Roles(roles::Input),
    /// The lease holds until `until`.
    Renewed {
        until: Time,
    },
    /// This dispatcher leads from now on, under this epoch; with the failed attempts of
    /// jobs that are still alive.
    Lead {
        epoch: Epoch,
        /// End of its lease, on this process's clock.
        until: Time,
        /// The keys of this epoch and of those before it.
        seals: Seals,
        histories: Vec<(Sequence, History)>,
    },
    /// Stop fetching, and give back the jobs that have not been sent.
    Stop,
    Turn,
}

/// One delivery of a job.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub source: Source,
    pub ack: Ack,
    /// The job's id, which is known even if its options are not valid.
    pub job: JobId,
    pub options: Result<Options, InvalidOption>,
}

/// A job whose subject belongs to no category that is served.
#[derive(Clone, Debug)]
pub struct Stray {
    pub sequence: Sequence,
    pub job: JobId,
    /// The category as written, valid or not.
    pub category: String,
    pub submitted: WallTime,
    pub reason: String,
}

/// The result of an attempt to record an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    Stored,
    /// An outcome of this job had been recorded before.
    Already,
    /// Not stored; to be tried again.
    Failed,
}

/// The kind of a malformed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    Heartbeat,
    Outcome,
    Request,
}

impl Malformed {
    /// Returns its name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Malformed::Heartbeat => "heartbeat",
            Malformed::Outcome => "outcome",
            Malformed::Request => "request",
        }
    }
}
