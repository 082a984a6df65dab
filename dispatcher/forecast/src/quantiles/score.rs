//! Scores: the accuracy of past forecasts.

use super::pending::STRIDES;
use crate::HORIZONS;
use crate::checkpoint::state;
use crate::series::history::decay_weight;

/// The half-life of a score, in steps.
const HALF_LIFE: f32 = 1440.0;

/// The recent accuracy at one horizon: averages whose weights halve in 1,440 steps.
///
/// All are zero before a forecast was scored.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accuracy {
    /// Mean absolute error of the median, in the unit of the samples.
    pub error: f64,
    /// The same of the naive forecast, that nothing changes.
    pub naive_error: f64,
    /// The share of actual values that were at most the 90 % quantile, from 0 to 1.
    pub coverage: f64,
    /// Number of forecasts scored. Of the three longest horizons only every seventh or
    /// eleventh step is.
    pub scored: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Score {
    error: f32,
    naive_error: f32,
    coverage: f32,
    scored: u32,
}

state!(Score {
    error,
    naive_error,
    coverage,
    scored
});

#[derive(Clone, Debug, Default)]
pub(crate) struct Scores {
    scores: [Score; HORIZONS.len()],
    /// The recent error of one step, over a few steps only.
    miss: f32,
}

state!(Scores { scores, miss });

impl Scores {
    /// Scores a forecast by its outcome, as changes.
    pub(crate) fn score(&mut self, index: usize, actual: f32, p50: f32, p90: f32) {
        let error = (actual - p50).abs();
        if index == 0 {
            self.miss += decay_weight(10.0) * (error - self.miss);
        }
        let score = &mut self.scores[index];
        score.scored = score.scored.saturating_add(1);
        #[allow(clippy::cast_precision_loss, reason = "a weight only")]
        let share = 1.0 / score.scored as f32;
        let weight = decay_weight(HALF_LIFE / f32::from(STRIDES[index])).max(share);
        let covered = if actual <= p90 { 1.0 } else { 0.0 };
        score.error += weight * (error - score.error);
        score.naive_error += weight * (actual.abs() - score.naive_error);
        score.coverage += weight * (covered - score.coverage);
    }

    pub(crate) fn miss(&self) -> f32 {
        self.miss
    }

    pub(crate) fn accuracy(&self, index: usize) -> Accuracy {
        let score = self.scores[index];
        Accuracy {
            error: f64::from(score.error),
            naive_error: f64::from(score.naive_error),
            coverage: f64::from(score.coverage),
            scored: u64::from(score.scored),
        }
    }
}
