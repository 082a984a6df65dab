//! How far each expert is believed, horizon by horizon.
//!
//! The weight of an expert is its recent mean absolute error to the power of
//! -12: close to picking the best, without jumping when two are alike
//! (measured against powers from 4 to 24). Where the naive forecast is exact,
//! it is the forecast.

use super::checkpoint::state;
use super::history::decay_weight;
use super::window::Path;
use super::{HORIZONS, MEMBERS};

/// The half-life of an error, in steps.
const HALF_LIFE: f32 = 360.0;
const POWER: i32 = 12;
/// Errors scored before an expert other than the naive one is believed.
const SCORED_MIN: f32 = 5.0;

/// What every expert expects, by horizon.
pub(super) type Opinions = [[f32; MEMBERS]; HORIZONS.len()];

#[derive(Clone, Debug, Default)]
pub(super) struct Vote {
    /// Recent mean absolute errors.
    errors: [[f32; MEMBERS]; HORIZONS.len()],
    scored: [f32; HORIZONS.len()],
}

state!(Vote { errors, scored });

impl Vote {
    /// Takes how far off each expert was; `stride` steps lie between two scores.
    pub(super) fn score(&mut self, horizon: usize, stride: f32, misses: &[f32; MEMBERS]) {
        self.scored[horizon] += 1.0;
        let weight = decay_weight(HALF_LIFE / stride).max(1.0 / self.scored[horizon]);
        for (error, miss) in self.errors[horizon].iter_mut().zip(misses) {
            *error += weight * (miss - *error);
        }
    }

    /// Returns the weights of the experts at a horizon; they sum to 1.
    pub(super) fn weights(&self, horizon: usize) -> [f32; MEMBERS] {
        let errors = &self.errors[horizon];
        let best = errors.iter().copied().fold(f32::INFINITY, f32::min);
        let mut weights = [0.0; MEMBERS];
        if self.scored[horizon] < SCORED_MIN || errors[0] <= best {
            weights[0] = 1.0;
            return weights;
        }
        let tiny = f32::MIN_POSITIVE;
        for (weight, error) in weights.iter_mut().zip(errors) {
            *weight = (best.max(tiny) / error.max(tiny)).powi(POWER);
        }
        let sum: f32 = weights.iter().sum();
        weights.map(|weight| weight / sum)
    }

    /// Returns what the experts together expect.
    pub(super) fn combine(&self, opinions: &Opinions) -> Path {
        std::array::from_fn(|horizon| {
            let weights = self.weights(horizon);
            let pairs = weights.iter().zip(&opinions[horizon]);
            pairs.map(|(weight, change)| weight * change).sum()
        })
    }
}
