//! Parts of the picture that each view needs beside the status.

use rolecast_common::id::NodeId;
use rolecast_common::wire::Status;

use crate::ask::{Ask, View};
use crate::picture::AHEAD_S;
use crate::selection::page_of;

/// Parts of the picture that a view needs beside the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    pub capacity: bool,
    pub decisions: bool,
    pub events: bool,
    /// The seconds ahead for which the rooms of all nodes are wanted.
    pub rooms_s: Option<u32>,
    pub forecasts: Vec<NodeId>,
    /// The node whose jobs in hand are wanted.
    pub jobs_of: Option<NodeId>,
}

/// Returns which parts the view needs.
pub fn wants(ask: &Ask, status: &Status) -> Wants {
    let nothing = Wants::default();
    match &ask.view {
        View::Overview => Wants {
            capacity: true,
            events: true,
            rooms_s: Some(AHEAD_S[ask.query.ahead]),
            ..nothing
        },
        View::Nodes | View::Forecasts => Wants {
            forecasts: page_of(status, &ask.query)
                .nodes
                .iter()
                .map(|node| node.node.clone())
                .collect(),
            ..nothing
        },
        View::Node(node) => Wants {
            forecasts: vec![node.clone()],
            jobs_of: Some(node.clone()),
            decisions: true,
            ..nothing
        },
        View::Map => Wants {
            rooms_s: Some(AHEAD_S[ask.query.ahead]),
            ..nothing
        },
        View::Roles => Wants {
            capacity: true,
            ..nothing
        },
        View::Categories | View::Dispatchers => nothing,
        View::Decisions | View::Keys => Wants {
            decisions: true,
            ..nothing
        },
    }
}
