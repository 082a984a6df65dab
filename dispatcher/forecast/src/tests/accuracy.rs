//! Tests of accuracy: on each kind of series the ensemble is nearly as good as its best
//! expert.
//!
//! The goal is 1.02 times its error. The vote alone reaches it; where a bound is larger,
//! the band's own median, which is learned, costs the rest.

use super::super::{HORIZONS, Model};
use super::series::{self, DAY};

/// The errors of the models in the order of [`Model::ALL`], relative to those of the
/// naive one, and averaged over the horizons.
fn relative_errors(samples: &[f64], from: usize) -> [f64; Model::ALL.len()] {
    let all = Model::ALL.map(|model| series::errors(model, samples, from));
    let naive = all[0];
    all.map(|errors| {
        let pairs = errors.iter().zip(naive);
        let sum: f64 = pairs.map(|(error, naive)| error / naive).sum();
        sum / f64::from(u32::try_from(HORIZONS.len()).unwrap())
    })
}

/// Checks the ensemble against the best expert; returns the models' errors.
fn assert_near_the_best(samples: &[f64], from: usize, bound: f64) -> [f64; Model::ALL.len()] {
    let errors = relative_errors(samples, from);
    let (ensemble, experts) = errors.split_last().unwrap();
    let best = experts.iter().copied().fold(f64::INFINITY, f64::min);
    let ratio = ensemble / best;
    assert!(ratio <= bound, "{ratio} times the best of {errors:.3?}");
    errors
}

#[test]
fn on_a_season_with_noise() {
    let samples = series::sum(&series::season(3 * DAY), &series::noise(1, 3 * DAY));
    let errors = assert_near_the_best(&samples, 2 * DAY, 1.05);
    assert!(errors[Model::ALL.len() - 1] < 0.65, "{errors:?}");
}

#[test]
fn on_a_ramp_with_noise() {
    let samples = series::sum(&series::ramp(3000, 0.5), &series::noise(2, 3000));
    let errors = assert_near_the_best(&samples, 2000, 1.04);
    assert!(errors[Model::ALL.len() - 1] < 0.35, "{errors:?}");
}

/// With the first midnight the seasons mistake the ramp for a season, and two experts
/// that were alike and right until then are wrong: it takes a while until they have lost
/// their vote.
#[test]
fn on_a_ramp_about_its_first_midnight() {
    let samples = series::sum(&series::ramp(2000, 0.5), &series::noise(2, 2000));
    assert_near_the_best(&samples, 700, 1.25);
}

#[test]
fn on_an_autoregression_of_changes() {
    let samples = series::autoregressive_changes(3, 2500, (0.5, -0.3));
    assert_near_the_best(&samples, 1000, 1.02);
}

#[test]
fn on_a_series_that_goes_back_to_its_level() {
    let samples = series::reverting(4, 2500, 0.2);
    assert_near_the_best(&samples, 1000, 1.03);
}

/// For a random walk nothing is better than the naive forecast.
#[test]
fn on_a_random_walk() {
    let samples = series::random_walk(5, 2500);
    let [naive, .., ensemble] =
        [Model::Naive, Model::Ensemble].map(|model| series::errors(model, &samples, 1000));
    let ratios = ensemble
        .iter()
        .zip(naive)
        .map(|(error, naive)| error / naive);
    let mean = ratios.sum::<f64>() / f64::from(u32::try_from(HORIZONS.len()).unwrap());
    assert!(mean <= 1.02, "{mean} times the naive error");
}
