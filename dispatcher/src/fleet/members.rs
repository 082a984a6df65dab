//! Members of the fleet: nodes join, report, are checked, and are forgotten.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use rolecast_common::id::{Category, NodeId};
use rolecast_common::time::{Now, Time};
use rolecast_common::unit::Resources;
use rolecast_common::wire::{ForecastMode, Heartbeat, NodeRefusal, NodeStatus, NodeView};

use super::conduct::Peers;
use super::forecasts::Forecasts;
use super::presence::{Missed, Presences};
use super::pulse::Suspicion;
use super::{Change, Fleet, Node, Refusal, Settings, views};
use crate::category::Policy;
use crate::placement::{
    Availability, CategoryIndex, Experience, Foreseen, NodeFigures, Obstacle, Outlook, Placer,
    Slot, amounts, resources,
};
use crate::profile::Learner;

/// The most nodes: bounds the memory that heartbeats with invented names can take.
pub(super) const NODES_MAX: usize = 20_000;
/// Time for which a node that is gone and has nothing in hand stays listed.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);
/// Interval between searches for such nodes: a look at all nodes takes a while.
const FORGET_INTERVAL: Duration = Duration::from_secs(5);
/// More cores than any machine has: a heartbeat that claims them is invalid.
const CORES_MAX: f64 = 65_536.0;

impl Fleet {
    pub fn new(settings: Settings) -> Self {
        let outlook = match settings.forecast.mode {
            ForecastMode::On => Outlook::Ahead,
            ForecastMode::Advisory | ForecastMode::Off => Outlook::Present,
        };
        Self {
            nodes: BTreeMap::new(),
            placer: Placer::new(outlook, settings.seed),
            learners: Vec::new(),
            peers: Vec::new(),
            experience: Experience::default(),
            has_feedback: settings.has_feedback,
            forecasts: Forecasts::new(settings.forecast),
            presences: Presences::default(),
            forget_due: Time::ZERO,
        }
    }

    /// Starts to serve a category; the same name again changes nothing.
    pub fn serve(&mut self, policy: Policy) -> CategoryIndex {
        let learner = Learner::new(policy.profile, policy.weights);
        let index = self.placer.add_category(policy, *learner.needs());
        if index.index() == self.learners.len() {
            self.learners.push(learner);
            self.peers.push(Peers::default());
        }
        index
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Returns every `step`-th node, beginning with the one in the slot `first`.
    pub(crate) fn every(&self, step: usize, first: usize) -> impl Iterator<Item = &Node> {
        let slots = (first..self.placer.slot_count()).step_by(step);
        slots.filter_map(|slot| self.at(Slot::new(slot)))
    }

    /// Returns the nodes whose names follow this one.
    pub(crate) fn nodes_after(&self, after: Option<&NodeId>) -> impl Iterator<Item = &Node> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let nodes = self.nodes.range::<NodeId, _>((start, Bound::Unbounded));
        nodes.map(|(_, node)| node)
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    fn at(&self, slot: Slot) -> Option<&Node> {
        let node = self.nodes.get(self.placer.id_of(slot));
        node.filter(|node| node.slot() == slot)
    }

    /// Processes a heartbeat that arrived on the subject of node `from`.
    pub fn take(&mut self, now: Now, from: &NodeId, beat: &Heartbeat) -> Result<Change, Refusal> {
        if *from != beat.node {
            return Err(Refusal::ForeignNode);
        }
        let cpu = beat.capacity.cpu.get();
        if cpu <= 0.0 || cpu > CORES_MAX || beat.capacity.memory.get() == 0 {
            return Err(Refusal::Implausible);
        }
        let change = match self.nodes.get_mut(from) {
            Some(node) => node.take(now, beat)?,
            None => self.join(now, from, beat)?,
        };
        if let Some(node) = self.nodes.get_mut(from) {
            self.presences.expect(node);
        }
        self.update(now, from, beat);
        if let Some(node) = self.nodes.get_mut(from) {
            let health = node.health();
            node.journal.record_health(now, health);
        }
        Ok(change)
    }

    fn join(&mut self, now: Now, id: &NodeId, beat: &Heartbeat) -> Result<Change, Refusal> {
        if self.nodes.len() >= NODES_MAX {
            return Err(Refusal::TooManyNodes);
        }
        let forecast = self.forecasts.begin(id);
        let figures = NodeFigures::new(amounts(beat.capacity));
        let slot = self.placer.add_node(id.clone(), figures);
        let node = Node::new(now.time, beat, slot, forecast);
        self.nodes.insert(id.clone(), node);
        Ok(Change {
            joined: true,
            ..Change::default()
        })
    }

    /// Updates the board from the heartbeat.
    fn update(&mut self, now: Now, id: &NodeId, beat: &Heartbeat) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let slot = node.slot();
        if let Some(description) = node.describe(beat) {
            self.placer.describe(slot, description);
        }
        let board = self.placer.board_mut();
        // Most often no node is doubted, and there are many categories.
        let is_doubted = node.trust.is_doubted();
        for category in (0..self.learners.len()).map(CategoryIndex::new) {
            let why = match is_doubted {
                true => node.trust.obstacle(now.time, category),
                false => None,
            };
            board.set_refused(slot, category, why);
        }
        board.set_availability(slot, node.availability());
        board.set_jobs_max(slot, node.jobs_max());
        self.learn_use(now, id);
        let Some(node) = self.nodes.get(id) else {
            return;
        };
        let (feedback, load) = (self.factor(now.time, node), &node.load);
        let board = self.placer.board_mut();
        board.update(slot, |figures| {
            figures.capacity = amounts(load.capacity());
            figures.present = amounts(load.exogenous());
            figures.ahead = Foreseen::new(&load.expected());
            figures.speed = node.speed();
            figures.feedback = feedback;
        });
        board.settle(slot, &amounts(load.usage().jobs), load.surplus());
    }

    /// Records the node's statement that it follows no later dispatcher than this one.
    pub(crate) fn record_followed(&mut self, now: Time, id: &NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.liveness.record_followed(now);
        }
    }

    /// Sets whether an operator keeps jobs from the node.
    pub(crate) fn set_drained(&mut self, id: &NodeId, is_drained: bool) {
        self.change(id, |node| node.liveness.set_drained(is_drained));
    }

    /// Marks the node as draining because it hands jobs back; the next heartbeat confirms
    /// that.
    pub(crate) fn drain(&mut self, id: &NodeId) {
        self.change(id, |node| node.liveness.set_draining());
    }

    /// Marks the node as gone because nobody listens on its subject; only a heartbeat
    /// brings it back.
    pub(crate) fn bounce(&mut self, id: &NodeId) {
        self.change(id, |node| node.liveness.set_gone());
        self.doubt_listener(id);
    }

    /// Changes the state of a node, and whether it takes jobs with it.
    fn change(&mut self, id: &NodeId, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(id) {
            change(node);
            let board = self.placer.board_mut();
            board.set_availability(node.slot(), node.availability());
        }
    }

    /// Keeps the category away from the node until its next heartbeat.
    pub(crate) fn refuse(&mut self, id: &NodeId, category: &Category) {
        let category = self.placer.category(category);
        if let (Some(node), Some(category)) = (self.nodes.get(id), category) {
            let why = Some(Obstacle::Refused);
            let board = self.placer.board_mut();
            board.set_refused(node.slot(), category, why);
        }
    }

    /// Records that the node refused a job.
    pub(crate) fn record_refusal(&mut self, id: &NodeId, refusal: NodeRefusal) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.journal.record_refusal(refusal);
        }
    }

    /// Removes, at intervals, the nodes that have been gone for long and left nothing
    /// behind, and returns them.
    pub(crate) fn forget(&mut self, now: Time) -> Vec<NodeId> {
        if now < self.forget_due {
            return Vec::new();
        }
        self.forget_due = now + FORGET_INTERVAL;
        let is_old =
            |node: &mut Node| node.is_gone() && node.age(now) > FORGET_AFTER && node.jobs() == 0;
        let forgotten = self.nodes.extract_if(.., |_, node| is_old(node));
        let ids = forgotten.map(|(id, mut node)| {
            self.placer.board_mut().remove_node(node.slot());
            self.forecasts.end(&node);
            node.trust.leave(&mut self.peers);
            self.presences.end(&mut node);
            id
        });
        ids.collect()
    }

    /// Returns the next time at which a node is checked.
    pub(crate) fn next_check(&self) -> Option<Time> {
        self.presences.next_check()
    }

    /// Returns the numbers of missing and of watched nodes, if so many are missing that
    /// NATS or the network is suspected.
    pub(crate) fn suspected(&self) -> Option<(usize, usize)> {
        let presences = &self.presences;
        let is_suspected = presences.suspicion() == Suspicion::Network;
        is_suspected.then_some((presences.missing(), presences.watched()))
    }

    /// Returns the number of nodes that are there, as far as known, and listen.
    pub(crate) fn watched(&self) -> usize {
        self.presences.watched()
    }

    /// Records that the node answered a probe.
    pub(crate) fn record_answer(&mut self, now: Time, id: &NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            self.presences.record_answer(now, node);
        }
        self.find_listener(id);
    }

    /// Records the measured round trip of a ping to the node.
    pub(crate) fn record_round_trip(&mut self, id: &NodeId, measured: Duration) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let round_trip_s = node.pace.observe_round_trip(measured).as_secs_f32();
        let board = self.placer.board_mut();
        board.update(node.slot(), |figures| figures.round_trip_s = round_trip_s);
    }

    /// Records the server's report that nobody listens on the node's subject; returns
    /// whether that is new.
    pub(crate) fn record_absence(&mut self, now: Time, since: Time, id: &NodeId) -> bool {
        self.doubt_listener(id);
        let node = self.nodes.get_mut(id);
        node.is_some_and(|node| self.presences.record_absence(now, since, node))
    }

    /// Checks the nodes that are due: a late one must be probed, one that is gone gets
    /// no more jobs. Heartbeats missed before `since` do not count, and no node is given
    /// up before NATS has answered a later request.
    pub(crate) fn check_presence(
        &mut self,
        now: Time,
        since: Time,
        is_answered_since: impl Fn(Time) -> bool,
    ) -> Vec<Missed> {
        let (presences, mut found) = (&mut self.presences, Vec::new());
        while let Some((tick, slots)) = presences.take_due(now) {
            for slot in slots {
                let node = self.nodes.get_mut(self.placer.id_of(slot));
                let Some(node) = node.filter(|node| node.slot() == slot) else {
                    continue;
                };
                if presences.check(node, tick, now, since, &is_answered_since, &mut found) {
                    let board = self.placer.board_mut();
                    board.set_availability(slot, Availability::Gone);
                }
            }
        }
        found
    }

    /// Records the server's report that nobody listens there.
    fn doubt_listener(&mut self, id: &NodeId) {
        let node = self.nodes.get(id);
        if node.is_some_and(|node| !node.has_listened() && !node.liveness.listener.is_closed()) {
            self.set_listener_missing(id, true);
        }
    }

    /// Records that somebody does listen there.
    pub(super) fn find_listener(&mut self, id: &NodeId) {
        if self.nodes.get(id).is_some_and(Node::lacks_listener) {
            self.set_listener_missing(id, false);
        }
    }

    fn set_listener_missing(&mut self, id: &NodeId, is_missing: bool) {
        if let Some(node) = self.nodes.get_mut(id) {
            self.presences.set_listener_missing(node, is_missing);
            let board = self.placer.board_mut();
            board.set_availability(node.slot(), node.availability());
        }
    }

    /// Gives the next node without a listener a job; the server's next report ends that.
    pub(crate) fn try_missing_listener(&mut self) {
        while let Some(id) = self.presences.next_untried() {
            let Some(node) = self.nodes.get_mut(&id) else {
                continue;
            };
            let is_there = !node.is_gone();
            if node.liveness.listener.try_node(is_there) {
                let board = self.placer.board_mut();
                board.set_availability(node.slot(), node.availability());
                return;
            }
        }
    }

    pub(crate) fn status(&self, now: Time, node: &Node) -> NodeStatus {
        views::status(self, now, node)
    }

    /// Returns all that the fleet knows about a node.
    pub(crate) fn view(&self, now: Now, id: &NodeId) -> Option<NodeView> {
        Some(views::node(self, now, self.get(id)?))
    }

    /// Returns the sum of the reservations on the node.
    pub(crate) fn reserved(&self, node: &Node) -> Resources {
        resources(self.placer.board().figures(node.slot()).reserved)
    }
}
