//! Overdue attempts: one that outlives its category's time limit, or its job's deadline,
//! is taken from its node.
//!
//! The worker knows both limits too, from the job's headers, and stops the job. The
//! dispatcher steps in where that fails, as with a worker that hangs or reports falsely.
//! The attempt counts as failed, and a late outcome of it is stale. It holds its slot
//! there for as long as the node lists it.

use std::time::Duration;

use rolecast_common::id::{Attempt, Sequence};
use rolecast_common::time::{Now, Time, format_duration};

use super::{Context, Job, Scheduler, State};

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

impl Scheduler {
    pub(super) fn end_overdue(&mut self, cx: &mut Context<'_>) {
        // Outcomes of the time in which nothing was received here may be on their way.
        let Some(since) = self.watch.reception().since(cx.now.time) else {
            return;
        };
        let mut overdue: Vec<(Sequence, Outlived)> = Vec::new();
        for (sequence, job) in &self.jobs {
            let outlived = self.outlived(cx.now, since, job);
            overdue.extend(outlived.map(|outlived| (*sequence, outlived)));
        }
        // The order of a hash map must not reach the outside.
        overdue.sort_unstable();
        for (sequence, outlived) in overdue {
            self.take_overdue(cx, sequence, outlived);
        }
    }

    /// Returns the limit that the running job has outlived, if an outcome could have
    /// arrived. `since` is the time from which on silence counts.
    fn outlived(&self, now: Now, since: Time, job: &Job) -> Option<Outlived> {
        let State::Running { sent, .. } = &job.state else {
            return None;
        };
        let service = self.services.get(&job.source.category);
        let limit = service.and_then(|service| service.policy.time_limit);
        let has_passed = |limit: &Duration| {
            let due = (*sent + *limit).max(since) + TIME_LIMIT_GRACE;
            now.time >= due
        };
        if let Some(limit) = limit.filter(has_passed) {
            return Some(Outlived::TimeLimit(limit));
        }
        let deadline = job.deadline?;
        // The deadline may have passed before the job arrived there.
        let could_end = sent.max(&since);
        let has_passed = now.wall >= deadline + TIME_LIMIT_GRACE
            && now.time.since(*could_end) >= TIME_LIMIT_GRACE;
        has_passed.then_some(Outlived::Deadline)
    }

    fn take_overdue(&mut self, cx: &mut Context<'_>, sequence: Sequence, outlived: Outlived) {
        let job = self.jobs.remove(&sequence).expect("it was just listed");
        let State::Running { node, .. } = &job.state else {
            unreachable!("only running jobs are listed");
        };
        let node = node.clone();
        let what = match outlived {
            Outlived::TimeLimit(limit) => {
                format!("time limit of {} passed", format_duration(limit))
            }
            Outlived::Deadline => "deadline passed while it ran".to_owned(),
        };
        let grace = format_duration(TIME_LIMIT_GRACE);
        let reason = format!("{what}, and {grace} later node {node} had reported no end");
        let attempt = (sequence, Attempt::new(job.attempt));
        if let Some(doubt) = self.fleet.fail_unended(cx.now, &node, attempt, &reason) {
            self.reporting
                .report_distrusted(cx, &node, job.source.category.clone(), doubt);
        }
        self.fail_unreported(cx, &node, job, reason);
    }
}
