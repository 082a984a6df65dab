//! Trend with changepoints, plus daily and weekly seasons, plus an autoregression on the
//! rest (after Taylor & Letham, *Forecasting at Scale*, 2018, made incremental).
//!
//! The trend is the autoregression's own: it works on the deseasonalised series, in
//! differences. A changepoint is found by a two-sided CUSUM (Page 1954) on its one-step
//! errors, and makes it forget most of what it has learned.

use crate::checkpoint::state;
use std::array::from_fn;

use super::arima::Arima;
use crate::series::seasons::SeasonalParts;
use crate::series::window::{Path, Window};

/// Errors that count as noise, and the limit of the sum of what is above, to either side,
/// that shows a changepoint; in units. The usual values are 0.5 and 5 standard
/// deviations; real series have such heavy tails that this costs a tenth of the accuracy,
/// while these values cost nothing (measured).
const SLACK: f32 = 3.0;
const LIMIT: f32 = 60.0;
/// The share of the past's weight that remains behind a changepoint.
const LEFT: f32 = 0.1;

#[derive(Clone, Debug)]
pub(crate) struct Prophet {
    arima: Arima,
    /// The forecast for the next sample of the deseasonalised series.
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
    pub(crate) fn new() -> Self {
        Self {
            arima: Arima::new(),
            next: 0.0,
            above: 0.0,
            below: 0.0,
        }
    }

    /// Learns from the newest sample, the one with this number, and forecasts.
    pub(crate) fn step(
        &mut self,
        raw: &Window,
        seasons: &SeasonalParts,
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
fn rest(raw: &Window, seasons: &SeasonalParts) -> Window {
    let change = |lag| seasons.past[lag] - seasons.past[0];
    Window::new(from_fn(|lag| raw.value(lag) - change(lag)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::history::{HISTORY_LEN, History};
    use crate::tests::series::{self, DAY};
    use crate::{HORIZONS, Model};

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

    /// The dynamics change, not the level: a series that went back to its level by half
    /// becomes a random walk.
    #[test]
    fn what_forgets_learns_a_new_way_to_move_sooner() {
        let (mut with, mut without) = (0.0, 0.0);
        for seed in 0..5 {
            let mut samples = series::reverting(seed, 1000, 0.5);
            let walk = series::random_walk(seed + 100, 300);
            let shift = samples[999] - walk[0];
            samples.extend(walk.iter().map(|value| value + shift));
            with += error_after(&samples, 1000, |prophet| {
                (0..3).for_each(|_| prophet.watch(LIMIT));
            });
            without += error_after(&samples, 1000, |_| ());
        }
        assert!(with < 0.97 * without, "{with} against {without}");
    }

    /// Returns the summed errors of one step, from ten after the change on.
    fn error_after(samples: &[f64], change: usize, notice: impl Fn(&mut Prophet)) -> f32 {
        let seasons = SeasonalParts {
            past: [0.0; HISTORY_LEN],
            ahead: Path::default(),
        };
        let (mut history, mut prophet) = (History::default(), Prophet::new());
        let (mut sum, mut next) = (0.0, 0.0);
        for (at, sample) in samples.iter().enumerate() {
            history.push(series::round(*sample));
            let window = Window::of(&history);
            if at >= change + 10 {
                sum += (-window.value(1) - next).abs();
            }
            if at == change {
                notice(&mut prophet);
            }
            let unit = |lag| (lag <= at).then_some(1.0);
            next = prophet.step(&window, &seasons, unit, 1.0)[0];
        }
        sum
    }

    /// A shift of a thousand deviations; one of forty is not noticed. Forgetting
    /// pays for the next steps only: at 15 steps it costs half as much again.
    #[test]
    fn after_a_huge_shift_of_the_level_the_next_step_is_learned_sooner() {
        let (mut with, mut without) = (0.0, 0.0);
        for seed in 0..5 {
            let mut samples = series::noise(seed, 1200);
            samples[1000..]
                .iter_mut()
                .for_each(|value| *value += 1000.0);
            let [prophet, arima] =
                [Model::Prophet, Model::Arima].map(|model| series::errors(model, &samples, 1010));
            with += prophet[0];
            without += arima[0];
        }
        assert!(with < 0.9 * without, "{with} against {without}");
    }

    #[test]
    fn a_changepoint_is_a_run_of_errors_to_one_side() {
        // The sums after these errors; zero after a changepoint.
        let sums = |errors: &[f32]| {
            let mut prophet = Prophet::new();
            errors.iter().for_each(|error| prophet.watch(*error));
            (prophet.above, prophet.below)
        };
        let large = SLACK + 0.4 * LIMIT;
        // Each adds what is above the slack.
        assert_eq!(sums(&[large; 2]), (0.8 * LIMIT, 0.0));
        assert_eq!(sums(&[-large; 2]), (0.0, 0.8 * LIMIT));
        assert_eq!(sums(&[large; 3]), (0.0, 0.0));
        assert_eq!(sums(&[-large; 3]), (0.0, 0.0));
        // Noise adds nothing, and to and fro is no changepoint.
        assert_eq!(sums(&[0.9 * SLACK; 500]), (0.0, 0.0));
        let to_and_fro = [large, -large].repeat(50);
        assert_ne!(sums(&to_and_fro), (0.0, 0.0));
        // No single error is enough, and one that is no number is none.
        assert_eq!(sums(&[1e30]), (LIMIT - SLACK, 0.0));
        assert_eq!(sums(&[large, f32::NAN]), (0.0, 0.0));
    }
}
