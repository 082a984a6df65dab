//! Random numbers of the distributions that several modules draw from.

use std::f64::consts::TAU;

use fastrand::Rng;

/// Draws from the exponential distribution of mean 1.
pub(crate) fn exponential(rng: &mut Rng) -> f64 {
    -(1.0 - rng.f64()).ln()
}

/// Draws from the standard normal distribution (Box & Muller, *A Note on the Generation of
/// Random Normal Deviates*, 1958). It takes two numbers from `rng`.
pub fn normal(rng: &mut Rng) -> f64 {
    (2.0 * exponential(rng)).sqrt() * (TAU * rng.f64()).cos()
}

/// Draws a number of mean 0 and standard deviation 1: the sum of four uniform ones, which
/// is cheap and close to a normal distribution within two standard deviations.
pub(crate) fn nearly_normal(rng: &mut Rng) -> f64 {
    let bits = rng.u64(..);
    let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xffff).sum();
    (sum as f64 / 65536.0 - 2.0) * 3.0_f64.sqrt()
}
