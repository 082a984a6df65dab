//! An autoregression on differences, fitted for each horizon directly.
//!
//! ARIMA(p,1,0) with long and averaged lags, as a ridge on changes: the target is the
//! change until the horizon, so all coefficients zero is the naive forecast, towards
//! which the penalty pulls. Direct multi-step estimation (Marcellino, Stock &
//! Watson 2006) costs one cross-product per horizon and no iteration of one-step errors. All
//! horizons share one Gram matrix, whose rows differ only by the samples of the last
//! hour.

use super::ridge::Ridge;
use crate::HORIZONS;
use crate::checkpoint::state;
use crate::series::window::{FEATURES, Path, Window};

/// The memory, in steps (measured: between 360 and 4320, 1440 is best alone).
const HALF_LIFE: f32 = 1440.0;
const PENALTY: f32 = 5e-3;
/// Changes beyond this many units, times the root of the horizon, are cut.
const TARGET_MAX: f32 = 6.0;

const TRIANGLE: usize = FEATURES * (FEATURES + 1) / 2;

#[derive(Clone, Debug)]
pub(crate) struct Arima {
    ridge: Ridge<f32, FEATURES, TRIANGLE, { HORIZONS.len() }>,
}

state!(Arima { ridge });

impl Arima {
    pub(crate) fn new() -> Self {
        Self {
            ridge: Ridge::new(HALF_LIFE, PENALTY),
        }
    }

    /// Learns from the newest sample of the window, which is the outcome of the moments
    /// one horizon ago. `unit` returns the unit of change at a lag; nothing is learned
    /// from a moment that has none.
    pub(crate) fn observe(&mut self, window: &Window, unit: impl Fn(usize) -> Option<f32>) {
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

    /// Reduces the weight of everything learned to this share.
    pub(crate) fn forget(&mut self, share: f32) {
        self.ridge.forget(share);
    }

    pub(crate) fn predict(&self, window: &Window, unit: f32) -> Path {
        let row = window.features(0, unit);
        let changes = self.ridge.predict(&self.ridge.factor(), &row);
        std::array::from_fn(|index| {
            #[allow(clippy::cast_precision_loss, reason = "a small count")]
            let bound = TARGET_MAX * (HORIZONS[index] as f32).sqrt();
            changes[index].clamp(-bound, bound) * unit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;
    use crate::series::history::{HISTORY_LEN, History};
    use crate::tests::series;

    /// Learns from a series, with one for its unit.
    fn learned(samples: &[f64]) -> Arima {
        let (mut history, mut arima) = (History::default(), Arima::new());
        for sample in samples {
            history.push(series::round(*sample));
            let known = usize::try_from(history.count()).unwrap();
            arima.observe(&Window::of(&history), |lag| (lag < known).then_some(1.0));
        }
        arima
    }

    /// Returns the expected path after a single change of one, this many steps ago.
    fn response(arima: &Arima, ago: usize) -> Path {
        let mut values = [0.0; HISTORY_LEN];
        values[ago + 1..].fill(-1.0);
        arima.predict(&Window::new(values), 1.0)
    }

    #[test]
    fn the_coefficients_of_an_autoregression_of_changes_are_recovered() {
        let (first, second) = (0.5, -0.3);
        let samples = series::autoregressive_changes(11, 8000, (first, second));
        let arima = learned(&samples);
        // The changes that follow on a change, by the definition.
        let mut expected = [0.0; HORIZONS.len()];
        let (mut change, mut before, mut total) = (1.0, 0.0, 0.0);
        for step in 1..=60 {
            (change, before) = (first * change + second * before, change);
            total += change;
            if let Some(index) = HORIZONS.iter().position(|horizon| *horizon == step) {
                expected[index] = total;
            }
        }
        let found = response(&arima, 0);
        for index in 0..4 {
            let error = f64::from(found[index]) - expected[index];
            assert!(error.abs() < 0.1, "{found:?}, not {expected:?}");
        }
        let found = f64::from(response(&arima, 1)[0]);
        assert!((found - second).abs() < 0.1, "{found}, not {second}");
        let found = f64::from(response(&arima, 2)[0]);
        assert!(found.abs() < 0.1, "{found}, not 0");
    }

    #[test]
    fn a_ramp_is_followed() {
        let samples = series::ramp(1200, 0.5);
        let errors = series::errors(Model::Arima, &samples, 600);
        for (error, horizon) in errors.into_iter().zip(HORIZONS) {
            // At the longest horizon the change is cut, at 46 units.
            let share = error / (0.5 * f64::from(horizon));
            let bound = if horizon < 60 { 0.05 } else { 0.15 };
            assert!(share < bound, "{share} at {horizon}");
        }
    }

    #[test]
    fn of_a_random_walk_it_expects_next_to_nothing() {
        let arima = learned(&series::random_walk(12, 5000));
        for ago in 0..3 {
            let change = response(&arima, ago)[0];
            assert!(change.abs() < 0.1, "{change} after {ago}");
        }
    }

    #[test]
    fn a_moment_without_a_unit_is_not_learned_from() {
        let (mut history, mut arima) = (History::default(), Arima::new());
        for sample in series::ramp(300, 1.0) {
            history.push(series::round(sample));
            arima.observe(&Window::of(&history), |_| None);
        }
        assert_eq!(arima.predict(&Window::of(&history), 1.0), Path::default());
    }
}
