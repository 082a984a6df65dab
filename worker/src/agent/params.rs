//! Constant settings of the agent.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{BootId, Category, NodeId};
use rolecast_common::label::Labels;
use rolecast_common::unit::{Resources, Speed};

use super::roles::RoleParams;

/// Constant settings of the agent.
#[derive(Clone, Debug)]
pub struct Params {
    /// The name of the node.
    pub node: NodeId,
    /// The id of this start of the worker, another one at each start.
    pub boot: BootId,
    /// The roles of the node.
    pub roles: RoleParams,
    /// The labels that heartbeats report.
    pub labels: Labels,
    /// The speed of one core that heartbeats report.
    pub speed: Speed,
    /// The capacity that heartbeats report.
    pub capacity: Resources,
    /// The most jobs at once, from 1 to 1024.
    pub jobs_max: u32,
    /// The categories whose jobs are run, with the limits of each.
    pub categories: BTreeMap<Category, Limits>,
    /// Time for running jobs to finish once the worker drains.
    pub grace: Duration,
    /// Whether a heartbeat is sent at once when the use by others changes much.
    pub heartbeat_on_change: bool,
    /// The longest message that the server takes, in bytes.
    pub max_payload: usize,
}

/// Limits of the jobs of one category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most jobs of the category at once.
    pub jobs_max: u32,
    /// The longest that a job may run; the one that comes with the job applies too.
    pub time_limit: Option<Duration>,
}
