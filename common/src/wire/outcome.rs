//! Outcome of an execution, as the worker reports it.

use serde::{Deserialize, Serialize};

use super::{Blob, Message};
use crate::assignment::Assignment;
use crate::bounds;
use crate::time::WallTime;
use crate::trace::{self, TraceContext};

/// The end of one execution.
///
/// Sent as a request to the job's reply subject and repeated until an answer arrives, or
/// with others in an [`OutcomeBatch`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub v: u8,
    /// The execution; needed in a batch only, otherwise the subject names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Assignment>,
    pub status: OutcomeStatus,
    /// The reason, in one line; empty for `completed`.
    #[serde(
        default,
        deserialize_with = "bounds::remark",
        skip_serializing_if = "String::is_empty"
    )]
    pub reason: String,
    /// The output of the job, up to the worker's limit.
    #[serde(default, skip_serializing_if = "Blob::is_empty")]
    pub output: Blob,
    /// Whether the job printed more than that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub output_truncated: bool,
    /// The end of what the job wrote to stderr, if it is to be kept.
    #[serde(default, skip_serializing_if = "Blob::is_empty")]
    pub log: Blob,
    /// Whether the job wrote more before that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub log_truncated: bool,
    /// The time of its start, on the worker's wall clock; absent if it never started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<WallTime>,
    /// Its run time, in microseconds.
    #[serde(default)]
    pub run_us: u64,
    #[serde(default, skip_serializing_if = "JobUsage::is_unknown")]
    pub usage: JobUsage,
    /// The job's place in its producer's trace, if it has one: a dispatcher that took over
    /// while the job ran does not know it.
    #[serde(
        default,
        deserialize_with = "trace::lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub traceparent: Option<TraceContext>,
}

impl Message for Outcome {
    fn version(&self) -> u8 {
        self.v
    }
}

/// The end of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeStatus {
    /// It did its work.
    Completed,
    /// It failed and may succeed another time.
    Retry,
    /// It failed and always will.
    GiveUp,
    /// The worker could not take it; it did not start and does not count as an attempt.
    Refused,
    /// The worker is leaving; the execution does not count as an attempt.
    HandedBack,
    /// It was stopped because the dispatcher cancelled it.
    Cancelled,
}

/// Resources that one execution used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobUsage {
    /// CPU time, user and system, in microseconds.
    pub cpu_us: u64,
    /// The largest resident memory, in bytes.
    pub memory_max: u64,
    /// Read from and written to disks, in bytes; 0 if it is unknown.
    #[serde(skip_serializing_if = "is_zero")]
    pub disk_bytes: u64,
    /// Received and sent, in bytes; 0 if it is unknown. No system reports it for a
    /// process, so only workers that count it themselves can report it.
    #[serde(skip_serializing_if = "is_zero")]
    pub network_bytes: u64,
}

impl JobUsage {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// Several outcomes in one message on `rolecast.done.<node>.batch`; its one
/// answer confirms them all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeBatch {
    pub v: u8,
    #[serde(deserialize_with = "bounds::outcomes")]
    pub outcomes: Vec<Outcome>,
}

impl Message for OutcomeBatch {
    fn version(&self) -> u8 {
        self.v
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
