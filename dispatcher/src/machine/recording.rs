//! Which decisions are written down: all while there are few, some when there
//! are many, and those that made a job wait before others.

use rolecast_common::time::Time;

/// Decisions written down in a second; a record costs a look at every node.
const PER_SECOND: u32 = 20;
/// Those of jobs that must wait, beside them.
const WAITS_PER_SECOND: u32 = 20;

/// Bounds how many decisions are written down.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    sent: Budget,
    waits: Budget,
}

#[derive(Debug, Default)]
struct Budget {
    second: u64,
    used: u32,
}

impl Budget {
    fn take(&mut self, now: Time, limit: u32) -> bool {
        let second = now.since(Time::ZERO).as_secs();
        if second != self.second {
            *self = Budget { second, used: 0 };
        }
        self.used += 1;
        self.used <= limit
    }
}

impl Recorder {
    /// Returns whether this job's being sent is written down.
    pub(super) fn takes_sent(&mut self, now: Time) -> bool {
        self.sent.take(now, PER_SECOND)
    }

    /// Returns whether it is written down that this job must wait.
    pub(super) fn takes_wait(&mut self, now: Time) -> bool {
        self.waits.take(now, WAITS_PER_SECOND)
    }
}
