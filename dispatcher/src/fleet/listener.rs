//! Nodes on whose subject nobody seems to listen.
//!
//! A heartbeat costs nothing, and a node that does not exist is always idle. But each is
//! pinged, and the server reports at once if nobody listens to that. Such a node gets no
//! jobs until it answers. A worker that listens to jobs and not to pings looks the same,
//! so these nodes are tried in turn, and a node that has completed a job never counts as
//! one again.

/// The listener on the subject of one node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listener {
    /// The server reported that nobody listens, and nothing has shown that somebody does.
    is_missing: bool,
    /// The node may get jobs anyway, until the server reports that again.
    is_tried: bool,
    is_queued: bool,
}

impl Listener {
    pub(super) fn is_missing(self) -> bool {
        self.is_missing
    }

    /// Whether the node gets no jobs.
    pub(super) fn is_closed(self) -> bool {
        self.is_missing && !self.is_tried
    }

    /// Records whether nobody seems to listen.
    pub(super) fn set_missing(&mut self, is_missing: bool) {
        self.is_missing = is_missing;
        self.is_tried = false;
    }

    /// Marks a closed node as queued for its turn; returns whether that is new.
    pub(super) fn queue(&mut self) -> bool {
        self.is_closed() && !std::mem::replace(&mut self.is_queued, true)
    }

    /// Takes its turn: the node may get jobs if it `is_there`. Returns whether it may.
    pub(super) fn try_node(&mut self, is_there: bool) -> bool {
        self.is_queued = false;
        let is_open = self.is_closed() && is_there;
        self.is_tried |= is_open;
        is_open
    }
}
