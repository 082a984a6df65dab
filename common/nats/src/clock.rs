//! Clocks of this process: shells read them and pass the time to the core.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use rolecast_common::time::{Now, Time, WallTime};

/// The clock that never jumps and runs while the machine is suspended: a lease must end
/// there too.
#[cfg(target_os = "linux")]
const STEADY: ClockId = ClockId::CLOCK_BOOTTIME;
/// On other systems the clock that never jumps.
#[cfg(not(target_os = "linux"))]
const STEADY: ClockId = ClockId::CLOCK_MONOTONIC;

/// Marks that the wall time is the system's.
const UNSET: i64 = -1;

/// Reads both clocks; its monotonic time starts when it is made. Its wall time is the
/// system's until it is set by another clock. Copies are one clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Duration,
    /// The wall time at the start, in milliseconds, or [`UNSET`]. Never freed, because a
    /// program makes one clock and keeps it.
    origin: &'static AtomicI64,
}

impl Clock {
    /// Starts a clock now. It takes a few bytes that are never freed.
    #[allow(clippy::new_without_default, reason = "making one reads the clock")]
    pub fn new() -> Self {
        Self {
            start: steady(),
            origin: Box::leak(Box::new(AtomicI64::new(UNSET))),
        }
    }

    /// Sets the wall time to what another clock read when this one started. After that a
    /// change of the system's clock has no effect.
    pub fn set_origin(&self, millis: i64) {
        self.origin.store(millis.max(0), Ordering::Relaxed);
    }

    /// Reads the clock.
    pub fn now(&self) -> Now {
        let time = Time::from_start(steady().saturating_sub(self.start));
        let wall = match u64::try_from(self.origin.load(Ordering::Relaxed)) {
            Ok(origin) => WallTime::from_millis(origin) + time.since(Time::ZERO),
            Err(_) => system(),
        };
        Now { time, wall }
    }

    /// Returns the instant of a point on this clock, for timers; a past point is the
    /// present.
    pub fn instant(&self, time: Time) -> Instant {
        Instant::now() + time.since(self.now().time)
    }
}

fn system() -> WallTime {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = wall.map_or(0, |length| length.as_millis());
    WallTime::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn steady() -> Duration {
    let time = clock_gettime(STEADY).expect("every system has this clock");
    Duration::from(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_goes_on_from_there_and_its_copies_too() {
        let clock = Clock::new();
        let copy = clock;
        assert!(copy.now().wall >= WallTime::from_millis(1_700_000_000_000));
        clock.set_origin(5_000);
        let now = copy.now();
        assert_eq!(
            now.wall,
            WallTime::from_millis(5_000) + now.time.since(Time::ZERO)
        );
        assert!(Clock::new().now().wall > now.wall + Duration::from_secs(1 << 30));
    }
}
