//! Commands that the scheduler emits. Each is complete: the shell that carries it out
//! decides nothing.

use std::time::Duration;

use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::id::{Category, Epoch, JobId, NodeId, Role, Sequence};
use rolecast_common::subjects::Source;
use rolecast_common::time::WallTime;
use rolecast_common::unit::Cores;
use rolecast_common::wire::{
    Admission, AttemptLog, CapacityMap, Decision, FailedAttempt, LostAttempt, Record,
};
use rolecast_forecast::Lesson;

use super::cancel::CancelOutput;
use super::suspects::Suspicion;
use super::verdict::Verdict;
use crate::relocation;
use crate::roles;
use crate::span::{Passed, Span};

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Request this many jobs from the stream.
    Fetch {
        source: Source,
        batch: u32,
    },
    /// Send the held job to the node.
    Forward {
        sequence: Sequence,
        node: NodeId,
        assignment: Assignment,
        deadline: Option<WallTime>,
        /// The longest time that it may run.
        time_limit: Option<Duration>,
        /// The roles in one of which the node must act; empty if there is no such
        /// condition.
        roles: Vec<Role>,
        /// Its place in a trace that is recorded.
        trace: Option<Passed>,
    },
    /// Stages of a job in a trace that is recorded, over.
    Trace(Vec<Span>),
    /// Ping the node, and report the round trip as [`super::Input::Latency`], or that
    /// nobody listens as [`super::Input::Absent`]. Numbers rise.
    Ping {
        node: NodeId,
        number: u64,
    },
    /// Ask the node for a heartbeat at once; its answer counts as a ping's.
    AskReport {
        node: NodeId,
        number: u64,
    },
    /// Have the stream redeliver what was delivered to a former leader and is not in hand
    /// anywhere; answer with [`super::Input::Recovered`].
    Recover,
    /// Forget the held payload.
    Drop(Sequence),
    /// Acknowledge the job: it is settled.
    Ack {
        sequence: Sequence,
        ack: Ack,
    },
    /// Have the job delivered again, after `delay`.
    GiveBack {
        sequence: Sequence,
        ack: Ack,
        delay: Duration,
    },
    /// Extend the delivery: the job is still being worked on.
    KeepAlive(Ack),
    /// Store the outcome if none is stored; answer with `Recorded`.
    Record(Box<Record>),
    /// Store the job in the dead-letter stream, record its outcome, then take it
    /// off the queue: by its ack, or by its sequence if it was never delivered.
    DeadLetter {
        record: Box<Record>,
        ack: Option<Ack>,
    },
    /// Store the failed attempts of the job for a restart.
    SaveHistory {
        sequence: Sequence,
        history: History,
    },
    ForgetHistory(Sequence),
    /// Store the record of a decision.
    RecordDecision(Box<Decision>),
    /// Store the log of an attempt.
    StoreLog(Box<AttemptLog>),
    /// Publish the map for readers outside.
    PublishCapacity(Box<CapacityMap>),
    /// Store the forecast state of the node for a restart.
    SaveForecast {
        node: NodeId,
        bytes: Vec<u8>,
    },
    /// Lessons for the stack, which is fitted at intervals.
    Learn(Vec<Lesson>),
    /// Answer a boot of the node whether it may use its name.
    Admit {
        node: NodeId,
        admission: Box<Admission>,
    },
    /// Answer the worker's request: its outcomes are settled.
    Confirm(String),
    /// A command about cancels.
    Cancel(CancelOutput),
    /// A command of the coordinator of roles; never an event.
    Roles(roles::Output),
    /// Read the lease: a node reports a later epoch. If it still holds, the answer is
    /// [`super::Input::Renewed`].
    DoubtLease,
    /// Stop leading under this epoch: nodes do not obey it.
    StepDown {
        reason: String,
    },
    Event(Event),
}

impl From<relocation::Output> for Output {
    fn from(output: relocation::Output) -> Self {
        match output {
            relocation::Output::Roles(output) => match *output {
                roles::Output::Event(event) => Self::Event(Event::Roles(Box::new(event))),
                output @ (roles::Output::Read { .. }
                | roles::Output::Store { .. }
                | roles::Output::Assign { .. }
                | roles::Output::Answer { .. }) => Self::Roles(output),
            },
            relocation::Output::Limited(role) => Self::Event(Event::RoleLimited { role }),
            relocation::Output::GroupHot { role, hot, heard } => {
                Self::Event(Event::GroupHot { role, hot, heard })
            }
        }
    }
}

/// The history of a job's former attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub job: JobId,
    /// The number of the last attempt, or 0.
    pub attempt: u32,
    pub failures: Vec<FailedAttempt>,
    /// Time of the next attempt; a delivery before it is given back until then.
    pub not_before: Option<WallTime>,
    pub losses: Vec<LostAttempt>,
    pub suspicion: Option<Suspicion>,
}

/// An event that an operator may want to read.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    NodeJoined {
        node: NodeId,
        rebooted: bool,
    },
    NodeDraining {
        node: NodeId,
    },
    /// The node's clock is ahead of this dispatcher's by this much, or behind if
    /// negative.
    ClockSkewed {
        node: NodeId,
        ahead_ms: i64,
    },
    NodeGone {
        node: NodeId,
        jobs: u32,
        why: &'static str,
    },
    /// This many nodes are missing at once, so NATS or the network is suspected: they are
    /// given more time.
    ManyMissing {
        missing: usize,
        nodes: usize,
    },
    /// `count` refusals since the last such event.
    HeartbeatsRefused {
        from: String,
        why: String,
        count: u64,
    },
    OutcomesMalformed {
        from: String,
        why: String,
        count: u64,
    },
    RequestsRefused {
        from: String,
        why: String,
        count: u64,
    },
    OutcomeStale {
        node: NodeId,
        job: JobId,
        attempt: u32,
    },
    CategoryFound {
        category: Category,
    },
    /// Jobs of the category wait and no node can ever take them in the present state.
    NoEligibleNode {
        category: Category,
        why: String,
    },
    JobsWait(LongWait),
    EligibleAgain {
        category: Category,
    },
    JobsGone(JobsGone),
    /// A trouble outside of this process, with the number of its reports.
    Troubled(Trouble, u64),
    TroubleOver {
        what: String,
        lasted: Duration,
    },
    AdvisoryDiverted(Diversion),
    Diverted(KeptAway),
    Roles(Box<roles::Event>),
    /// A role should move, but the limit of changes within the hour is reached.
    RoleLimited {
        role: Role,
    },
    /// So many nodes that may hold the role are overloaded that no change helps.
    GroupHot {
        role: Role,
        hot: u32,
        heard: u32,
    },
    JobAdopted {
        job: JobId,
        node: NodeId,
        epoch: Epoch,
    },
    JobRetried {
        job: JobId,
        node: NodeId,
        reason: String,
        delay: Duration,
    },
    /// A verdict on a job or a node.
    Verdict(Verdict),
    /// A job was recorded as cancelled.
    JobCancelled {
        job: JobId,
        reason: String,
    },
    JobDeadLettered {
        job: JobId,
        status: &'static str,
        reason: String,
    },
}

/// A fault outside of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The troubled thing, such as `stream ROLECAST_JOBS`; there is one trouble for each.
    pub what: String,
    pub why: String,
    /// The action that an operator can take.
    pub remedy: String,
    /// Time after its last report at which it is over; `None` if only
    /// [`super::Input::Mended`] ends it.
    pub lasts: Option<Duration>,
}

/// In advisory mode, forecasts would have chosen the `better` node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    pub category: Category,
    pub node: NodeId,
    pub better: NodeId,
    /// Such decisions since the last such event.
    pub count: u64,
}

/// Forecasts kept jobs away from the node `from`, which its last heartbeat favours.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptAway {
    pub category: Category,
    pub from: NodeId,
    pub to: NodeId,
    /// The CPU in use there, and the use by others that is expected in the next minute.
    pub cpu_now: Cores,
    pub cpu_expected: Cores,
    /// Such decisions among those compared, since the last such event.
    pub count: u64,
}

/// The jobs stream was recreated; the number of known jobs of the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobsGone {
    pub waiting: u32,
    pub running: u32,
    pub given_back: usize,
}

/// The first job of the category has waited this long for room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongWait {
    pub category: Category,
    pub waited: Duration,
    pub waiting: u32,
    pub why: String,
}
