//! Online quantile regression with a conformal correction.
//!
//! A quantile is linear in a dozen features of its origin (recent volatilities,
//! the last moves, what the experts expect), learned one outcome at a time by
//! the gradient of the pinball loss (Koenker & Bassett 1978) with AdaGrad's
//! steps (Duchi, Hazan & Singer 2011). Its coverage is corrected as in adaptive
//! conformal inference (Gibbs & Candes 2021): each miss raises the quantile by
//! a share of the usual error, each hit lowers it, so that in the long run the
//! misses are as many as they should be, whatever the series does.

use super::checkpoint::state;
use super::history::decay_weight;

/// What a quantile may depend on.
pub(super) const CUES: usize = 12;
pub(super) type Cues = [f32; CUES];

/// The scale of a gradient step (measured: flat from 0.05 to 0.15).
const RATE: f32 = 0.1;
/// The half-life of a cue's squares, in steps: two weeks of minutes, so that
/// steps never become too small to follow a change.
const HALF_LIFE: f32 = 20_000.0;
/// The share of the usual error by which a miss moves the correction.
const CORRECTION_RATE: f32 = 0.005;
/// Outcomes beyond this many units teach no more than that.
const OUTCOME_MAX: f32 = 100.0;

/// How large each cue usually is, the same for all quantiles of a series.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale {
    squares: Cues,
}

state!(Scale { squares });

impl Scale {
    pub(super) fn observe(&mut self, cues: &Cues) {
        for (square, cue) in self.squares.iter_mut().zip(cues) {
            *square += cue * cue - decay_weight(HALF_LIFE) * *square;
        }
    }

    /// Returns the scale with another square for one cue.
    pub(super) fn with(&self, cue: usize, square: f32) -> Self {
        let mut scale = self.clone();
        scale.squares[cue] = square;
        scale
    }
}

/// A quantile's coefficients.
#[derive(Clone, Debug)]
pub(super) struct Quantile {
    weights: Cues,
}

state!(Quantile { weights });

impl Quantile {
    pub(super) fn new(weights: Cues) -> Self {
        Self { weights }
    }

    pub(super) fn predict(&self, cues: &Cues) -> f32 {
        let terms = self.weights.iter().zip(cues);
        terms.map(|(weight, cue)| weight * cue).sum()
    }

    /// Learns that the outcome was this; all in units. `pace` makes up for
    /// outcomes that are not looked at.
    pub(super) fn learn(&mut self, tau: f32, scale: &Scale, cues: &Cues, outcome: f32, pace: f32) {
        let outcome = outcome.clamp(-OUTCOME_MAX, OUTCOME_MAX);
        let slope = match outcome > self.predict(cues) {
            true => tau,
            false => tau - 1.0,
        };
        let rate = RATE * pace * slope / (tau * (1.0 - tau)).sqrt();
        for ((weight, cue), square) in self.weights.iter_mut().zip(cues).zip(&scale.squares) {
            // No cue is larger than it was ever seen to be, whatever was rounded.
            *weight += rate * cue / (square.max(cue * cue) + 1e-6).sqrt();
        }
    }
}

/// What makes the coverage right, in usual errors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Correction {
    shift: f32,
}

state!(Correction { shift });

impl Correction {
    pub(super) fn shift(self) -> f32 {
        self.shift
    }

    /// Learns whether the outcome was above the quantile that was given out.
    pub(super) fn learn(&mut self, tau: f32, is_above: bool, pace: f32) {
        let step = match is_above {
            true => tau,
            false => tau - 1.0,
        };
        self.shift = (self.shift + CORRECTION_RATE * pace * step).clamp(-10.0, 10.0);
    }
}
