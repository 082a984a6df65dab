//! Parameters of a node's forecasts.

use rolecast_common::wire::ForecastMode;

use crate::{Model, Quantiles};

/// Parameters of the forecasts, and of their use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    pub mode: ForecastMode,
    pub model: Model,
    /// Distance between the samples of the near future, in seconds; in the far future it
    /// is a minute.
    pub step_s: u32,
    /// The probability with which there will be room.
    pub quantile: Quantile,
}

/// A share of cases: 50, 90 or 99 of 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    P50,
    P90,
    P99,
}

impl Quantile {
    /// All shares, the smallest first.
    pub const ALL: [Quantile; 3] = [Quantile::P50, Quantile::P90, Quantile::P99];

    /// Returns the share of cases, from 0 to 1.
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
