//! Clocks that start anywhere and drift.

use std::time::Duration;

use fastrand::Rng;
use rolecast_common::time::{Now, Time, WallTime};

/// The largest deviation of a clock's rate from the true one. Two of them then differ by
/// less than the twentieth that leases allow for.
const DRIFT_MAX: f64 = 0.02;
pub(super) const WALL_START_MS: u64 = 1_800_000_000_000;

/// A point in true time, in nanoseconds since the start of the simulation.
pub(super) type Instantaneous = u64;

/// Returns a length in nanoseconds of true time.
pub(super) fn nanos(length: Duration) -> Instantaneous {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// The monotonic clock of one process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    rate: f64,
    start: f64,
}

impl Clock {
    pub(super) fn new(rng: &mut Rng, now: Instantaneous) -> Self {
        // The extremes are where leases fail.
        let rate = match rng.u8(..4) {
            0 => 1.0 - DRIFT_MAX,
            1 => 1.0 + DRIFT_MAX,
            _ => 1.0 + DRIFT_MAX * (2.0 * rng.f64() - 1.0),
        };
        let shown = rng.f64() * 1e12;
        let start = shown - nanoseconds(now) * rate;
        Self { rate, start }
    }

    pub(super) fn now(&self, at: Instantaneous) -> Now {
        let shown = self.start + nanoseconds(at) * self.rate;
        let time = Time::from_start(Duration::from_nanos(integer(shown)));
        let wall = WallTime::from_millis(WALL_START_MS + at / 1_000_000);
        Now { time, wall }
    }

    /// Returns when the clock shows that time, or a little later.
    pub(super) fn at(&self, time: Time) -> Instantaneous {
        let shown = nanoseconds(integer(time.since(Time::ZERO).as_nanos() as f64));
        integer(((shown - self.start) / self.rate).max(0.0)) + 1000
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a run has far less than 2^52 ns"
)]
fn nanoseconds(count: u64) -> f64 {
    count as f64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clocks show positive times below 2^52 ns"
)]
fn integer(value: f64) -> u64 {
    value as u64
}
