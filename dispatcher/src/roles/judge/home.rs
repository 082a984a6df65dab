//! Past changes of a role, and the node to which it returns after them (failback).

use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

/// The purpose of a change of holders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To get away from a bottleneck.
    Relief,
    /// To give the role back after that.
    Return,
    /// An operator ordered it, or the holder was gone.
    Other,
}

/// A change of holders that is over.
#[derive(Clone, Debug)]
pub struct Change {
    pub purpose: Purpose,
    pub from: Option<NodeId>,
    pub to: Option<NodeId>,
    /// Whether `to` got the role; if not, nothing changed.
    pub is_done: bool,
    /// Time since its end.
    pub ended: Duration,
    /// Its duration.
    pub length: Duration,
}

/// The holder that a role was moved away from.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) node: NodeId,
    left: Time,
    /// Time from the real change to `left`.
    earlier: Duration,
}

impl Home {
    /// Returns the node to which the role returns after one more change.
    pub(super) fn after(before: Option<Self>, now: Time, change: &Change) -> Option<Self> {
        if !change.is_done {
            return before;
        }
        let from = change.from.clone().map(|node| Self {
            node,
            left: now,
            earlier: change.ended,
        });
        // Through several reliefs, the role returns to where the first one began.
        let home = match change.purpose {
            Purpose::Relief => before.or(from),
            Purpose::Return | Purpose::Other => None,
        };
        home.filter(|home| Some(&home.node) != change.to.as_ref())
    }

    /// Returns the time that the role has been away.
    pub(super) fn away(&self, now: Time) -> Duration {
        now.since(self.left).saturating_add(self.earlier)
    }
}
