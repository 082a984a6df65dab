//! Restrictions: nodes that a job may not go to because of its earlier attempts.

use std::time::Duration;

use rolecast_common::id::{NodeId, Sequence};

use super::{Sending, patience};
use crate::fleet::Fleet;
use crate::placement::{Alone, CategoryIndex, Obstacle, Request, Slot};
use crate::scheduler::context::Context;
use crate::scheduler::jobs::{Job, Key};

/// Waiting time after which a job goes back to a node where it failed. Guessed: others
/// may be busy for hours, and the fault may have been neither the job's nor the node's.
const AVOID_MAX: Duration = Duration::from_secs(60);
/// Waiting time after which a suspect shares a node. Guessed: nodes with long jobs may
/// not become empty for hours.
const ALONE_MAX: Duration = Duration::from_secs(300);

/// The nodes that a job may not go to.
#[derive(Debug, Default)]
pub(super) struct Restriction {
    pub(super) barred: Vec<(Slot, Obstacle)>,
    /// The reason why it must run alone, and the node that is ready for it.
    pub(super) alone: Option<Alone>,
    pub(super) kept: Option<Slot>,
}

impl Sending<'_> {
    pub(super) fn restrict(
        &mut self,
        cx: &mut Context<'_>,
        sequence: Sequence,
        category: CategoryIndex,
    ) -> Restriction {
        let Some(job) = self.jobs.get(sequence) else {
            return Restriction::default();
        };
        let waited = job.waited(cx.now.time);
        let is_outgrown = job.judged().is_some_and(|(_, found)| found.is_outgrown());
        let alone = match job.suspicion() {
            Some(suspicion) if suspicion.is_exclusive() && waited <= ALONE_MAX => {
                Some((Alone::Suspect, Key::Batch(suspicion.batch)))
            }
            Some(_) | None if is_outgrown && waited > patience(self.fleet, category) => {
                Some((Alone::Outgrown, Key::Job(sequence)))
            }
            Some(_) | None => None,
        };
        if alone.is_none() && !job.has_history() {
            return Restriction::default();
        }
        let mut barred = self.failed_before(job, category, waited);
        barred.extend(self.apart_from(job, category, waited));
        let Some((alone, key)) = alone else {
            return Restriction {
                barred,
                ..Restriction::default()
            };
        };
        let (requirement, id) = (job.requirement().clone(), job.id().clone());
        let request = Request {
            barred: &barred,
            ..Request::new(category, &requirement, waited)
        };
        let kept = self
            .jobs
            .keep_node(cx, self.fleet, &request, (alone, key), &id);
        Restriction {
            alone: Some(alone),
            kept,
            barred,
        }
    }

    /// Returns the nodes where the job failed or was lost, if there are others.
    fn failed_before(
        &self,
        job: &Job,
        category: CategoryIndex,
        waited: Duration,
    ) -> Vec<(Slot, Obstacle)> {
        let failed = job.failures().iter().map(|failed| &failed.node);
        let lost = job.losses().iter().map(|lost| &lost.node);
        let barred = slots_of(self.fleet, failed.chain(lost), Obstacle::FailedBefore);
        let request = Request {
            barred: &barred,
            ..job.request(waited, category)
        };
        if waited > AVOID_MAX || barred.is_empty() || !self.fleet.placer().has_other(&request) {
            return Vec::new();
        }
        barred
    }

    /// Returns the nodes where jobs run that went down together with this one, and are to
    /// be tried apart from it. After a first loss they share a node if there is no other:
    /// most nodes die for reasons of their own, and lost jobs should start soon.
    fn apart_from(
        &self,
        job: &Job,
        category: CategoryIndex,
        waited: Duration,
    ) -> Vec<(Slot, Obstacle)> {
        let Some(own) = job.suspicion() else {
            return Vec::new();
        };
        let suspects = self.jobs.running_suspects();
        let others = suspects.filter(|(_, other)| other.batch != own.batch);
        let barred = slots_of(self.fleet, others.map(|(node, _)| node), Obstacle::Apart);
        let request = Request {
            barred: &barred,
            ..job.request(waited, category)
        };
        if own.is_exclusive() || barred.is_empty() || self.fleet.placer().has_other(&request) {
            return barred;
        }
        Vec::new()
    }
}

/// Returns the slots of the nodes that are known, each once.
pub(in crate::scheduler) fn slots_of<'a>(
    fleet: &Fleet,
    nodes: impl Iterator<Item = &'a NodeId>,
    why: Obstacle,
) -> Vec<(Slot, Obstacle)> {
    let mut slots: Vec<(Slot, Obstacle)> = nodes
        .filter_map(|node| Some((fleet.get(node)?.slot(), why)))
        .collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}
