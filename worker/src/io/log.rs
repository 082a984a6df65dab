//! Writes the agent's events to the log, the frequent ones at a bounded rate.

use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::Epoch;
use rolecast_common::lines;
use rolecast_common::time::Time;

use crate::agent::Event;

/// Limit of a worker's lines of one kind in ten seconds.
type Limit = lines::Limit<10>;

/// Log of events that may occur with every message and must not become a line each.
#[derive(Debug, Default)]
pub(super) struct Log {
    refused: Limit,
    dropped: Limit,
    overdue: Limit,
    output_cut: Limit,
    repeated: Limit,
    unknown_batch: Limit,
    roles_refused: Fading,
    malformed: Limit,
}

/// The least distance between lines of a lasting condition; it doubles with each line, up
/// to ten minutes: enough to find the condition in any hour of a log.
const FADING_MIN: Duration = Duration::from_secs(10);
const FADING_MAX: Duration = Duration::from_secs(600);

/// Lets ever fewer lines pass, and the first one again after a time without any.
#[derive(Debug, Default)]
struct Fading {
    /// The time when the last line of this kind was requested.
    wanted: Time,
    /// The earliest time of the next line, and its distance from the last one.
    next: Time,
    distance: Duration,
    suppressed: u64,
}

impl Fading {
    fn pass(&mut self, now: Time) -> Option<u64> {
        let is_quiet = now.since(self.wanted) >= FADING_MAX;
        self.wanted = now;
        if is_quiet {
            self.distance = Duration::ZERO;
        } else if now < self.next {
            self.suppressed += 1;
            return None;
        }
        self.distance = (self.distance * 2).clamp(FADING_MIN, FADING_MAX);
        self.next = now + self.distance;
        Some(std::mem::take(&mut self.suppressed))
    }
}

impl Log {
    /// Logs a message that does not match its subject.
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
            Event::OutputCut { .. } => &mut self.output_cut,
            Event::Repeated { .. } => &mut self.repeated,
            Event::UnknownBatch { .. } => &mut self.unknown_batch,
            Event::RolesRefused { .. } => {
                // Each heartbeat is answered, so a fault of one answer occurs each
                // second.
                if let Some(suppressed) = self.roles_refused.pass(now) {
                    write(event, suppressed);
                }
                return;
            }
            Event::CommandFailed { .. }
            | Event::Roles { .. }
            | Event::Cancelled { .. }
            | Event::HookFailed { .. }
            | Event::EpochRefuted { .. }
            | Event::TurnedAway { .. }
            | Event::Draining { .. }
            | Event::HandedBack { .. }
            | Event::Leaving { .. } => return write(event, 0),
        };
        if let Some(suppressed) = limit.pass(now) {
            write(event, suppressed);
        }
    }
}

fn log_hook_failed(generation: u64, reason: &str) {
    tracing::error!(event = "role_hook_failed", generation, reason);
}

fn log_cancelled(assignment: &Assignment, reason: &str) {
    let (job, category) = (assignment.job(), assignment.category());
    tracing::info!(event = "job_cancelled", %job, %category, reason);
}

#[allow(clippy::cognitive_complexity, reason = "one line for each event")]
fn write(event: &Event, suppressed: u64) {
    match event {
        Event::Refused {
            assignment, reason, ..
        } => {
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
        Event::CommandFailed { failure } => {
            tracing::debug!(event = "command_failed", kind = failure.name());
        }
        Event::Cancelled { assignment, reason } => log_cancelled(assignment, reason),
        Event::OutputCut {
            assignment,
            whole,
            kept,
        } => {
            let (job, category) = (assignment.job(), assignment.category());
            tracing::warn!(
                event = "output_cut", %job, %category, whole, kept, suppressed,
                "the server's max_payload is smaller; raise it, or let the job store its \
                 output elsewhere"
            );
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
        Event::HookFailed { generation, reason } => log_hook_failed(*generation, reason),
        Event::EpochRefuted { kept, led } => log_refuted(*kept, *led),
        Event::TurnedAway { reason } => tracing::error!(event = "turned_away", "{reason}"),
        Event::Draining { running } => tracing::info!(event = "draining", running),
        Event::HandedBack { count } => tracing::warn!(event = "jobs_handed_back", count),
        Event::Leaving { unconfirmed } => tracing::info!(event = "leaving", unconfirmed),
    }
}

fn log_refuted(kept: Epoch, led: Epoch) {
    tracing::error!(
        event = "epoch_refuted",
        %kept,
        %led,
        "this worker follows epoch {kept}, and the dispatcher that holds the lease leads under \
         {led}: its jobs and roles are refused here. Unless another dispatcher leads, stop this \
         worker, run rolecast-worker forget-epoch with the same --config, and start it again"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_and_on_is_written_ever_more_rarely() {
        let mut fading = Fading::default();
        let start = Time::from_start(Duration::from_secs(3600));
        let second = Duration::from_secs(1);
        let mut passed = Vec::new();
        for n in 0..600 {
            passed.extend(fading.pass(start + second * n).map(|count| (n, count)));
        }
        let expected = [(0, 0), (10, 9), (30, 19), (70, 39), (150, 79), (310, 159)];
        assert_eq!(passed, expected);
        // A line after a calm is new again.
        let later = start + second * 600 + FADING_MAX;
        assert!(fading.pass(later).is_some());
        assert!(fading.pass(later + FADING_MIN).is_some());
    }
}
