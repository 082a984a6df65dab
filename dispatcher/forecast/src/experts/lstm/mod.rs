//! One LSTM for all series: it forecasts how far each will move back, or on.
//!
//! A global model after Salinas et al. 2020 (DeepAR) and Smyl 2020 (ES-RNN): one set of
//! weights, learned from many series and shipped with the program; only the state is a
//! series' own. The cell does not forecast values. It reads the situation and returns how
//! far the series will move from the last sample towards each of a few anchors. Without
//! evidence it repeats the last value.

mod cell;
mod features;
pub mod training;
mod weights;

use self::cell::{State, advance, change};
use self::features::Features;
pub use self::weights::{InvalidWeights, Weights};
use crate::HORIZONS;
use crate::checkpoint::state;
use crate::series::history::History;

const HORIZON_COUNT: usize = HORIZONS.len();
/// The longest horizon.
const LONGEST: usize = HORIZONS[HORIZON_COUNT - 1] as usize;
/// Units of the cell: as many as a forecast in two microseconds allows.
const HIDDEN: usize = 32;

/// The forecast at one horizon, as values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Outlook {
    pub(crate) p50: f32,
    pub(crate) p90: f32,
}

/// The network's memory of one series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lstm {
    features: Features,
    state: State,
}

state!(Lstm { features, state });

impl Lstm {
    /// Learns from the sample that was just pushed to the history.
    pub(crate) fn observe(&mut self, weights: &Weights, history: &History) {
        let inputs = self.features.observe(history);
        advance(weights, &inputs, &mut self.state);
    }

    /// Returns the forecast at each of [`HORIZONS`].
    pub(crate) fn predict(&self, weights: &Weights, history: &History) -> [Outlook; HORIZON_COUNT] {
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

/// Returns the horizons as distances between samples.
fn horizons() -> [usize; HORIZON_COUNT] {
    HORIZONS.map(|horizon| horizon as usize)
}

fn finite_or(value: f32, otherwise: f32) -> f32 {
    if value.is_finite() { value } else { otherwise }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn forecasts_are_finite_and_ordered_whatever_comes(
            samples in prop::collection::vec(odd_sample(), 1..300),
        ) {
            let weights = Weights::builtin();
            let (mut history, mut lstm) = (History::default(), Lstm::default());
            for sample in samples {
                history.push(sample);
                lstm.observe(weights, &history);
                for outlook in lstm.predict(weights, &history) {
                    prop_assert!(outlook.p50.is_finite() && outlook.p90.is_finite());
                    prop_assert!(outlook.p50 <= outlook.p90);
                }
                let State { cell, hidden } = &lstm.state;
                prop_assert!(cell.iter().chain(hidden).all(|value| value.is_finite()));
            }
        }
    }

    #[test]
    fn without_an_opinion_the_last_value_is_repeated() {
        let (mut history, mut lstm) = (History::default(), Lstm::default());
        for sample in [1.0, 5.0, 3.0] {
            history.push(sample);
            lstm.observe(&Weights::zero(), &history);
        }
        let expected = Outlook { p50: 3.0, p90: 3.0 };
        let found = lstm.predict(&Weights::zero(), &history);
        assert_eq!(found, [expected; HORIZON_COUNT]);
    }

    #[test]
    fn forecasts_do_not_depend_on_the_unit_of_the_series() {
        let weights = Weights::builtin();
        let [cores, bytes] = [1.0, 1_048_576.0].map(|unit| {
            let (mut history, mut lstm) = (History::default(), Lstm::default());
            for step in 0u8..200 {
                history.push(unit * f32::from(step % 7 * (step % 3)));
                lstm.observe(weights, &history);
            }
            lstm.predict(weights, &history)
                .map(|outlook| outlook.p50 / unit)
        });
        for (cores, bytes) in cores.into_iter().zip(bytes) {
            assert!((cores - bytes).abs() < 1e-3, "{cores} and {bytes}");
        }
    }

    fn odd_sample() -> impl Strategy<Value = f32> {
        prop_oneof![
            3 => Just(0.0f32),
            3 => Just(7.5f32),
            3 => 0.0f32..10.0,
            1 => Just(1e12f32),
            1 => Just(-1e12f32),
            1 => Just(1e-30f32),
            1 => Just(f32::MAX),
            1 => Just(f32::MIN),
        ]
    }
}
