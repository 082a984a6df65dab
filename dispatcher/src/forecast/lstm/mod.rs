//! One LSTM for all series: it says how far each will go back, or on.
//!
//! A global model after Salinas et al. 2020 (DeepAR) and Smyl 2020 (ES-RNN):
//! one set of weights, learned from many series and shipped with the program;
//! only the state is a series' own. The cell does not forecast values. It reads
//! the situation and says how far the series will move from the last sample
//! towards each of a few anchors. Without an opinion it repeats the last value.

mod cell;
mod features;
pub mod training;
mod weights;

use self::cell::{State, advance, change};
use self::features::Features;
pub use self::weights::{InvalidWeights, Weights};
use super::history::History;

/// Horizons of the forecasts, in steps.
pub const HORIZONS: [usize; HORIZON_COUNT] = [1, 2, 3, 5, 8, 15, 25, 40, 60];
const HORIZON_COUNT: usize = 9;
/// Units of the cell: what a forecast in two microseconds has room for.
const HIDDEN: usize = 32;

/// What is expected at one horizon, as values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outlook {
    pub p50: f32,
    pub p90: f32,
}

/// The network's memory of one series.
#[derive(Clone, Debug, Default)]
pub struct Lstm {
    features: Features,
    state: State,
}

impl Lstm {
    /// Takes the sample that was just pushed to the history.
    pub fn observe(&mut self, weights: &Weights, history: &History) {
        let inputs = self.features.observe(history);
        advance(weights, &inputs, &mut self.state);
    }

    /// Returns what is expected at each of [`HORIZONS`].
    pub fn predict(&self, weights: &Weights, history: &History) -> [Outlook; HORIZON_COUNT] {
        let (last, unit) = (history.value(0), history.unit());
        let anchors = self.features.anchors(history);
        let change = change(weights, &self.state.hidden, &anchors);
        std::array::from_fn(|horizon| {
            let p50 = finite_or(last + unit * change.p50[horizon], last);
            let p90 = finite_or(last + unit * change.p90[horizon], last);
            Outlook {
                p50,
                p90: p90.max(p50),
            }
        })
    }
}

fn finite_or(value: f32, otherwise: f32) -> f32 {
    if value.is_finite() { value } else { otherwise }
}
