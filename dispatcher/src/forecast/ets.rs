//! Exponential smoothing with a damped trend (Holt 1957; Gardner & McKenzie
//! 1985): ETS(A,Ad,N) in the taxonomy of Hyndman et al., with fixed weights.

use super::HORIZONS;
use super::checkpoint::state;
use super::window::Path;

/// The usual textbook weights; estimated ones did no better over many series.
const LEVEL_WEIGHT: f32 = 0.3;
const TREND_WEIGHT: f32 = 0.05;
const DAMPING: f32 = 0.95;

#[derive(Clone, Debug, Default)]
pub(super) struct Ets {
    /// How far the level is above the newest sample.
    above: f32,
    trend: f32,
}

state!(Ets { above, trend });

impl Ets {
    /// Takes by how much the newest sample is above the one before.
    pub(super) fn observe(&mut self, change: f32) {
        let expected = self.above + DAMPING * self.trend - change;
        let level = (1.0 - LEVEL_WEIGHT) * expected;
        let rise = level + change - self.above;
        self.trend = TREND_WEIGHT * rise + (1.0 - TREND_WEIGHT) * DAMPING * self.trend;
        self.above = level;
    }

    pub(super) fn predict(&self) -> Path {
        HORIZONS.map(|horizon| {
            #[allow(clippy::cast_precision_loss, reason = "a small count")]
            let power = DAMPING.powf(horizon as f32);
            // The sum of the first powers of the damping.
            let steps = DAMPING * (1.0 - power) / (1.0 - DAMPING);
            self.above + steps * self.trend
        })
    }
}
