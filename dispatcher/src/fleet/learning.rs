//! Lessons of heartbeats and outcomes: the needs of jobs, the pace of nodes, forecasts, and
//! the trust in nodes.

use std::ops::Bound;
use std::sync::Arc;

use rolecast_common::id::{Attempt, Category, NodeId, Sequence};
use rolecast_common::time::{Now, Time};
use rolecast_common::unit::Resources;
use rolecast_common::wire::Outcome;
use rolecast_forecast::{Lesson, NodeForecast, Stack};

use super::conduct::Doubt;
use super::contention::{self, JointUse};
use super::trust::Trial;
use super::{Fleet, Node};
use crate::ledger::Reservation;
use crate::placement::{CategoryIndex, Needs};
use crate::profile::Observation;

/// Relative change of a profile below which the costs are kept.
const NEEDS_CHANGE_MIN: f32 = 0.01;
/// The same for the belief how others share the CPU.
const SHARE_CHANGE_MIN: f32 = 0.02;

/// Use and run times.
impl Fleet {
    /// Learns from the joint use of the node's jobs: how far it is from the average, the
    /// use that others would have if they had the CPU to themselves, and the needs of jobs
    /// of their categories.
    pub(super) fn learn_use(&mut self, now: Now, id: &NodeId) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let mut counts: Vec<(CategoryIndex, f32)> = Vec::new();
        let passed = node.ledger.take_means(now.time, |category, mean| {
            counts.push((category, mean));
        });
        let usage = node.load.usage();
        let averages = counts.iter().map(|(category, count)| {
            let learner = &self.learners[category.index()];
            (*count, learner.needs().average)
        });
        let joint = JointUse::new(usage.jobs, averages);
        let mut others = usage.total.minus(usage.jobs);
        // A worker that cannot measure it leaves it out, which reads as zero.
        let is_measured = usage.jobs != Resources::default();
        if !is_measured || counts.is_empty() {
            node.load.set_surplus(0.0);
        } else if contention::is_full(&usage, node.load.capacity()) {
            let surplus = joint.hidden_surplus(node.load.surplus(), passed);
            node.load.set_surplus(surplus);
            let share = self.experience.priority_share();
            others.cpu = joint.wanted_by_others(others.cpu, surplus, share);
        } else {
            node.load.set_surplus(joint.surplus());
            for (category, count) in counts {
                let learner = &mut self.learners[category.index()];
                learner.calibrate(joint.error(), count, joint.squares());
            }
        }
        node.load.observe_others(now, id, others);
    }

    /// Returns the recent factor by which jobs take longer there than predicted.
    pub(crate) fn factor(&self, now: Time, node: &Node) -> f32 {
        if self.has_feedback {
            self.experience.factor(now, &node.feedback)
        } else {
            1.0
        }
    }

    /// Learns from a job that completed there: its use and its run time. Returns whether
    /// the node had been kept out of its category until then.
    pub fn complete(&mut self, now: Time, id: &NodeId, job: Sequence, outcome: &Outcome) -> bool {
        let is_restored = self.record_completed(now, id, job);
        let reservation = self.end(now, id, job);
        self.find_listener(id);
        let Some(node) = self.nodes.get_mut(id) else {
            return is_restored;
        };
        node.counters.completed += 1;
        if node.counters.completed == 1 {
            self.forecasts.prove(node);
        }
        if let Some(reservation) = reservation {
            self.learn_run(now, id, &reservation, outcome);
        }
        is_restored
    }

    fn learn_run(&mut self, now: Time, id: &NodeId, reservation: &Reservation, outcome: &Outcome) {
        let (Some(node), Some(category)) = (self.nodes.get_mut(id), reservation.category) else {
            return;
        };
        let prediction = reservation.prediction.unwrap_or_default();
        let slow_down = prediction.slow_down(self.experience.priority_share());
        let speed = node.speed();
        let learner = &mut self.learners[category.index()];
        let seen = observation(outcome, node.capacity(), speed, slow_down);
        let Some(seen) = learner.observe(&seen) else {
            return;
        };
        if !learner.is_known() || reservation.prediction.is_none() {
            return;
        }
        let log_ratio = to_f32((seen.run_s * f64::from(speed)).ln() - learner.log_duration());
        let duration_s = learner.needs().duration_s;
        let feedback = &mut node.feedback;
        self.experience
            .observe(now, feedback, &prediction, log_ratio, duration_s);
        if let Some(log_work) = learner.log_work().filter(|_| seen.cpu_s > 0.0) {
            let declared = f64::from(node.pace.declared_speed());
            let log = to_f32(log_work - (seen.cpu_s * declared).ln());
            node.pace.observe_speed(log);
        }
        let Some(node) = self.nodes.get(id) else {
            return;
        };
        let (factor, speed) = (self.factor(now, node), node.speed());
        self.placer.board_mut().update(node.slot(), |figures| {
            figures.feedback = factor;
            figures.speed = speed;
        });
    }

    /// Updates the costs by the learned profiles: at intervals, because every node's cost
    /// changes.
    pub fn refresh(&mut self) {
        let board = self.placer.board_mut();
        for (category, learner) in self.learners.iter().enumerate() {
            let (category, needs) = (CategoryIndex::new(category), learner.needs());
            if has_changed(board.needs(category), needs) {
                board.set_needs(category, *needs);
            }
        }
        let share = self.experience.priority_share();
        if (share - board.priority_share()).abs() > SHARE_CHANGE_MIN {
            board.set_priority_share(share);
        }
    }
}

/// Forecasts of the use by others.
impl Fleet {
    /// Stores forecasts from before the start, for nodes whose heartbeats are still to
    /// arrive.
    pub(crate) fn remember(&mut self, forecasts: Vec<(NodeId, NodeForecast)>) {
        self.forecasts.remember(forecasts);
    }

    /// Drops the stored forecasts of nodes that sent no heartbeat.
    pub(crate) fn forget_remembered(&mut self) {
        self.forecasts.forget_remembered();
    }

    /// Replaces the global model over the experts, for all nodes.
    pub(crate) fn set_stack(&mut self, stack: &Arc<Stack>) {
        self.forecasts.set_stack(stack, self.nodes.values_mut());
    }

    /// Adds the lessons of the next `count` nodes after `last`; returns the last of these
    /// nodes, or `None` at the end.
    pub(crate) fn take_lessons(
        &mut self,
        last: Option<&NodeId>,
        count: usize,
        lessons: &mut Vec<Lesson>,
    ) -> Option<NodeId> {
        let start = last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut next = self.nodes.range_mut((start, Bound::Unbounded));
        let mut seen = None;
        for (id, node) in next.by_ref().take(count) {
            if let Some(forecast) = node.load.forecast_mut() {
                forecast.take_lessons(lessons);
            }
            seen = Some(id.clone());
        }
        next.next().and(seen)
    }
}

/// Trust in nodes.
impl Fleet {
    fn trial(&self, id: &NodeId, job: Sequence) -> Option<Trial> {
        let node = self.nodes.get(id)?;
        node.trust.trial(node.ledger.get(job)?)
    }

    /// Records a completed job; returns whether the node had been kept out until then.
    fn record_completed(&mut self, now: Time, id: &NodeId, job: Sequence) -> bool {
        let trial = self.trial(id, job);
        let (Some(trial), Some(node)) = (trial, self.nodes.get_mut(id)) else {
            return false;
        };
        let is_restored = node.trust.record_completed(trial, &mut self.peers);
        if is_restored {
            self.keep_out(now, id, trial.category());
        }
        is_restored
    }

    /// Records a failed job; returns the doubt if the node is distrusted from then on.
    pub(crate) fn fail(
        &mut self,
        now: Now,
        id: &NodeId,
        job: Sequence,
        reason: &str,
    ) -> Option<Doubt> {
        let trial = self.trial(id, job);
        self.end(now.time, id, job);
        self.record_failed(now, id, trial, reason)
    }

    /// Records a job that did not end there in time, and may still run.
    pub(crate) fn fail_unended(
        &mut self,
        now: Now,
        id: &NodeId,
        job: (Sequence, Attempt),
        reason: &str,
    ) -> Option<Doubt> {
        let trial = self.trial(id, job.0);
        self.set_aside(now.time, id, job.0, job.1);
        self.record_failed(now, id, trial, reason)
    }

    fn record_failed(
        &mut self,
        now: Now,
        id: &NodeId,
        trial: Option<Trial>,
        reason: &str,
    ) -> Option<Doubt> {
        let node = self.nodes.get_mut(id)?;
        node.counters.failed += 1;
        let trial = trial?;
        let peers = &mut self.peers;
        let doubt = node.trust.record_failed(now, trial, peers, reason);
        self.keep_out(now.time, id, trial.category());
        doubt
    }

    /// Records that the node could not start the job; returns the doubt if that begins a
    /// pause.
    pub(crate) fn fail_to_start(
        &mut self,
        now: Now,
        id: &NodeId,
        job: Sequence,
        reason: &str,
    ) -> Option<Doubt> {
        let trial = self.trial(id, job);
        self.end(now.time, id, job);
        let (trial, node) = (trial?, self.nodes.get_mut(id)?);
        let peers = &mut self.peers;
        let doubt = node.trust.record_unable(now, trial, peers, reason);
        self.keep_out(now.time, id, trial.category());
        doubt
    }

    /// Judges the conduct of a node again; returns the categories for which it is
    /// distrusted from then on.
    pub(crate) fn review(&mut self, now: Now, id: &NodeId) -> Vec<(Category, Doubt)> {
        let Some(node) = self.nodes.get_mut(id) else {
            return Vec::new();
        };
        let found = node.trust.review(now, &mut self.peers);
        let named = found.into_iter().map(|(category, doubt)| {
            self.keep_out(now.time, id, category);
            (self.policy(category).category.clone(), doubt)
        });
        named.collect()
    }

    /// Whether the node's verdict that a job of the category is hopeless is credible.
    pub(crate) fn is_credible(&self, id: &NodeId, category: CategoryIndex) -> bool {
        let node = self.nodes.get(id);
        node.is_some_and(|node| node.trust.is_credible(category, &self.peers))
    }

    /// Takes back a failure there that others confirmed to be the job's own.
    pub(crate) fn excuse(&mut self, id: &NodeId, category: CategoryIndex) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.trust.excuse(category, &mut self.peers);
        }
    }

    /// Updates whether the node is kept out of the category.
    pub(super) fn keep_out(&mut self, now: Time, id: &NodeId, category: CategoryIndex) {
        if let Some(node) = self.nodes.get(id) {
            let why = node.trust.obstacle(now, category);
            self.placer
                .board_mut()
                .set_refused(node.slot(), category, why);
        }
    }
}

fn observation(outcome: &Outcome, capacity: Resources, speed: f32, slow_down: f32) -> Observation {
    #[allow(
        clippy::cast_precision_loss,
        reason = "measurements are not that exact"
    )]
    let number = |value: u64| value as f64;
    let usage = outcome.usage;
    Observation {
        run_s: number(outcome.run_us) / 1e6,
        cpu_s: number(usage.cpu_us) / 1e6,
        memory: number(usage.memory_max),
        network_bytes: number(usage.network_bytes),
        disk_bytes: number(usage.disk_bytes),
        speed: f64::from(speed),
        slow_down: f64::from(slow_down),
        capacity,
    }
}

fn has_changed(before: &Needs, after: &Needs) -> bool {
    let differ = |a: f32, b: f32| (a - b).abs() > NEEDS_CHANGE_MIN * a.abs().max(b.abs());
    let amounts = before.average.iter().zip(after.average);
    let stays = before.stay.iter().zip(after.stay);
    amounts.into_iter().any(|(a, b)| differ(*a, b))
        || stays
            .into_iter()
            .any(|(a, b)| (a - b).abs() > NEEDS_CHANGE_MIN)
        || differ(before.duration_s, after.duration_s)
        || differ(before.memory_peak, after.memory_peak)
        || differ(before.memory_declared, after.memory_declared)
        || before.reach != after.reach
}

#[allow(clippy::cast_possible_truncation, reason = "seven digits are enough")]
fn to_f32(value: f64) -> f32 {
    value as f32
}
