//! Online quantile regression with a conformal correction.
//!
//! A quantile is linear in a dozen features of its origin (recent volatilities, the last
//! moves, the forecast of the experts), learned one outcome at a time by the gradient of
//! the pinball loss (Koenker & Bassett 1978) with AdaGrad's steps (Duchi, Hazan & Singer
//! 2011). Its coverage is corrected as in adaptive conformal inference (Gibbs & Candes
//! 2021): each miss raises the quantile by a share of the usual error, each hit lowers
//! it, so that in the long run the share of misses is right, whatever the series does.

use crate::checkpoint::state;
use crate::series::history::decay_weight;

/// Number of cues that a quantile may depend on.
pub(crate) const CUES: usize = 12;
pub(crate) type Cues = [f32; CUES];

/// The scale of a gradient step (measured: flat from 0.05 to 0.15).
const RATE: f32 = 0.1;
/// The half-life of a cue's squares, in steps: two weeks of minutes, so that
/// steps never become too small to follow a change.
const HALF_LIFE: f32 = 20_000.0;
/// The share of the usual error by which a miss moves the correction.
const CORRECTION_RATE: f32 = 0.005;
/// The largest outcome, in units; larger ones are cut.
const OUTCOME_MAX: f32 = 100.0;

/// The usual size of each cue, the same for all quantiles of a series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scale {
    squares: Cues,
}

state!(Scale { squares });

impl Scale {
    pub(crate) fn observe(&mut self, cues: &Cues) {
        for (square, cue) in self.squares.iter_mut().zip(cues) {
            *square += cue * cue - decay_weight(HALF_LIFE) * *square;
        }
    }

    /// Returns the scale with another square for one cue.
    pub(crate) fn with(&self, cue: usize, square: f32) -> Self {
        let mut scale = self.clone();
        scale.squares[cue] = square;
        scale
    }
}

/// A quantile's coefficients.
#[derive(Clone, Debug)]
pub(crate) struct QuantileRegression {
    weights: Cues,
}

state!(QuantileRegression { weights });

impl QuantileRegression {
    pub(crate) fn new(weights: Cues) -> Self {
        Self { weights }
    }

    pub(crate) fn predict(&self, cues: &Cues) -> f32 {
        let terms = self.weights.iter().zip(cues);
        terms.map(|(weight, cue)| weight * cue).sum()
    }

    /// Learns from an outcome; all in units. `pace` compensates for outcomes that are not
    /// used.
    pub(crate) fn learn(&mut self, tau: f32, scale: &Scale, cues: &Cues, outcome: f32, pace: f32) {
        let outcome = outcome.clamp(-OUTCOME_MAX, OUTCOME_MAX);
        let slope = match outcome > self.predict(cues) {
            true => tau,
            false => tau - 1.0,
        };
        let rate = RATE * pace * slope / (tau * (1.0 - tau)).sqrt();
        for ((weight, cue), square) in self.weights.iter_mut().zip(cues).zip(&scale.squares) {
            // No cue is larger than the largest one so far, whatever was rounded.
            *weight += rate * cue / (square.max(cue * cue) + 1e-6).sqrt();
        }
    }
}

/// The correction of the coverage, in usual errors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Correction {
    shift: f32,
}

state!(Correction { shift });

impl Correction {
    pub(crate) fn shift(self) -> f32 {
        self.shift
    }

    /// Learns whether the outcome was above the issued quantile.
    pub(crate) fn learn(&mut self, tau: f32, is_above: bool, pace: f32) {
        let step = match is_above {
            true => tau,
            false => tau - 1.0,
        };
        self.shift = (self.shift + CORRECTION_RATE * pace * step).clamp(-10.0, 10.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::series;

    /// The 90 % quantile of the standard normal distribution.
    const NORMAL_P90: f32 = 1.2816;

    fn cues(spread: f32) -> Cues {
        let mut cues = [0.0; CUES];
        (cues[0], cues[1]) = (1.0, spread);
        cues
    }

    /// Learns outcomes that are normal, times a spread that is the second cue.
    fn learned(tau: f32, spread: impl Fn(usize) -> f32) -> QuantileRegression {
        let mut scale = Scale::default();
        let mut quantile = QuantileRegression::new([0.0; CUES]);
        for (step, noise) in series::noise(4, 20_000).into_iter().enumerate() {
            let cues = cues(spread(step));
            scale.observe(&cues);
            let outcome = spread(step) * series::round(noise);
            quantile.learn(tau, &scale, &cues, outcome, 1.0);
        }
        quantile
    }

    #[test]
    fn it_finds_the_quantiles_of_noise() {
        for (tau, expected) in [(0.5, 0.0), (0.9, NORMAL_P90)] {
            let found = learned(tau, |_| 1.0).predict(&cues(1.0));
            assert!((found - expected).abs() < 0.1, "{found}, not {expected}");
        }
    }

    #[test]
    fn it_follows_the_cue_that_shows_the_spread() {
        let quantile = learned(0.9, |step| if step / 7 % 2 == 0 { 0.5 } else { 3.0 });
        for spread in [0.5, 3.0] {
            let found = quantile.predict(&cues(spread)) / spread;
            assert!((found - NORMAL_P90).abs() < 0.2, "{found} at {spread}");
        }
    }

    #[test]
    fn with_the_correction_as_many_are_above_as_should_be_though_the_series_drifts() {
        let (mut plain, mut corrected) = (0u16, 0u16);
        let mut correction = Correction::default();
        let outcomes = series::noise(6, 20_000);
        for (step, noise) in (0u16..).zip(&outcomes) {
            let outcome = series::round(*noise) + 2e-4 * f32::from(step);
            plain += u16::from(outcome > NORMAL_P90);
            let is_above = outcome > NORMAL_P90 + correction.shift();
            corrected += u16::from(is_above);
            correction.learn(0.9, is_above, 1.0);
        }
        assert!(plain > 10_000, "{plain}");
        // The shift of 4 takes 4 / 0.005 = 800 misses more than 2000.
        assert!(corrected < 2900, "{corrected}");
    }

    #[test]
    fn the_correction_brings_back_the_coverage_after_a_jump() {
        let mut correction = Correction::default();
        let outcomes = series::noise(9, 30_000);
        let mut misses = 0u16;
        for (step, noise) in outcomes.iter().enumerate() {
            let level = if step < 10_000 { 0.0 } else { 4.0 };
            let is_above = series::round(*noise) + level > NORMAL_P90 + correction.shift();
            correction.learn(0.9, is_above, 1.0);
            misses += u16::from(is_above && step >= 20_000);
        }
        assert!(misses.abs_diff(1000) < 100, "{misses} of 10,000");
    }

    #[test]
    fn an_outcome_beyond_all_measure_moves_it_by_one_step_only() {
        let mut quantile = learned(0.9, |_| 1.0);
        let mut scale = Scale::default();
        (0..100).for_each(|_| scale.observe(&cues(1.0)));
        let before = quantile.predict(&cues(1.0));
        quantile.learn(0.9, &scale, &cues(1.0), 1e30, 1.0);
        let after = quantile.predict(&cues(1.0));
        assert!(after > before && after < before + 0.1, "{before}, {after}");
    }

    #[test]
    fn the_first_outcome_with_a_new_cue_is_one_step_too() {
        let mut quantile = QuantileRegression::new([0.0; CUES]);
        let mut cues = [0.0; CUES];
        cues[7] = 8.0;
        quantile.learn(0.9, &Scale::default(), &cues, 5.0, 1.0);
        // The rate of 0.1 by 0.9 / 0.3, times the cue.
        let found = quantile.predict(&cues);
        assert!((found - 2.4).abs() < 1e-3, "{found}");
    }
}
