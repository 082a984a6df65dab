//! Presence of nodes: late ones are probed, missing ones are counted, and those that are
//! gone get no more jobs.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

use super::pulse::{Presence, Suspicion};
use super::rounds::{Rounds, Tick};
use super::{Fleet, Node};
use crate::placement::{Slot, Standing};

/// Nodes missing at once from which on NATS is suspected: two, and a fifth of all. Of
/// three servers one serves a third of the workers, more or less; that two workers die in
/// the same second is rare otherwise, and then costs some seconds.
const SUSPECTED_MIN: usize = 2;
const SUSPECTED_SHARE: usize = 5;
/// The most nodes that are probed at once when one is missing; a fifth of them is enough.
pub const ROLL_MAX: usize = 1000;
/// Delay before a verdict that needs a later answer of NATS is looked at again: the lease
/// is renewed a few times a second.
const RECHECK: Duration = Duration::from_millis(50);

/// A node that is late or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    pub node: NodeId,
    pub presence: Presence,
    /// Whether it already got no jobs before.
    pub was_gone: bool,
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
            was_gone: node.is_gone,
        }
    }
}

/// The times at which nodes are looked at, and the missing ones.
#[derive(Debug, Default)]
pub(super) struct Presences {
    rounds: Rounds,
    /// Nodes that were probed and have not answered, or are known not to listen.
    missing: BTreeSet<Slot>,
    /// The number of watched nodes: those not known to be gone, except names where nobody
    /// seems to listen, which are no evidence about the network.
    watched: usize,
}

impl Presences {
    /// Sets the next time at which the node is looked at.
    fn watch(&mut self, node: &mut Node, at: Tick) {
        self.recount(node, |node| node.watched = Some(at));
        self.rounds.add(at, node.slot);
    }

    /// Forgets a node that is gone; an entry that remains of it is void.
    pub(super) fn end(&mut self, node: &mut Node) {
        self.recount(node, |node| node.watched = None);
        self.missing.remove(&node.slot);
    }

    /// Sets whether nobody seems to listen there.
    pub(super) fn set_unheard(&mut self, node: &mut Node, is_unheard: bool) {
        self.recount(node, |node| node.hearing.is_unheard = is_unheard);
        self.missing.remove(&node.slot);
    }

    fn recount(&mut self, node: &mut Node, change: impl FnOnce(&mut Node)) {
        let counts = |node: &Node| usize::from(node.watched.is_some() && !node.is_unheard());
        self.watched -= counts(node);
        change(node);
        self.watched += counts(node);
    }

    /// Looks at one node and adds the actions that are due; returns its presence.
    fn look_at(
        &mut self,
        node: &mut Node,
        now: Time,
        since: Time,
        is_answered_since: impl Fn(Time) -> bool,
        found: &mut Vec<Missed>,
    ) -> Presence {
        let suspicion = self.suspicion();
        let presence = node.pulse.presence(now, since, suspicion);
        match presence {
            Presence::Absent | Presence::Silent => {
                if is_answered_since(node.pulse.doubted(since)) {
                    found.push(Missed::new(node, presence));
                    self.end(node);
                    return presence;
                }
                self.watch(node, Tick::at(now + RECHECK));
                return Presence::Expected;
            }
            // If nobody listens there, no probe is needed.
            Presence::Late if node.is_unheard() => node.pulse.ask(now),
            Presence::Late => {
                found.push(Missed::new(node, presence));
                node.pulse.ask(now);
                self.missing.insert(node.slot);
            }
            Presence::Expected | Presence::Overdue => {}
        }
        let next = node.pulse.look_at(since, suspicion);
        self.watch(node, Tick::at(next));
        if node.is_gone || !node.pulse.is_overdue(now, since) {
            return presence;
        }
        found.push(Missed::new(node, Presence::Overdue));
        Presence::Overdue
    }

    fn suspicion(&self) -> Suspicion {
        let missing = self.missing.len();
        let is_many = missing * SUSPECTED_SHARE >= self.watched.min(ROLL_MAX);
        if missing >= SUSPECTED_MIN && is_many {
            Suspicion::Network
        } else {
            Suspicion::None
        }
    }
}

impl Fleet {
    /// Returns the next time at which a node is looked at.
    pub fn next_look(&self) -> Option<Time> {
        self.presences.rounds.next()
    }

    /// Returns the numbers of missing and of watched nodes, if so many are missing that
    /// NATS or the network is suspected.
    pub fn suspected(&self) -> Option<(usize, usize)> {
        let presences = &self.presences;
        let is_suspected = presences.suspicion() == Suspicion::Network;
        is_suspected.then_some((presences.missing.len(), presences.watched))
    }

    /// Returns the number of nodes that are there, as far as known, and listen.
    pub fn watched(&self) -> usize {
        self.presences.watched
    }

    /// Records that a heartbeat of the node arrived.
    pub(super) fn expect(&mut self, id: &NodeId) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        self.presences.missing.remove(&node.slot);
        if node.watched.is_none() {
            let at = node.pulse.look_at(Time::ZERO, Suspicion::None);
            self.presences.watch(node, Tick::at(at));
        }
    }

    /// Records that the node answered a probe.
    pub fn note_answer(&mut self, now: Time, id: &NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.pulse.answer(now);
            self.presences.missing.remove(&node.slot);
        }
        self.note_hearing(id);
    }

    /// Records the server's report that nobody listens on the node's subject; returns
    /// whether that is new.
    pub fn note_absence(&mut self, now: Time, since: Time, id: &NodeId) -> bool {
        self.doubt_hearing(id);
        let Some(node) = self.nodes.get_mut(id) else {
            return false;
        };
        if node.watched.is_none() {
            return false;
        }
        let is_news = node.pulse.miss(now, since);
        if node.pulse.is_missing(since) && !node.is_unheard() {
            self.presences.missing.insert(node.slot);
        }
        self.presences.watch(node, Tick::before(now));
        is_news
    }

    /// Looks at the nodes that are due: a late one is to be probed, one that is gone gets
    /// no more jobs. Heartbeats missed before `since` do not count, and no node is given
    /// up before NATS has answered a later request.
    pub fn look(
        &mut self,
        now: Time,
        since: Time,
        is_answered_since: impl Fn(Time) -> bool,
    ) -> Vec<Missed> {
        let mut found = Vec::new();
        while let Some((tick, slots)) = self.presences.rounds.take(now) {
            for slot in slots {
                let node = self.nodes.get_mut(&self.ids[slot.index()]);
                let node = node.filter(|node| node.slot == slot && node.watched == Some(tick));
                let Some(node) = node else {
                    continue;
                };
                let was_gone = node.is_gone;
                let presence =
                    self.presences
                        .look_at(node, now, since, &is_answered_since, &mut found);
                node.is_gone |= presence.is_over();
                if node.is_gone && !was_gone {
                    self.board.set_standing(slot, Standing::Gone);
                }
            }
        }
        found
    }
}
