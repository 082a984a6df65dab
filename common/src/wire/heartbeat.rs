//! Heartbeat that a worker sends every second: its identity, resources and jobs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{HEARTBEAT_LEN_MAX, JobProgress, Message, RoleFailure, RoleVersion, Share, VERSION};
use crate::assignment::Assignment;
use crate::bounds;
use crate::id::{BootId, Category, Epoch, NodeId, Role};
use crate::label::Labels;
use crate::time::WallTime;
use crate::unit::{Resources, Speed};

/// The state of a node at one moment, published on `rolecast.heartbeat.<node>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub v: u8,
    /// Must equal the node in the subject.
    pub node: NodeId,
    /// Another one after each start of the worker.
    pub boot: BootId,
    /// Rises with every heartbeat of a boot, so a replay is detected.
    #[serde(rename = "seq")]
    pub sequence: u64,
    /// The largest dispatcher epoch this worker has seen.
    #[serde(default)]
    pub epoch: Epoch,
    /// The time when it was sent, by the worker's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_ms: Option<WallTime>,
    /// Whether the worker has just started and waits for its admission.
    #[serde(default, skip_serializing_if = "is_false")]
    pub joining: bool,
    /// The interval between this worker's heartbeats, in milliseconds.
    pub interval_ms: u32,
    /// The roles it acts in at this moment.
    #[serde(deserialize_with = "bounds::roles")]
    pub roles: Vec<Role>,
    /// The managed roles it may be given.
    #[serde(
        default,
        deserialize_with = "bounds::roles",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub offers: Vec<Role>,
    /// The last role assignment that it carried out as a whole.
    #[serde(default, skip_serializing_if = "RoleVersion::is_none")]
    pub assigned: RoleVersion,
    /// A newer one that it could not carry out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_failure: Option<RoleFailure>,
    /// Whether the worker takes no more jobs and ends when it is empty.
    #[serde(default)]
    pub draining: bool,
    /// Labels of the node, for jobs that require some.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Speed of one of its cores.
    #[serde(default, skip_serializing_if = "Speed::is_default")]
    pub speed: Speed,
    /// Total capacity of the node.
    pub capacity: Resources,
    pub usage: Usage,
    /// The most jobs it runs at once.
    pub jobs_max: u32,
    /// The categories it runs, and the most jobs of each at once.
    #[serde(deserialize_with = "bounds::categories")]
    pub categories: BTreeMap<Category, u32>,
    /// Jobs accepted whose outcome is not confirmed yet.
    #[serde(default, deserialize_with = "bounds::jobs")]
    pub jobs: Vec<Assignment>,
    /// The progress of some of them.
    #[serde(
        default,
        deserialize_with = "bounds::progress",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub progress: Vec<JobProgress>,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(is_so: &bool) -> bool {
    !is_so
}

impl Heartbeat {
    /// Returns the heartbeat of a node without roles, capacity and jobs, one each second.
    pub fn new(node: NodeId, boot: BootId, sequence: u64) -> Self {
        Self {
            v: VERSION,
            node,
            boot,
            sequence,
            epoch: Epoch::default(),
            sent_ms: None,
            joining: false,
            interval_ms: 1000,
            roles: Vec::new(),
            offers: Vec::new(),
            assigned: RoleVersion::default(),
            role_failure: None,
            draining: false,
            labels: Labels::default(),
            speed: Speed::default(),
            capacity: Resources::default(),
            usage: Usage::default(),
            jobs_max: 0,
            categories: BTreeMap::new(),
            jobs: Vec::new(),
            progress: Vec::new(),
        }
    }
}

impl Message for Heartbeat {
    const LEN_MAX: usize = HEARTBEAT_LEN_MAX;

    fn version(&self) -> u8 {
        self.v
    }
}

/// Resources in use on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// By everything within the worker's usage scope.
    pub total: Resources,
    /// By the jobs in hand; a part of `total`.
    #[serde(default)]
    pub jobs: Resources,
    /// Pressure stall information, where the system has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
}

/// The share of the last ten seconds in which some task stalled, 0 to 1
/// (Linux pressure stall information, `some avg10`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pressure {
    pub cpu: Share,
    pub memory: Share,
    pub io: Share,
}
