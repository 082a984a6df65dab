//! The clocks of this process, read by shells and told to the core.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Now, Time, WallTime};

/// Reads both clocks; its monotonic time starts when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    #[allow(clippy::new_without_default, reason = "making one reads the clock")]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = wall.map_or(0, |length| length.as_millis());
        Now {
            time: Time::from_start(self.start.elapsed()),
            wall: WallTime::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)),
        }
    }

    /// Returns the instant of a point on this clock, for timers.
    pub fn instant(&self, time: Time) -> Instant {
        self.start + time.since(Time::ZERO)
    }
}
