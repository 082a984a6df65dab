//! Status that the dispatcher reports of itself, its nodes and its jobs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    DispatcherStatus, ForecastMode, Message, NatsStatus, ProfileView, ProgressView, Record,
    StatusCursor, Totals, Usage, VERSION, VacantRole, is_zero,
};
use crate::id::{Attempt, Category, Epoch, JobId, NodeId, Role};
use crate::label::Labels;
use crate::time::WallTime;
use crate::unit::{Resources, Speed};

/// The answer of `rolecast.api.status`: one page of it, see [`super::StatusRequest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub v: u8,
    /// The dispatcher's name.
    pub dispatcher: String,
    pub epoch: Epoch,
    pub at_ms: WallTime,
    /// Effect of forecasts on placement.
    #[serde(default)]
    pub forecast_mode: ForecastMode,
    /// Sums over the whole fleet, on each page.
    #[serde(default)]
    pub totals: Totals,
    pub nodes: Vec<NodeStatus>,
    /// Roles that a node holds or a category names.
    #[serde(default)]
    pub roles: Vec<RoleStatus>,
    pub categories: Vec<CategoryStatus>,
    pub counters: Counters,
    /// The dispatchers that gave a sign of life, this one included, by name; a few of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dispatchers: Vec<DispatcherStatus>,
    /// The state of NATS; `None` before it was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats: Option<NatsStatus>,
    /// Managed roles without all their holders; a few of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vacant: Vec<VacantRole>,
    /// Lasting conditions around the dispatcher.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
    /// Whether the lease could not be renewed: nothing is sent until it is renewed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_lapsed: bool,
    /// The reason why the streams could not be read, so that backlogs are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// The number of jobs in ROLECAST_DEAD; `None` if that could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<u64>,
    /// Senders whose heartbeats or outcomes were refused, the last first; a few of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedSender>,
    /// The entry after which the next page continues; `None` on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<StatusCursor>,
}

/// A condition that is wrong and that the dispatcher cannot correct by itself at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The part that is affected, such as `stream ROLECAST_JOBS`.
    pub what: String,
    pub why: String,
    /// The remedy.
    #[serde(default)]
    pub remedy: String,
    pub since_ms: WallTime,
    /// The number of reports.
    #[serde(default)]
    pub count: u64,
}

impl Message for Status {
    fn version(&self) -> u8 {
        self.v
    }
}

/// A sender of messages that were refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedSender {
    /// A node, or the subject of a message that named none.
    pub from: String,
    pub count: u64,
    /// The reason why the last one was refused.
    pub why: String,
    /// The time of that refusal.
    pub at_ms: WallTime,
}

/// A node as the dispatcher sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    pub node: NodeId,
    pub roles: Vec<Role>,
    pub health: NodeHealth,
    /// The age of its last heartbeat, in milliseconds.
    pub heartbeat_age_ms: u64,
    /// The round trip of a message to it and its answer, in microseconds; `None` if it
    /// has not answered a ping yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// The lead of its clock over the dispatcher's, in milliseconds; `None` if that is
    /// unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The categories that it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    /// Declared speed of one of its cores.
    #[serde(default)]
    pub speed: Speed,
    /// Speed learned from its jobs; and recent measured over predicted run time of jobs
    /// there.
    #[serde(default)]
    pub learned_speed: f64,
    #[serde(default)]
    pub feedback: f64,
    pub capacity: Resources,
    pub usage: Usage,
    /// Reservations for jobs that were sent and have not ended yet.
    pub reserved: Resources,
    pub jobs: u32,
    pub jobs_max: u32,
    /// Jobs sent to it, and those that forecasts in advisory mode would have sent to it.
    #[serde(default)]
    pub sent: u64,
    #[serde(default)]
    pub advised: u64,
    /// Jobs that forecasts kept away from it, of the decisions that were compared: by its
    /// last heartbeat it was the best node for them.
    #[serde(default)]
    pub diverted: u64,
    pub completed: u64,
    pub failed: u64,
    /// Categories of which it gets only one job at a time, after pauses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distrusted: Vec<Distrust>,
    /// Whether `roles`, `labels`, `categories` and `distrusted` are left out: with them the node alone
    /// is larger than a message.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// A category that a node is kept out of, because of the ends of its jobs there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distrust {
    pub category: Category,
    pub kind: DistrustKind,
    pub since_ms: WallTime,
    /// The reason that it reported for the last one.
    pub reason: String,
    /// Failed attempts there since one completed.
    pub failed_in_row: u32,
    /// The pause between two attempts.
    pub pause_ms: u64,
}

/// The reason why a node is kept out of a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DistrustKind {
    /// It cannot start its jobs.
    Unable,
    /// It fails jobs where other nodes complete them.
    Failing,
}

/// Whether a node gets jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeHealth {
    Ready,
    /// It finishes what it has and takes no more.
    Draining,
    /// Nobody listens on its subject, or its heartbeats stopped.
    Gone,
}

/// Whether the nodes of a role will have room for the jobs that are expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleStatus {
    pub role: Role,
    /// The number of nodes that take jobs and hold it.
    pub nodes: u32,
    /// The shortage at the first horizon with one; otherwise zero.
    #[serde(default)]
    pub shortage: Resources,
    /// That horizon, in seconds; `None` if nothing will be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_horizon_s: Option<u32>,
}

/// A category as the dispatcher sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoryStatus {
    pub category: Category,
    /// Whether the config names it; otherwise it has the default profile.
    pub declared: bool,
    /// Roles that may run it, best first; empty means any.
    pub roles: Vec<Role>,
    /// Jobs stored and not ended, including those that run.
    pub backlog: u64,
    pub waiting: u32,
    pub running: u32,
    /// Nodes that could run it now if they had room.
    pub nodes_eligible: u32,
    /// Age of the oldest job not ended, in milliseconds.
    pub oldest_ms: Option<u64>,
    /// Whether its first job has waited long, compared with the run time of jobs.
    #[serde(default)]
    pub late: bool,
    pub completed: u64,
    pub retried: u64,
    pub dead: u64,
    pub expired: u64,
    #[serde(default)]
    pub cancelled: u64,
    /// Needs of its jobs, as declared and as learned.
    #[serde(default)]
    pub profile: ProfileView,
    /// Jobs expected to arrive per minute in the next 15; `None` before enough is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_per_minute: Option<f64>,
    /// The number of nodes that cannot run it at the moment, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub obstacles: BTreeMap<String, u32>,
    /// The labels that waiting jobs require, with the number of jobs for each; a few of
    /// them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub required: BTreeMap<String, u32>,
    /// Its jobs in ROLECAST_DEAD, expired ones included; `None` if they are too many to
    /// be counted by category, or could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<u64>,
    /// Whether `roles`, `obstacles` and `required` are left out, as for a node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// Counts of refusals and repetitions since the dispatcher started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    pub heartbeats: u64,
    pub heartbeats_refused: u64,
    pub outcomes_stale: u64,
    pub outcomes_malformed: u64,
    /// Requests whose answer would have gone to a subject where only a dispatcher may
    /// publish.
    pub requests_refused: u64,
    pub jobs_bounced: u64,
    pub jobs_lost_with_node: u64,
    pub jobs_redelivered: u64,
    /// Jobs that a node could not start.
    pub jobs_unable: u64,
    /// Number of findings that a node fails jobs that others complete.
    pub nodes_distrusted: u64,
    /// Executions that ended after another had been recorded.
    pub duplicates: u64,
    /// Decisions with forecasts in advisory mode.
    pub advisory_decisions: u64,
    /// Number of them that would have chosen another node.
    pub advisory_diverted: u64,
    /// Decisions that were compared with a decision by the last heartbeats alone: those
    /// that were recorded.
    pub compared: u64,
    /// Number of them in which forecasts chose another node.
    pub diverted: u64,
}

/// The answer of `rolecast.api.job`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    pub v: u8,
    pub job: JobId,
    pub state: JobState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// The earliest start, if it is delayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<WallTime>,
    /// The reason why it waits, or the last failure.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The numbers of its attempts that failed, and that were lost with their node.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// Its progress, if it runs and reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
    /// The recorded outcome, when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

impl JobView {
    /// Returns the view of a job that has run nowhere.
    pub fn new(job: JobId, state: JobState, reason: String) -> Self {
        Self {
            v: VERSION,
            job,
            state,
            node: None,
            attempt: None,
            until_ms: None,
            reason,
            failed: 0,
            lost: 0,
            progress: None,
            record: None,
        }
    }
}

impl Message for JobView {
    fn version(&self) -> u8 {
        self.v
    }
}

/// State of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Not known here: never accepted, or still behind others in the stream.
    Unknown,
    /// Held until a node has room.
    Waiting,
    Running,
    /// Waiting for its delay, or for its next attempt.
    Delayed,
    Completed,
    Dead,
    Expired,
    Cancelled,
}

impl JobState {
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Unknown => "unknown",
            JobState::Waiting => "waiting",
            JobState::Running => "running",
            JobState::Delayed => "delayed",
            JobState::Completed => "completed",
            JobState::Dead => "dead",
            JobState::Expired => "expired",
            JobState::Cancelled => "cancelled",
        }
    }
}
