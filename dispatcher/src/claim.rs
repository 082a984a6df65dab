//! Values from the wire that have not been checked against this dispatcher's own
//! knowledge.

use rolecast_common::assignment::Assignment;
use rolecast_common::id::NodeId;

use crate::seal::Seals;

/// A value that a message claims and that has not been checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed<T>(T);

impl<T> Claimed<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the unchecked value: for looking up what is known of it, and for showing
    /// it to people.
    pub fn unchecked(&self) -> &T {
        &self.0
    }
}

impl Claimed<Assignment> {
    /// Returns the assignment if a dispatcher sent it to this node.
    pub fn genuine(&self, node: &NodeId, seals: &Seals) -> Option<&Assignment> {
        seals.is_genuine(node, &self.0).then_some(&self.0)
    }
}
