//! Times of the heartbeats, and the use that they report.

use std::time::Duration;

use rolecast_common::time::Time;
use rolecast_common::unit::Resources;
use rolecast_common::wire::Usage;

use crate::usage::has_moved;

/// The least time between the last heartbeat and one on request.
const REPORT_INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The least distance between heartbeats that report a change: load that swings all the
/// time costs four messages a second and no more.
pub(super) const CHANGE_INTERVAL: Duration = Duration::from_millis(250);
/// The least distance of one of them from any heartbeat before it.
pub(super) const CHANGE_DISTANCE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Heartbeats {
    /// The number of the last one.
    sequence: u64,
    due: Time,
    /// The time when the last one was sent, and the use in it.
    sent: (Time, Usage),
    /// The time when the last one that reports a change was due.
    change_due: Time,
    usage: Usage,
}

impl Heartbeats {
    /// The first one is due at once.
    pub(super) fn new(now: Time) -> Self {
        Self {
            sequence: 0,
            due: now,
            sent: (now, Usage::default()),
            change_due: Time::ZERO,
            usage: Usage::default(),
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn due(&self) -> Time {
        self.due
    }

    /// Returns the last reading of the use.
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Makes the next one due at once.
    pub(super) fn hasten(&mut self, now: Time) {
        self.due = now;
    }

    /// Makes the next one due soon; requests without pause do not get more.
    pub(super) fn request(&mut self, now: Time) {
        let soonest = self.sent.0 + REPORT_INTERVAL_MIN;
        self.due = self.due.min(soonest.max(now));
    }

    /// Records the use.
    pub(super) fn set_usage(&mut self, usage: Usage) {
        self.usage = usage;
    }

    /// Makes the next one due early if others changed the use much since the last one.
    pub(super) fn report_change(&mut self, now: Time, capacity: Resources) {
        let (sent, reported) = self.sent;
        if !has_moved(&reported, &self.usage, capacity) {
            return;
        }
        let due = now
            .max(sent + CHANGE_DISTANCE)
            .max(self.change_due + CHANGE_INTERVAL);
        if due < self.due {
            self.due = due;
            self.change_due = due;
        }
    }

    /// Returns whether one must be sent now; the next one is due after `interval`.
    pub(super) fn take_due(&mut self, now: Time, interval: Duration) -> bool {
        if self.due > now {
            return false;
        }
        self.due = now + interval;
        self.sent = (now, self.usage);
        self.sequence += 1;
        true
    }
}
