//! Events about the blame of jobs and nodes.

use std::time::Duration;

use rolecast_common::id::{Category, JobId, NodeId};

use crate::fleet::Doubt;

/// A verdict on a job or a node, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It went down with its node, or never reached it.
    JobLost(LostJob),
    /// A node is kept for this job, or for the batch of suspects that it belongs to.
    TriedAlone {
        job: JobId,
        node: NodeId,
        why: &'static str,
    },
    /// Its failures stand out from those of its peers.
    NodeDistrusted(DoubtedNode),
    NodeUnable(DoubtedNode),
    NodeTrusted {
        node: NodeId,
        category: Category,
    },
}

/// A job that went down with its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostJob {
    pub job: JobId,
    pub node: NodeId,
    /// Its losses so far, and the number of other jobs that went down with it this time.
    pub losses: usize,
    pub companions: Option<u32>,
    pub delay: Duration,
}

/// A node that gets jobs of the category one at a time only, after this pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubtedNode {
    pub node: NodeId,
    pub category: Category,
    /// The node's reason for the last failure.
    pub reason: String,
    pub pause: Duration,
}

impl DoubtedNode {
    pub(super) fn new(node: &NodeId, category: Category, doubt: Doubt) -> Self {
        Self {
            node: node.clone(),
            category,
            reason: doubt.reason,
            pause: doubt.pause,
        }
    }
}
