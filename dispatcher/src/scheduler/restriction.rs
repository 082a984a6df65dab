//! Restrictions: nodes that a job may not go to because of its earlier attempts.

use std::time::Duration;

use rolecast_common::id::{NodeId, Sequence};
use rolecast_common::unit::Bytes;

use super::quarantine::Key;
use super::{Context, Job, Scheduler};
use crate::fleet::{Alone, Candidate};
use crate::placement::{CategoryIndex, MEMORY, Obstacle, Slot};

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

impl Scheduler {
    pub(super) fn restrict(
        &mut self,
        cx: &mut Context<'_>,
        sequence: Sequence,
        category: CategoryIndex,
    ) -> Restriction {
        let Some(job) = self.jobs.get(&sequence) else {
            return Restriction::default();
        };
        let waited = cx.now.time.since(job.since);
        let is_outgrown = job.judged.is_some_and(|(_, found)| found.is_outgrown());
        let alone = match job.suspicion {
            Some(suspicion) if suspicion.is_exclusive() && waited <= ALONE_MAX => {
                Some((Alone::Suspect, Key::Batch(suspicion.batch)))
            }
            Some(_) | None if is_outgrown && waited > self.patience(category) => {
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
        let (requirement, id) = (job.requirement.clone(), job.job.clone());
        let candidate = Candidate {
            barred: &barred,
            ..Candidate::new(category, &requirement, waited)
        };
        let kept = self.keep_node(cx, &candidate, (alone, key), &id);
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
        let failed = job.failures.iter().map(|failed| &failed.node);
        let lost = job.losses.iter().map(|lost| &lost.node);
        let barred = self.slots_of(failed.chain(lost), Obstacle::FailedBefore);
        let candidate = Candidate {
            barred: &barred,
            ..Candidate::new(category, &job.requirement, waited)
        };
        if waited > AVOID_MAX || barred.is_empty() || !self.fleet.has_other(&candidate) {
            return Vec::new();
        }
        barred
    }

    /// Returns the nodes where jobs run that went down together with this one, and are to
    /// be tried apart from it. After a first loss they share a node if there is no other:
    /// most nodes die for reasons of their own, and lost jobs are to start soon.
    fn apart_from(
        &self,
        job: &Job,
        category: CategoryIndex,
        waited: Duration,
    ) -> Vec<(Slot, Obstacle)> {
        let Some(own) = job.suspicion else {
            return Vec::new();
        };
        let suspects = self.quarantine.suspects().filter(|(sequence, node)| {
            let other = self.jobs.get(sequence);
            let other = other.filter(|other| other.is_running_on(node));
            let other = other.and_then(|other| other.suspicion);
            other.is_some_and(|other| other.batch != own.batch)
        });
        let barred = self.slots_of(suspects.map(|(_, node)| node), Obstacle::Apart);
        let candidate = Candidate {
            barred: &barred,
            ..Candidate::new(category, &job.requirement, waited)
        };
        if own.is_exclusive() || barred.is_empty() || self.fleet.has_other(&candidate) {
            return barred;
        }
        Vec::new()
    }

    /// Returns the slots of the nodes that are known, each once.
    pub(super) fn slots_of<'a>(
        &self,
        nodes: impl Iterator<Item = &'a NodeId>,
        why: Obstacle,
    ) -> Vec<(Slot, Obstacle)> {
        let mut slots: Vec<(Slot, Obstacle)> = nodes
            .filter_map(|node| Some((self.fleet.get(node)?.slot(), why)))
            .collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Returns the reason why a waiting job needs a node for itself, if it does.
    pub(super) fn why_alone(&self, job: &Job, category: CategoryIndex) -> Option<String> {
        if let Some(suspicion) = job.suspicion.filter(|suspicion| suspicion.is_exclusive()) {
            let node = self.quarantine.node_of(Key::Batch(suspicion.batch));
            let lost = job.losses.len();
            return Some(format!(
                "it may be what took its node down, {lost} times; it is tried alone on {}",
                named(node)
            ));
        }
        job.judged.filter(|(_, found)| found.is_outgrown())?;
        let needs = self.fleet.learner(category).needs();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the conversion saturates, and no amount is negative"
        )]
        let learned = Bytes::new((needs.average[MEMORY] + needs.memory_peak) as u64);
        let node = self.quarantine.node_of(Key::Job(job.ack.sequence()));
        let node = named(node);
        Some(format!(
            "what was learned of its memory, {learned}, fits on no node; it is tried alone on {node}"
        ))
    }
}

fn named(node: Option<&NodeId>) -> &str {
    node.map_or("one as soon as that can be kept for it", NodeId::as_str)
}
