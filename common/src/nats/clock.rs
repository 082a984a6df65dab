//! The clocks of this process, read by shells and told to the core.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::time::{Now, Time, WallTime};

/// The clock that never jumps and goes on while the machine is suspended: a lease
/// must run out there too.
#[cfg(target_os = "linux")]
const STEADY: ClockId = ClockId::CLOCK_BOOTTIME;
/// Elsewhere the one that never jumps.
#[cfg(not(target_os = "linux"))]
const STEADY: ClockId = ClockId::CLOCK_MONOTONIC;

/// Reads both clocks; its monotonic time starts when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Duration,
}

impl Clock {
    #[allow(clippy::new_without_default, reason = "making one reads the clock")]
    pub fn new() -> Self {
        Self { start: steady() }
    }

    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = wall.map_or(0, |length| length.as_millis());
        Now {
            time: Time::from_start(steady().saturating_sub(self.start)),
            wall: WallTime::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)),
        }
    }

    /// Returns the instant of a point on this clock, for timers; a point that has
    /// passed is now.
    pub fn instant(&self, time: Time) -> Instant {
        Instant::now() + time.since(self.now().time)
    }
}

fn steady() -> Duration {
    let time = clock_gettime(STEADY).expect("every system has this clock");
    Duration::from(time)
}
