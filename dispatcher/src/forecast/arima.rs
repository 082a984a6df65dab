//! An autoregression on differences, fitted for each horizon directly.
//!
//! ARIMA(p,1,0) with long and averaged lags, as a ridge on changes: the target
//! is the change until the horizon, so all coefficients zero is the naive
//! forecast, which is what the penalty pulls towards. Direct multi-step
//! estimation (Marcellino, Stock & Watson 2006) costs one cross-product per
//! horizon and no iteration of one-step errors. All horizons share one Gram
//! matrix, whose rows differ only by what came in the last hour.

use super::HORIZONS;
use super::checkpoint::state;
use super::ridge::Ridge;
use super::window::{FEATURES, Path, Window};

/// The memory, in steps (measured: between 360 and 4320, 1440 is best alone).
const HALF_LIFE: f32 = 1440.0;
const PENALTY: f32 = 5e-3;
/// Changes beyond this many units, times the root of the horizon, are cut.
const TARGET_MAX: f32 = 6.0;

const TRIANGLE: usize = FEATURES * (FEATURES + 1) / 2;

#[derive(Clone, Debug)]
pub(super) struct Arima {
    ridge: Ridge<f32, FEATURES, TRIANGLE, { HORIZONS.len() }>,
}

state!(Arima { ridge });

impl Arima {
    pub(super) fn new() -> Self {
        Self {
            ridge: Ridge::new(HALF_LIFE, PENALTY),
        }
    }

    /// Learns from the newest sample of the window: what became of the moments
    /// one horizon ago. `unit` tells the unit of change at a lag; a moment that
    /// has none is not learned from.
    pub(super) fn observe(&mut self, window: &Window, unit: impl Fn(usize) -> Option<f32>) {
        self.ridge.age();
        for (index, horizon) in HORIZONS.into_iter().enumerate() {
            let lag = horizon as usize;
            let Some(unit) = unit(lag) else {
                continue;
            };
            let row = window.features(lag, unit);
            if lag == 1 {
                self.ridge.add_row(&row);
            }
            #[allow(clippy::cast_precision_loss, reason = "a small count")]
            let bound = TARGET_MAX * (horizon as f32).sqrt();
            let change = (window.value(0) - window.value(lag)) / unit;
            let target = change.clamp(-bound, bound);
            self.ridge.add_target(index, &row, target);
        }
    }

    /// Makes all that was learned weigh `share` of what it did.
    pub(super) fn forget(&mut self, share: f32) {
        self.ridge.forget(share);
    }

    pub(super) fn predict(&self, window: &Window, unit: f32) -> Path {
        let row = window.features(0, unit);
        let changes = self.ridge.predict(&self.ridge.factor(), &row);
        std::array::from_fn(|index| {
            #[allow(clippy::cast_precision_loss, reason = "a small count")]
            let bound = TARGET_MAX * (HORIZONS[index] as f32).sqrt();
            changes[index].clamp(-bound, bound) * unit
        })
    }
}
