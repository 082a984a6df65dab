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
/// either side, says changepoint (textbook values are 0.5 and 5 standard
/// deviations; twice that, for real series have heavy tails).
const SLACK: f32 = 1.0;
const LIMIT: f32 = 10.0;
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
