//! What comes from the wire is a claim: it is believed once it was checked against what
//! this dispatcher knows by itself.

use rolecast_common::assignment::Assignment;
use rolecast_common::id::NodeId;

use crate::seal::Seals;

/// Something that a message says and nobody has checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed<T>(T);

impl<T> Claimed<T> {
    pub fn new(said: T) -> Self {
        Self(said)
    }

    /// Returns what is said: good for finding what is known of it, and for telling people.
    pub fn said(&self) -> &T {
        &self.0
    }
}

impl Claimed<Assignment> {
    /// Returns the assignment if a dispatcher sent it to this node.
    pub fn genuine(&self, node: &NodeId, seals: &Seals) -> Option<&Assignment> {
        seals.is_genuine(node, &self.0).then_some(&self.0)
    }
}
