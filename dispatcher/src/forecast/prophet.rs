//! Trend with changepoints, plus daily and weekly seasons, plus what an
//! autoregression finds in the rest (after Taylor & Letham, *Forecasting at
//! Scale*, 2018, made incremental).
//!
//! The trend is the autoregression's own: it works on the deseasonalised
//! series, in differences. A changepoint is found by a two-sided CUSUM (Page
//! 1954) on its one-step errors, and makes it forget most of what it knew.

use super::checkpoint::state;
use std::array::from_fn;

use super::arima::Arima;
use super::profile::Seasons;
use super::window::{Path, Window};

/// Errors up to this many units are noise; the sum of what is above it, to
/// either side, says changepoint. Textbooks say 0.5 and 5 standard deviations;
/// real series have such heavy tails that this costs a tenth of the accuracy,
/// while these values cost nothing (measured).
const SLACK: f32 = 3.0;
const LIMIT: f32 = 60.0;
/// What is left of the past's weight behind a changepoint.
const LEFT: f32 = 0.1;

#[derive(Clone, Debug)]
pub(super) struct Prophet {
    arima: Arima,
    /// What was forecast for the next sample of the deseasonalised series.
    next: f32,
    above: f32,
    below: f32,
}

state!(Prophet {
    arima,
    next,
    above,
    below
});

impl Prophet {
    pub(super) fn new() -> Self {
        Self {
            arima: Arima::new(),
            next: 0.0,
            above: 0.0,
            below: 0.0,
        }
    }

    /// Learns from the newest sample, the one with this number, and forecasts.
    pub(super) fn step(
        &mut self,
        raw: &Window,
        seasons: &Seasons,
        unit: impl Fn(usize) -> Option<f32>,
        unit_now: f32,
    ) -> Path {
        let rest = rest(raw, seasons);
        if let Some(unit) = unit(1) {
            self.watch((-rest.value(1) - self.next) / unit);
        }
        self.arima.observe(&rest, unit);
        let mut path = self.arima.predict(&rest, unit_now);
        self.next = path[0];
        for (change, season) in path.iter_mut().zip(seasons.ahead) {
            *change += season - seasons.past[0];
        }
        path
    }

    /// Looks for a changepoint, given the last error in units.
    fn watch(&mut self, error: f32) {
        let error = error.clamp(-LIMIT, LIMIT);
        self.above = (self.above + error - SLACK).max(0.0);
        self.below = (self.below - error - SLACK).max(0.0);
        if self.above.max(self.below) > LIMIT {
            (self.above, self.below) = (0.0, 0.0);
            self.arima.forget(LEFT);
        }
    }
}

/// Returns the window without its seasons.
fn rest(raw: &Window, seasons: &Seasons) -> Window {
    let change = |lag| seasons.past[lag] - seasons.past[0];
    Window::new(from_fn(|lag| raw.value(lag) - change(lag)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::series::{self, DAY};
    use super::super::{HORIZONS, Model};
    use super::*;

    const FAR: usize = HORIZONS.len() - 1;

    #[test]
    fn a_noiseless_season_is_forecast() {
        let samples = series::season(4 * DAY);
        let [prophet, naive] =
            [Model::Prophet, Model::Naive].map(|model| series::errors(model, &samples, 3 * DAY));
        for (prophet, naive) in prophet.into_iter().zip(naive) {
            assert!(prophet < 0.06 * naive, "{prophet} against {naive}");
        }
    }

    #[test]
    fn knowing_the_season_is_worth_more_than_regressing_alone() {
        let samples = series::sum(&series::season(4 * DAY), &series::noise(1, 4 * DAY));
        let [prophet, arima, naive] = [Model::Prophet, Model::Arima, Model::Naive]
            .map(|model| series::errors(model, &samples, 3 * DAY));
        assert!(prophet[FAR] < 0.75 * arima[FAR], "{prophet:?}, {arima:?}");
        assert!(prophet[FAR] < 0.35 * naive[FAR], "{prophet:?}, {naive:?}");
    }

    /// While no season is known, the autoregression alone is the same without
    /// changepoints.
    #[test]
    fn without_a_season_or_a_changepoint_it_is_the_autoregression() {
        let samples = series::reverting(2, 1200, 0.1);
        let [prophet, arima] =
            [Model::Prophet, Model::Arima].map(|model| series::errors(model, &samples, 0));
        assert_eq!(prophet, arima);
    }

    #[test]
    fn forgetting_helps_when_a_series_begins_to_move_in_another_way() {
        let (mut with, mut without) = ([0.0; 3], [0.0; 3]);
        for seed in 0..5 {
            // What went back to its level by half becomes a random walk.
            let mut samples = series::reverting(seed, 1000, 0.5);
            let walk = series::random_walk(seed + 100, 300);
            let shift = samples[999] - walk[0];
            samples.extend(walk.iter().map(|value| value + shift));
            let errors = |model| series::errors(model, &samples, 1010);
            let pair = [errors(Model::Prophet), errors(Model::Arima)];
            for index in 0..3 {
                with[index] += pair[0][index];
                without[index] += pair[1][index];
            }
        }
        for (with, without) in with.into_iter().zip(without) {
            assert!(with < 0.97 * without, "{with} against {without}");
        }
    }

    /// It is no gain: what the regression knew of the noise holds after the
    /// shift too. This bounds the loss, which is larger at long horizons.
    #[test]
    fn forgetting_after_a_shift_of_the_level_costs_little_at_short_horizons() {
        let (mut with, mut without) = ([0.0; 3], [0.0; 3]);
        for seed in 0..5 {
            let mut samples = series::reverting(seed, 1200, 0.05);
            samples[1000..].iter_mut().for_each(|value| *value += 40.0);
            let errors = |model| series::errors(model, &samples, 1010);
            let pair = [errors(Model::Prophet), errors(Model::Arima)];
            for index in 0..3 {
                with[index] += pair[0][index];
                without[index] += pair[1][index];
            }
        }
        assert_ne!(with, without, "the shift was not found");
        for (with, without) in with.into_iter().zip(without) {
            assert!(with < 1.05 * without, "{with} against {without}");
        }
    }

    #[test]
    fn a_changepoint_is_a_run_of_errors_to_one_side() {
        // What is left of a weight of one, after these errors.
        let left = |errors: &[f32]| {
            let mut prophet = Prophet::new();
            errors.iter().for_each(|error| prophet.watch(*error));
            prophet.above.max(prophet.below)
        };
        // Each adds what is above the slack of one.
        assert_eq!(left(&[3.0, 3.0, 3.0]), 6.0);
        assert_eq!(left(&[-3.0, -3.0, -3.0]), 6.0);
        assert_eq!(left(&[3.0, -3.0, 3.0]), 2.0);
        assert_eq!(left(&[0.9; 500]), 0.0);
        // Beyond ten it begins anew; no single error is enough.
        assert_eq!(left(&[3.0; 6]), 0.0);
        assert_eq!(left(&[1e30]), 9.0);
        assert_eq!(left(&[f32::NAN, 3.0]), 2.0);
    }
}
