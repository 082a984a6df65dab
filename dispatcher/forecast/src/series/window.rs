//! The recent samples in a row, and the features that the ridges learn from.

use std::array::from_fn;

use super::history::{HISTORY_LEN, History};
use crate::HORIZONS;

/// Number of features of one moment.
pub(crate) const FEATURES: usize = 14;
/// The lags between which changes are taken: single steps first, then longer.
const LAGS: [usize; 10] = [0, 1, 2, 3, 4, 5, 6, 8, 10, 15];
/// The spans whose mean the newest sample is compared with.
const SPANS: [usize; 4] = [5, 15, 30, 60];
/// The lag of a comparison with a single sample: an hour of minutes.
const FAR_LAG: usize = 60;
/// The largest feature, in units.
const FEATURE_MAX: f32 = 30.0;

/// The expected changes of a series from now until each horizon.
pub(crate) type Path = [f32; HORIZONS.len()];

/// Samples relative to the newest one, so that no precision is lost to their level.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// Newest first.
    values: [f32; HISTORY_LEN],
    /// `sums[n]` is the sum of the newest n.
    sums: [f32; HISTORY_LEN + 1],
}

impl Window {
    pub(crate) fn of(history: &History) -> Self {
        let newest = history.value(0);
        Self::new(from_fn(|lag| history.value(lag) - newest))
    }

    /// Returns a window of values that are already relative to the newest.
    pub(crate) fn new(values: [f32; HISTORY_LEN]) -> Self {
        let mut sums = [0.0; HISTORY_LEN + 1];
        for (lag, value) in values.iter().enumerate() {
            sums[lag + 1] = sums[lag] + value;
        }
        Self { values, sums }
    }

    /// Returns the sample `lag` steps ago.
    pub(crate) fn value(&self, lag: usize) -> f32 {
        self.values[lag]
    }

    /// Returns the height of the sample `lag` steps ago above the mean of the `span`
    /// samples up to it.
    pub(crate) fn above_mean(&self, lag: usize, span: usize) -> f32 {
        #[allow(clippy::cast_precision_loss, reason = "a small count")]
        let mean = (self.sums[lag + span] - self.sums[lag]) / span as f32;
        self.values[lag] - mean
    }

    /// Returns the largest of the `count` samples up to `lag` steps ago.
    pub(crate) fn max_from(&self, lag: usize, count: usize) -> f32 {
        let values = &self.values[lag..lag + count];
        values.iter().copied().fold(f32::MIN, f32::max)
    }

    /// Returns the features of `lag` steps ago, in units of change.
    pub(crate) fn features(&self, lag: usize, unit: f32) -> [f32; FEATURES] {
        const CHANGES: usize = LAGS.len() - 1;
        const { assert!(CHANGES + SPANS.len() + 1 == FEATURES) };
        let value = |back: usize| self.values[lag + back];
        let scaled = |change: f32| (change / unit).clamp(-FEATURE_MAX, FEATURE_MAX);
        from_fn(|feature| match feature {
            0..CHANGES => scaled(value(LAGS[feature]) - value(LAGS[feature + 1])),
            CHANGES.. if feature < CHANGES + SPANS.len() => {
                scaled(self.above_mean(lag, SPANS[feature - CHANGES]))
            }
            _ => scaled(value(0) - value(FAR_LAG)),
        })
    }
}
