//! The vote of the experts: their weights, horizon by horizon.
//!
//! The weight of an expert is its recent mean absolute error to the power of
//! -12: close to picking the best, without jumping when two are alike
//! (measured against powers from 4 to 24). Where the naive forecast is exact,
//! it is the forecast.

use crate::checkpoint::state;
use crate::model::{HORIZONS, MEMBERS};
use crate::series::history::decay_weight;
use crate::series::window::Path;

/// The half-life of an error, in steps.
const HALF_LIFE: f32 = 360.0;
const POWER: i32 = 12;
/// Errors scored before an expert other than the naive one has weight.
const SCORED_MIN: f32 = 5.0;

/// The forecasts of every expert, by horizon.
pub(crate) type Opinions = [[f32; MEMBERS]; HORIZONS.len()];

#[derive(Clone, Debug, Default)]
pub(crate) struct Vote {
    /// Recent mean absolute errors.
    errors: [[f32; MEMBERS]; HORIZONS.len()],
    scored: [f32; HORIZONS.len()],
}

state!(Vote { errors, scored });

impl Vote {
    /// Scores the errors of the experts; `stride` steps lie between two scores.
    pub(crate) fn score(&mut self, horizon: usize, stride: f32, misses: &[f32; MEMBERS]) {
        self.scored[horizon] += 1.0;
        let weight = decay_weight(HALF_LIFE / stride).max(1.0 / self.scored[horizon]);
        for (error, miss) in self.errors[horizon].iter_mut().zip(misses) {
            *error += weight * (miss - *error);
        }
    }

    /// Returns the weights of the experts at a horizon; they sum to 1.
    pub(crate) fn weights(&self, horizon: usize) -> [f32; MEMBERS] {
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

    /// Returns the joint forecast of the experts.
    pub(crate) fn combine(&self, opinions: &Opinions) -> Path {
        std::array::from_fn(|horizon| {
            let weights = self.weights(horizon);
            let pairs = weights.iter().zip(&opinions[horizon]);
            pairs.map(|(weight, change)| weight * change).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::series;

    /// Scores each expert's misses, this many times, at the first horizon.
    fn voted(count: usize, misses: impl Fn(f32) -> [f32; MEMBERS]) -> [f32; MEMBERS] {
        let mut vote = Vote::default();
        for noise in series::noise(3, count) {
            vote.score(0, 1.0, &misses(series::round(noise.abs())));
        }
        let weights = vote.weights(0);
        let sum: f32 = weights.iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "{weights:?}");
        weights
    }

    #[test]
    fn before_errors_are_scored_the_naive_forecast_is_believed() {
        let mut vote = Vote::default();
        let mut misses = [1.0; MEMBERS];
        misses[3] = 0.1;
        let mut opinions = Opinions::default();
        opinions[0][3] = 2.0;
        for _ in 0..4 {
            vote.score(0, 1.0, &misses);
            assert_eq!(vote.combine(&opinions), Path::default());
        }
        vote.score(0, 1.0, &misses);
        assert!((vote.combine(&opinions)[0] - 2.0).abs() < 1e-3);
    }

    #[test]
    fn an_expert_that_talks_nonsense_loses_its_vote() {
        let mut misses = [1.0; MEMBERS];
        (misses[0], misses[5]) = (1.1, 3.0);
        let weights = voted(50, |noise| misses.map(|miss| miss * noise));
        assert!(weights[5] < 1e-5, "{weights:?}");
        assert!(weights[0] < weights[1] && weights[1] > 0.1, "{weights:?}");
    }

    #[test]
    fn an_expert_that_begins_to_talk_nonsense_loses_its_vote() {
        let mut vote = Vote::default();
        let mut misses = [1.0; MEMBERS];
        misses[5] = 0.2;
        (0..2000).for_each(|_| vote.score(0, 1.0, &misses));
        assert!(vote.weights(0)[5] > 0.99);
        misses[5] = 5.0;
        (0..360).for_each(|_| vote.score(0, 1.0, &misses));
        assert!(vote.weights(0)[5] < 1e-3, "{:?}", vote.weights(0));
    }

    #[test]
    fn where_the_naive_forecast_is_exact_it_is_the_forecast() {
        let weights = voted(50, |noise| {
            let mut misses = [noise; MEMBERS];
            misses[0] = 0.0;
            misses
        });
        assert_eq!(weights[0], 1.0, "{weights:?}");
        assert_eq!(voted(50, |_| [0.0; MEMBERS])[0], 1.0);
    }

    #[test]
    fn another_expert_that_is_exact_is_believed() {
        let weights = voted(50, |noise| {
            let mut misses = [noise; MEMBERS];
            misses[2] = 0.0;
            misses
        });
        assert_eq!(weights[2], 1.0, "{weights:?}");
    }

    #[test]
    fn weights_sum_to_one_whatever_the_size_of_the_errors() {
        for size in [1e-38, 1e-30, 1e-10, 1.0, 1e10, 1e30] {
            voted(20, |noise| {
                std::array::from_fn(|member| match member {
                    0 => 9.0 * noise * size,
                    2 => 1e-8 * noise * size,
                    _ => noise * size,
                })
            });
        }
    }

    #[test]
    fn horizons_vote_apart() {
        let mut vote = Vote::default();
        let mut misses = [1.0; MEMBERS];
        misses[4] = 0.1;
        (0..20).for_each(|_| vote.score(6, 7.0, &misses));
        assert!(vote.weights(6)[4] > 0.99);
        assert_eq!(vote.weights(5)[0], 1.0);
    }
}
