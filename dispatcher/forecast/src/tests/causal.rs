//! Tests of causality: forecasts depend on the past alone.

use super::super::{HORIZON_MAX, Model, Quantiles};
use super::series;

/// The forecasts after each sample, at a few horizons.
fn forecasts(model: Model, samples: &[f64]) -> Vec<Quantiles> {
    let mut forecaster = series::forecaster(model);
    let mut issued = Vec::new();
    for (number, sample) in (0..).zip(samples) {
        forecaster.observe(number, Some(*sample));
        for horizon in [1, 7, HORIZON_MAX] {
            issued.push(forecaster.predict(horizon));
            issued.push(forecaster.predict_peak(horizon));
        }
    }
    issued
}

#[test]
fn what_comes_later_changes_no_forecast() {
    const CHANGE: usize = 1500;
    let samples = series::sum(&series::season(1600), &series::noise(1, 1600));
    let mut perturbed = samples.clone();
    perturbed[CHANGE..]
        .iter_mut()
        .for_each(|value| *value = 3.0 * *value + 100.0);
    for model in Model::ALL {
        let (plain, other) = (forecasts(model, &samples), forecasts(model, &perturbed));
        let (before, after) = plain.split_at(6 * CHANGE);
        assert!(before == &other[..6 * CHANGE], "{model:?} looks ahead");
        let is_moved = after.iter().zip(&other[6 * CHANGE..]).all(|(a, b)| a != b);
        assert!(is_moved, "{model:?} does not look at the last sample");
    }
}

#[test]
fn the_same_samples_give_the_same_forecasts() {
    let samples = series::reverting(2, 300, 0.2);
    for model in Model::ALL {
        assert!(
            forecasts(model, &samples) == forecasts(model, &samples),
            "{model:?}"
        );
    }
}
