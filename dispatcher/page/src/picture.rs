//! The picture that the views are rendered from: everything the dispatcher knows that
//! the page shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use rolecast_common::id::{Epoch, NodeId};
use rolecast_common::time::WallTime;
use rolecast_common::unit::Resources;
use rolecast_common::wire::{
    CapacityMap, CloudEvent, Decision, ForecastView, JobList, RolesView, Status,
};

use crate::flow::Flow;

/// The times ahead for which the expected room of nodes can be shown, in seconds.
pub(crate) const AHEAD_S: [u32; 4] = [60, 300, 900, 3600];

/// What the dispatcher knows at one moment. Parts that a view does not want
/// ([`crate::wants`]) may be missing.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The dispatcher's name.
    pub name: String,
    pub at: WallTime,
    pub standing: Standing,
    /// With all nodes; `None` before the first one.
    pub status: Option<Arc<Status>>,
    pub flow: Flow,
    /// Whether the connection to NATS is lost at the moment.
    pub is_cut_off: bool,
    pub lease: Option<Lease>,
    pub capacity: Option<Arc<CapacityMap>>,
    pub roles: Option<Arc<RolesView>>,
    /// The room expected on each node at the wanted time ahead.
    pub rooms: BTreeMap<NodeId, Resources>,
    pub forecasts: BTreeMap<NodeId, Arc<ForecastView>>,
    pub course: Course,
}

impl Picture {
    /// Returns the picture of a dispatcher that knows nothing yet.
    pub fn new(name: &str, at: WallTime, standing: Standing) -> Self {
        Self {
            name: name.to_owned(),
            at,
            standing,
            status: None,
            flow: Flow::default(),
            is_cut_off: false,
            lease: None,
            capacity: None,
            roles: None,
            rooms: BTreeMap::new(),
            forecasts: BTreeMap::new(),
            course: Course::default(),
        }
    }
}

/// The course of the work: what was decided and reported last, and what runs.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// The latest decisions, the last first.
    pub decisions: Vec<Arc<Choice>>,
    /// The latest published events, the last first.
    pub events: Vec<Arc<CloudEvent>>,
    /// The first jobs that the wanted node has in hand.
    pub jobs: Option<JobList>,
}

/// The part that this dispatcher has among all dispatchers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// NATS does not answer yet.
    Connecting {
        why: String,
    },
    /// It is on its way to stand by or to lead.
    Preparing {
        what: String,
    },
    /// Another dispatcher leads; its name, if known.
    StandingBy {
        leader: Option<String>,
    },
    Leading {
        epoch: Epoch,
    },
}

/// The dispatcher that the lease names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub holder: String,
    pub epoch: Epoch,
}

/// A decision, and the node to which its figures lead.
#[derive(Clone, Debug)]
pub struct Choice {
    pub decision: Decision,
    pub replayed: Option<NodeId>,
}
