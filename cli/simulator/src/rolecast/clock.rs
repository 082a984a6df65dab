//! Clock of the simulated dispatcher.

use std::time::Duration;

use rolecast_common::time::{Now, Time, WallTime};

/// Converts the simulation's time, which may be negative, into the scheduler's.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) start_s: f64,
    pub(super) epoch_ms: f64,
}

impl Clock {
    pub(super) fn now(self, now_s: f64) -> Now {
        let since_start = Duration::from_secs_f64((now_s - self.start_s).max(0.0));
        let wall_ms = (self.epoch_ms + now_s * 1000.0).max(0.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a date, at least 0"
        )]
        let wall = WallTime::from_millis(wall_ms as u64);
        let time = Time::from_start(since_start);
        Now { time, wall }
    }

    pub(super) fn seconds(self, time: Time) -> f64 {
        time.since(Time::ZERO).as_secs_f64() + self.start_s
    }
}
