//! Record of one placement decision: why the job went to its node.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Message, is_zero};
use crate::id::{Category, Epoch, JobId, NodeId};
use crate::time::WallTime;

/// CPU in cores, memory in bytes, network and disk in bytes a second.
type Amounts = [f32; 4];

/// One decision, complete enough to be made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub v: u8,
    /// The job it was made for; `None` if somebody only asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    pub category: Category,
    pub at_ms: WallTime,
    pub epoch: Epoch,
    /// How long the job had waited here.
    pub waited_ms: u64,
    /// How many of its attempts had failed, and how many were lost with a node.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// Whether it had to be alone on its node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_alone: bool,
    /// The labels it requires.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub require: String,
    /// The hash of its shard key, if that was followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u64>,
    /// Whether forecasts counted, rather than the last heartbeats.
    pub is_forecast: bool,
    /// How far others are believed to come first on a CPU: 0 is fair sharing.
    pub priority_share: f32,
    pub needs: DecisionNeeds,
    pub verdict: Verdict,
    /// Where it was sent, or would best have gone had it not been held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// Whether it was sent there because memory had been kept free for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_claimed: bool,
    /// Nodes looked at, and those that could not take it, by reason.
    pub considered: u32,
    pub refusals: BTreeMap<String, u32>,
    /// The cheapest nodes, the best first, and the chosen one.
    pub best: Vec<DecisionNode>,
}

impl Message for Decision {
    fn version(&self) -> u8 {
        self.v
    }
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Sent,
    /// It waits, for even the best node would slow it down too much.
    Held,
    /// No node could take it.
    Nowhere,
}

/// What the job was expected to need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DecisionNeeds {
    pub average: Amounts,
    /// Memory beyond the average at its peak, in bytes.
    pub memory_peak: f32,
    /// Alone on a core of speed 1, in seconds.
    pub duration_s: f32,
    /// The share of its stay in each bucket of time ahead.
    pub stay: [f32; 6],
    pub weight_role: f32,
    pub weight_latency: f32,
    pub weight_others: f32,
}

/// One node, as the decision saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionNode {
    pub node: NodeId,
    /// Predicted completion, relative to a run alone on a core of speed 1, with
    /// all that counts beside it: the least is best.
    pub cost: f32,
    pub slow_down: f32,
    /// Decides between equal costs: the least is best.
    pub chance: u32,
    /// The place of its role in the category's list.
    pub role_rank: u8,
    pub heartbeat_age_ms: u64,
    pub capacity: Amounts,
    /// What others used by the last heartbeat, and are expected to use.
    pub present: Amounts,
    pub ahead: [Amounts; 6],
    /// What was sent to it and had not ended.
    pub reserved: Amounts,
    pub speed: f32,
    /// By how much jobs took longer there than predicted.
    pub feedback: f32,
    pub round_trip_s: f32,
}
