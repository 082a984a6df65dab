//! Selection of the decisions that are recorded: all while there are few, some when there
//! are many, with a budget of their own for those that make a job wait.

use rolecast_common::time::Time;

/// Records of sent jobs per second; a record costs a check of every node.
const PER_SECOND: u32 = 20;
/// Records of jobs that must wait per second, beside them.
const WAITS_PER_SECOND: u32 = 20;

/// Limits of the number of recorded decisions.
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
    /// Whether the sending of this job is recorded.
    pub(super) fn takes_sent(&mut self, now: Time) -> bool {
        self.sent.take(now, PER_SECOND)
    }

    /// Whether the waiting of this job is recorded.
    pub(super) fn takes_wait(&mut self, now: Time) -> bool {
        self.waits.take(now, WAITS_PER_SECOND)
    }
}
