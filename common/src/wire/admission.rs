//! Admission of a worker that starts: whether the name of its node is free.

use serde::{Deserialize, Serialize};

use super::Message;
use crate::bounds;
use crate::id::{BootId, Epoch};

/// The answer to a heartbeat that is `joining`, or of a boot that is refused, sent on
/// `rolecast.node.<node>.admission`. Another worker with the same name receives it too,
/// and ignores it by the boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    pub v: u8,
    /// The start of the worker that it is for.
    pub boot: BootId,
    /// The epoch of the dispatcher.
    pub epoch: Epoch,
    pub verdict: AdmissionVerdict,
    /// A later epoch that the worker reported, and that the bucket of the lease does not
    /// know, according to a read of the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuted: Option<Epoch>,
    /// The reason of a refusal, in one line.
    #[serde(
        default,
        deserialize_with = "bounds::remark",
        skip_serializing_if = "String::is_empty"
    )]
    pub reason: String,
}

impl Message for Admission {
    fn version(&self) -> u8 {
        self.v
    }
}

/// The dispatcher's decision about a worker that starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdmissionVerdict {
    /// The name is its own from here on: it may listen for jobs.
    Admitted,
    /// Another start of the node was alive a moment ago, or drains.
    Wait,
    /// Another start of the node is alive: this one must end.
    Refused,
}
