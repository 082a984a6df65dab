//! The fleet: all nodes, from their heartbeats, with the jobs sent to each; and all
//! categories, with their learned profiles.
//!
//! Everything that affects placement passes through here, so that the board, the ledgers
//! and the profiles agree.

mod alone;
mod boots;
mod candidate;
mod conduct;
mod forecasts;
mod node;
mod placing;
mod presence;
mod pulse;
mod recording;
mod rounds;
mod scan;
mod sequence;
mod skew;
mod trust;
mod unheard;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::id::{Category, NodeId};
use rolecast_common::time::{Now, Time};
use rolecast_common::unit::{Cores, Resources};
use rolecast_common::wire::{ForecastMode, Heartbeat, NodeStatus};
use rolecast_forecast::{NodeForecast, Params, Stack};

pub use candidate::{Alone, Candidate};
pub use conduct::{Doubt, Fault};
pub use node::Node;
pub use placing::Choice;
pub use presence::{Missed, ROLL_MAX};
pub use pulse::Presence;
pub use recording::Author;

use crate::category::Policy;
use crate::placement::{
    Amounts, Board, CPU, CategoryIndex, Experience, Figures, Foreseen, Obstacle, Outlook, Slot,
    Standing, amounts, resources,
};
use crate::profile::Learner;
use conduct::Peers;
use presence::Presences;
use unheard::Unheard;

/// The most nodes: bounds the memory that heartbeats with invented names can take.
const NODES_MAX: usize = 20_000;
/// Time for which a node that is gone and has nothing in hand stays listed.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);
/// Interval between searches for such nodes: a look at all nodes takes a while.
const FORGET_INTERVAL: Duration = Duration::from_secs(5);
/// More cores than any machine has: a heartbeat that claims them is invalid.
const CORES_MAX: f64 = 65_536.0;
/// Use of the CPU above which a node does not show what its jobs need, only what they
/// get.
const CALIBRATION_USE_MAX: f64 = 0.9;
/// Time until half of the use beyond the average of a node's jobs, when it was last
/// visible, is assumed to have ended. Guessed: between seconds and minutes.
const SURPLUS_HALF_LIFE: Duration = Duration::from_secs(7);
/// Cores by which the use of jobs may be off for other reasons than being squeezed.
const SQUEEZE_PRIOR: f32 = 0.1;
/// The largest factor by which others are assumed to be squeezed.
const SQUEEZE_MAX: f32 = 4.0;

/// The reason why a heartbeat was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("its node is not the one its subject names")]
    ForeignNode,
    #[error("it repeats or precedes one already taken")]
    Replayed,
    #[error("its boot was superseded by a later one; do two workers share this node id?")]
    SupersededBoot,
    #[error("another worker has its name; do two workers share this node id?")]
    NameInUse,
    /// It is too early to decide whether it replaces another boot.
    #[error("another worker had its name a moment ago")]
    Contends,
    #[error("its capacity is not one a machine can have")]
    Implausible,
    #[error("too many nodes are known already")]
    TooManyNodes,
}

/// The changes that a heartbeat brought, beyond the figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The node is new, or back after it was gone.
    pub joined: bool,
    /// The worker was restarted: the jobs that its former boot had in hand are lost.
    pub rebooted: bool,
    /// It began to drain.
    pub drains: bool,
    /// Its clock was found to be ahead by this many milliseconds, which is too much.
    pub skewed_ms: Option<i64>,
}

/// Settings for judging nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub forecast: Params,
    /// Whether nodes whose jobs take longer than predicted are avoided.
    pub has_feedback: bool,
    pub seed: u64,
}

/// All nodes, in the order of their ids, and all categories.
#[derive(Debug)]
pub struct Fleet {
    settings: Settings,
    nodes: BTreeMap<NodeId, Node>,
    /// The ids by slot; a free slot keeps its last one.
    ids: Vec<NodeId>,
    categories: Vec<Served>,
    board: Board,
    experience: Experience,
    stack: Arc<Stack>,
    presences: Presences,
    unheard: Unheard,
    /// The next time at which nodes that left nothing behind are forgotten.
    forget_due: Time,
    /// Nodes with a forecast and without a completed job.
    unproven: usize,
    /// Forecasts from before the start, until heartbeats of their nodes arrive.
    remembered: BTreeMap<NodeId, Box<NodeForecast>>,
}

/// A category that is served.
#[derive(Debug)]
struct Served {
    policy: Policy,
    learner: Learner,
    /// The conduct of its jobs on all nodes together.
    peers: Peers,
}

impl Fleet {
    pub fn new(settings: Settings) -> Self {
        let outlook = match settings.forecast.mode {
            ForecastMode::On => Outlook::Ahead,
            ForecastMode::Advisory | ForecastMode::Off => Outlook::Present,
        };
        Self {
            settings,
            nodes: BTreeMap::new(),
            ids: Vec::new(),
            categories: Vec::new(),
            board: Board::new(outlook, settings.seed),
            experience: Experience::default(),
            stack: Arc::default(),
            presences: Presences::default(),
            unheard: Unheard::default(),
            forget_due: Time::ZERO,
            unproven: 0,
            remembered: BTreeMap::new(),
        }
    }

    /// Starts to serve a category; the same name again changes nothing.
    pub fn serve(&mut self, policy: Policy) -> CategoryIndex {
        let learner = Learner::new(policy.profile, policy.weights);
        let index = self.board.add_category(&policy.category, *learner.needs());
        if index.index() == self.categories.len() {
            self.categories.push(Served {
                policy,
                learner,
                peers: Peers::default(),
            });
        }
        index
    }

    pub fn category(&self, name: &Category) -> Option<CategoryIndex> {
        self.board.category(name)
    }

    pub fn policy(&self, category: CategoryIndex) -> &Policy {
        &self.categories[category.index()].policy
    }

    pub fn learner(&self, category: CategoryIndex) -> &Learner {
        &self.categories[category.index()].learner
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Returns every `step`-th node, beginning with the one in the slot `first`.
    pub fn every(&self, step: usize, first: usize) -> impl Iterator<Item = &Node> {
        let slots = (first..self.ids.len()).step_by(step);
        slots.filter_map(|slot| {
            self.nodes
                .get(&self.ids[slot])
                .filter(|node| node.slot == Slot::new(slot))
        })
    }

    /// Returns the nodes whose names follow this one.
    pub fn nodes_after(&self, after: Option<&NodeId>) -> impl Iterator<Item = &Node> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let nodes = self.nodes.range::<NodeId, _>((start, Bound::Unbounded));
        nodes.map(|(_, node)| node)
    }

    pub fn get(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub fn get_mut(&mut self, id: &NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id)
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
        self.expect(from);
        self.queue_unheard(from);
        self.note(now, from, beat);
        Ok(change)
    }

    fn join(&mut self, now: Now, id: &NodeId, beat: &Heartbeat) -> Result<Change, Refusal> {
        if self.nodes.len() >= NODES_MAX {
            return Err(Refusal::TooManyNodes);
        }
        let forecast = self.forecast_of(id);
        let slot = self.board.add_node(Figures::new(amounts(beat.capacity)));
        if slot.index() == self.ids.len() {
            self.ids.push(id.clone());
        }
        self.ids[slot.index()] = id.clone();
        let mut node = Node::new(now.time, beat, slot, forecast);
        node.update(now, beat);
        self.nodes.insert(id.clone(), node);
        Ok(Change {
            joined: true,
            ..Change::default()
        })
    }

    /// Updates the board from the heartbeat.
    fn note(&mut self, now: Now, id: &NodeId, beat: &Heartbeat) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let slot = node.slot;
        if node.describe(beat) {
            let categories = &self.categories;
            self.board.refit(slot, |category, requirement| {
                node.fit(&categories[category.index()].policy, requirement)
            });
        }
        // Most often no node is doubted, and there are many categories.
        let is_doubted = node.is_doubted();
        for category in (0..self.categories.len()).map(CategoryIndex::new) {
            let why = match is_doubted {
                true => node.kept_out(now.time, category),
                false => None,
            };
            self.board.set_refused(slot, category, why);
        }
        self.board.set_standing(slot, node.standing());
        self.board.set_jobs_max(slot, node.jobs_max());
        self.learn_use(now, id);
        let Some(node) = self.nodes.get(id) else {
            return;
        };
        let feedback = self.factor(now.time, node);
        self.board.update(slot, |figures| {
            figures.capacity = amounts(node.capacity());
            figures.present = amounts(node.exogenous());
            figures.ahead = Foreseen::new(&node.expected());
            figures.speed = node.speed();
            figures.feedback = feedback;
        });
        let (jobs, surplus) = (amounts(node.usage().jobs), node.surplus);
        self.board.settle(slot, &jobs, surplus);
    }

    /// Learns from the joint use of the node's jobs: how far it is from the average, what
    /// others would use if they had the CPU to themselves, and what jobs of their
    /// categories need.
    fn learn_use(&mut self, now: Now, id: &NodeId) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let mut means: Vec<(CategoryIndex, f32)> = Vec::new();
        let passed = node
            .ledger
            .take_means(now.time, |category, mean| means.push((category, mean)));
        let usage = node.usage();
        let jobs: Amounts = amounts(usage.jobs);
        // A worker that cannot measure it leaves it out, which reads as zero.
        let is_told = usage.jobs != Resources::default();
        let is_busy = usage.total.cpu.get() > CALIBRATION_USE_MAX * node.capacity().cpu.get();
        let mut error = jobs;
        let mut squares = 0.0;
        for (category, mean) in &means {
            let average = self.categories[category.index()].learner.needs().average;
            for (left, needed) in error.iter_mut().zip(average) {
                *left -= mean * needed;
            }
            squares += mean * mean;
        }
        let mut others = usage.total.minus(usage.jobs);
        if !is_told || means.is_empty() {
            node.surplus = 0.0;
        } else if is_busy {
            // Jobs want at least what they get.
            let halves = passed.as_secs_f32() / SURPLUS_HALF_LIFE.as_secs_f32();
            node.surplus = error[CPU].max(node.surplus * (-halves).exp2());
            let wanted = jobs[CPU] - error[CPU] + node.surplus;
            let fair = 1.0 - self.experience.priority_share();
            let squeeze = 1.0 + fair * (squeeze(wanted, jobs[CPU]) - 1.0);
            others.cpu = Cores::clamped(others.cpu.get() * f64::from(squeeze));
        } else {
            node.surplus = error[CPU];
            for (category, mean) in means {
                let learner = &mut self.categories[category.index()].learner;
                learner.calibrate(&error, mean, squares);
            }
        }
        node.note_others(now, others);
    }

    /// Returns the recent factor by which jobs take longer there than predicted.
    pub fn factor(&self, now: Time, node: &Node) -> f32 {
        if self.settings.has_feedback {
            self.experience.factor(now, &node.feedback)
        } else {
            1.0
        }
    }

    /// Records the node's statement that it follows no later dispatcher than this one.
    pub fn note_followed(&mut self, now: Time, id: &NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.note_followed(now);
        }
    }

    /// Sets whether an operator keeps jobs from the node.
    pub fn set_drained(&mut self, id: &NodeId, is_drained: bool) {
        if let Some(node) = self.nodes.get_mut(id)
            && node.is_drained != is_drained
        {
            node.is_drained = is_drained;
            self.board.set_standing(node.slot, node.standing());
        }
    }

    /// Records the measured round trip of a ping to the node.
    pub fn note_latency(&mut self, id: &NodeId, round_trip: Duration) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        node.note_round_trip(round_trip);
        let known = node.round_trip().unwrap_or_default().as_secs_f32();
        self.board
            .update(node.slot, |figures| figures.round_trip_s = known);
    }

    /// Removes, at intervals, the nodes that have been gone for long and left nothing
    /// behind, and returns them.
    pub fn forget(&mut self, now: Time) -> Vec<NodeId> {
        if now < self.forget_due {
            return Vec::new();
        }
        self.forget_due = now + FORGET_INTERVAL;
        let (board, categories) = (&mut self.board, &mut self.categories);
        let (presences, unproven) = (&mut self.presences, &mut self.unproven);
        let mut forgotten = Vec::new();
        self.nodes.retain(|id, node| {
            let is_old = node.age(now) > FORGET_AFTER;
            let is_forgotten = node.is_gone && is_old && node.jobs() == 0;
            if is_forgotten {
                board.remove_node(node.slot);
                *unproven -= usize::from(node.completed == 0 && node.forecast.is_some());
                for (category, conduct) in &node.conduct {
                    conduct.leave(&mut categories[category.index()].peers);
                }
                presences.end(node);
                forgotten.push(id.clone());
            }
            !is_forgotten
        });
        forgotten
    }

    /// Marks the node as gone because nobody listens on its subject; only a heartbeat
    /// brings it back.
    pub fn bounce(&mut self, id: &NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.is_gone = true;
            self.board.set_standing(node.slot, Standing::Gone);
        }
        self.doubt_hearing(id);
    }

    /// Marks the node as draining because it hands jobs back; the next heartbeat confirms
    /// that.
    pub fn drain(&mut self, id: &NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.is_draining = true;
            self.board.set_standing(node.slot, node.standing());
        }
    }

    /// Keeps the category away from the node until its next heartbeat.
    pub fn refuse(&mut self, id: &NodeId, category: &Category) {
        let category = self.board.category(category);
        if let (Some(node), Some(category)) = (self.nodes.get(id), category) {
            let why = Some(Obstacle::Refused);
            self.board.set_refused(node.slot, category, why);
        }
    }

    pub fn status(&self, now: Time, node: &Node) -> NodeStatus {
        NodeStatus {
            node: node.id().clone(),
            roles: node.roles().to_vec(),
            labels: node.labels().clone(),
            health: node.health(),
            heartbeat_age_ms: u64::try_from(node.age(now).as_millis()).unwrap_or(u64::MAX),
            capacity: node.capacity(),
            usage: node.usage(),
            reserved: resources(self.board.figures(node.slot).reserved),
            jobs: node.jobs(),
            jobs_max: node.jobs_max(),
            speed: node.declared(),
            learned_speed: f64::from(node.speed()),
            feedback: f64::from(self.factor(now, node)),
            clock_skew_ms: node.clock_skew_ms(),
            round_trip_us: node
                .round_trip()
                .map(|trip| u64::try_from(trip.as_micros()).unwrap_or(u64::MAX)),
            sent: node.sent,
            advised: node.advised,
            diverted: node.diverted,
            completed: node.completed,
            failed: node.failed,
            distrusted: self.distrust(node),
            is_cut: false,
        }
    }

    /// Returns the sum of the reservations on the node.
    pub fn reserved(&self, node: &Node) -> Resources {
        resources(self.board.figures(node.slot).reserved)
    }
}

/// Returns the ratio of what jobs want to what they get. Others that share fairly with
/// them get an equally small part of what they want.
fn squeeze(wanted: f32, got: f32) -> f32 {
    ((wanted + SQUEEZE_PRIOR) / (got + SQUEEZE_PRIOR)).clamp(1.0, SQUEEZE_MAX)
}

#[cfg(test)]
pub(crate) mod tests;
