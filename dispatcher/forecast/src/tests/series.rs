//! Series with a known answer; the same seed gives the same series.

use std::array::from_fn;
use std::f64::consts::TAU;
use std::time::Duration;

use crate::{Forecaster, HORIZONS, Model};
use fastrand::Rng;

/// Minutes of a day: the step of the series is a minute.
pub(crate) const DAY: usize = 1440;

/// Returns independent normal values with mean 0 and deviation 1.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<f64> {
    let mut rng = Rng::with_seed(seed);
    (0..len).map(|_| normal(&mut rng)).collect()
}

/// A wave of one turn a day, and one of two.
pub(crate) fn season(len: usize) -> Vec<f64> {
    (0..len).map(|step| 50.0 + day_wave(step)).collect()
}

/// A daily season whose size has a weekly one: work days and the rest.
pub(crate) fn week(len: usize) -> Vec<f64> {
    let at = |step: usize| 60.0 + day_wave(step) + 20.0 * turn(step, 7 * DAY).sin();
    (0..len).map(at).collect()
}

pub(crate) fn ramp(len: usize, slope: f64) -> Vec<f64> {
    (0..len).map(|step| 10.0 + slope * count(step)).collect()
}

/// Each change is `first` times the last one and `second` times the one before,
/// and noise.
pub(crate) fn autoregressive_changes(
    seed: u64,
    len: usize,
    (first, second): (f64, f64),
) -> Vec<f64> {
    let (mut value, mut change, mut before) = (1000.0, 0.0, 0.0);
    let step = |noise: f64| {
        (change, before) = (first * change + second * before + noise, change);
        value += change;
        value
    };
    noise(seed, len).into_iter().map(step).collect()
}

pub(crate) fn random_walk(seed: u64, len: usize) -> Vec<f64> {
    autoregressive_changes(seed, len, (0.0, 0.0))
}

/// A series that goes back to its level by a share of the distance at each step.
pub(crate) fn reverting(seed: u64, len: usize, share: f64) -> Vec<f64> {
    let mut distance = 0.0;
    let step = |noise: f64| {
        distance = (1.0 - share) * distance + noise;
        100.0 + distance
    };
    noise(seed, len).into_iter().map(step).collect()
}

/// Returns the sum of two series of one length.
pub(crate) fn sum(left: &[f64], right: &[f64]) -> Vec<f64> {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(a, b)| a + b).collect()
}

#[allow(clippy::cast_possible_truncation, reason = "rounding is meant")]
pub(crate) fn round(value: f64) -> f32 {
    value as f32
}

fn day_wave(step: usize) -> f64 {
    20.0 * turn(step, DAY).sin() + 5.0 * (2.0 * turn(step, DAY)).cos()
}

fn turn(step: usize, period: usize) -> f64 {
    TAU * count(step % period) / count(period)
}

fn count(step: usize) -> f64 {
    f64::from(u32::try_from(step).unwrap())
}

/// A normal value by Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (TAU * rng.f64()).cos()
}

/// Creates a forecaster of minutes without an upper bound.
pub(crate) fn forecaster(model: Model) -> Forecaster {
    Forecaster::new(model, Duration::from_secs(60), f64::INFINITY)
}

/// Returns the mean absolute error at each horizon of the forecasts made from
/// the sample with this index on.
pub(crate) fn errors(model: Model, samples: &[f64], from: usize) -> [f64; HORIZONS.len()] {
    let mut forecaster = forecaster(model);
    let mut sums = [0.0; HORIZONS.len()];
    let mut counts = [0.0; HORIZONS.len()];
    for (at, sample) in samples.iter().enumerate() {
        forecaster.observe(u64::try_from(at).unwrap(), Some(*sample));
        for (index, horizon) in HORIZONS.into_iter().enumerate() {
            let actual = samples.get(at + horizon as usize);
            if let Some(actual) = actual.filter(|_| at >= from) {
                sums[index] += (actual - forecaster.predict(horizon).p50).abs();
                counts[index] += 1.0;
            }
        }
    }
    from_fn(|index| sums[index] / counts[index])
}
