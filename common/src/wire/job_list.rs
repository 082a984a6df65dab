//! Jobs that a dispatcher holds or gave back, in pages: the request and its answer.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{JobState, Message, ProgressView, VERSION, is_zero};
use crate::id::{Attempt, Category, JobId, NodeId, Priority, Sequence};
use crate::time::WallTime;

/// A request on [`crate::subjects::API_JOBS`]; an empty body stands for the first page of
/// all jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobsRequest {
    pub v: u8,
    /// The field `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Sequence>,
    /// The most jobs of the page; it has fewer if they would not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<NonZeroU32>,
    /// Whether the job that was stored last is the first one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newest_first: bool,
    /// Only jobs of this category, and those whose category is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Only jobs in one of these states; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<JobState>,
    /// Only jobs that this node has in hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
}

impl JobsRequest {
    /// Returns the request for the first page of all jobs.
    pub fn first() -> Self {
        Self {
            v: VERSION,
            after: None,
            limit: None,
            newest_first: false,
            category: None,
            states: Vec::new(),
            node: None,
        }
    }
}

impl Message for JobsRequest {
    /// Two names, two numbers and the states.
    const LEN_MAX: usize = 1024;

    fn version(&self) -> u8 {
        self.v
    }
}

/// The answer of [`crate::subjects::API_JOBS`]: jobs by their place in ROLECAST_JOBS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobList {
    pub v: u8,
    pub at_ms: WallTime,
    pub jobs: Vec<ListedJob>,
    /// The number of all jobs that the dispatcher holds or gave back, by state, whatever
    /// was requested.
    #[serde(default)]
    pub totals: JobTotals,
    /// The job after which the next page continues; `None` on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Sequence>,
}

impl Message for JobList {
    fn version(&self) -> u8 {
        self.v
    }
}

/// Numbers of jobs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobTotals {
    pub waiting: u32,
    pub running: u32,
    pub delayed: u32,
}

/// A job in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListedJob {
    pub job: JobId,
    /// Its place in ROLECAST_JOBS.
    pub sequence: Sequence,
    /// `None` of a job that was given back by a former dispatcher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    #[serde(default)]
    pub priority: Priority,
    pub state: JobState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// The time when it was stored, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_ms: Option<WallTime>,
    /// The length for which it has been in its state here, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// The time when it may start, if it is delayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<WallTime>,
    /// The last progress that its worker reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
    /// The reason why it waits, or of its last failure.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The numbers of its attempts that failed, and that were lost with their node.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u32,
}
