//! Cancels: requests to cancel jobs, their answers, and the order to a node.

use serde::{Deserialize, Serialize};

use super::{Message, RecordStatus};
use crate::bounds;
use crate::id::{Attempt, Category, Epoch, JobId, NodeId, Sequence};
use crate::time::WallTime;

/// A request on `rolecast.api.cancel`: for one `job`, or for all jobs of a `category` that
/// were stored before a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequest {
    pub v: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// The age from which on jobs of the category are cancelled; 0 for all stored before
    /// the request.
    #[serde(default)]
    pub older_ms: u64,
    /// The name of the person or program that cancels.
    #[serde(
        default,
        deserialize_with = "bounds::remark",
        skip_serializing_if = "String::is_empty"
    )]
    pub by: String,
    /// The reason, in one line.
    #[serde(
        default,
        deserialize_with = "bounds::remark",
        skip_serializing_if = "String::is_empty"
    )]
    pub reason: String,
    /// Whether to answer only what it would do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

impl Message for CancelRequest {
    fn version(&self) -> u8 {
        self.v
    }
}

/// The answer: what happens to the job, or how many jobs of the category it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelAnswer {
    pub v: u8,
    /// The time of the cancel on the dispatcher's clock.
    pub at_ms: WallTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fate: Option<CancelFate>,
    /// The node that is asked to stop the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// The status of its record, if it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RecordStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<CancelCounts>,
}

impl Message for CancelAnswer {
    fn version(&self) -> u8 {
        self.v
    }
}

/// What a cancel does to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CancelFate {
    /// It did not run, and is being recorded as cancelled.
    Recording,
    /// It runs; its node is asked to stop it.
    Stopping,
    /// It is not held here: it is cancelled when the stream delivers it.
    Pending,
    /// It has ended, or its end is being recorded; the cancel has no effect.
    Ended,
}

/// The jobs of a category that a cancel concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelCounts {
    /// Held by the dispatcher and waiting for a node.
    pub waiting: u64,
    pub running: u64,
    /// Waiting for a delay or their next attempt.
    pub delayed: u64,
    /// All jobs of the category in the stream, when they were counted last: those that the
    /// dispatcher does not hold are cancelled when they are delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<u64>,
}

/// The order to stop an attempt, sent on `rolecast.node.<node>.cancel` and repeated with
/// the heartbeats that still list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptCancel {
    pub v: u8,
    /// The epoch of the dispatcher: a worker ignores one below the largest it has seen.
    pub epoch: Epoch,
    pub job: JobId,
    /// The sequence of the job in ROLECAST_JOBS, which distinguishes two jobs with one id.
    pub sequence: Sequence,
    pub attempt: Attempt,
    /// Who cancelled it and why, in one line.
    #[serde(
        default,
        deserialize_with = "bounds::remark",
        skip_serializing_if = "String::is_empty"
    )]
    pub reason: String,
}

impl Message for AttemptCancel {
    fn version(&self) -> u8 {
        self.v
    }
}
