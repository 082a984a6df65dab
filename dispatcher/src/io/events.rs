//! Log lines of the scheduler's events, with one event name each to search for.

use std::mem::{Discriminant, discriminant};

use foldhash::HashMap;
use rolecast_common::id::NodeId;
use rolecast_common::lines::Limit;
use rolecast_common::time::Time;

use super::{role_events, verdict_events};
use crate::scheduler::{Diversion, Event, JobsGone, KeptAway, LongWait, Trouble};

/// The most lines of one kind in ten seconds: more than in normal operation.
const LINES_MAX: u32 = 100;

/// The log: lets this many lines of each kind pass, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Log(HashMap<Discriminant<Event>, Limit<LINES_MAX>>);

impl Log {
    /// Writes an event; returns how many of its kind were suppressed before it, or `None` if
    /// this one is suppressed as well.
    pub(super) fn event(&mut self, now: Time, event: &Event) -> Option<u64> {
        let limit = self.0.entry(discriminant(event)).or_default();
        let suppressed = limit.pass(now)?;
        if suppressed > 0 {
            tracing::warn!(
                event = "lines_suppressed",
                count = suppressed,
                "there were more lines of the kind that follows"
            );
        }
        write(event);
        Some(suppressed)
    }
}

#[allow(clippy::cognitive_complexity, reason = "one line for each event")]
fn write(event: &Event) {
    match event {
        Event::ClockSkewed { node, ahead_ms } => log_skew(node, *ahead_ms),
        Event::NodeJoined { node, rebooted } => {
            tracing::info!(event = "node_joined", %node, rebooted, "node joined");
        }
        Event::NodeDraining { node } => {
            tracing::info!(event = "node_draining", %node, "node takes no more jobs");
        }
        Event::NodeGone { node, jobs, why } => {
            tracing::warn!(event = "node_gone", %node, jobs, why, "node is gone");
        }
        Event::ManyMissing { missing, nodes } => log_missing(*missing, *nodes),
        Event::HeartbeatsRefused { from, why, count } => {
            tracing::warn!(event = "heartbeats_refused", from, why, count, "refused");
        }
        Event::OutcomesMalformed { from, why, count } => {
            tracing::warn!(event = "outcomes_malformed", from, why, count, "malformed");
        }
        Event::RequestsRefused { from, why, count } => {
            tracing::warn!(event = "requests_refused", from, why, count, "not answered");
        }
        Event::OutcomeStale { node, job, attempt } => {
            tracing::info!(event = "outcome_stale", %node, %job, attempt, "late outcome ignored");
        }
        Event::CategoryFound { category } => {
            tracing::info!(event = "category_found", %category, "serving an undeclared category");
        }
        Event::JobsWait(wait) => log_wait(wait),
        Event::NoEligibleNode { category, why } => {
            tracing::warn!(event = "no_eligible_node", %category, why, "jobs wait for a node");
        }
        Event::EligibleAgain { category } => {
            tracing::info!(event = "eligible_again", %category, "jobs no longer wait for a node");
        }
        Event::JobsGone(gone) => log_gone(*gone),
        Event::Troubled(trouble, count) => log_trouble(trouble, *count),
        Event::TroubleOver { what, lasted } => {
            tracing::info!(event = "trouble_over", what, ?lasted, "trouble is over");
        }
        Event::AdvisoryDiverted(diversion) => log_diversion(diversion),
        Event::Diverted(kept) => log_kept_away(kept),
        Event::Roles(event) => role_events::log(event),
        Event::RoleLimited { role } => role_events::log_limited(role),
        Event::GroupHot { role, hot, heard } => role_events::log_hot(role, *hot, *heard),
        Event::JobAdopted { job, node, epoch } => {
            tracing::info!(event = "job_adopted", %job, %node, %epoch, "took over a job in hand");
        }
        Event::JobRetried {
            job,
            node,
            reason,
            delay,
        } => {
            tracing::info!(event = "job_retried", %job, %node, reason, ?delay, "job tried again");
        }
        Event::Verdict(verdict) => verdict_events::log(verdict),
        Event::JobCancelled { job, reason } => {
            tracing::info!(event = "job_cancelled", %job, reason, "job cancelled");
        }
        Event::JobDeadLettered {
            job,
            status,
            reason,
        } => {
            tracing::warn!(event = "job_buried", %job, status, reason, "job dead-lettered");
        }
    }
}

fn log_skew(node: &NodeId, ahead_ms: i64) {
    tracing::warn!(
        event = "clock_skewed",
        %node,
        ahead_ms,
        "its clock or the clock of this dispatcher is wrong; synchronize both with a time server"
    );
}

fn log_wait(wait: &LongWait) {
    let LongWait {
        category,
        waited,
        waiting,
        why,
    } = wait;
    tracing::warn!(
        event = "jobs_wait",
        %category,
        waited_s = waited.as_secs(),
        waiting,
        why,
        "jobs wait long"
    );
}

fn log_gone(gone: JobsGone) {
    tracing::error!(
        event = "jobs_gone",
        waiting = gone.waiting,
        running = gone.running,
        given_back = gone.given_back,
        "the jobs stream was created again: jobs that waited in it are gone"
    );
}

fn log_trouble(trouble: &Trouble, count: u64) {
    let Trouble {
        what,
        why,
        remedy,
        lasts: _,
    } = trouble;
    tracing::error!(event = "troubled", what, why, remedy, count, "trouble");
}

fn log_missing(missing: usize, nodes: usize) {
    tracing::warn!(
        event = "many_missing",
        missing,
        nodes,
        "many nodes are missing at once: NATS or the network is suspected, and they are \
         given more time"
    );
}

fn log_diversion(diversion: &Diversion) {
    let Diversion {
        category,
        node,
        better,
        count,
    } = diversion;
    tracing::info!(
        event = "advisory_diverted",
        %category,
        %node,
        %better,
        count,
        "forecasts would have chosen another node"
    );
}

fn log_kept_away(kept: &KeptAway) {
    tracing::info!(
        event = "diverted",
        category = %kept.category,
        from = %kept.from,
        to = %kept.to,
        count = kept.count,
        cpu_now = kept.cpu_now.get(),
        cpu_expected = kept.cpu_expected.get(),
        "forecasts keep jobs away from a node"
    );
}
