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
    /// The probability that at least `safe` will be there.
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

/// Capacity of the nodes of one role, until each of some horizons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoleCapacity {
    /// The number of nodes that take jobs and hold the role.
    pub nodes: u32,
    /// The nearest first.
    pub horizons: Vec<CapacityAt>,
}

/// Capacity that will be free all the time from the present until a horizon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CapacityAt {
    pub seconds: u32,
    /// Over all nodes of the role.
    pub available: ResourceBand,
    /// Node by node, in the order of their ids; the last ones are left out
    /// where all would make the message too large.
    pub nodes: Vec<NodeCapacity>,
    /// Concurrent use by the jobs that are expected.
    pub demand: Resources,
    /// Missing capacity for them: demand above `safe`.
    pub shortage: Resources,
}

/// Free capacity of several nodes: capacity without the peak use by others and the
/// reservations for jobs. Zero where the capacity is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceBand {
    /// Capacity that is there in half of all cases.
    pub likely: Resources,
    /// Capacity that is there with the probability of the map's quantile.
    pub safe: Resources,
}

/// Free capacity of one node, in the sense of `safe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeCapacity {
    pub node: NodeId,
    pub available: Resources,
}
