//! Placement of jobs on nodes, and learning from their outcomes.

use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::label::Requirement;
use rolecast_common::time::Time;
use rolecast_common::wire::Outcome;

use super::Fleet;
use super::candidate::Candidate;
use crate::ledger::Entry;
use crate::placement::{self, CategoryIndex, ClassIndex, Needs, Outlook, Prediction, Slot};
use crate::profile::Observation;

/// Relative change of a profile below which the costs are kept.
const NEEDS_CHANGE_MIN: f32 = 0.01;
/// The same for the belief how others share the CPU.
const SHARE_CHANGE_MIN: f32 = 0.02;

/// Cost ratio above which a cheaper node counts as equally good.
const DIVERTED_BELOW: f32 = 0.95;

/// The result of choosing a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    Node(Slot),
    /// Even there it would be slowed down this much; it should wait.
    Held {
        slot: Slot,
        slow_down: f32,
    },
    /// No node can take it.
    Nowhere,
}

impl Fleet {
    /// Returns the best node for the job at this moment.
    pub fn choose(&mut self, job: &Candidate<'_>) -> Choice {
        let is_free = |slot: &Slot| self.claim_obstacle(job, *slot).is_none();
        if let Some(slot) = job.claim.filter(is_free) {
            return Choice::Node(slot);
        }
        if job.alone.is_some() {
            return Choice::Nowhere;
        }
        let Some(best) = self.best(job) else {
            return Choice::Nowhere;
        };
        if let Some(slow_down) = self.held(job, best) {
            let slot = best;
            return Choice::Held { slot, slow_down };
        }
        // A key is a preference: the job does not wait for its node where another one is
        // free.
        let keyed = job.key.and_then(|key| self.keyed(job, key));
        Choice::Node(match keyed {
            Some(slot) if self.held(job, slot).is_none() => slot,
            Some(_) | None => best,
        })
    }

    /// Returns the slow-down of the job on its best node, if the job should wait. What
    /// others use will not end with our jobs, so only the part of the slow-down that our
    /// jobs cause is worth waiting for.
    fn held(&self, job: &Candidate<'_>, slot: Slot) -> Option<f32> {
        let served = &self.categories[job.category.index()];
        if !served.learner.is_known() {
            return None;
        }
        let duration_s = served.learner.needs().duration_s;
        let slow_down = self.board.slow_down(slot, job.category);
        let by_jobs = slow_down / self.board.slow_down_alone(slot, job.category);
        placement::is_held(served.policy.patience, duration_s, by_jobs, job.waited)
            .then_some(slow_down)
    }

    fn best(&mut self, job: &Candidate<'_>) -> Option<Slot> {
        let class = self.class(job.category, job.requirement);
        if job.barred.is_empty() {
            return self.board.best(class);
        }
        let barred = job.barred.iter().map(|(slot, _)| *slot);
        self.board.best_without(class, barred)
    }

    pub(super) fn class(
        &mut self,
        category: CategoryIndex,
        requirement: &Requirement,
    ) -> ClassIndex {
        if let Some(known) = self.board.class(category, requirement) {
            return known;
        }
        let policy = &self.categories[category.index()].policy;
        let slots = (0..self.ids.len()).map(Slot::new);
        let fits: Vec<_> = slots
            .map(|slot| match self.nodes.get(&self.ids[slot.index()]) {
                Some(node) if node.slot() == slot => node.fit(policy, requirement),
                Some(_) | None => Err(placement::Obstacle::Gone),
            })
            .collect();
        self.board
            .add_class(category, requirement, |slot| fits[slot.index()])
    }

    /// Returns the best node by this outlook, from a look at all nodes.
    fn least(&self, job: &Candidate<'_>, outlook: Outlook) -> Option<Slot> {
        let mut best: Option<(u64, Slot)> = None;
        self.scan(job, outlook, |slot, estimate| {
            if let Ok(estimate) = estimate {
                let key = placement::key(estimate, 0);
                if best.is_none_or(|(least, _)| key < least) {
                    best = Some((key, slot));
                }
            }
        });
        best.map(|(_, slot)| slot)
    }

    /// Returns the node that forecasts would choose for the job, without the index.
    pub fn advise(&self, job: &Candidate<'_>) -> Option<Slot> {
        self.least(job, Outlook::Ahead)
    }

    /// Returns the node that would have been clearly better for the job by the last
    /// heartbeats alone, if there is one.
    pub fn diverted_from(&self, job: &Candidate<'_>, chosen: Slot) -> Option<Slot> {
        let mut best: Option<(f32, Slot)> = None;
        let mut own = f32::INFINITY;
        self.scan(job, Outlook::Present, |slot, estimate| {
            let Ok(estimate) = estimate else {
                return;
            };
            if slot == chosen {
                own = estimate.cost;
            }
            if best.is_none_or(|(least, _)| estimate.cost < least) {
                best = Some((estimate.cost, slot));
            }
        });
        let is_better = |(cost, _): &(f32, Slot)| *cost < DIVERTED_BELOW * own;
        best.filter(is_better).map(|(_, slot)| slot)
    }

    /// Returns the node that the job's key prefers, from a look at all nodes.
    pub(super) fn keyed(&self, job: &Candidate<'_>, key: u64) -> Option<Slot> {
        let mut costs = Vec::new();
        self.scan(job, self.board.outlook(), |slot, estimate| {
            costs.extend(estimate.ok().map(|estimate| (slot, estimate.cost)));
        });
        let weight = |slot| self.board.figures(slot).cores_left();
        placement::preferred(key, &costs, weight, |slot| {
            rolecast_common::fnv::fnv1a(self.ids[slot.index()].as_str().as_bytes())
        })
    }

    /// Returns the obstacle that keeps the job from the node where memory is kept free
    /// for it, if there is one.
    fn claim_obstacle(&self, job: &Candidate<'_>, slot: Slot) -> Option<placement::Obstacle> {
        let node = self.nodes.get(&self.ids[slot.index()]);
        let Some(node) = node.filter(|node| node.slot() == slot) else {
            return Some(placement::Obstacle::Gone);
        };
        let fit = node.fit(self.policy(job.category), job.requirement);
        let fit = job.bar(slot).map_or(fit, Err);
        let (outlook, claim) = (self.board.outlook(), job.kind_of_claim());
        let estimate = fit.and_then(|fit| {
            let board = &self.board;
            board.estimate_claimed(slot, job.category, fit, outlook, claim)
        });
        estimate.err()
    }

    /// Whether the job may still come to fit on the node where memory is kept free for
    /// it.
    pub fn is_claim_useful(&self, job: &Candidate<'_>, slot: Slot) -> bool {
        self.claim_obstacle(job, slot)
            .is_none_or(placement::Obstacle::is_passing)
    }

    /// Keeps memory free for a waiting job, on the node that lacks the least, so that
    /// smaller jobs do not take it as soon as some becomes free.
    pub fn claim(&mut self, job: &Candidate<'_>) -> Option<Slot> {
        let mut least: Option<(f32, Slot)> = None;
        self.scan(job, self.board.outlook(), |slot, estimate| {
            if estimate != Err(placement::Obstacle::Memory) {
                return;
            }
            let lack = self.board.memory_lack(slot, job.category);
            let is_free = self.board.figures(slot).memory_claimed == 0.0;
            if is_free && least.is_none_or(|(least, _)| lack < least) {
                least = Some((lack, slot));
            }
        });
        let (_, slot) = least?;
        let needs = self.board.needs(job.category);
        let claimed = needs.average[placement::MEMORY] + needs.memory_peak;
        self.board
            .update(slot, |figures| figures.memory_claimed = claimed);
        Some(slot)
    }

    /// Releases the memory kept free on the node.
    pub fn unclaim(&mut self, slot: Slot) {
        self.board
            .update(slot, |figures| figures.memory_claimed = 0.0);
    }

    /// Returns the number of further jobs of the category that may run, on all nodes
    /// together.
    pub fn room_for(&self, category: CategoryIndex) -> u32 {
        let running = self.board.total_of(category);
        let limit = self.categories[category.index()].policy.running_max;
        limit.map_or(u32::MAX, |limit| limit.saturating_sub(running))
    }

    /// Returns the id of the node in this slot.
    pub fn id_of(&self, slot: Slot) -> &NodeId {
        &self.ids[slot.index()]
    }

    /// Reserves the resources of a job that is being sent to the node.
    pub fn send(&mut self, now: Time, slot: Slot, job: Sequence, category: CategoryIndex) {
        let prediction = Prediction {
            fair: self.board.slow_down_if(slot, category, 0.0),
            priority: self.board.slow_down_if(slot, category, 1.0),
        };
        let entry = Entry {
            category: Some(category),
            sent: now,
            prediction: Some(prediction),
        };
        let id = self.ids[slot.index()].clone();
        self.reserve(&id, job, entry);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.sent += 1;
        }
        self.note_probe(now, &id, category);
    }

    /// Counts a job that a former dispatcher sent, whose category may be unknown.
    pub fn adopt(
        &mut self,
        now: Time,
        id: &NodeId,
        job: Sequence,
        category: Option<CategoryIndex>,
    ) {
        let entry = Entry {
            category,
            sent: now,
            prediction: None,
        };
        self.reserve(id, job, entry);
    }

    fn reserve(&mut self, id: &NodeId, job: Sequence, entry: Entry) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        if node.ledger.reserve(job, entry)
            && let Some(category) = entry.category
        {
            self.board.reserve(node.slot(), category);
        }
    }

    /// Releases a job that is no longer there, without learning from it.
    pub fn release(&mut self, now: Time, id: &NodeId, job: Sequence) {
        self.end(now, id, job);
    }

    /// Sets a job aside that was taken from the node and may still run there.
    pub(super) fn set_aside(&mut self, now: Time, id: &NodeId, job: Sequence, attempt: Attempt) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let Some(entry) = node.ledger.set_aside(job, attempt) else {
            return;
        };
        let Some(category) = entry.category else {
            return;
        };
        if let Some(conduct) = node.conduct.get_mut(&category) {
            conduct.note_left(now, entry.sent);
        }
        self.board.set_aside(category);
    }

    /// Frees the slots of jobs that were set aside and have ended on the node.
    pub fn free(
        &mut self,
        now: Time,
        id: &NodeId,
        has_ended: impl FnMut(Sequence, Attempt) -> bool,
    ) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        // Most often there are none, and heartbeats are many.
        if !node.ledger.has_set_aside() {
            return;
        }
        let freed = node.ledger.free(now, has_ended);
        for category in freed.into_iter().filter_map(|entry| entry.category) {
            self.board.release_set_aside(node.slot, category);
        }
    }

    pub(super) fn end(&mut self, now: Time, id: &NodeId, job: Sequence) -> Option<Entry> {
        let node = self.nodes.get_mut(id)?;
        let entry = node.ledger.release(now, job)?;
        if let Some(conduct) = entry.category.and_then(|at| node.conduct.get_mut(&at)) {
            conduct.note_left(now, entry.sent);
        }
        // A heartbeat on its way still counts the memory of a job that ran longer than an
        // interval; that of shorter ones is hardly in it.
        let lingers = now.since(entry.sent) >= node.interval();
        if let Some(category) = entry.category {
            self.board.release(node.slot(), category, lingers);
        }
        Some(entry)
    }

    /// Learns from a job that completed there: its use and its run time. Returns whether
    /// the node had been kept out of its category until then.
    pub fn complete(&mut self, now: Time, id: &NodeId, job: Sequence, outcome: &Outcome) -> bool {
        let is_restored = self.note_completed(now, id, job);
        self.learn(now, id, job, outcome);
        if self.get(id).is_some_and(|node| node.completed == 1) {
            self.prove(id);
            self.note_hearing(id);
        }
        is_restored
    }

    fn learn(&mut self, now: Time, id: &NodeId, job: Sequence, outcome: &Outcome) {
        let entry = self.end(now, id, job);
        self.note_hearing(id);
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        node.completed += 1;
        let Some(entry) = entry else {
            return;
        };
        let Some(category) = entry.category else {
            return;
        };
        let prediction = entry.prediction.unwrap_or_default();
        let slow_down = prediction.slow_down(self.experience.priority_share());
        let speed = node.speed();
        let learner = &mut self.categories[category.index()].learner;
        let seen = observation(outcome, node.capacity(), speed, slow_down);
        let Some(seen) = learner.observe(&seen) else {
            return;
        };
        if !learner.is_known() || entry.prediction.is_none() {
            return;
        }
        let log_ratio = to_f32((seen.run_s * f64::from(speed)).ln() - learner.log_duration());
        let duration_s = learner.needs().duration_s;
        let feedback = &mut node.feedback;
        self.experience
            .observe(now, feedback, &prediction, log_ratio, duration_s);
        if let Some(log_work) = learner.log_work().filter(|_| seen.cpu_s > 0.0) {
            let declared = f64::from(node.declared_speed());
            node.note_speed(to_f32(log_work - (seen.cpu_s * declared).ln()));
        }
        let Some(node) = self.nodes.get(id) else {
            return;
        };
        let (factor, speed) = (self.factor(now, node), node.speed());
        self.board.update(node.slot(), |figures| {
            figures.feedback = factor;
            figures.speed = speed;
        });
    }

    /// Updates the costs by the learned profiles: at intervals, because every node's cost
    /// changes.
    pub fn refresh(&mut self) {
        for (category, served) in self.categories.iter().enumerate() {
            let category = CategoryIndex::new(category);
            let needs = served.learner.needs();
            if has_changed(self.board.needs(category), needs) {
                self.board.set_needs(category, *needs);
            }
        }
        let share = self.experience.priority_share();
        if (share - self.board.priority_share()).abs() > SHARE_CHANGE_MIN {
            self.board.set_priority_share(share);
        }
    }
}

fn observation(
    outcome: &Outcome,
    capacity: rolecast_common::unit::Resources,
    speed: f32,
    slow_down: f32,
) -> Observation {
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
