//! Writes the agent's events to the log, the frequent ones at a bounded rate.

use std::time::Duration;

use rolecast_common::time::Time;

use crate::agent::Event;

/// Lines of one kind in an interval: enough to see what is going on, too few
/// to fill a disk.
const LINES_MAX: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(10);

/// What may come with every message and must not become a line each.
#[derive(Debug, Default)]
pub(super) struct Log {
    refused: Limit,
    dropped: Limit,
    overdue: Limit,
    repeated: Limit,
    unknown_batch: Limit,
    roles_refused: Limit,
    malformed: Limit,
}

/// Lets some lines pass and counts the others.
#[derive(Debug, Default)]
struct Limit {
    since: Time,
    lines: u32,
    suppressed: u64,
}

impl Limit {
    /// Returns how many lines were suppressed before this one, or `None` if
    /// this one is suppressed as well.
    fn pass(&mut self, now: Time) -> Option<u64> {
        if now.since(self.since) >= INTERVAL {
            self.since = now;
            self.lines = 0;
        }
        if self.lines >= LINES_MAX {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

impl Log {
    /// Tells of a message that is not what its subject says.
    pub(super) fn malformed(&mut self, now: Time, subject: &str, reason: &str) {
        if let Some(suppressed) = self.malformed.pass(now) {
            tracing::warn!(event = "message_malformed", subject, reason, suppressed);
        }
    }

    pub(super) fn event(&mut self, now: Time, event: &Event) {
        let limit = match event {
            Event::Refused { .. } => &mut self.refused,
            Event::Dropped { .. } => &mut self.dropped,
            Event::Overdue { .. } => &mut self.overdue,
            Event::Repeated { .. } => &mut self.repeated,
            Event::UnknownBatch { .. } => &mut self.unknown_batch,
            Event::RolesRefused { .. } => &mut self.roles_refused,
            Event::Roles { .. }
            | Event::HookFailed { .. }
            | Event::Draining { .. }
            | Event::HandedBack { .. }
            | Event::Leaving { .. } => return write(event, 0),
        };
        if let Some(suppressed) = limit.pass(now) {
            write(event, suppressed);
        }
    }
}

#[allow(clippy::cognitive_complexity, reason = "one line for each event")]
fn write(event: &Event, suppressed: u64) {
    match event {
        Event::Refused { assignment, reason } => {
            let (job, category) = (assignment.job(), assignment.category());
            tracing::warn!(event = "job_refused", %job, %category, reason, suppressed);
        }
        Event::Dropped { assignment } => {
            let job = assignment.job();
            tracing::error!(event = "job_dropped", %job, suppressed, "too many outcomes wait");
        }
        Event::Overdue { run, reason } => {
            tracing::warn!(event = "job_overdue", ?run, reason, suppressed);
        }
        Event::Repeated {
            batch,
            outcomes,
            tries,
        } => tracing::warn!(
            event = "outcomes_repeated",
            batch,
            outcomes,
            tries,
            suppressed
        ),
        Event::UnknownBatch { batch } => {
            tracing::debug!(event = "confirmation_unknown", batch, suppressed);
        }
        Event::Roles {
            epoch,
            generation,
            roles,
        } => tracing::info!(event = "roles_changed", %epoch, generation, ?roles),
        Event::RolesRefused {
            epoch,
            generation,
            objection,
        } => tracing::warn!(
            event = "roles_refused",
            %epoch,
            generation,
            %objection,
            suppressed
        ),
        Event::HookFailed { generation, reason } => {
            tracing::error!(event = "role_hook_failed", generation, reason);
        }
        Event::Draining { running } => tracing::info!(event = "draining", running),
        Event::HandedBack { count } => tracing::warn!(event = "jobs_handed_back", count),
        Event::Leaving { unconfirmed } => tracing::info!(event = "leaving", unconfirmed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_rate_are_counted_and_told_later() {
        let mut limit = Limit::default();
        let start = Time::from_start(Duration::from_secs(60));
        let passed = (0..100).filter(|_| limit.pass(start).is_some()).count();
        assert_eq!(passed, 10);
        assert_eq!(limit.pass(start + INTERVAL), Some(90));
        assert_eq!(limit.pass(start + INTERVAL), Some(0));
    }
}
