//! Distribution of the sizes of jobs, from what was learned of them.

use fastrand::Rng;

use crate::random::{exponential, normal};

/// The 95 % quantile of the standard normal distribution.
const NORMAL_P95: f64 = 1.645;
/// No size is further from the median than this many standard deviations.
const DEVIATIONS_MAX: f64 = 3.0;

/// Distribution of the sizes of jobs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Size {
    Fixed(f64),
    /// With this mean.
    Exponential(f64),
    /// With this standard deviation of the logarithm.
    Lognormal {
        median: f64,
        sigma: f64,
    },
}

impl Size {
    /// Finds the lognormal distribution with these quantiles, if they are known.
    pub(super) fn of_quantiles(p50: f64, p95: f64) -> Option<Self> {
        let is_known = p50.is_finite() && p95.is_finite() && p50 > 0.0;
        is_known.then(|| Size::Lognormal {
            median: p50,
            sigma: (p95.max(p50) / p50).ln() / NORMAL_P95,
        })
    }

    pub(super) fn draw(self, rng: &mut Rng) -> f64 {
        match self {
            Size::Fixed(size) => size,
            Size::Exponential(mean) => mean * exponential(rng),
            Size::Lognormal { median, sigma } => {
                let deviations = normal(rng).clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX);
                median * (sigma * deviations).exp()
            }
        }
    }

    pub(super) fn p95(self) -> f64 {
        match self {
            Size::Fixed(size) => size,
            Size::Exponential(mean) => mean * 20.0_f64.ln(),
            Size::Lognormal { median, sigma } => median * (sigma * NORMAL_P95).exp(),
        }
    }
}
