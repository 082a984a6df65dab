//! Presence of nodes: late ones are probed, missing ones are counted, and those that are
//! gone get no more jobs.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

use super::Node;
use super::pulse::{Presence, Suspicion};
use super::rounds::{Rounds, Tick};
use crate::placement::Slot;

/// Nodes missing at once from which on NATS is suspected: two, and a fifth of all. Of
/// three servers one serves a third of the workers, more or less; that two workers die in
/// the same second is rare otherwise, and then costs some seconds.
const SUSPECTED_MIN: usize = 2;
const SUSPECTED_SHARE: usize = 5;
/// The most nodes that are probed at once when one is missing; a fifth of them is enough.
pub(crate) const ROLL_MAX: usize = 1000;
/// Delay before a verdict that needs a later answer of NATS is checked again: the lease
/// is renewed a few times a second.
const RECHECK: Duration = Duration::from_millis(50);

/// A node that is late or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) node: NodeId,
    pub(crate) presence: Presence,
    /// Whether it already got no jobs before.
    pub(crate) was_gone: bool,
}

impl Presence {
    /// Whether the node gets no more jobs.
    fn is_over(self) -> bool {
        match self {
            Self::Overdue | Self::Absent | Self::Silent => true,
            Self::Expected | Self::Late => false,
        }
    }
}

impl Missed {
    fn new(node: &Node, presence: Presence) -> Self {
        Self {
            node: node.id().clone(),
            presence,
            was_gone: node.is_gone(),
        }
    }
}

/// The times at which nodes are checked, and the missing ones.
#[derive(Debug, Default)]
pub(super) struct Presences {
    rounds: Rounds,
    /// Nodes that were probed and have not answered, or are known not to listen.
    missing: BTreeSet<Slot>,
    /// The number of watched nodes: those not known to be gone, except names where nobody
    /// seems to listen, which are no evidence about the network.
    watched: usize,
    /// Nodes without a listener that must be tried, in turn.
    untried: VecDeque<NodeId>,
}

impl Presences {
    /// Returns the next time at which a node is checked.
    pub(super) fn next_check(&self) -> Option<Time> {
        self.rounds.next()
    }

    /// Removes and returns the nodes of the first tick that is due.
    pub(super) fn take_due(&mut self, now: Time) -> Option<(Tick, Vec<Slot>)> {
        self.rounds.take(now)
    }

    /// Returns the number of missing nodes.
    pub(super) fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Returns the number of nodes that are there, as far as known, and listen.
    pub(super) fn watched(&self) -> usize {
        self.watched
    }

    /// Whether so many nodes are missing that NATS or the network is suspected.
    pub(super) fn suspicion(&self) -> Suspicion {
        let missing = self.missing.len();
        let is_many = missing * SUSPECTED_SHARE >= self.watched.min(ROLL_MAX);
        if missing >= SUSPECTED_MIN && is_many {
            Suspicion::Network
        } else {
            Suspicion::None
        }
    }

    /// Records that a heartbeat of the node arrived.
    pub(super) fn expect(&mut self, node: &mut Node) {
        self.missing.remove(&node.slot());
        if node.liveness.watched.is_none() {
            let at = node.liveness.pulse.next_check(Time::ZERO, Suspicion::None);
            self.watch(node, Tick::at(at));
        }
        self.queue_untried(node);
    }

    /// Records that the node answered a probe.
    pub(super) fn record_answer(&mut self, now: Time, node: &mut Node) {
        node.liveness.pulse.answer(now);
        self.missing.remove(&node.slot());
    }

    /// Records the server's report that nobody listens on the node's subject; returns
    /// whether that is new.
    pub(super) fn record_absence(&mut self, now: Time, since: Time, node: &mut Node) -> bool {
        if node.liveness.watched.is_none() {
            return false;
        }
        let pulse = &mut node.liveness.pulse;
        let is_new = pulse.miss(now, since);
        if pulse.is_missing(since) && !node.lacks_listener() {
            self.missing.insert(node.slot());
        }
        self.watch(node, Tick::before(now));
        is_new
    }

    /// Checks one node, if it must be checked at that tick, and adds the actions that are
    /// due. Returns whether it is gone from then on.
    pub(super) fn check(
        &mut self,
        node: &mut Node,
        tick: Tick,
        now: Time,
        since: Time,
        is_answered_since: impl Fn(Time) -> bool,
        found: &mut Vec<Missed>,
    ) -> bool {
        if node.liveness.watched != Some(tick) {
            return false;
        }
        let was_gone = node.is_gone();
        let presence = self.presence_of(node, now, since, is_answered_since, found);
        let is_gone = presence.is_over() && !was_gone;
        if is_gone {
            node.liveness.set_gone();
        }
        is_gone
    }

    fn presence_of(
        &mut self,
        node: &mut Node,
        now: Time,
        since: Time,
        is_answered_since: impl Fn(Time) -> bool,
        found: &mut Vec<Missed>,
    ) -> Presence {
        let suspicion = self.suspicion();
        let presence = node.liveness.pulse.presence(now, since, suspicion);
        match presence {
            Presence::Absent | Presence::Silent => {
                if is_answered_since(node.liveness.pulse.doubted(since)) {
                    found.push(Missed::new(node, presence));
                    self.end(node);
                    return presence;
                }
                self.watch(node, Tick::at(now + RECHECK));
                return Presence::Expected;
            }
            // If nobody listens there, no probe is needed.
            Presence::Late if node.lacks_listener() => node.liveness.pulse.record_probe(now),
            Presence::Late => {
                found.push(Missed::new(node, presence));
                node.liveness.pulse.record_probe(now);
                self.missing.insert(node.slot());
            }
            Presence::Expected | Presence::Overdue => {}
        }
        let next = node.liveness.pulse.next_check(since, suspicion);
        self.watch(node, Tick::at(next));
        if node.is_gone() || !node.liveness.pulse.is_overdue(now, since) {
            return presence;
        }
        found.push(Missed::new(node, Presence::Overdue));
        Presence::Overdue
    }

    /// Forgets a node that is gone; an entry that remains of it is void.
    pub(super) fn end(&mut self, node: &mut Node) {
        self.recount(node, |node| node.liveness.watched = None);
        self.missing.remove(&node.slot());
    }

    /// Records whether nobody seems to listen on the node's subject.
    pub(super) fn set_listener_missing(&mut self, node: &mut Node, is_missing: bool) {
        self.recount(node, |node| node.liveness.listener.set_missing(is_missing));
        self.missing.remove(&node.slot());
        self.queue_untried(node);
    }

    /// Queues a node without a listener for its turn.
    fn queue_untried(&mut self, node: &mut Node) {
        if node.liveness.listener.queue() {
            self.untried.push_back(node.id().clone());
        }
    }

    /// Removes and returns the next node without a listener that must be tried.
    pub(super) fn next_untried(&mut self) -> Option<NodeId> {
        self.untried.pop_front()
    }

    /// Sets the next time at which the node is checked.
    fn watch(&mut self, node: &mut Node, at: Tick) {
        self.recount(node, |node| node.liveness.watched = Some(at));
        self.rounds.add(at, node.slot());
    }

    fn recount(&mut self, node: &mut Node, change: impl FnOnce(&mut Node)) {
        let counts = |node: &Node| {
            let is_watched = node.liveness.watched.is_some();
            usize::from(is_watched && !node.lacks_listener())
        };
        self.watched -= counts(node);
        change(node);
        self.watched += counts(node);
    }
}
