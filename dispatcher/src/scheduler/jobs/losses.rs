//! Losses: jobs that went down with their node, or never reached it. A loss is no
//! failure.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::fnv::fnv1a;
use rolecast_common::id::{NodeId, Sequence};
use rolecast_common::wire::{LostAttempt, RecordStatus};

use super::quarantine::MASS_WITHIN;
use super::spans::{End, trace_attempt};
use super::{Job, Jobs, cancelling, giving_up};
use crate::category::Backoff;
use crate::scheduler::context::Context;
use crate::scheduler::output::{Event, Output};
use crate::scheduler::queue::Queue;
use crate::scheduler::reporting::Reporting;
use crate::scheduler::suspects::{self, Suspicion};
use crate::scheduler::verdict::{LostJob, Verdict};

/// The delay after the second loss, doubled with each that follows; the first has none,
/// because most nodes that die do so without the job's doing.
const BACKOFF: Backoff = Backoff {
    min: Duration::from_secs(1),
    max: Duration::from_secs(60),
};

/// The reason why a node no longer has jobs that were sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scheduler) enum Cause {
    /// It died or was restarted, with all its jobs.
    Death,
    /// It lives and does not have them.
    Absence,
}

/// Running jobs of a node that are lost for one cause.
#[derive(Debug)]
pub(in crate::scheduler) struct Loss<'a> {
    pub(in crate::scheduler) node: &'a NodeId,
    pub(in crate::scheduler) jobs: Vec<Sequence>,
    pub(in crate::scheduler) cause: Cause,
}

/// Gives back the lost jobs.
pub(super) fn lose(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    queue: &mut Queue,
    reporting: &mut Reporting,
    loss: &Loss<'_>,
) {
    let lost = loss.jobs.iter();
    let mut lost: Vec<Job> = lost.filter_map(|job| jobs.held.remove(job)).collect();
    let companions = match loss.cause {
        Cause::Death => {
            suspect(jobs, cx, loss.node, &mut lost);
            Some(u32::try_from(lost.len().saturating_sub(1)).unwrap_or(u32::MAX))
        }
        Cause::Absence => None,
    };
    for mut job in lost {
        reporting.count(|counters| &mut counters.jobs_lost_with_node);
        trace_attempt(cx, &job, &End::unreported(loss.node, "lost with its node"));
        let categories = queue.categories_mut();
        categories.count(&job.source.category, |counts| &mut counts.lost);
        job.record_loss(cx.now, loss.node, companions);
        lose_one(jobs, cx, queue, loss.node, job);
    }
}

/// Marks the jobs lost in one death that may have caused it.
fn suspect(jobs: &mut Jobs, cx: &Context<'_>, node: &NodeId, lost: &mut [Job]) {
    let before: Vec<Option<Suspicion>> = lost.iter().map(|job| job.past.suspicion).collect();
    let groups: BTreeSet<u64> = before.iter().flatten().map(|before| before.group).collect();
    let name = format!("{node} {} {}", cx.now.wall.as_millis(), cx.epoch);
    let after = suspects::suspect(&before, fnv1a(name.as_bytes()));
    for (job, suspicion) in lost.iter_mut().zip(after) {
        job.past.suspicion = suspicion;
    }
    if groups.is_empty() {
        clear_mass(jobs, cx, node, lost);
        return;
    }
    // They were on other nodes, so none of them caused it.
    let others = jobs.held.values_mut().map(|job| &mut job.past.suspicion);
    let away = jobs.away.values_mut();
    let others = others.chain(away.map(|away| &mut away.history.suspicion));
    for suspicion in others {
        *suspicion = suspicion.filter(|other| !groups.contains(&other.group));
    }
}

/// Clears the jobs of a mass death: when nodes die one after another without suspects,
/// none of their jobs caused it, and the first loss of a job makes it no suspect.
fn clear_mass(jobs: &mut Jobs, cx: &Context<'_>, node: &NodeId, lost: &mut [Job]) {
    let is_mass = jobs.quarantine.record_death(cx.now.time, node);
    if !is_mass {
        return;
    }
    for job in lost.iter_mut().filter(|job| job.past.losses.is_empty()) {
        job.past.suspicion = None;
    }
    let is_of_it = |losses: &[LostAttempt]| match losses {
        [only] => cx.now.wall.since(only.at_ms) <= MASS_WITHIN,
        [] | [_, ..] => false,
    };
    for job in jobs
        .held
        .values_mut()
        .filter(|job| is_of_it(&job.past.losses))
    {
        job.past.suspicion = None;
    }
    let away = jobs.away.values_mut().map(|away| &mut away.history);
    for history in away.filter(|history| is_of_it(&history.losses)) {
        history.suspicion = None;
    }
}

fn lose_one(jobs: &mut Jobs, cx: &mut Context<'_>, queue: &mut Queue, node: &NodeId, job: Job) {
    let losses = job.past.losses.len();
    let delay = match u32::try_from(losses).unwrap_or(u32::MAX) {
        0 | 1 => Duration::ZERO,
        count => BACKOFF.delay(count - 1, jobs.jitter()),
    };
    cx.event(Event::Verdict(Verdict::JobLost(LostJob {
        job: job.id.clone(),
        node: node.clone(),
        losses,
        companions: job.past.losses.last().and_then(|lost| lost.companions),
        delay,
    })));
    if let Some(reason) = cancelling::reason_for(jobs, &job) {
        cancelling::record(jobs, cx, job, reason);
        return;
    }
    if let Some(reason) = suspects::verdict(&job.past.losses) {
        giving_up::give_up(jobs, cx, queue, job, RecordStatus::Dead, reason);
        return;
    }
    if job.is_expired(cx.now) {
        giving_up::expire(jobs, cx, queue, job);
        return;
    }
    let category = &job.source.category;
    let categories = queue.categories_mut();
    categories.count(category, |counts| &mut counts.retried);
    cx.push(Output::SaveHistory {
        sequence: job.sequence(),
        history: job.history(cx.now, delay),
    });
    jobs.give_back(cx, queue, job, delay, format!("lost with node {node}"));
}
