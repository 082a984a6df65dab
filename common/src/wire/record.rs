//! Final outcome of a job, which the dispatcher records once.

use serde::{Deserialize, Serialize};

use super::{Blob, JobUsage, Message};
use crate::id::{Attempt, Epoch, JobId, NodeId, Sequence};
use crate::time::WallTime;
use crate::trace::TraceId;

/// The recorded outcome of a job, stored on `rolecast.results.<job>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub v: u8,
    pub job: JobId,
    /// As published: an invalid name is kept for the record.
    pub category: String,
    /// The job's position in the stream it was submitted to.
    pub sequence: Sequence,
    pub status: RecordStatus,
    /// The reason, in one line; empty for `completed`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The epoch of the dispatcher that recorded it.
    pub epoch: Epoch,
    /// The node of its last execution, if it ever ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// The execution that ended it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// The attempts that failed before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedAttempt>,
    /// The attempts that were lost with their node, oldest first: they are no failures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<LostAttempt>,
    /// The time when the server stored the job.
    pub submitted_ms: WallTime,
    /// The start of its last execution, on the worker's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<WallTime>,
    /// The time when the dispatcher received the end.
    pub finished_ms: WallTime,
    /// Run time of the last execution, in microseconds.
    #[serde(default)]
    pub run_us: u64,
    #[serde(default)]
    pub usage: JobUsage,
    #[serde(default, skip_serializing_if = "Blob::is_empty")]
    pub output: Blob,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub output_truncated: bool,
    /// The trace of its producer, if the job was in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceId>,
}

impl Message for Record {
    fn version(&self) -> u8 {
        self.v
    }
}

/// The final states of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordStatus {
    Completed,
    /// It failed for good and is kept in ROLECAST_DEAD.
    Dead,
    /// Its deadline passed; it is kept in ROLECAST_DEAD.
    Expired,
    /// An operator cancelled it.
    Cancelled,
}

impl RecordStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            RecordStatus::Completed => "completed",
            RecordStatus::Dead => "dead",
            RecordStatus::Expired => "expired",
            RecordStatus::Cancelled => "cancelled",
        }
    }
}

/// One attempt that did not complete, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    pub attempt: Attempt,
    pub node: NodeId,
    pub reason: String,
    pub at_ms: WallTime,
    /// Whether the worker reported that it will always fail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gave_up: bool,
}

/// One attempt that was lost with its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostAttempt {
    pub attempt: Attempt,
    pub node: NodeId,
    pub at_ms: WallTime,
    /// The time from its sending to its loss.
    #[serde(default)]
    pub ran_ms: u64,
    /// The number of other jobs that were lost with the node; `None` if the node lived on
    /// and did not have the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub companions: Option<u32>,
}
