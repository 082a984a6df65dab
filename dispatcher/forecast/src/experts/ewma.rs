//! The exponentially weighted moving average (Brown 1956), or simple
//! exponential smoothing: one level, the same for every horizon.

use crate::checkpoint::state;
use crate::series::window::Path;

/// The weight of the newest sample (measured best of 0.5, 0.2 and 0.05).
const WEIGHT: f32 = 0.2;

#[derive(Clone, Debug, Default)]
pub(crate) struct Ewma {
    /// The level, relative to the newest sample.
    above: f32,
}

state!(Ewma { above });

impl Ewma {
    /// Learns the change from the sample before to the newest one.
    pub(crate) fn observe(&mut self, change: f32) {
        self.above = (1.0 - WEIGHT) * (self.above - change);
    }

    pub(crate) fn predict(&self) -> Path {
        [self.above; crate::HORIZONS.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_that_of_the_textbook() {
        // By hand, with a weight of 0.2: 0.2 * 15 + 0.8 * 10 = 11,
        // 0.2 * 6 + 0.8 * 11 = 10, 0.2 * 6 + 0.8 * 10 = 9.2.
        let mut ewma = Ewma::default();
        let mut last = 10.0;
        for (sample, level) in [(15.0, 11.0), (6.0, 10.0), (6.0, 9.2)] {
            ewma.observe(sample - last);
            last = sample;
            for change in ewma.predict() {
                let found = last + change;
                assert!((found - level).abs() < 1e-5, "{found}, not {level}");
            }
        }
    }

    #[test]
    fn a_constant_is_forecast_as_it_is() {
        let mut ewma = Ewma::default();
        (0..100).for_each(|_| ewma.observe(0.0));
        assert_eq!(ewma.predict(), Path::default());
    }
}
