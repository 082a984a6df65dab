//! Fan: the newest forecast of a series, as quantiles of its values by horizon, and of its
//! peaks; and the bands that it is made with.

use super::band::{Band, Moment, Spread};
use super::pending::{PEAK_STRIDES, STRIDES};
use crate::checkpoint::state;
use crate::{HORIZON_MAX, HORIZONS, PEAK_HORIZONS, Quantiles};

/// The quantiles of one series, as changes from the last sample.
#[derive(Clone, Debug)]
pub(crate) struct Fan {
    band: Band<{ HORIZONS.len() }>,
    peak_band: Band<{ PEAK_HORIZONS.len() }>,
    values: [Spread; HORIZONS.len()],
    peaks: [Spread; PEAK_HORIZONS.len()],
}

state!(Fan {
    band,
    peak_band,
    values,
    peaks
});

impl Fan {
    pub(crate) fn new() -> Self {
        Self {
            band: Band::new(&HORIZONS),
            peak_band: Band::new(&PEAK_HORIZONS),
            values: [Spread::default(); HORIZONS.len()],
            peaks: [Spread::default(); PEAK_HORIZONS.len()],
        }
    }

    /// Returns the change expected this many steps after the last sample.
    pub(crate) fn value(&self, horizon: u32) -> Quantiles {
        interpolate(&HORIZONS, &self.values, horizon)
    }

    /// Returns the largest change expected within this many steps.
    pub(crate) fn peak(&self, horizon: u32) -> Quantiles {
        interpolate(&PEAK_HORIZONS, &self.peaks, horizon)
    }

    /// Records the size of the cues of a moment.
    pub(crate) fn observe(&mut self, moment: &Moment) {
        self.band.observe(moment);
    }

    /// Records the size of the cues of a moment whose peak is forecast.
    pub(crate) fn observe_peak(&mut self, moment: &Moment) {
        self.peak_band.observe(moment);
    }

    /// Learns from the outcome of a moment, given the forecast of it.
    pub(crate) fn learn(
        &mut self,
        index: usize,
        moment: &Moment,
        issued: (f32, Spread),
        actual: f32,
    ) {
        self.band
            .learn(index, STRIDES[index], moment, issued, actual);
    }

    /// Learns from the peak after a moment, given the forecast of it.
    pub(crate) fn learn_peak(
        &mut self,
        index: usize,
        moment: &Moment,
        issued: (f32, Spread),
        actual: f32,
    ) {
        self.peak_band
            .learn(index, PEAK_STRIDES[index], moment, issued, actual);
    }

    /// Makes the forecast at a horizon around the change that the experts expect, which is
    /// the median itself if `is_median`.
    pub(crate) fn issue(
        &mut self,
        index: usize,
        moment: &Moment,
        base: f32,
        is_median: bool,
    ) -> Spread {
        let mut spread = self.band.predict(index, moment, base);
        if is_median {
            spread.p50 = base;
            spread.p90 = spread.p90.max(spread.p50);
            spread.p99 = spread.p99.max(spread.p90);
        }
        self.values[index] = spread;
        spread
    }

    /// Makes the forecast of a peak around the largest change that the experts expect.
    pub(crate) fn issue_peak(&mut self, index: usize, moment: &Moment, base: f32) -> Spread {
        let spread = self.peak_band.predict(index, moment, base);
        self.peaks[index] = spread;
        spread
    }
}

/// Interpolates the forecasts at the horizons by lines.
fn interpolate(horizons: &[u32], spreads: &[Spread], horizon: u32) -> Quantiles {
    let horizon = horizon.clamp(1, HORIZON_MAX);
    let above = horizons.iter().position(|step| *step >= horizon);
    let above = above.unwrap_or(horizons.len() - 1);
    let below = above.saturating_sub(1);
    let span = f64::from(horizons[above] - horizons[below]).max(1.0);
    let share = match above {
        0 => 0.0,
        _ => f64::from(horizon - horizons[below]) / span,
    };
    let between = |change: fn(&Spread) -> f32| {
        let (near, far) = (change(&spreads[below]), change(&spreads[above]));
        f64::from(near) + share * f64::from(far - near)
    };
    Quantiles {
        p50: between(|spread| spread.p50),
        p90: between(|spread| spread.p90),
        p99: between(|spread| spread.p99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_horizons_lines_are_drawn() {
        let spread = |p50| Spread {
            p50,
            p90: p50 + 1.0,
            p99: p50 + 2.0,
        };
        let spreads = [spread(10.0), spread(20.0), spread(130.0)];
        for (horizon, expected) in [
            (0, 10.0),
            (1, 10.0),
            (3, 15.0),
            (5, 20.0),
            (6, 22.0),
            (60, 130.0),
            (u32::MAX, 130.0),
        ] {
            let forecast = interpolate(&[1, 5, 60], &spreads, horizon);
            let found = [forecast.p50, forecast.p90, forecast.p99];
            let expected = [expected, expected + 1.0, expected + 2.0];
            assert_eq!(found, expected, "at {horizon}");
        }
    }
}
