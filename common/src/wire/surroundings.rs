//! Parts of a status around nodes and jobs: the dispatchers, NATS, and vacant roles.

use serde::{Deserialize, Serialize};

use super::{Message, is_zero};
use crate::bounds;
use crate::id::{Epoch, NodeId, Role};
use crate::time::WallTime;

/// The sign of life of a dispatcher, which leads or stands by: published every two seconds
/// on [`crate::subjects::DISPATCHER`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatcherSign {
    pub v: u8,
    /// Its name, for people.
    #[serde(deserialize_with = "bounds::remark")]
    pub name: String,
    /// The id of its start.
    #[serde(deserialize_with = "bounds::remark")]
    pub incarnation: String,
    /// The epoch under which it leads; `None` if it stands by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads: Option<Epoch>,
    /// The version of its program.
    #[serde(
        default,
        deserialize_with = "bounds::remark",
        skip_serializing_if = "String::is_empty"
    )]
    pub version: String,
    /// The address at which it serves its page; empty if it serves none.
    #[serde(
        default,
        deserialize_with = "bounds::remark",
        skip_serializing_if = "String::is_empty"
    )]
    pub page: String,
    /// Whether this is the last one: it was asked to stop.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_leaving: bool,
}

impl Message for DispatcherSign {
    /// Two names, an id, a version and an address.
    const LEN_MAX: usize = 1024;

    fn version(&self) -> u8 {
        self.v
    }
}

/// A dispatcher as another one sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatcherStatus {
    pub name: String,
    /// The id of its start.
    pub incarnation: String,
    pub state: DispatcherState,
    /// The age of its last sign of life, in milliseconds.
    pub age_ms: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The address at which it serves its page; empty if it serves none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub page: String,
}

/// Whether a dispatcher is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DispatcherState {
    Leads,
    StandsBy,
    /// It gave no sign of life for a while and did not announce its end; it stood by
    /// before, or led.
    Silent,
    SilentLeader,
}

/// NATS as the leading dispatcher sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatsStatus {
    /// The version of the server that it is connected to, and the server's name.
    pub version: String,
    pub server: String,
    /// The time of the last check.
    pub checked_ms: WallTime,
    /// The time that JetStream took for an answer, in microseconds; `None` if it gave
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// The streams, those of buckets included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamStatus>,
}

/// One stream as its server reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatus {
    pub stream: String,
    /// The server that leads it; `None` of a single server, or if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    pub messages: u64,
    pub bytes: u64,
    /// The most bytes that it may hold; zero if it has no limit.
    #[serde(default)]
    pub bytes_max: u64,
    /// Servers with a copy, as configured.
    pub replicas: u32,
    /// The names of servers whose copy is offline, or behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
    /// The time that its answer took, in microseconds; `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_us: Option<u64>,
    /// The reason why it could not be asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A managed role with fewer acting nodes than it should have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VacantRole {
    pub role: Role,
    pub wanted: u32,
    pub acting: u32,
    pub since_ms: WallTime,
    /// The number of live nodes that offer it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offered: u32,
    /// Nodes that should hold it and do not act in it yet; a few of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assigned: Vec<NodeId>,
    /// Whether a change is under way in its group.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_changing: bool,
    /// The node that failed to take it on last, with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<NodeId>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}
