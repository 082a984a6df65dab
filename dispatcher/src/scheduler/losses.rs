//! Losses: jobs that went down with their node, or never reached it. A loss is no
//! failure.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::fnv::fnv1a;
use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::time::Now;
use rolecast_common::wire::{LostAttempt, RecordStatus};

use super::quarantine::MASS_WITHIN;
use super::suspects::{self, Suspicion};
use super::{Context, Event, History, Job, LostJob, Output, Scheduler, State, Verdict};
use crate::category::Backoff;

/// The delay after the second loss, doubled with each that follows; the first has none,
/// because most nodes that die do so without the job's doing.
const BACKOFF: Backoff = Backoff {
    min: Duration::from_secs(1),
    max: Duration::from_secs(60),
};

const DROPPED: &str = "it was sent a job and does not have it";

/// The reason why a node no longer has jobs that were sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It died or was restarted, with all its jobs.
    Death,
    /// It lives and does not have them.
    Absence,
}

impl Scheduler {
    /// Gives back these jobs of the node, all lost for one cause.
    pub(super) fn lose_all(
        &mut self,
        cx: &mut Context<'_>,
        node: &NodeId,
        sequences: &[Sequence],
        cause: Cause,
    ) {
        let mut lost: Vec<Job> = Vec::new();
        for sequence in sequences {
            let job = self.jobs.get(sequence);
            let is_running = job.is_some_and(|job| matches!(job.state, State::Running { .. }));
            match job.map(|job| job.source.category.clone()) {
                // A node that drops accepted jobs is no better than one that fails them.
                Some(category) if is_running && cause == Cause::Absence => {
                    let doubt = self.fleet.fail(cx.now, node, *sequence, DROPPED);
                    if let Some(doubt) = doubt {
                        self.reporting.report_distrusted(cx, node, category, doubt);
                    }
                }
                Some(_) | None => self.fleet.release(cx.now.time, node, *sequence),
            }
            if is_running {
                lost.extend(self.jobs.remove(sequence));
            }
        }
        let companions = match cause {
            Cause::Death => {
                self.suspect(cx.now, node, &mut lost);
                Some(u32::try_from(lost.len().saturating_sub(1)).unwrap_or(u32::MAX))
            }
            Cause::Absence => None,
        };
        for job in lost {
            self.lose(cx, node, job, companions);
        }
    }

    /// Marks the jobs lost in one death that may have caused it.
    fn suspect(&mut self, now: Now, node: &NodeId, lost: &mut [Job]) {
        let before: Vec<Option<Suspicion>> = lost.iter().map(|job| job.suspicion).collect();
        let groups: BTreeSet<u64> = before.iter().flatten().map(|before| before.group).collect();
        let name = format!(
            "{node} {} {}",
            now.wall.as_millis(),
            self.leadership.epoch()
        );
        let after = suspects::suspect(&before, fnv1a(name.as_bytes()));
        for (job, suspicion) in lost.iter_mut().zip(after) {
            job.suspicion = suspicion;
        }
        if groups.is_empty() {
            self.look_for_mass(now, node, lost);
            return;
        }
        // They were on other nodes, so none of them caused it.
        let others = self.jobs.values_mut().map(|job| &mut job.suspicion);
        let away = self.away.values_mut();
        let others = others.chain(away.map(|away| &mut away.history.suspicion));
        for suspicion in others {
            *suspicion = suspicion.filter(|other| !groups.contains(&other.group));
        }
    }

    /// Clears the jobs of a mass death: when nodes die one after another without
    /// suspects, none of their jobs caused it, and the first loss of a job makes it no
    /// suspect.
    fn look_for_mass(&mut self, now: Now, node: &NodeId, lost: &mut [Job]) {
        let is_mass = self.quarantine.note_death(now.time, node);
        if !is_mass {
            return;
        }
        for job in lost.iter_mut().filter(|job| job.losses.is_empty()) {
            job.suspicion = None;
        }
        let is_of_it = |losses: &[LostAttempt]| match losses {
            [only] => now.wall.since(only.at_ms) <= MASS_WITHIN,
            [] | [_, ..] => false,
        };
        for job in self.jobs.values_mut().filter(|job| is_of_it(&job.losses)) {
            job.suspicion = None;
        }
        let away = self.away.values_mut().map(|away| &mut away.history);
        for history in away.filter(|history| is_of_it(&history.losses)) {
            history.suspicion = None;
        }
    }

    fn lose(&mut self, cx: &mut Context<'_>, node: &NodeId, mut job: Job, companions: Option<u32>) {
        self.reporting
            .count(|counters| &mut counters.jobs_lost_with_node);
        job.note_loss(cx.now, node, companions);
        let losses = job.losses.len();
        let delay = match u32::try_from(losses).unwrap_or(u32::MAX) {
            0 | 1 => Duration::ZERO,
            count => BACKOFF.delay(count - 1, self.rng.f64()),
        };
        let lost = LostJob {
            job: job.job.clone(),
            node: node.clone(),
            losses,
            companions,
            delay,
        };
        cx.event(Event::Verdict(Verdict::JobLost(lost)));
        if let Some(reason) = suspects::verdict(&job.losses) {
            self.give_up(cx, job, RecordStatus::Dead, reason);
            return;
        }
        if job.is_expired(cx.now) {
            self.expire(cx, job.ack.sequence(), job);
            return;
        }
        if let Some(service) = self.services.get_mut(&job.source.category) {
            service.retried += 1;
        }
        cx.push(Output::SaveHistory {
            sequence: job.ack.sequence(),
            history: job.history(cx.now, delay),
        });
        self.give_back(cx, job, delay, format!("lost with node {node}"));
    }
}

impl History {
    pub(super) fn is_lost_to(&self, node: &NodeId, assignment: &Assignment) -> bool {
        self.attempt == assignment.attempt().get() && is_last_at(&self.losses, node, assignment)
    }
}

impl Job {
    /// Whether it was given back because the node of this assignment counted as gone, and
    /// was not sent to another since.
    pub(super) fn is_lost_to(&self, node: &NodeId, assignment: &Assignment) -> bool {
        self.attempt == assignment.attempt().get() && is_last_at(&self.losses, node, assignment)
    }

    /// Removes the last loss if it was of this execution: the node has the job, or had it
    /// until its end.
    pub(super) fn absolve(&mut self, cx: &mut Context<'_>, node: &NodeId, assignment: &Assignment) {
        if !is_last_at(&self.losses, node, assignment) {
            return;
        }
        self.losses.pop();
        self.suspicion = None;
        let sequence = self.ack.sequence();
        cx.push(if self.has_history() {
            let history = self.history(cx.now, Duration::ZERO);
            Output::SaveHistory { sequence, history }
        } else {
            Output::ForgetHistory(sequence)
        });
    }

    fn note_loss(&mut self, now: Now, node: &NodeId, companions: Option<u32>) {
        let ran = match self.state {
            State::Running { sent, .. } => now.time.since(sent),
            State::Waiting | State::Recording { .. } | State::Burying { .. } => Duration::ZERO,
        };
        self.losses.push(LostAttempt {
            attempt: Attempt::new(self.attempt),
            node: node.clone(),
            at_ms: now.wall,
            ran_ms: u64::try_from(ran.as_millis()).unwrap_or(u64::MAX),
            companions,
        });
    }
}

/// Whether the last loss was of this execution.
fn is_last_at(losses: &[LostAttempt], node: &NodeId, assignment: &Assignment) -> bool {
    let last = losses.last();
    last.is_some_and(|last| last.attempt == assignment.attempt() && last.node == *node)
}
