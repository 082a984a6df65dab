//! Ridge regression that forgets, several targets at once.
//!
//! Least squares with exponentially decayed normal equations: the Gram matrix
//! A and one cross-product B for each target, both multiplied by a constant
//! below one at each step (recursive least squares with a forgetting factor,
//! Haykin, *Adaptive Filter Theory*, in its covariance-free form). The penalty
//! is a share of A's diagonal, so it does not depend on the features' units.
//!
//! No coefficients are kept: a prediction solves `(A + penalty) z = x` once and
//! takes the inner product of z with each B, which is what `x' (A + penalty)^-1 B`
//! is, at a fraction of the cost of all coefficients.

#![allow(clippy::needless_range_loop, reason = "matrices are clearer by index")]

use std::array::from_fn;

use super::checkpoint::state;

/// Keeps the factorisation defined when a feature never varied.
const JITTER: f32 = 1e-6;

/// `F` features, `T` targets; at most `F * (F + 1) / 2` of `G` entries are used.
#[derive(Clone, Debug)]
pub(super) struct Ridge<const F: usize, const G: usize, const T: usize> {
    /// The lower triangle of the Gram matrix, row by row.
    gram: [f32; G],
    cross: [[f32; F]; T],
    decay: f32,
    penalty: f32,
}

state!(Ridge<F, G, T> { gram, cross } for const F: usize, const G: usize, const T: usize);

/// A factorised Gram matrix (Cholesky), good for any number of predictions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor<const F: usize> {
    /// Right of and on the diagonal; what is left of it means nothing.
    upper: [[f32; F]; F],
}

impl<const F: usize, const G: usize, const T: usize> Ridge<F, G, T> {
    /// `half_life` is in steps; `penalty` is the share of the diagonal added to it.
    pub(super) fn new(half_life: f32, penalty: f32) -> Self {
        const { assert!(G == F * (F + 1) / 2, "the triangle of the Gram matrix") };
        Self {
            gram: [0.0; G],
            cross: [[0.0; F]; T],
            decay: 0.5f32.powf(1.0 / half_life),
            penalty,
        }
    }

    /// Lets all that was learned weigh `share` of what it did.
    pub(super) fn forget(&mut self, share: f32) {
        self.gram.iter_mut().for_each(|value| *value *= share);
        let all = self.cross.iter_mut().flatten();
        all.for_each(|value| *value *= share);
    }

    /// Begins a step: what was learned before weighs a little less.
    pub(super) fn age(&mut self) {
        self.forget(self.decay);
    }

    /// Adds a row of features.
    pub(super) fn add_row(&mut self, row: &[f32; F]) {
        let mut at = 0;
        for i in 0..F {
            for (gram, other) in self.gram[at..=at + i].iter_mut().zip(row) {
                *gram += row[i] * other;
            }
            at += i + 1;
        }
    }

    /// Adds what one target was for a row of features.
    pub(super) fn add_target(&mut self, target: usize, row: &[f32; F], value: f32) {
        for (cross, feature) in self.cross[target].iter_mut().zip(row) {
            *cross += feature * value;
        }
    }

    /// Factorises the Gram matrix with its penalty.
    pub(super) fn factor(&self) -> Factor<F> {
        let mut rest = [[0.0f32; F]; F];
        let mut trace = 0.0;
        let mut at = 0;
        for i in 0..F {
            for j in 0..=i {
                rest[j][i] = self.gram[at + j];
            }
            trace += rest[i][i];
            rest[i][i] *= 1.0 + self.penalty;
            at += i + 1;
        }
        #[allow(clippy::cast_precision_loss, reason = "a small count")]
        let jitter = JITTER * trace / F as f32 + f32::MIN_POSITIVE.sqrt();
        let mut upper = rest;
        for k in 0..F {
            // Whole rows, though only what is right of the diagonal is used:
            // that is what a vector unit is fast at.
            let pivot = (rest[k][k] + jitter).max(jitter).sqrt();
            let row = rest[k].map(|value| value / pivot);
            upper[k] = row;
            upper[k][k] = pivot;
            for i in k + 1..F {
                for (value, factor) in rest[i].iter_mut().zip(&row) {
                    *value -= row[i] * factor;
                }
            }
        }
        Factor { upper }
    }

    /// Predicts every target for a row of features.
    pub(super) fn predict(&self, factor: &Factor<F>, row: &[f32; F]) -> [f32; T] {
        let solution = factor.solve(row);
        from_fn(|target| dot(&self.cross[target], &solution))
    }
}

impl<const F: usize> Factor<F> {
    fn solve(&self, row: &[f32; F]) -> [f32; F] {
        let mut solution = *row;
        for k in 0..F {
            let value = solution[k] / self.upper[k][k];
            for (later, factor) in solution.iter_mut().zip(&self.upper[k]).skip(k + 1) {
                *later -= value * factor;
            }
            solution[k] = value;
        }
        for k in (0..F).rev() {
            let known = dot(&self.upper[k][k + 1..], &solution[k + 1..]);
            solution[k] = (solution[k] - known) / self.upper[k][k];
        }
        solution
    }
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}
