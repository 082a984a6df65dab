//! Demand: arrivals of a category's jobs, past and expected.
//!
//! Jobs arrive in the stream, not here. Arrivals are the increase of the number of jobs
//! that the stream holds plus the number of settled jobs. The two are read at moments a
//! little apart, so the sum may dip; it counts where it rises above all former values.
//! Arrivals are counted in minutes of wall time, and forecast as any series is.

use std::sync::Arc;
use std::time::Duration;

use rolecast_common::time::WallTime;

use crate::{Forecaster, HORIZON_MAX, Model, Stack};

const STEP_S: u32 = 60;
/// Fall of the sum beyond recent settlements that means that jobs were deleted from the
/// stream.
const DIP_MAX: u64 = 100;
/// Arrivals a minute below which the median is zero most of the time.
const RARE: f64 = 1.0;

/// The arrivals of one category.
///
/// ```
/// use rolecast_common::time::WallTime;
/// use rolecast_forecast::{Demand, Model};
///
/// let mut demand = Demand::new(Model::Ensemble);
/// for second in (0..600).step_by(2) {
///     // 30 jobs a minute arrive, and each is settled at once.
///     demand.observe(WallTime::from_millis(second * 1000), 0, second / 2);
/// }
/// let expected = demand.per_minute(60).unwrap();
/// assert!((29.0..=31.0).contains(&expected));
/// ```
#[derive(Clone, Debug)]
pub struct Demand {
    model: Model,
    forecaster: Box<Forecaster>,
    /// The largest sum so far.
    highest: Option<u64>,
    settled: u64,
    minute: Option<Minute>,
    is_known: bool,
}

#[derive(Clone, Copy, Debug)]
struct Minute {
    number: u64,
    arrived: u64,
    /// Whether it was counted from its beginning.
    is_whole: bool,
}

impl Demand {
    /// Creates the demand of a category of which nothing is known; `model` forecasts it.
    pub fn new(model: Model) -> Self {
        Self {
            model,
            forecaster: Box::new(forecaster(model)),
            highest: None,
            settled: 0,
            minute: None,
            is_known: false,
        }
    }

    /// Replaces the global model over the experts.
    pub fn set_stack(&mut self, stack: &Arc<Stack>) {
        self.forecaster.set_stack(Arc::clone(stack));
    }

    /// Records the number of jobs in the stream at a moment, and of those settled so far: a
    /// count that only rises, whatever it began with.
    ///
    /// A few calls a minute are enough. Jobs that are there at the first one are no arrivals,
    /// and the minute of it is not counted. If `at` is in an earlier minute than before, the
    /// past is forgotten.
    pub fn observe(&mut self, at: WallTime, held: u64, settled: u64) {
        let arrived = self.arrived(held, settled);
        let number = at.as_millis() / (u64::from(STEP_S) * 1000);
        let Some(open) = &mut self.minute else {
            self.minute = Some(Minute {
                number,
                arrived: 0,
                is_whole: false,
            });
            return;
        };
        if number == open.number {
            open.arrived += arrived;
            return;
        }
        let closed = *open;
        *open = Minute {
            number,
            arrived,
            is_whole: true,
        };
        if number < closed.number {
            // The clock was set: its former times are of no use.
            *self.forecaster = forecaster(self.model);
            self.is_known = false;
            return;
        }
        if closed.is_whole {
            #[allow(clippy::cast_precision_loss, reason = "a count of one minute")]
            let count = closed.arrived as f64;
            self.forecaster.observe(closed.number, Some(count));
            self.is_known = true;
        }
    }

    /// Returns the number of jobs a minute that are expected to arrive in the next
    /// `seconds`, in the mean.
    ///
    /// They are rounded up to minutes, from 1 to 60. `None` until a whole minute has been
    /// counted. Where less than one job a minute arrives, it is the mean of the last hour.
    pub fn per_minute(&self, seconds: u32) -> Option<f64> {
        if !self.is_known {
            return None;
        }
        let recent = self.forecaster.recent(HORIZON_MAX as usize);
        let usual = mean(recent.iter().copied());
        if usual < RARE {
            return Some(usual);
        }
        let steps = seconds.div_ceil(STEP_S).clamp(1, HORIZON_MAX);
        let counts = (1..steps + 1).map(|step| self.forecaster.predict(step).p50);
        Some(mean(counts))
    }

    /// Returns the number of arrivals since the last call.
    fn arrived(&mut self, held: u64, settled: u64) -> u64 {
        let sum = held.saturating_add(settled);
        let settled_lately = settled.saturating_sub(self.settled);
        self.settled = settled;
        let highest = self.highest.unwrap_or(sum);
        let is_deleted = sum.saturating_add(settled_lately + DIP_MAX) < highest;
        self.highest = Some(if is_deleted { sum } else { sum.max(highest) });
        sum.saturating_sub(highest)
    }
}

fn forecaster(model: Model) -> Forecaster {
    Forecaster::new(model, Duration::from_secs(u64::from(STEP_S)), f64::INFINITY)
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "at most 60")]
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observes every two seconds while `rate` jobs a minute arrive and each is
    /// settled ten seconds later; returns the demand.
    fn fed(minutes: u64, rate: f64) -> Demand {
        let mut demand = Demand::new(Model::Ensemble);
        for second in (0..minutes * 60).step_by(2) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let arrived = |second: u64| (second as f64 * rate / 60.0) as u64;
            let settled = arrived(second.saturating_sub(10));
            let at = WallTime::from_millis(1_700_000_100_000 + second * 1000);
            // The count of the stream lags behind by a little.
            let held = arrived(second) - settled + second % 3;
            demand.observe(at, held, settled);
        }
        demand
    }

    #[test]
    fn a_steady_rate_is_expected_to_stay() {
        assert_eq!(fed(1, 90.0).per_minute(900), None);
        let expected = fed(40, 90.0).per_minute(900).unwrap();
        assert!((expected - 90.0).abs() < 5.0, "{expected}");
    }

    #[test]
    fn rare_jobs_are_expected_at_their_mean_rate() {
        let expected = fed(60, 0.25).per_minute(60).unwrap();
        assert!((expected - 0.25).abs() < 0.1, "{expected}");
    }

    #[test]
    fn jobs_that_were_there_before_or_are_deleted_are_no_arrivals() {
        let mut demand = Demand::new(Model::Naive);
        let mut arrived = |held, settled| demand.arrived(held, settled);
        assert_eq!(arrived(5000, 0), 0);
        assert_eq!(arrived(5003, 2), 5);
        assert_eq!(arrived(10, 2), 0, "purged");
        assert_eq!(arrived(11, 2), 1);
        assert_eq!(arrived(9, 2), 0, "a dip");
        assert_eq!(arrived(11, 2), 0);
        assert_eq!(arrived(4, 12), 3);
    }
}
