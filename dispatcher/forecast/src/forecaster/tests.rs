//! Tests of the forecaster of one series, from the outside.

use super::*;
use crate::tests::series;

fn fed(model: Model, samples: &[Option<f64>]) -> Forecaster {
    let mut forecaster = series::forecaster(model);
    for (number, sample) in (0..).zip(samples) {
        forecaster.observe(number, *sample);
    }
    forecaster
}

/// The forecasts at every horizon, of values and peaks.
fn forecasts(forecaster: &Forecaster) -> Vec<Quantiles> {
    let values = (1..=HORIZON_MAX).map(|horizon| forecaster.predict(horizon));
    let peaks = (1..=HORIZON_MAX).map(|horizon| forecaster.predict_peak(horizon));
    values.chain(peaks).collect()
}

fn walk(len: usize) -> Vec<Option<f64>> {
    series::random_walk(8, len).into_iter().map(Some).collect()
}

#[test]
fn a_forecaster_fits_in_two_pages() {
    // 40,000 series are 330 MB.
    assert!(size_of::<Forecaster>() <= 8192);
}

#[test]
fn before_any_sample_nothing_is_expected() {
    for forecaster in [fed(Model::Ensemble, &[]), fed(Model::Ensemble, &[None; 70])] {
        let nothing = Quantiles::default();
        assert!(
            forecasts(&forecaster)
                .iter()
                .all(|forecast| *forecast == nothing)
        );
        assert!(forecaster.recent(10).is_empty());
    }
}

#[test]
fn after_one_sample_it_is_expected_to_stay() {
    for model in Model::ALL {
        let forecaster = fed(model, &[Some(7.0)]);
        for forecast in forecasts(&forecaster) {
            assert!((forecast.p50 - 7.0).abs() < 1e-3, "{forecast:?}");
            assert!(forecast.p90 >= forecast.p50, "{forecast:?}");
        }
    }
}

#[test]
fn a_constant_is_expected_to_stay() {
    for model in Model::ALL {
        let forecaster = fed(model, &[Some(5.0); 2000]);
        for forecast in forecasts(&forecaster) {
            assert!((forecast.p50 - 5.0).abs() < 1e-2, "{model:?}: {forecast:?}");
            assert!(forecast.p99 < 5.1, "{model:?}: {forecast:?}");
        }
    }
}

#[test]
fn a_number_not_above_the_last_is_ignored() {
    let mut forecaster = fed(Model::Ensemble, &walk(300));
    let before = forecasts(&forecaster);
    for number in [299, 298, 0] {
        forecaster.observe(number, Some(1e6));
    }
    assert!(forecasts(&forecaster) == before);
}

#[test]
fn what_is_missing_is_missing_however_it_is_reported() {
    let mut samples = walk(400);
    samples[100..130].fill(None);
    samples[200] = Some(f64::NAN);
    samples[201] = Some(f64::NEG_INFINITY);
    samples[250..350].fill(None);
    let told = fed(Model::Ensemble, &samples);
    let mut skipped = series::forecaster(Model::Ensemble);
    for (number, sample) in (0..).zip(samples) {
        if let Some(sample) = sample.filter(|sample| sample.is_finite()) {
            skipped.observe(number, Some(sample));
        }
    }
    assert!(forecasts(&told) == forecasts(&skipped));
    assert_eq!(told.recent(5), skipped.recent(5));
}

#[test]
fn while_samples_are_missing_the_forecast_stays() {
    let mut forecaster = fed(Model::Ensemble, &walk(300));
    let before = forecasts(&forecaster);
    for number in [300, 301, 400, 5000, 5001] {
        forecaster.observe(number, None);
        assert!(forecasts(&forecaster) == before, "at {number}");
    }
}

#[test]
fn a_long_gap_forgets_the_level_and_not_what_was_learned() {
    let samples = series::reverting(3, 2000, 0.3);
    let mut forecaster = series::forecaster(Model::Ensemble);
    for (number, sample) in (0..).zip(&samples) {
        forecaster.observe(number, Some(*sample));
    }
    let weights = forecaster.weights(5);
    forecaster.observe(2200, Some(500.0));
    assert_eq!(forecaster.recent(10), [500.0]);
    assert_eq!(forecaster.weights(5), weights);
    assert!((forecaster.predict(5).p50 - 500.0).abs() < 1.0);
}

#[test]
fn forecasts_are_within_the_capacity() {
    let mut forecaster = Forecaster::new(Model::Ensemble, Duration::from_secs(60), 4.0);
    for (number, sample) in (0..).zip(series::reverting(4, 500, 0.1)) {
        forecaster.observe(number, Some(sample - 98.0));
        for forecast in forecasts(&forecaster) {
            assert!(forecast.p50 >= 0.0 && forecast.p99 <= 4.0, "{forecast:?}");
        }
    }
    forecaster.set_capacity(f64::NAN);
    assert_eq!(forecaster.predict(1), Quantiles::default());
}

#[test]
fn a_peak_is_the_largest_value_in_the_window() {
    // A spike of ten in every eighth span, given as its peak.
    let mut forecaster = series::forecaster(Model::Ensemble);
    for (number, noise) in (0u64..).zip(series::noise(6, 4000)) {
        let mean = 20.0 + noise;
        let above = if number.is_multiple_of(8) { 10.0 } else { 0.0 };
        forecaster.observe_with_peak(number, Some(mean), Some(mean + above));
    }
    let (value, peak) = (forecaster.predict(15), forecaster.predict_peak(15));
    assert!(value.p50 < 21.0 && value.p90 < 23.0, "{value:?}");
    assert!((peak.p50 - 31.0).abs() < 1.5, "{peak:?}");
}

#[test]
fn a_peak_that_is_no_number_is_missing() {
    let [plain, odd] = [None, Some(f64::INFINITY)].map(|peak| {
        let mut forecaster = series::forecaster(Model::Ensemble);
        for (number, sample) in (0..).zip(walk(200)) {
            forecaster.observe_with_peak(number, sample, peak);
        }
        forecasts(&forecaster)
    });
    assert!(plain == odd);
}

#[test]
fn the_share_of_each_expert_is_reported() {
    let forecaster = fed(Model::Ensemble, &walk(500));
    for horizon in [0, 1, 4, 60, 1000] {
        let weights = forecaster.weights(horizon);
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{weights:?}");
        assert_eq!(weights.len(), MEMBERS);
    }
    assert_eq!(fed(Model::Ets, &[]).weights(3), [(Model::Ets, 1.0)]);
}

#[test]
fn the_accuracy_is_that_of_the_forecasts_given_out() {
    let samples = series::reverting(5, 1440, 0.5);
    let mut forecaster = series::forecaster(Model::Ewma);
    let (mut errors, mut naive) = (0.0, 0.0);
    for (number, pair) in (0..).zip(samples.windows(2)) {
        forecaster.observe(number, Some(pair[0]));
        errors += (pair[1] - forecaster.predict(1).p50).abs();
        naive += (pair[1] - pair[0]).abs();
    }
    let accuracy = forecaster.accuracy(1);
    let counted = f64::from(u32::try_from(samples.len() - 1).unwrap());
    assert_eq!(accuracy.scored, 1438);
    assert!((accuracy.error / (errors / counted) - 1.0).abs() < 0.05);
    assert!((accuracy.naive_error / (naive / counted) - 1.0).abs() < 0.05);
    assert!((accuracy.coverage - 0.9).abs() < 0.03, "{accuracy:?}");
}
