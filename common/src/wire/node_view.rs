//! One node with all that the dispatcher knows about it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Message, NodeStatus};
use crate::id::{BootId, Category, JobId, Role};
use crate::time::WallTime;
use crate::unit::Resources;

/// The answer of [`crate::subjects::API_NODE`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    pub v: u8,
    pub at_ms: WallTime,
    /// The node as a status lists it.
    pub status: NodeStatus,
    /// The time since which its health is as it is; of a dispatcher that took over later,
    /// the time of its first heartbeat there.
    pub since_ms: WallTime,
    /// The id of the start of its worker.
    pub boot: BootId,
    /// The interval of its heartbeats, in milliseconds.
    pub interval_ms: u64,
    /// Whether an operator drained it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_drained: bool,
    /// The managed roles that it offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<Role>,
    /// The categories that it runs, with the most jobs of each at once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub categories: BTreeMap<Category, u32>,
    /// The use by others than jobs, as measured, and the largest one within ten minutes,
    /// by the forecast: in half of all cases, and at the configured quantile.
    #[serde(default)]
    pub others: Resources,
    #[serde(default)]
    pub likely: Resources,
    #[serde(default)]
    pub safe: Resources,
    /// Jobs that it refused, the last first; a few of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<NodeRefusal>,
}

impl Message for NodeView {
    fn version(&self) -> u8 {
        self.v
    }
}

/// A job that a node refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRefusal {
    pub at_ms: WallTime,
    pub job: JobId,
    pub category: Category,
    pub reason: String,
}
