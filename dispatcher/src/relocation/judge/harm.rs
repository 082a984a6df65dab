//! Harm of a load to a role: the share of the role's operations that miss.
//!
//! Loads are shares of a node's CPU; above 1 the demand exceeds the capacity. A heartbeat
//! reports the mean of a second, within which load varies: with a standard deviation of
//! about 0.15, the same as the knee that simulation gave placement's cost. An operation
//! misses if the demand of its own moment exceeds the capacity:
//!
//! ```text
//! p(u) = P(u + 0.15 Z > 1), about 1 / (1 + exp((1 - u) / 0.08))
//! ```
//!
//! It is smooth, because a cut makes a load near it look like many episodes. .02 at 70 %,
//! .22 at 90 %, .5 at 100 %, .98 at 130 %.
//!
//! Use alone does not show by how much the demand exceeds the capacity: it ends there.
//! Pressure and the run times of jobs do.

use super::Reading;

/// The load at which half of the operations miss.
const HALF: f64 = 1.0;
/// Width of the knee: 0.15 as a logistic distribution's scale, derived.
const WIDTH: f64 = 0.15 * 0.551;
/// Use from which on it may hide the demand. Guessed: the mean of a second hardly rises
/// above, if some of its moments are at the capacity.
const FULL: f64 = 0.9;
/// Pressure from which on it stands in for use that is not high: a throttled host.
/// Guessed; busy hosts of many cores often show 0.3 and are well.
const PRESSURE_HIGH: f64 = 0.5;
/// The largest stall that counts: at it the demand is 4 times the capacity.
const PRESSURE_MAX: f64 = 0.75;
/// The factor below which longer run times are no evidence. Guessed.
const SLOW: f64 = 1.3;
/// The cost of neighbours for each other on a full CPU, as in placement's cost.
const INTERFERENCE: f64 = 0.15;
/// The largest load that is reported.
pub(super) const LOAD_MAX: f64 = 4.0;

/// Returns the share of a role's operations that miss at this load.
pub(super) fn missed(load: f64) -> f64 {
    1.0 / (1.0 + ((HALF - load) / WIDTH).exp())
}

/// The load of a node by others and roles: the part that cannot be shed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    pub(super) share: f64,
    /// Whether pressure made it larger than use alone.
    pub(super) is_pressed: bool,
    /// The load by the run times of jobs, if they are long; else 0. They are reported
    /// when jobs end, so they lag.
    pub(super) by_jobs: f64,
}

impl Load {
    /// Returns the load of a reading; `None` for a node that has no CPU.
    pub(super) fn of(reading: &Reading) -> Option<Self> {
        let capacity = reading.capacity.get();
        if capacity <= 0.0 {
            return None;
        }
        let (used, jobs) = (reading.used.get(), reading.jobs.get());
        let own = (used - jobs).max(0.0);
        let by_use = (own / capacity).min(LOAD_MAX);
        let by_pressure = match reading.pressure {
            // The stalls of the jobs end with them.
            Some(pressure) if used > 0.0 => {
                pressed(by_use, used / capacity, pressure.get() * own / used)
            }
            Some(_) | None => 0.0,
        };
        Some(Self {
            share: by_use.max(by_pressure).min(LOAD_MAX),
            is_pressed: by_pressure > by_use,
            by_jobs: slowed(f64::from(reading.slow_down)),
        })
    }
}

/// Returns the load of which this share stalls.
fn pressed(by_use: f64, used: f64, stalled: f64) -> f64 {
    if used >= FULL {
        return by_use / (1.0 - stalled.min(PRESSURE_MAX));
    }
    if stalled >= PRESSURE_HIGH {
        return PRESSURE_HIGH + stalled;
    }
    0.0
}

/// Returns the load at which jobs take this many times longer than usual.
fn slowed(slow_down: f64) -> f64 {
    if slow_down.is_finite() && slow_down >= SLOW {
        return (slow_down / (1.0 + INTERFERENCE)).min(LOAD_MAX);
    }
    0.0
}

#[cfg(test)]
mod tests {
    use rolecast_common::unit::Cores;
    use rolecast_common::wire::Share;

    use super::*;

    fn reading(used: f64, jobs: f64) -> Reading {
        Reading {
            capacity: Cores::clamped(10.0),
            used: Cores::clamped(used),
            jobs: Cores::clamped(jobs),
            upper: Cores::ZERO,
            ahead_upper: Cores::ZERO,
            pressure: None,
            slow_down: 1.0,
        }
    }

    #[test]
    fn more_is_missed_the_more_is_asked_for_and_never_more_than_all() {
        let mut before = 0.0;
        for step in 0..80 {
            let share = missed(f64::from(step) * 0.05);
            assert!(share > before && share <= 1.0, "{step}: {share}");
            before = share;
        }
        assert!(missed(0.5) < 0.005 && missed(1.0) == 0.5 && missed(1.4) > 0.99);
    }

    #[test]
    fn what_can_be_shed_does_not_count() {
        let load = Load::of(&reading(9.0, 6.0)).unwrap();
        assert!((load.share - 0.3).abs() < 1e-9);
        let mut pressed_by_jobs = reading(10.0, 7.0);
        pressed_by_jobs.pressure = Some(Share::clamped(0.6));
        assert!(Load::of(&pressed_by_jobs).unwrap().share < 0.5);
    }

    #[test]
    fn pressure_shows_what_a_full_cpu_hides() {
        let mut full = reading(10.0, 0.0);
        assert!((Load::of(&full).unwrap().share - 1.0).abs() < 1e-9);
        full.pressure = Some(Share::clamped(0.5));
        let load = Load::of(&full).unwrap();
        assert!((load.share - 2.0).abs() < 1e-9 && load.is_pressed);
    }

    #[test]
    fn pressure_and_slow_jobs_stand_in_for_use() {
        let mut throttled = reading(3.0, 0.0);
        throttled.pressure = Some(Share::clamped(0.3));
        assert!(Load::of(&throttled).unwrap().share < 0.5);
        throttled.pressure = Some(Share::clamped(0.6));
        assert!(Load::of(&throttled).unwrap().share > 1.0);
        let mut slow = reading(3.0, 0.5);
        slow.slow_down = 2.0;
        let load = Load::of(&slow).unwrap();
        assert!(load.share < 0.5 && load.by_jobs > 1.5);
    }

    #[test]
    fn nonsense_is_no_load() {
        let mut nonsense = reading(3.0, 9.0);
        nonsense.slow_down = f32::NAN;
        assert_eq!(Load::of(&nonsense), Some(Load::default()));
        nonsense.slow_down = f32::INFINITY;
        assert_eq!(Load::of(&nonsense), Some(Load::default()));
        nonsense.capacity = Cores::ZERO;
        assert_eq!(Load::of(&nonsense), None);
    }
}
