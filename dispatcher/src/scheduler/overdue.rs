//! Overdue attempts: one that outlives its category's time limit, or its job's deadline,
//! is taken from its node.
//!
//! The worker knows both limits too, from the job's headers, and stops the job. The
//! dispatcher steps in where that fails, as with a worker that hangs or reports falsely.
//! The attempt counts as failed, and a late outcome of it is stale. It holds its slot
//! there for as long as the node lists it.

use std::time::Duration;

use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::time::{Now, Time, format_duration};

use super::context::Context;
use super::jobs::{Job, Jobs};
use super::queue::Queue;
use super::reporting::Reporting;
use crate::fleet::Fleet;

/// Time after the limit within which an outcome may still arrive. Derived: a command has
/// 5 s from SIGTERM to SIGKILL and half a second to be read, and an outcome that was lost
/// is repeated within 2 s; the rest is for a busy host.
pub(super) const TIME_LIMIT_GRACE: Duration = Duration::from_secs(10);

/// The limit that an attempt has outlived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outlived {
    TimeLimit(Duration),
    Deadline,
}

/// Ends the overdue attempts. `since` is the time from which on silence counts.
pub(super) fn end(
    cx: &mut Context<'_>,
    since: Time,
    jobs: &mut Jobs,
    queue: &mut Queue,
    fleet: &mut Fleet,
    reporting: &mut Reporting,
) {
    let overdue = jobs.iter().filter_map(|job| {
        let state = queue.category(&job.source().category);
        let limit = state.and_then(|state| state.policy().time_limit);
        Some((job.sequence(), outlived(cx.now, since, job, limit)?))
    });
    let mut overdue: Vec<(Sequence, Outlived)> = overdue.collect();
    // The order of a hash map must not reach the outside.
    overdue.sort_unstable();
    for (sequence, outlived) in overdue {
        let job = jobs.get(sequence).expect("it was just listed");
        let node = job.node().expect("only running jobs are listed").clone();
        let reason = reason(&node, outlived);
        let attempt = (sequence, Attempt::new(job.attempt()));
        if let Some(doubt) = fleet.fail_unended(cx.now, &node, attempt, &reason) {
            let category = job.source().category.clone();
            reporting.report_distrusted(cx, &node, category, doubt);
        }
        jobs.fail_unreported(cx, queue, sequence, &node, reason);
    }
}

/// Returns the limit that the running job has outlived, if an outcome could have arrived.
fn outlived(now: Now, since: Time, job: &Job, limit: Option<Duration>) -> Option<Outlived> {
    let sent = job.sent()?;
    let has_passed = |limit: &Duration| {
        let due = (sent + *limit).max(since) + TIME_LIMIT_GRACE;
        now.time >= due
    };
    if let Some(limit) = limit.filter(has_passed) {
        return Some(Outlived::TimeLimit(limit));
    }
    let deadline = job.deadline()?;
    // The deadline may have passed before the job arrived there.
    let could_end = sent.max(since);
    let has_passed =
        now.wall >= deadline + TIME_LIMIT_GRACE && now.time.since(could_end) >= TIME_LIMIT_GRACE;
    has_passed.then_some(Outlived::Deadline)
}

fn reason(node: &NodeId, outlived: Outlived) -> String {
    let what = match outlived {
        Outlived::TimeLimit(limit) => {
            format!("time limit of {} passed", format_duration(limit))
        }
        Outlived::Deadline => "deadline passed while it ran".to_owned(),
    };
    let grace = format_duration(TIME_LIMIT_GRACE);
    format!("{what}, and {grace} later node {node} had reported no end")
}
