//! The changes of a role that are over, and where it comes home to after them.

use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

/// What a change of holders was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To get away from a bottleneck.
    Relief,
    /// To give the role back after that.
    Return,
    /// Somebody ordered it, or the holder was gone.
    Other,
}

/// A change of holders that is over.
#[derive(Clone, Debug)]
pub struct Change {
    pub purpose: Purpose,
    pub from: Option<NodeId>,
    pub to: Option<NodeId>,
    /// Whether `to` got the role; if not, all is as it was.
    pub is_done: bool,
    /// How long ago it was over.
    pub ended: Duration,
    /// How long it took.
    pub length: Duration,
}

/// The holder that a role was moved away from.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) node: NodeId,
    left: Time,
    /// How long before `left` it really was.
    earlier: Duration,
}

impl Home {
    /// Returns where the role comes home to after one more change.
    pub(super) fn after(before: Option<Self>, now: Time, change: &Change) -> Option<Self> {
        if !change.is_done {
            return before;
        }
        let from = change.from.clone().map(|node| Self {
            node,
            left: now,
            earlier: change.ended,
        });
        // Through several reliefs, home is where the first one began.
        let home = match change.purpose {
            Purpose::Relief => before.or(from),
            Purpose::Return | Purpose::Other => None,
        };
        home.filter(|home| Some(&home.node) != change.to.as_ref())
    }

    /// Returns how long the role has been away.
    pub(super) fn away(&self, now: Time) -> Duration {
        now.since(self.left).saturating_add(self.earlier)
    }
}
