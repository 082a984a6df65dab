//! Parameters of a node's forecasts.

use rolecast_common::wire::ForecastMode;

use crate::{Model, Quantiles};

/// Parameters of the forecasts, and of their use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// Whether placement acts on the forecasts. They themselves do not depend on it.
    pub mode: ForecastMode,
    /// The model of every series.
    pub model: Model,
    /// Distance between the samples of the near future, in seconds; in the far future it
    /// is a minute. It must not be zero; a configuration allows 1 to 60.
    pub step_s: u32,
    /// The probability with which [`NodeForecast::safe`](crate::NodeForecast::safe) is not
    /// exceeded.
    pub quantile: Quantile,
}

/// A share of cases: 50, 90 or 99 of 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// The median.
    P50,
    /// The 90 % quantile.
    P90,
    /// The 99 % quantile.
    P99,
}

impl Quantile {
    /// All shares, the smallest first.
    pub const ALL: [Quantile; 3] = [Quantile::P50, Quantile::P90, Quantile::P99];

    /// Returns the share of cases: 0.5, 0.9 or 0.99.
    pub fn share(self) -> f64 {
        match self {
            Quantile::P50 => 0.5,
            Quantile::P90 => 0.9,
            Quantile::P99 => 0.99,
        }
    }

    pub(super) fn of(self, quantiles: Quantiles) -> f64 {
        match self {
            Quantile::P50 => quantiles.p50,
            Quantile::P90 => quantiles.p90,
            Quantile::P99 => quantiles.p99,
        }
    }
}
