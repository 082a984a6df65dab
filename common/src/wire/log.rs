//! Logs of attempts: the end of what each wrote to stderr, as it is stored and requested.

use serde::{Deserialize, Serialize};

use super::{Blob, Message, OutcomeStatus, VERSION};
use crate::bounds;
use crate::id::{Attempt, Category, JobId, NodeId, Sequence};
use crate::time::WallTime;

/// The log of one attempt, stored on `rolecast.logs.<job>.<attempt>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptLog {
    pub v: u8,
    pub job: JobId,
    pub category: Category,
    /// The sequence of the job in ROLECAST_JOBS, which distinguishes two jobs with one id.
    pub sequence: Sequence,
    pub attempt: Attempt,
    pub node: NodeId,
    pub status: OutcomeStatus,
    /// The reason of its failure; empty if it completed.
    #[serde(
        default,
        deserialize_with = "bounds::remark",
        skip_serializing_if = "String::is_empty"
    )]
    pub reason: String,
    /// The time when the dispatcher received it.
    pub at_ms: WallTime,
    /// The last bytes.
    pub log: Blob,
    /// Whether there were more before them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log_truncated: bool,
}

impl AttemptLog {
    /// Removes this many bytes at the beginning of the log; text is cut between two
    /// characters.
    pub fn cut(&mut self, excess: usize) {
        let log = &mut self.log.0;
        let mut start = excess.min(log.len());
        if start == 0 {
            return;
        }
        if let Ok(text) = std::str::from_utf8(log) {
            start = text.ceil_char_boundary(start);
        }
        *log = log.slice(start..);
        self.log_truncated = true;
    }
}

impl Message for AttemptLog {
    fn version(&self) -> u8 {
        self.v
    }
}

/// A request on `rolecast.api.logs`: for the oldest log of a job, or the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRequest {
    pub v: u8,
    pub job: JobId,
    /// `position` in the previous answer; 0 for the oldest log.
    #[serde(default)]
    pub after: u64,
}

impl LogRequest {
    pub fn new(job: JobId, after: u64) -> Self {
        let v = VERSION;
        Self { v, job, after }
    }
}

impl Message for LogRequest {
    fn version(&self) -> u8 {
        self.v
    }
}

/// The answer: one log, or none if the job has no further one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogPage {
    pub v: u8,
    /// The place of the log among all; 0 if there is none.
    #[serde(default)]
    pub position: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<AttemptLog>,
}

impl Message for LogPage {
    fn version(&self) -> u8 {
        self.v
    }
}
