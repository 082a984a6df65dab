//! The figures of which metrics are made.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::histogram::Histogram;
use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::unit::Resources;
use rolecast_common::wire::{Counters, RoleCapacity};
use rolecast_http::metrics::connection::Connection;

/// The dispatcher among others, and its connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct DispatcherFigures {
    pub(crate) name: String,
    pub(crate) connection: Connection,
    /// Whether `/readyz` answers that it is ready.
    pub(crate) is_ready: bool,
    /// Whether it leads and its lease holds, and for how long.
    pub(crate) lease_left: Option<Duration>,
    /// The epoch of the dispatcher that leads, as the lease names it.
    pub(crate) epoch: Option<u64>,
    /// The times that it took the lead.
    pub(crate) takeovers: u64,
}

/// Work of the leader's loop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loop {
    pub(crate) turns: Histogram,
    pub(crate) pulls: u64,
    pub(crate) pulls_failed: u64,
    pub(crate) messages_unsent: u64,
}

/// All that the scheduler counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) work: Loop,
    pub(crate) counters: Counters,
    /// Refused messages, by kind and reason.
    pub(crate) refused: BTreeMap<(&'static str, &'static str), u64>,
    pub(crate) troubles: u64,
    pub(crate) categories: Vec<CategoryFigures>,
    pub(crate) nodes: Nodes,
    /// The room of each role, as it was published last.
    pub(crate) capacity: BTreeMap<Role, RoleCapacity>,
    /// The managed roles; empty if this dispatcher does not lead.
    pub(crate) managed: Vec<RoleFigures>,
    pub(crate) forecasts: Forecasts,
}

/// A category.
#[derive(Clone, Debug)]
pub(crate) struct CategoryFigures {
    pub(crate) category: Category,
    /// Jobs that ended, and attempts that ended, by the kind of the end.
    pub(crate) jobs: [(&'static str, u64); 4],
    pub(crate) attempts: [(&'static str, u64); 7],
    pub(crate) waits: Histogram,
    pub(crate) delays: Histogram,
    pub(crate) runs: Histogram,
    /// Jobs in the stream; `None` if this dispatcher did not count them.
    pub(crate) backlog: Option<u64>,
    pub(crate) waiting: u64,
    pub(crate) running: u64,
    /// The age of the oldest job that waits.
    pub(crate) oldest: Duration,
    pub(crate) is_late: bool,
}

/// The nodes, by health and one by one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes {
    pub(crate) ready: u64,
    pub(crate) draining: u64,
    pub(crate) gone: u64,
    /// Empty if there are too many.
    pub(crate) each: Vec<NodeFigures>,
}

/// A node.
#[derive(Clone, Debug)]
pub(crate) struct NodeFigures {
    pub(crate) node: NodeId,
    pub(crate) jobs: u64,
    pub(crate) jobs_max: u64,
    pub(crate) reserved: Resources,
}

/// A managed role.
#[derive(Clone, Debug)]
pub(crate) struct RoleFigures {
    pub(crate) role: Role,
    pub(crate) wanted: u64,
    pub(crate) acting: Vec<NodeId>,
    pub(crate) tally: RoleTally,
}

/// History of a managed role under this dispatcher.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoleTally {
    /// Changes that ended, by reason.
    pub(crate) changes: BTreeMap<&'static str, u64>,
    /// Time in which it had too few holders.
    pub(crate) vacant: Duration,
}

/// The forecasts of a sample of the nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forecasts {
    /// Live nodes that have a forecast, and those whose forecast has learned something.
    pub(crate) nodes: u64,
    pub(crate) known: u64,
    pub(crate) accuracy: Vec<Accuracy>,
}

/// Accuracy for one resource at one horizon, over the sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accuracy {
    pub(crate) resource: &'static str,
    pub(crate) seconds: u32,
    /// The mean error, relative to that of the naive forecast.
    pub(crate) error: f64,
    pub(crate) coverage: f64,
}
