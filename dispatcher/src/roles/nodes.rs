//! What is known of the nodes: who lives, what they offer, what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecast_common::id::{Epoch, NodeId, Role};
use rolecast_common::time::Time;

use super::input::Heard;

/// Three heartbeats and a little: who is silent for longer is not given a role.
const SILENCE_MAX: Duration = Duration::from_millis(3500);
/// After a node failed to take on a role it is not asked again for this long: a
/// service that is restarted in between may be up by then. A guess.
const RETRY_WAIT: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Node {
    /// The last heartbeat.
    pub(super) last: Heard,
    pub(super) heard: Time,
    is_gone: bool,
    /// When it failed to take on a role.
    failed: BTreeMap<Role, Time>,
    /// Since when it does not act in a role that it is to have.
    idle: BTreeMap<Role, Time>,
    /// What was told of it already.
    pub(super) claims_told: BTreeSet<Role>,
    pub(super) ahead_told: Epoch,
}

impl Node {
    /// Returns whether it lately sent heartbeats.
    pub(super) fn is_alive(&self, now: Time) -> bool {
        !self.is_gone && now.since(self.heard) < SILENCE_MAX
    }

    pub(super) fn note_failed(&mut self, now: Time, role: &Role) {
        self.failed.insert(role.clone(), now);
    }

    /// Returns whether it failed to take on the role not long ago.
    pub(super) fn has_failed(&self, now: Time, role: &Role) -> bool {
        let failed = self.failed.get(role);
        failed.is_some_and(|at| now.since(*at) < RETRY_WAIT)
    }

    /// Notes which of these roles it is to have and does not act in.
    pub(super) fn note_due(&mut self, now: Time, due: &[Role]) {
        self.idle.retain(|role, _| due.contains(role));
        for role in due {
            if self.last.roles.contains(role) {
                self.idle.remove(role);
            } else {
                self.idle.entry(role.clone()).or_insert(now);
            }
        }
    }

    /// Returns for how long it has not acted in a role that it is to have.
    pub(super) fn idle_for(&self, now: Time, role: &Role) -> Duration {
        self.idle
            .get(role)
            .map_or(Duration::ZERO, |since| now.since(*since))
    }

    /// Returns why it could not take on the role when it was last to, if so.
    pub(super) fn failure(&self, role: &Role) -> Option<&str> {
        let failure = self.last.failure.as_ref()?;
        let assigned = self.last.assigned;
        let of = (failure.epoch, failure.generation);
        let is_newest = of > (assigned.epoch, assigned.generation);
        (is_newest && failure.roles.contains(role)).then_some(failure.reason.as_str())
    }
}

/// All nodes by name.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    by_name: BTreeMap<NodeId, Node>,
    /// The place of a node among those with room, most room first.
    ranks: BTreeMap<NodeId, usize>,
}

impl Nodes {
    /// Takes a heartbeat; returns whether it is news.
    pub(super) fn hear(&mut self, now: Time, heard: Heard) -> bool {
        let Some(node) = self.by_name.get_mut(&heard.node) else {
            let node = Node {
                heard: now,
                is_gone: false,
                failed: BTreeMap::new(),
                idle: BTreeMap::new(),
                claims_told: BTreeSet::new(),
                ahead_told: Epoch::default(),
                last: heard,
            };
            self.by_name.insert(node.last.node.clone(), node);
            return true;
        };
        if node.last.boot == heard.boot && node.last.sequence >= heard.sequence {
            return false;
        }
        if node.last.boot != heard.boot {
            // What holds it up is counted anew: it begins with nothing.
            node.idle.clear();
        }
        node.last = heard;
        node.heard = now;
        node.is_gone = false;
        true
    }

    pub(super) fn lose(&mut self, name: &NodeId) {
        if let Some(node) = self.by_name.get_mut(name) {
            node.is_gone = true;
        }
    }

    /// Forgets nodes that are gone, but for those that `is_needed` names.
    pub(super) fn forget(&mut self, now: Time, is_needed: impl Fn(&NodeId) -> bool) {
        self.by_name
            .retain(|name, node| node.is_alive(now) || is_needed(name));
    }

    pub(super) fn rank(&mut self, ranked: Vec<NodeId>) {
        let places = ranked.into_iter().enumerate();
        self.ranks = places.map(|(place, node)| (node, place)).collect();
    }

    pub(super) fn rank_of(&self, name: &NodeId) -> usize {
        self.ranks.get(name).copied().unwrap_or(usize::MAX)
    }

    pub(super) fn get(&self, name: &NodeId) -> Option<&Node> {
        self.by_name.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &NodeId) -> Option<&mut Node> {
        self.by_name.get_mut(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Node)> {
        self.by_name.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.by_name.values_mut()
    }
}
