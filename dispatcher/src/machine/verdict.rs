//! Events that tell what jobs and nodes are blamed for.

use std::time::Duration;

use rolecast_common::id::{Category, JobId, NodeId};

/// What a job or a node is blamed for, or is no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It went down with its node, or never reached it.
    JobLost(LostJob),
    /// A node is kept for this job, or for suspects that it is one of.
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
    /// Its losses so far, and how many others went down with it this time.
    pub losses: usize,
    pub companions: Option<u32>,
    pub delay: Duration,
}

/// A node that gets jobs of the category one at a time only, after this pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubtedNode {
    pub node: NodeId,
    pub category: Category,
    /// What it said of the last one.
    pub reason: String,
    pub pause: Duration,
}
