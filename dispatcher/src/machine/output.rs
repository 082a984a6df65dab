//! What the machine wants done. Each is complete: who carries it out decides nothing.

use std::time::Duration;

use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::id::{Category, Epoch, JobId, NodeId, Role, Sequence};
use rolecast_common::subjects::Source;
use rolecast_common::time::WallTime;
use rolecast_common::unit::Cores;
use rolecast_common::wire::{Admission, CapacityMap, Decision, FailedAttempt, LostAttempt, Record};

use super::Trouble;
use super::suspects::Suspicion;
use super::verdict::Verdict;
use crate::forecast::Lesson;
use crate::roles;

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Ask the stream for this many jobs.
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
        /// How long it may run.
        time_limit: Option<Duration>,
        /// The roles in one of which the node must act; empty if it need not be said.
        roles: Vec<Role>,
    },
    /// Ask the node for an answer, and tell how long it takes as
    /// [`super::Input::Latency`], or that nobody listens as [`super::Input::Absent`].
    /// Numbers rise.
    Ping {
        node: NodeId,
        number: u64,
    },
    /// Ask the node for a heartbeat at once; its answer counts as a ping's.
    AskReport {
        node: NodeId,
        number: u64,
    },
    /// Have the stream deliver again what was delivered to a former leader and is not in
    /// hand anywhere; answer with [`super::Input::Recovered`].
    Recover,
    /// Forget the held payload.
    Drop(Sequence),
    /// The job is settled.
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
    /// The job is still being worked on.
    KeepAlive(Ack),
    /// Store the outcome if none is stored; answer with `Recorded`.
    Record(Box<Record>),
    /// Store the job in the dead-letter stream, record its outcome, then take it
    /// off the queue: by its ack, or by its sequence if it was never delivered.
    Bury {
        record: Box<Record>,
        ack: Option<Ack>,
    },
    /// Keep what is known of the failed attempts over a restart.
    SaveHistory {
        sequence: Sequence,
        history: History,
    },
    ForgetHistory(Sequence),
    /// Keep why a job went where it went.
    RecordDecision(Box<Decision>),
    /// Store the map where others read it.
    PublishCapacity(Box<CapacityMap>),
    /// Keep what was learned of the node over a restart.
    SaveForecast {
        node: NodeId,
        bytes: Vec<u8>,
    },
    /// What the stack can learn from; fit it now and then.
    Learn(Vec<Lesson>),
    /// Tell a start of the node whether it may use its name.
    Admit {
        node: NodeId,
        admission: Box<Admission>,
    },
    /// Answer the worker's request: its outcomes are settled.
    Confirm(String),
    /// What the manager of roles wants done; never an event.
    Roles(roles::Output),
    /// Have the lease looked at: a node tells of a later epoch. That it holds is told as
    /// [`super::Input::Renewed`].
    DoubtLease,
    /// Nodes do not obey this epoch; lead no more under it.
    StepDown {
        reason: String,
    },
    Event(Event),
}

/// What is known of a job's former attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub job: JobId,
    /// The number of the last attempt, or 0.
    pub attempt: u32,
    pub failures: Vec<FailedAttempt>,
    /// When it is to be tried again; it may be delivered before, and is given back then.
    pub not_before: Option<WallTime>,
    pub losses: Vec<LostAttempt>,
    pub suspicion: Option<Suspicion>,
}

/// Something an operator may want to read.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    NodeJoined {
        node: NodeId,
        rebooted: bool,
    },
    NodeDraining {
        node: NodeId,
    },
    /// The node's clock is ahead of this dispatcher's by so much, or behind if negative.
    ClockSkewed {
        node: NodeId,
        ahead_ms: i64,
    },
    NodeGone {
        node: NodeId,
        jobs: u32,
        why: &'static str,
    },
    /// So many nodes are missing at once that NATS or the network is suspected: they
    /// are given more time.
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
    /// Jobs of the category wait and no node can ever take them as things are.
    NoEligibleNode {
        category: Category,
        why: String,
    },
    JobsWait(LongWait),
    EligibleAgain {
        category: Category,
    },
    JobsGone(JobsGone),
    /// Something outside of this process is wrong, reported so many times.
    Troubled(Trouble, u64),
    TroubleOver {
        what: String,
        lasted: Duration,
    },
    AdvisoryDiverted(Diversion),
    Diverted(KeptAway),
    Roles(Box<roles::Event>),
    /// A role would move, had it not moved as often within the hour as it may.
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
    /// What jobs and nodes are blamed for.
    Verdict(Verdict),
    JobBuried {
        job: JobId,
        status: &'static str,
        reason: String,
    },
}

/// Forecasts, asked for advice only, would have chosen the `better` node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    pub category: Category,
    pub node: NodeId,
    pub better: NodeId,
    /// Such decisions since the last such event.
    pub count: u64,
}

/// Forecasts kept jobs away from the node `from`, for which its last heartbeat speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptAway {
    pub category: Category,
    pub from: NodeId,
    pub to: NodeId,
    /// What is in use there, and what others are expected to use in the next minute.
    pub cpu_now: Cores,
    pub cpu_expected: Cores,
    /// Such decisions, of those looked at, since the last such event.
    pub count: u64,
}

/// The jobs stream was made anew; so many jobs of the old one were known.
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
