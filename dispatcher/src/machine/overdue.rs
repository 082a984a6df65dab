//! An attempt that outlives its category's time limit is taken from its node.
//!
//! The worker knows the limit too, from the job's headers, and stops the job: the
//! dispatcher steps in where that does not happen, as with a worker that hangs or does not
//! tell the truth. The attempt counts as failed, and a late outcome of it is stale.

use std::time::Duration;

use rolecast_common::id::Sequence;
use rolecast_common::time::{Now, Time, format_duration};

use super::{Machine, Output, State};

/// How long after the limit an outcome may take to be here. Derived: a command has 5 s
/// from SIGTERM to SIGKILL and half a second to be read, and an outcome that was lost is
/// repeated within 2 s; the rest is for a busy host.
pub(super) const TIME_LIMIT_GRACE: Duration = Duration::from_secs(10);

impl Machine {
    pub(super) fn end_overdue(&mut self, now: Now, out: &mut Vec<Output>) {
        let mut services = self.services.values();
        if !services.any(|service| service.policy.time_limit.is_some()) {
            return;
        }
        // What ended while nothing was received here may be on its way.
        let Some(since) = self.hearing.since(now.time) else {
            return;
        };
        let mut overdue: Vec<(Sequence, Duration)> = Vec::new();
        for (sequence, job) in &self.jobs {
            let State::Running { sent, .. } = &job.state else {
                continue;
            };
            let service = self.services.get(&job.source.category);
            let Some(limit) = service.and_then(|service| service.policy.time_limit) else {
                continue;
            };
            if now.time >= due(*sent, limit, since) {
                overdue.push((*sequence, limit));
            }
        }
        // The order of a hash map must not reach the outside.
        overdue.sort_unstable();
        for (sequence, limit) in overdue {
            self.take_overdue(now, sequence, limit, out);
        }
    }

    fn take_overdue(
        &mut self,
        now: Now,
        sequence: Sequence,
        limit: Duration,
        out: &mut Vec<Output>,
    ) {
        let job = self.jobs.remove(&sequence).expect("it was just listed");
        let State::Running { node, .. } = &job.state else {
            unreachable!("only running jobs are listed");
        };
        let node = node.clone();
        let reason = format!(
            "time limit of {} passed, and {} later node {node} had reported no end",
            format_duration(limit),
            format_duration(TIME_LIMIT_GRACE)
        );
        if let Some(doubt) = self.fleet.fail(now, &node, sequence, &reason) {
            self.tell_distrusted(&node, job.source.category.clone(), doubt, out);
        }
        self.fail_unreported(now, &node, job, reason, out);
    }
}

/// Returns when an attempt is taken from its node.
fn due(sent: Time, limit: Duration, heard_since: Time) -> Time {
    (sent + limit).max(heard_since) + TIME_LIMIT_GRACE
}
