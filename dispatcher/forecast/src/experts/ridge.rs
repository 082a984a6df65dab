//! Ridge regression with forgetting, for several targets at once.
//!
//! Least squares with exponentially decayed normal equations: the Gram matrix
//! A and one cross-product B for each target, both multiplied by a constant
//! below one at each step (recursive least squares with a forgetting factor,
//! Haykin, *Adaptive Filter Theory*, in its covariance-free form). The penalty
//! is a share of A's diagonal, so it does not depend on the features' units.
//!
//! No coefficients are kept: a prediction solves `(A + penalty) z = x` once and takes the
//! inner product of z with each B, which equals `x' (A + penalty)^-1 B`, at a fraction of
//! the cost of all coefficients.

#![allow(clippy::needless_range_loop, reason = "matrices are clearer by index")]

use std::array::from_fn;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Sub, SubAssign};

use crate::checkpoint::state;

/// Keeps the factorisation defined when a feature never varied.
const JITTER: f32 = 1e-6;

/// The number type: single precision, or double for comparison with other
/// implementations.
pub(super) trait Real:
    Copy
    + From<f32>
    + Sum
    + AddAssign
    + SubAssign
    + MulAssign
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    fn sqrt(self) -> Self;
    fn max(self, other: Self) -> Self;
}

macro_rules! real {
    ($($type:ty),+) => {$(
        impl Real for $type {
            fn sqrt(self) -> Self {
                self.sqrt()
            }

            fn max(self, other: Self) -> Self {
                self.max(other)
            }
        }
    )+};
}
real!(f32, f64);

/// `F` features, `T` targets; at most `F * (F + 1) / 2` of `G` entries are used.
#[derive(Clone, Debug)]
pub(super) struct Ridge<N, const F: usize, const G: usize, const T: usize> {
    /// The lower triangle of the Gram matrix, row by row.
    gram: [N; G],
    cross: [[N; F]; T],
    decay: N,
    penalty: N,
}

state!(Ridge<f32, F, G, T> { gram, cross } for const F: usize, const G: usize, const T: usize);

/// A factorised Gram matrix (Cholesky), good for any number of predictions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor<N, const F: usize> {
    /// The part on and right of the diagonal; the rest is undefined.
    upper: [[N; F]; F],
}

impl<N: Real, const F: usize, const G: usize, const T: usize> Ridge<N, F, G, T> {
    /// Returns an empty regression; `half_life` is in steps, `penalty` is the share of
    /// the diagonal added to it.
    pub(crate) fn new(half_life: f32, penalty: f32) -> Self {
        const { assert!(G == F * (F + 1) / 2, "the triangle of the Gram matrix") };
        Self {
            gram: [N::from(0.0); G],
            cross: [[N::from(0.0); F]; T],
            decay: N::from(0.5f32.powf(1.0 / half_life)),
            penalty: N::from(penalty),
        }
    }

    /// Reduces the weight of everything learned to this share.
    pub(crate) fn forget(&mut self, share: N) {
        self.gram.iter_mut().for_each(|value| *value *= share);
        let all = self.cross.iter_mut().flatten();
        all.for_each(|value| *value *= share);
    }

    /// Begins a step: everything learned before weighs a little less.
    pub(crate) fn age(&mut self) {
        self.forget(self.decay);
    }

    /// Adds a row of features.
    pub(super) fn add_row(&mut self, row: &[N; F]) {
        let mut at = 0;
        for i in 0..F {
            for (gram, other) in self.gram[at..=at + i].iter_mut().zip(row) {
                *gram += row[i] * *other;
            }
            at += i + 1;
        }
    }

    /// Adds the value of one target for a row of features.
    pub(super) fn add_target(&mut self, target: usize, row: &[N; F], value: N) {
        for (cross, feature) in self.cross[target].iter_mut().zip(row) {
            *cross += *feature * value;
        }
    }

    /// Factorises the Gram matrix with its penalty.
    pub(crate) fn factor(&self) -> Factor<N, F> {
        let mut rest = [[N::from(0.0); F]; F];
        let mut trace = N::from(0.0);
        let mut at = 0;
        for i in 0..F {
            for j in 0..=i {
                rest[j][i] = self.gram[at + j];
            }
            trace += rest[i][i];
            rest[i][i] *= N::from(1.0) + self.penalty;
            at += i + 1;
        }
        #[allow(clippy::cast_precision_loss, reason = "a small count")]
        let jitter =
            N::from(JITTER) * trace / N::from(F as f32) + N::from(f32::MIN_POSITIVE.sqrt());
        let mut upper = rest;
        for k in 0..F {
            // Whole rows, though only the part right of the diagonal is used: a vector
            // unit is fast at these.
            let pivot = (rest[k][k] + jitter).max(jitter).sqrt();
            let row = rest[k].map(|value| value / pivot);
            upper[k] = row;
            upper[k][k] = pivot;
            for i in k + 1..F {
                for (value, factor) in rest[i].iter_mut().zip(&row) {
                    *value -= row[i] * *factor;
                }
            }
        }
        Factor { upper }
    }

    /// Predicts every target for a row of features.
    pub(crate) fn predict(&self, factor: &Factor<N, F>, row: &[N; F]) -> [N; T] {
        let solution = factor.solve(row);
        from_fn(|target| dot(&self.cross[target], &solution))
    }
}

impl<N: Real, const F: usize> Factor<N, F> {
    fn solve(&self, row: &[N; F]) -> [N; F] {
        let mut solution = *row;
        for k in 0..F {
            let value = solution[k] / self.upper[k][k];
            for (later, factor) in solution.iter_mut().zip(&self.upper[k]).skip(k + 1) {
                *later -= value * *factor;
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

fn dot<N: Real>(left: &[N], right: &[N]) -> N {
    left.iter().zip(right).map(|(a, b)| *a * *b).sum()
}

#[cfg(test)]
mod tests {
    use smartcore::linalg::basic::arrays::Array;
    use smartcore::linalg::basic::matrix::DenseMatrix;
    use smartcore::linear::ridge_regression::{RidgeRegression, RidgeRegressionParameters};

    use super::*;
    use crate::tests::series;

    const PENALTY: f32 = 0.01;
    /// The sum of squares of each column, so that a share of it is one penalty.
    const SQUARES: f64 = 100.0;

    #[test]
    fn without_forgetting_it_is_smartcores_ridge_regression() {
        for seed in 0..10 {
            assert_same::<f64>(seed, 200, f32::INFINITY, 1e-9);
            assert_same::<f32>(seed, 200, f32::INFINITY, 1e-5);
        }
    }

    #[test]
    fn with_forgetting_it_is_a_regression_on_weighted_rows() {
        for seed in 0..3 {
            for (count, half_life) in [(400, 100.0), (2000, 1440.0)] {
                assert_same::<f64>(seed, count, half_life, 1e-9);
                assert_same::<f32>(seed, count, half_life, 1e-5);
            }
        }
    }

    fn assert_same<N: Real + Into<f64>>(seed: u64, count: usize, half_life: f32, tolerance: f64) {
        let decay = f64::from(0.5f32.powf(1.0 / half_life));
        let weight = |age: usize| decay.powi(i32::try_from(age).unwrap());
        let weights: Vec<f64> = (0..count).rev().map(weight).collect();
        let (rows, targets) = lessons(seed, &weights);
        let mut ridge = Ridge::<N, 4, 10, 2>::new(half_life, PENALTY);
        for (row, pair) in rows.iter().zip(&targets) {
            ridge.age();
            let real = |value: f64| N::from(series::round(value));
            let row = row.map(real);
            ridge.add_row(&row);
            ridge.add_target(0, &row, real(pair[0]));
            ridge.add_target(1, &row, real(pair[1]));
        }
        let ours = coefficients(&ridge);
        for (target, ours) in ours.into_iter().enumerate() {
            let targets: Vec<f64> = targets.iter().map(|pair| pair[target]).collect();
            let theirs = batch(&rows, &targets, &weights);
            for (ours, theirs) in ours.into_iter().zip(theirs) {
                let error = (ours - theirs).abs();
                assert!(error < tolerance, "seed {seed}: {ours}, not {theirs}");
            }
        }
    }

    /// Returns correlated rows, and two targets of each.
    fn lessons(seed: u64, weights: &[f64]) -> (Vec<[f64; 4]>, Vec<[f64; 2]>) {
        let noise = series::noise(seed, weights.len() * 6);
        let noise = || noise.chunks_exact(6);
        let mixed = |n: &[f64]| [n[0], n[1] + 0.8 * n[0], n[2], n[3] - 0.5 * n[2]];
        let mut rows: Vec<[f64; 4]> = noise().map(mixed).collect();
        for column in 0..4 {
            let pairs = rows.iter().zip(weights);
            let square: f64 = pairs.map(|(row, w)| w * row[column] * row[column]).sum();
            let scale = (SQUARES / square).sqrt();
            for row in &mut rows {
                // Rounded here, so that both read the same.
                row[column] = f64::from(series::round(row[column] * scale));
            }
        }
        let targets = rows.iter().zip(noise()).map(|(row, n)| {
            let first = row[0] - 2.0 * row[1] + 0.5 * row[2] + 0.1 * n[4];
            let second = 0.3 * row[3] + 0.5 * n[5];
            [first, second].map(|target| f64::from(series::round(target)))
        });
        let targets = targets.collect();
        (rows, targets)
    }

    /// Reads the coefficients: the predictions for the rows of the unit matrix.
    fn coefficients<N, const F: usize, const G: usize, const T: usize>(
        ridge: &Ridge<N, F, G, T>,
    ) -> [[f64; F]; T]
    where
        N: Real + Into<f64>,
    {
        let factor = ridge.factor();
        let columns: [[N; T]; F] = from_fn(|feature| {
            let unit = from_fn(|other| N::from(f32::from(u8::from(other == feature))));
            ridge.predict(&factor, &unit)
        });
        from_fn(|target| columns.map(|column| column[target].into()))
    }

    fn batch(rows: &[[f64; 4]], targets: &[f64], weights: &[f64]) -> [f64; 4] {
        let pairs = rows.iter().zip(weights);
        let rows = pairs.map(|(row, w)| row.map(|value| value * w.sqrt()).to_vec());
        let pairs = targets.iter().zip(weights);
        let targets: Vec<f64> = pairs.map(|(target, w)| target * w.sqrt()).collect();
        let matrix = DenseMatrix::from_2d_vec(&rows.collect()).unwrap();
        let parameters = RidgeRegressionParameters::default()
            .with_alpha(SQUARES * (f64::from(PENALTY) + f64::from(JITTER)))
            .with_normalize(false);
        let model = RidgeRegression::fit(&matrix, &targets, parameters).unwrap();
        from_fn(|feature| *model.coefficients().get((feature, 0)))
    }

    #[test]
    fn the_coefficients_of_an_autoregression_are_recovered() {
        let values = series::autoregressive_changes(5, 5000, (0.5, -0.3));
        let mut ridge = Ridge::<f32, 2, 3, 1>::new(1440.0, 1e-4);
        for last in values.windows(4) {
            let change = |at: usize| series::round(last[at] - last[at - 1]);
            let row = [change(2), change(1)];
            ridge.age();
            ridge.add_row(&row);
            ridge.add_target(0, &row, change(3));
        }
        // Some 2000 rows count: the standard error is 0.02.
        let [[first, second]] = coefficients(&ridge);
        assert!((first - 0.5).abs() < 0.05, "{first}, not 0.5");
        assert!((second + 0.3).abs() < 0.05, "{second}, not -0.3");
    }

    #[test]
    fn the_penalty_does_not_depend_on_the_unit_of_a_feature() {
        let [plain, scaled] = [1.0, 30.0].map(|unit| {
            let mut ridge = Ridge::<f32, 2, 3, 1>::new(100.0, 0.1);
            for noise in series::noise(2, 200).chunks_exact(2) {
                let row = [series::round(noise[0]), unit * series::round(noise[1])];
                ridge.age();
                ridge.add_row(&row);
                ridge.add_target(0, &row, row[0] + row[1] / unit);
            }
            ridge.predict(&ridge.factor(), &[1.0, 2.0 * unit])[0]
        });
        // The jitter does, a little.
        assert!((plain - scaled).abs() < 0.01, "{plain} and {scaled}");
    }

    #[test]
    fn what_never_varied_shows_nothing() {
        let mut ridge = Ridge::<f32, 2, 3, 1>::new(100.0, 0.1);
        assert_eq!(ridge.predict(&ridge.factor(), &[1.0, 1.0]), [0.0]);
        for _ in 0..10 {
            ridge.age();
            ridge.add_row(&[1.0, 0.0]);
            ridge.add_target(0, &[1.0, 0.0], 3.0);
        }
        let [seen, unseen] = coefficients(&ridge)[0];
        assert!((seen - 3.0 / 1.1).abs() < 1e-3, "{seen}");
        assert_eq!(unseen, 0.0);
    }

    #[test]
    fn after_forgetting_the_new_outweighs_the_old() {
        let mut ridge = Ridge::<f32, 1, 1, 1>::new(1e6, 0.0);
        let mut learn = |count: usize, target: f32| {
            for _ in 0..count {
                ridge.add_row(&[1.0]);
                ridge.add_target(0, &[1.0], target);
            }
            ridge.forget(0.1);
            ridge.predict(&ridge.factor(), &[1.0])[0]
        };
        assert!((learn(100, 5.0) - 5.0).abs() < 1e-3);
        // Ten of the old against ten of the new.
        assert!((learn(10, 1.0) - 3.0).abs() < 1e-3);
    }
}
