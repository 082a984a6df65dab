//! The experts of one series: each learns from every sample and renews its forecast.

mod arima;
mod ets;
mod ewma;
pub mod lstm;
mod naive;
mod prophet;
mod ridge;
mod seasonal_naive;
pub(crate) mod stack;
pub(crate) mod vote;

use std::array::from_fn;
use std::sync::Arc;

use crate::checkpoint::state;
use crate::series::history::History;
use crate::series::seasons::SeasonalParts;
use crate::series::window::{Path, Window};
use arima::Arima;
use ets::Ets;
use ewma::Ewma;
use lstm::Lstm;
use prophet::Prophet;
use stack::{Stack, VOICES};
use vote::Opinions;

/// The state of the experts; the naive ones have none.
#[derive(Clone, Debug)]
pub(super) struct Experts {
    ewma: Ewma,
    ets: Ets,
    arima: Arima,
    prophet: Prophet,
    lstm: Lstm,
    stack: Arc<Stack>,
}

// The stack is shared by every series, and has a checkpoint of its own.
state!(Experts {
    ewma,
    ets,
    arima,
    prophet,
    lstm,
});

impl Experts {
    pub(super) fn new() -> Self {
        Self {
            ewma: Ewma::default(),
            ets: Ets::default(),
            arima: Arima::new(),
            prophet: Prophet::new(),
            lstm: Lstm::default(),
            stack: Arc::default(),
        }
    }

    /// Replaces the global model over the others.
    pub(super) fn set_stack(&mut self, stack: Arc<Stack>) {
        self.stack = stack;
    }

    /// Forgets the recent past, but nothing learned.
    pub(super) fn forget(&mut self) {
        self.ewma = Ewma::default();
        self.ets = Ets::default();
        self.lstm = Lstm::default();
    }

    /// Lets every expert learn from the newest sample and forecast. `unit` returns the
    /// unit of the moment this many steps ago, if it is learned from.
    pub(super) fn ask(
        &mut self,
        history: &History,
        window: &Window,
        seasons: &SeasonalParts,
        unit: &impl Fn(usize) -> Option<f32>,
    ) -> Opinions {
        let change = -window.value(1);
        self.ewma.observe(change);
        self.ets.observe(change);
        self.arima.observe(window, unit);
        let weights = lstm::Weights::builtin();
        self.lstm.observe(weights, history);
        let lstm = self.lstm.predict(weights, history);
        let last = history.value(0);
        let voices: [Path; VOICES] = [
            seasonal_naive::predict(seasons),
            self.ewma.predict(),
            self.ets.predict(),
            self.arima.predict(window, history.unit()),
            self.prophet.step(window, seasons, unit, history.unit()),
            lstm.map(|outlook| outlook.p50 - last),
        ];
        let stack = self.stack.predict(&voices);
        let naive = naive::predict();
        from_fn(|horizon| {
            from_fn(|member| {
                let change = match member {
                    0 => naive[horizon],
                    member if member <= VOICES => voices[member - 1][horizon],
                    _ => stack[horizon],
                };
                if change.is_finite() { change } else { 0.0 }
            })
        })
    }
}
