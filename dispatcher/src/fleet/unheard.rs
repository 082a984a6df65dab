//! Nodes where nobody seems to listen.
//!
//! A heartbeat costs nothing, and a node that does not exist is always idle. But each is
//! pinged, and the server reports at once if nobody listens to that. Such a node gets no
//! jobs until it answers. A worker that listens to jobs and not to pings looks the same,
//! so these nodes are tried in turn, and a node that has completed a job never counts as
//! one again.

use std::collections::VecDeque;

use rolecast_common::id::NodeId;

use super::{Fleet, Node};

/// The nodes that are to be tried, in turn.
#[derive(Debug, Default)]
pub(super) struct Unheard(VecDeque<NodeId>);

/// The state of one node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hearing {
    /// The server reported that nobody listens, and nothing has shown that somebody does.
    pub(super) is_unheard: bool,
    /// It may get jobs all the same, until the server reports that again.
    is_tried: bool,
    is_queued: bool,
}

impl Hearing {
    /// Whether it gets no jobs.
    pub(super) fn is_closed(self) -> bool {
        self.is_unheard && !self.is_tried
    }
}

impl Node {
    fn has_listened(&self) -> bool {
        self.pulse.has_answered() || self.completed > 0
    }

    /// Whether nobody seems to listen there.
    pub fn is_unheard(&self) -> bool {
        self.hearing.is_unheard
    }
}

impl Fleet {
    /// Records the server's report that nobody listens there.
    pub(super) fn doubt_hearing(&mut self, id: &NodeId) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        if node.has_listened() || node.hearing.is_closed() {
            return;
        }
        node.hearing.is_tried = false;
        self.presences.set_unheard(node, true);
        self.board.set_standing(node.slot, node.standing());
        self.queue_unheard(id);
    }

    /// Queues an unheard node for its turn; called with each of its heartbeats.
    pub(super) fn queue_unheard(&mut self, id: &NodeId) {
        let node = self.nodes.get_mut(id);
        let node = node.filter(|node| node.hearing.is_closed());
        if node.is_some_and(|node| !std::mem::replace(&mut node.hearing.is_queued, true)) {
            self.unheard.0.push_back(id.clone());
        }
    }

    /// Records that somebody does listen there.
    pub(super) fn note_hearing(&mut self, id: &NodeId) {
        let node = self.nodes.get_mut(id);
        if let Some(node) = node.filter(|node| node.is_unheard()) {
            node.hearing.is_tried = false;
            self.presences.set_unheard(node, false);
            self.board.set_standing(node.slot, node.standing());
        }
    }

    /// Gives the next of them a job; the server's next report ends that.
    pub fn try_unheard(&mut self) {
        while let Some(id) = self.unheard.0.pop_front() {
            let Some(node) = self.nodes.get_mut(&id) else {
                continue;
            };
            node.hearing.is_queued = false;
            if node.hearing.is_closed() && !node.is_gone {
                node.hearing.is_tried = true;
                self.board.set_standing(node.slot, node.standing());
                return;
            }
        }
    }
}
