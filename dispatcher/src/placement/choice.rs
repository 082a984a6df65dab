//! The choice of a node for one job, step by step.

use super::cost::{Estimate, Outlook};
use super::index::Slot;
use super::keyed::preferred;
use super::placer::Placer;
use super::request::Request;
use super::{class, hold};

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

impl Placer {
    /// Returns the best node for the job at this moment. `run_s` is the learned run time
    /// of such jobs, once it is known.
    pub(crate) fn choose(&mut self, job: &Request<'_>, run_s: Option<f32>) -> Choice {
        if let Some(slot) = self.claimed(job) {
            return Choice::Node(slot);
        }
        if job.alone.is_some() {
            return Choice::Nowhere;
        }
        let Some(slot) = self.cheapest(job) else {
            return Choice::Nowhere;
        };
        if let Some(slow_down) = self.held(job, slot, run_s) {
            return Choice::Held { slot, slow_down };
        }
        // A key is a preference: the job does not wait for its node where another one is
        // free.
        let keyed = self.keyed(job);
        let keyed = keyed.filter(|keyed| self.held(job, *keyed, run_s).is_none());
        Choice::Node(keyed.unwrap_or(slot))
    }

    /// Returns the node that is kept free for the job, if it can go there.
    fn claimed(&self, job: &Request<'_>) -> Option<Slot> {
        let claim = job.claim?;
        self.claim_obstacle(job, claim).is_none().then_some(claim)
    }

    /// Returns the node where the job costs least.
    fn cheapest(&mut self, job: &Request<'_>) -> Option<Slot> {
        let class = self.class(job.category, job.requirement);
        if job.barred.is_empty() {
            return self.board_mut().best(class);
        }
        let barred = job.barred.iter().map(|(slot, _)| *slot);
        self.board_mut().best_without(class, barred)
    }

    /// Returns the slow-down of the job on the node, if the job should wait. The use by
    /// others will not end with our jobs, so only the part of the slow-down that our jobs
    /// cause is worth waiting for.
    fn held(&self, job: &Request<'_>, slot: Slot, run_s: Option<f32>) -> Option<f32> {
        let (run_s, patience) = (run_s?, self.policy(job.category).patience);
        let slow_down = self.board().slow_down(slot, job.category);
        let by_jobs = slow_down / self.board().slow_down_alone(slot, job.category);
        hold::is_held(patience, run_s, by_jobs, job.waited).then_some(slow_down)
    }

    /// Returns the node that the job's key prefers, from a look at all nodes.
    pub(super) fn keyed(&self, job: &Request<'_>) -> Option<Slot> {
        let key = job.key?;
        let mut costs = Vec::new();
        self.scan(job, self.board().outlook(), |slot, estimate| {
            costs.extend(estimate.ok().map(|estimate| (slot, estimate.cost)));
        });
        let weight = |slot| self.board().figures(slot).cores_left();
        preferred(key, &costs, weight, |slot| self.id_of(slot))
    }

    /// Returns the node that forecasts would choose for the job, without the index.
    pub(crate) fn advise(&self, job: &Request<'_>) -> Option<Slot> {
        let mut best: Option<(u64, Slot)> = None;
        self.scan(job, Outlook::Ahead, |slot, estimate| {
            if let Ok(estimate) = estimate {
                let key = class::key(estimate, 0);
                if best.is_none_or(|(least, _)| key < least) {
                    best = Some((key, slot));
                }
            }
        });
        best.map(|(_, slot)| slot)
    }

    /// Returns the node that would have been clearly better for the job by the last
    /// heartbeats alone, if there is one.
    pub(crate) fn diverted_from(&self, job: &Request<'_>, chosen: Slot) -> Option<Slot> {
        let mut own = f32::INFINITY;
        let mut best: Option<(f32, Slot)> = None;
        self.scan(job, Outlook::Present, |slot, estimate| {
            let Ok(Estimate { cost, .. }) = estimate else {
                return;
            };
            if slot == chosen {
                own = cost;
            }
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, slot));
            }
        });
        let is_better = |(cost, _): &(f32, Slot)| *cost < DIVERTED_BELOW * own;
        best.filter(is_better).map(|(_, slot)| slot)
    }
}
