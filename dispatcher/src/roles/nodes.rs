//! The coordinator's view of the nodes: liveness, offers and held roles.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecast_common::id::{Epoch, NodeId, Role};
use rolecast_common::time::Time;

use super::input::Report;

/// Three heartbeats and a little: a node that is silent for longer is not given a role.
const SILENCE_MAX: Duration = Duration::from_millis(3500);
/// Time after a node failed to take on a role until it is tried again: a service that is
/// restarted in between may be up by then. A guess.
const RETRY_WAIT: Duration = Duration::from_secs(15);
/// Interval between searches for nodes that are gone: a check of all nodes takes a while.
const FORGET_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Node {
    /// The last heartbeat.
    pub(super) last: Report,
    pub(super) received: Time,
    is_gone: bool,
    /// Times at which it failed to take on a role.
    failed: BTreeMap<Role, Time>,
    /// Claims that were reported already.
    pub(super) claims_reported: BTreeSet<Role>,
    pub(super) ahead_reported: Epoch,
}

impl Node {
    /// Whether it recently sent heartbeats.
    pub(super) fn is_alive(&self, now: Time) -> bool {
        !self.is_gone && now.since(self.received) < SILENCE_MAX
    }

    /// Whether it acts in the role: by its last report, unless it is gone.
    pub(super) fn acts(&self, role: &Role) -> bool {
        !self.is_gone && self.last.roles.contains(role)
    }

    /// Whether it may be given the role, or acts in it.
    pub(super) fn offers(&self, role: &Role) -> bool {
        !self.is_gone && self.last.offers.contains(role)
    }

    pub(super) fn record_failure(&mut self, now: Time, role: &Role) {
        self.failed.insert(role.clone(), now);
    }

    /// Whether it recently failed to take on the role.
    pub(super) fn has_failed(&self, now: Time, role: &Role) -> bool {
        let failed = self.failed.get(role);
        failed.is_some_and(|at| now.since(*at) < RETRY_WAIT)
    }

    /// Returns the reason why it could not take on the role at its last attempt, if it
    /// failed.
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
    /// Start of the time in which a node does not act in a role that it should have.
    idle: BTreeMap<(NodeId, Role), Time>,
    /// The next time at which nodes that are gone are forgotten.
    forget_due: Time,
}

impl Nodes {
    /// Records a heartbeat; returns whether it is new.
    pub(super) fn observe(&mut self, now: Time, report: Report) -> bool {
        let Some(node) = self.by_name.get_mut(&report.node) else {
            let node = Node {
                received: now,
                is_gone: false,
                failed: BTreeMap::new(),
                claims_reported: BTreeSet::new(),
                ahead_reported: Epoch::default(),
                last: report,
            };
            self.by_name.insert(node.last.node.clone(), node);
            return true;
        };
        if node.last.boot == report.boot && node.last.sequence >= report.sequence {
            return false;
        }
        if node.last.boot != report.boot {
            // Its idle time begins again: it starts without roles.
            self.idle.retain(|(name, _), _| *name != report.node);
        }
        node.last = report;
        node.received = now;
        node.is_gone = false;
        true
    }

    pub(super) fn lose(&mut self, name: &NodeId) {
        if let Some(node) = self.by_name.get_mut(name) {
            node.is_gone = true;
        }
    }

    /// Records the nodes that should have a role and do not act in it.
    pub(super) fn record_due<'a>(
        &mut self,
        now: Time,
        due: impl Iterator<Item = (&'a Role, &'a NodeId)>,
    ) {
        let before = std::mem::take(&mut self.idle);
        for (role, name) in due {
            let node = self.by_name.get(name);
            if node.is_some_and(|node| !node.last.roles.contains(role)) {
                let key = (name.clone(), role.clone());
                let since = before.get(&key).copied().unwrap_or(now);
                self.idle.insert(key, since);
            }
        }
    }

    /// Returns the time for which a node has not acted in a role that it should have.
    pub(super) fn idle_for(&self, now: Time, role: &Role, name: &NodeId) -> Duration {
        let since = self.idle.get(&(name.clone(), role.clone()));
        since.map_or(Duration::ZERO, |since| now.since(*since))
    }

    /// Forgets, at intervals, nodes that are gone, except those that `is_needed` names.
    pub(super) fn forget(&mut self, now: Time, is_needed: impl Fn(&NodeId) -> bool) {
        if now < self.forget_due {
            return;
        }
        self.forget_due = now + FORGET_INTERVAL;
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
}
