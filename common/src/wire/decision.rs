//! Record of one placement decision: why the job went to its node.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Message, is_zero};
use crate::id::{Category, Epoch, JobId, NodeId};
use crate::time::WallTime;

/// CPU in cores, memory in bytes, network and disk in bytes a second.
type Amounts = [f32; 4];

/// One decision, complete enough to be repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub v: u8,
    /// The job it was made for; `None` if it was only a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    pub category: Category,
    pub at_ms: WallTime,
    pub epoch: Epoch,
    /// The time that the job had waited at the dispatcher.
    pub waited_ms: u64,
    /// The numbers of its attempts that had failed, and that were lost with a node.
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
    /// The hash of its shard key, if the key was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u64>,
    /// Whether forecasts were used, rather than the last heartbeats.
    pub is_forecast: bool,
    /// The degree to which others are assumed to have priority on a CPU: 0 is fair
    /// sharing.
    pub priority_share: f32,
    pub needs: DecisionNeeds,
    pub verdict: Verdict,
    /// The node it was sent to, or the best node if it was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// Whether it was sent there because memory had been kept free for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_claimed: bool,
    /// Nodes considered, and those that could not take it, by reason.
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

/// The result of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Sent,
    /// It waits, because even the best node would slow it down too much.
    Held,
    /// No node could take it.
    Nowhere,
}

/// Expected needs of the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DecisionNeeds {
    pub average: Amounts,
    /// Memory beyond the average at its peak, in bytes.
    pub memory_peak: f32,
    /// Run time alone on a core of speed 1, in seconds.
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
    /// Predicted completion, relative to a run alone on a core of speed 1, with the other
    /// costs: the least is best.
    pub cost: f32,
    pub slow_down: f32,
    /// Decides between equal costs: the least is best.
    pub chance: u32,
    /// The rank of its role in the category's list.
    pub role_rank: u8,
    pub heartbeat_age_ms: u64,
    pub capacity: Amounts,
    /// Use by others in the last heartbeat, and their expected use.
    pub present: Amounts,
    pub ahead: [Amounts; 6],
    /// Reservations for jobs that were sent to it and had not ended.
    pub reserved: Amounts,
    pub speed: f32,
    /// Measured over predicted run time of jobs there.
    pub feedback: f32,
    pub round_trip_s: f32,
}
