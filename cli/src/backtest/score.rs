//! Scores of the forecasts of one series.
//!
//! Errors are given as a share of the naive forecast's on the same moments, so series of
//! any unit can be compared; below 1 is better than naive. A forecast whose moment was
//! not measured is not scored.

use std::collections::BTreeMap;

use rolecast_simulator::metrics::mean;
use rolecast_simulator::recording::Series;

use super::naive::Naive;
use super::{Forecast, QUANTILE};

/// Addition to both errors of a ratio, as a share of the series' mean size: negligible
/// against any real error, but the ratio is 1 where both are zero, and finite where only
/// the naive forecast has no error. A series of zeros has the size 1. Guessed, well above
/// the rounding of sums.
const NOTHING: f64 = 1e-9;

/// Scores of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scores {
    /// By horizon; without those where nothing could be scored.
    pub(crate) horizons: BTreeMap<u32, Score>,
    /// By horizon, the share of windows whose peak was not above its forecast.
    pub(crate) peaks: BTreeMap<u32, f64>,
}

/// Scores of one series at one horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Score {
    /// The number of forecasts that were scored.
    pub(crate) count: usize,
    /// Mean absolute error of the median, in the series' own unit.
    pub(crate) mae: f64,
    /// That error as a share of the naive forecast's.
    pub(crate) rmae: f64,
    /// That error as a share of the mean step in the first half; `None` if nothing moved
    /// there.
    pub(crate) mase: Option<f64>,
    /// Pinball loss of p90 as a share of the naive forecast's.
    pub(crate) rpin90: f64,
    /// The share of samples not above p90.
    pub(crate) cov90: f64,
}

/// Scores the forecasts, which are in the order of their rows.
pub(crate) fn score(numbers: &[u64], series: &Series, forecasts: &[Forecast]) -> Scores {
    let samples = &series.samples;
    let size = mean(samples.iter().flatten().map(|sample| sample.abs()));
    let nothing = NOTHING * size.filter(|size| *size > 0.0).unwrap_or(1.0);
    let step = mean_step(numbers, samples);
    let mut by_horizon = BTreeMap::<u32, Vec<&Forecast>>::new();
    for forecast in forecasts {
        by_horizon
            .entry(forecast.horizon)
            .or_default()
            .push(forecast);
    }
    let mut scores = Scores::default();
    for (horizon, forecasts) in by_horizon {
        let mut sums = Sums::default();
        let mut naive = Naive::new(horizon);
        let mut known = 0;
        for forecast in &forecasts {
            for row in known..=forecast.row {
                if let Some(sample) = samples[row] {
                    naive.observe(numbers[row], sample);
                }
            }
            known = forecast.row + 1;
            let actual = actual(numbers, samples, forecast);
            if let (Some(actual), Some(naive)) = (actual, naive.predict()) {
                sums.add(forecast, naive, actual);
            }
        }
        if let Some(score) = sums.score(step, nothing) {
            scores.horizons.insert(horizon, score);
        }
        let peaks = forecasts.iter().filter_map(|forecast| {
            let peak = peak(numbers, samples, forecast)?;
            Some(share(peak <= forecast.peak_p90?))
        });
        if let Some(coverage) = mean(peaks) {
            scores.peaks.insert(horizon, coverage);
        }
    }
    scores
}

/// Sums of errors over the forecasts of one horizon.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: usize,
    error: f64,
    naive_error: f64,
    pinball: f64,
    naive_pinball: f64,
    covered: f64,
}

impl Sums {
    fn add(&mut self, forecast: &Forecast, naive: (f64, f64), actual: f64) {
        let (naive_p50, naive_p90) = naive;
        self.count += 1;
        self.error += (actual - forecast.p50).abs();
        self.naive_error += (actual - naive_p50).abs();
        self.pinball += pinball(forecast.p90, actual);
        self.naive_pinball += pinball(naive_p90, actual);
        self.covered += share(actual <= forecast.p90);
    }

    fn score(&self, step: Option<f64>, nothing: f64) -> Option<Score> {
        if self.count == 0 {
            return None;
        }
        let count = self.count as f64;
        let mae = self.error / count;
        let ratio = |ours: f64, naive: f64| (ours / count + nothing) / (naive / count + nothing);
        Some(Score {
            count: self.count,
            mae,
            rmae: ratio(self.error, self.naive_error),
            mase: step.filter(|step| *step > 0.0).map(|step| mae / step),
            rpin90: ratio(self.pinball, self.naive_pinball),
            cov90: self.covered / count,
        })
    }
}

/// Returns the measured value at the moment of the forecast.
pub(crate) fn actual(numbers: &[u64], samples: &[Option<f64>], forecast: &Forecast) -> Option<f64> {
    let number = numbers[forecast.row] + u64::from(forecast.horizon);
    samples[numbers.binary_search(&number).ok()?]
}

/// Returns the largest sample within the horizon; `None` if there is none, or
/// the recording ends before.
fn peak(numbers: &[u64], samples: &[Option<f64>], forecast: &Forecast) -> Option<f64> {
    let last = numbers[forecast.row] + u64::from(forecast.horizon);
    if numbers.last().is_none_or(|end| *end < last) {
        return None;
    }
    let end = numbers.partition_point(|number| *number <= last);
    let window = &samples[forecast.row + 1..end];
    window.iter().flatten().copied().reduce(f64::max)
}

/// Returns the mean size of a step between neighbours in the first half.
fn mean_step(numbers: &[u64], samples: &[Option<f64>]) -> Option<f64> {
    let middle = samples.len() / 2;
    mean((1..middle).filter_map(|row| {
        let is_next = numbers[row] == numbers[row - 1] + 1;
        let step = samples[row]? - samples[row - 1]?;
        is_next.then_some(step.abs())
    }))
}

fn pinball(quantile: f64, actual: f64) -> f64 {
    if actual >= quantile {
        QUANTILE * (actual - quantile)
    } else {
        (1.0 - QUANTILE) * (quantile - actual)
    }
}

fn share(is_counted: bool) -> f64 {
    if is_counted { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[f64]) -> Series {
        Series {
            name: "cpu".to_owned(),
            samples: samples.iter().copied().map(Some).collect(),
        }
    }

    fn forecast(row: usize, horizon: u32, p50: f64, p90: f64) -> Forecast {
        Forecast {
            row,
            horizon,
            p50,
            p90,
            peak_p90: None,
        }
    }

    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    }

    #[test]
    fn errors_are_shares_of_the_naive_forecast() {
        let numbers: Vec<u64> = (100..108).collect();
        let series = series(&[1.0, 2.0, 4.0, 3.0, 5.0, 5.0, 9.0, 8.0]);
        let forecasts = [forecast(4, 1, 4.0, 6.0), forecast(6, 1, 9.0, 7.0)];
        let scores = score(&numbers, &series, &forecasts);
        let score = scores.horizons[&1];
        assert_eq!(score.count, 2);
        // Errors 1 and 1; the naive forecast's 0 and 1.
        assert_near(score.mae, 1.0);
        assert_near(score.rmae, 2.0);
        // Steps of the first half: 1, 2, 1.
        assert_near(score.mase.unwrap(), 0.75);
        assert_eq!(score.cov90, 0.5);
        // Ours: 0.1 * 1 and 0.9 * 1. Naive: changes before row 4 are -1, 1, 2, 2, so p90
        // is 5 + 2, missed by 2 above; before row 6 also 0 and 4, so p90 is 9 + 3, 4
        // above the value.
        assert_near(score.rpin90, (0.1 + 0.9) / (0.2 + 0.4));
        assert_eq!(scores.peaks, BTreeMap::new());
    }

    #[test]
    fn a_peak_is_scored_when_its_window_has_passed() {
        let numbers: Vec<u64> = vec![0, 1, 2, 3, 4, 5, 9];
        let mut series = series(&[0.0, 0.0, 7.0, 1.0, 1.0, 1.0, 1.0]);
        series.samples[3] = None;
        let peak = |row, horizon, peak_p90| {
            let peak_p90 = Some(peak_p90);
            let forecast = Forecast {
                peak_p90,
                ..forecast(row, horizon, 0.0, 0.0)
            };
            let scores = score(&numbers, &series, &[forecast]);
            scores.peaks.get(&horizon).copied()
        };
        assert_eq!(peak(0, 3, 7.0), Some(1.0));
        assert_eq!(peak(0, 3, 6.9), Some(0.0));
        assert_eq!(peak(2, 2, 1.0), Some(1.0));
        // Nothing within the window was measured, and the recording ends before.
        assert_eq!(peak(2, 1, 1.0), None);
        assert_eq!(peak(5, 3, 1.0), None);
        assert_eq!(peak(5, 5, 1.0), None);
    }

    #[test]
    fn a_moment_that_was_not_measured_is_not_scored() {
        let numbers = [0, 1, 2, 3, 5];
        let mut series = series(&[1.0, 1.0, 2.0, 2.0, 3.0]);
        series.samples[3] = None;
        let one = |row| score(&numbers, &series, &[forecast(row, 1, 2.0, 2.0)]);
        assert_eq!(one(1).horizons[&1].count, 1);
        // Missing, skipped, and after the end.
        for row in [2, 3, 4] {
            assert!(one(row).horizons.is_empty(), "{row}");
        }
    }

    #[test]
    fn where_nothing_moves_an_exact_forecast_is_as_good_as_naive() {
        let numbers: Vec<u64> = (0..10).collect();
        for level in [0.0, 1e9] {
            let series = series(&[level; 10]);
            let exact = score(&numbers, &series, &[forecast(5, 1, level, level)]).horizons[&1];
            assert_eq!((exact.rmae, exact.rpin90, exact.mase), (1.0, 1.0, None));
            let wrong = forecast(5, 1, level + 1.0, level + 1.0);
            let wrong = score(&numbers, &series, &[wrong]).horizons[&1];
            assert!(wrong.rmae > 1.0 && wrong.rmae.is_finite(), "{wrong:?}");
        }
    }
}
