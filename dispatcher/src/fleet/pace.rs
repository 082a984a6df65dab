//! Pace of one node: the speed of its cores, as declared and as measured, and the round trip
//! of a message to it.

use std::time::Duration;

use rolecast_common::unit::Speed;

/// Weight of the declared speed, in runs.
const SPEED_WORTH: f32 = 50.0;
/// Number of runs after which the older half counts half.
const SPEED_RUNS_MAX: f32 = 2000.0;
/// The logarithm of the largest factor by which a node may be faster or slower than
/// declared: two.
const SPEED_LOG_MAX: f32 = 0.7;
/// Rate at which the round trip follows measured pings.
const ROUND_TRIP_RATE: f32 = 0.25;

/// The speed of a node's cores.
#[derive(Debug)]
pub(super) struct Pace {
    declared: Speed,
    /// The sum of the logarithms of its speed over the declared one, by runs.
    log: f32,
    runs: f32,
    round_trip: Option<Duration>,
}

impl Pace {
    pub(super) fn new(declared: Speed) -> Self {
        Self {
            declared,
            log: 0.0,
            runs: 0.0,
            round_trip: None,
        }
    }

    pub(super) fn declare(&mut self, speed: Speed) {
        self.declared = speed;
    }

    pub(super) fn declared(&self) -> Speed {
        self.declared
    }

    #[allow(clippy::cast_possible_truncation, reason = "seven digits are enough")]
    pub(super) fn declared_speed(&self) -> f32 {
        self.declared.get() as f32
    }

    /// Returns the speed of one of its cores: as declared, corrected by its runs.
    pub(super) fn speed(&self) -> f32 {
        let log = self.log / (self.runs + SPEED_WORTH);
        self.declared_speed() * log.clamp(-SPEED_LOG_MAX, SPEED_LOG_MAX).exp()
    }

    /// Records the logarithm of its speed over the declared one, from one run.
    pub(super) fn observe_speed(&mut self, log: f32) {
        if !log.is_finite() {
            return;
        }
        self.log += log.clamp(-3.0, 3.0);
        self.runs += 1.0;
        if self.runs > SPEED_RUNS_MAX {
            self.log *= 0.5;
            self.runs *= 0.5;
        }
    }

    /// Records the measured round trip of a ping; returns the smoothed one.
    pub(super) fn observe_round_trip(&mut self, measured: Duration) -> Duration {
        let before = self.round_trip.unwrap_or(measured);
        let kept = before.mul_f32(1.0 - ROUND_TRIP_RATE);
        let smoothed = kept + measured.mul_f32(ROUND_TRIP_RATE);
        self.round_trip = Some(smoothed);
        smoothed
    }

    /// Returns the round trip of a message; `None` until a ping was answered.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}
