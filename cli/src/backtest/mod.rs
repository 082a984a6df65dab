//! Backtest: replays a recorded table, forecasts on the way, and scores the forecasts.
//!
//! 1. [`recording`](rolecast_simulator::recording) reads the table.
//! 2. The shell feeds each series to a forecaster of its own, one sample after the other.
//!    From the middle of the rows on, at every row that the [`Protocol`] names, it takes
//!    [`Forecast`]s: the forecaster has seen that row and none after it.
//! 3. [`score`] compares them with the measured values, and with the [`naive`] forecast.
//! 4. [`report`] sums up over all series, [`dump`] writes every forecast to a file.

pub(crate) mod dump;
pub(crate) mod naive;
pub(crate) mod names;
pub(crate) mod report;
pub(crate) mod score;

/// The share of samples that lie below the scored quantile, p90.
pub(crate) const QUANTILE: f64 = 0.9;
/// The longest window without a peak of its own: its end hardly differs from its peak.
const PEAK_ABOVE: u32 = 5;

/// Choice of the forecasts that are taken.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    /// Rows between forecasts.
    pub(crate) stride: usize,
    /// In steps, rising.
    pub(crate) horizons: Vec<u32>,
}

impl Protocol {
    /// Sorts the horizons and keeps one of each.
    pub(crate) fn new(stride: usize, mut horizons: Vec<u32>) -> Self {
        horizons.sort_unstable();
        horizons.dedup();
        Self { stride, horizons }
    }

    /// Returns whether forecasts are taken after this row of this many.
    pub(crate) fn is_origin(&self, row: usize, rows: usize) -> bool {
        let middle = rows / 2;
        row >= middle && (row - middle).is_multiple_of(self.stride)
    }
}

/// Returns whether the peak within this horizon is forecast too.
pub(crate) fn has_peak(horizon: u32) -> bool {
    horizon > PEAK_ABOVE
}

/// The forecast at one moment for a later one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Forecast {
    /// The last row that was known.
    pub(crate) row: usize,
    /// In steps.
    pub(crate) horizon: u32,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    /// The quantile of the largest value within the horizon.
    pub(crate) peak_p90: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forecasts_begin_in_the_middle() {
        let protocol = Protocol::new(3, vec![5, 1, 5]);
        let origins: Vec<usize> = (0..11).filter(|row| protocol.is_origin(*row, 11)).collect();
        assert_eq!(origins, [5, 8]);
        assert_eq!(protocol.horizons, [1, 5]);
    }
}
