//! Role capacity map: the room that the nodes of each role will have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ForecastMode, Message, is_zero};
use crate::id::{Epoch, NodeId, Role};
use crate::time::WallTime;
use crate::unit::Resources;

/// The answer of `rolecast.api.capacity`, and the key `map` in the bucket
/// ROLECAST_CAPACITY.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityMap {
    pub v: u8,
    pub at_ms: WallTime,
    pub epoch: Epoch,
    pub mode: ForecastMode,
    /// The share of cases in which there will be at least what is `safe`.
    pub quantile: f64,
    pub roles: BTreeMap<Role, RoleCapacity>,
    /// Roles that would have made the message too large: those with the fewest nodes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub roles_left_out: u32,
}

impl Message for CapacityMap {
    fn version(&self) -> u8 {
        self.v
    }
}

/// What the nodes of one role will have, until each of some horizons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoleCapacity {
    /// How many nodes that take jobs hold the role.
    pub nodes: u32,
    /// The nearest first.
    pub horizons: Vec<CapacityAt>,
}

/// What will be free all the time from now until a horizon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CapacityAt {
    pub seconds: u32,
    /// Over all nodes of the role.
    pub available: ResourceBand,
    /// Node by node, in the order of their ids; the last ones are left out
    /// where all would make the message too large.
    pub nodes: Vec<NodeCapacity>,
    /// What the jobs that are expected will use at a time.
    pub demand: Resources,
    /// What is missing for them: demand above what is safe.
    pub shortage: Resources,
}

/// What is free on several nodes: capacity without what others use at most and
/// what is reserved for jobs. Zero where the capacity is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceBand {
    /// In half of all cases there is as much.
    pub likely: Resources,
    /// There is as much but for the share of cases that the map's quantile leaves.
    pub safe: Resources,
}

/// What is free on one node, as `safe` is meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeCapacity {
    pub node: NodeId,
    pub available: Resources,
}
