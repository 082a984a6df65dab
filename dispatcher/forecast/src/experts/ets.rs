//! Exponential smoothing with a damped trend (Holt 1957; Gardner & McKenzie
//! 1985): ETS(A,Ad,N) in the taxonomy of Hyndman et al., with fixed weights.

use crate::HORIZONS;
use crate::checkpoint::state;
use crate::series::window::Path;

/// The usual textbook weights; estimated ones did no better over many series.
const LEVEL_WEIGHT: f32 = 0.3;
const TREND_WEIGHT: f32 = 0.05;
const DAMPING: f32 = 0.95;

#[derive(Clone, Debug, Default)]
pub(crate) struct Ets {
    /// The level, relative to the newest sample.
    above: f32,
    trend: f32,
}

state!(Ets { above, trend });

impl Ets {
    /// Learns the change from the sample before to the newest one.
    pub(crate) fn observe(&mut self, change: f32) {
        let expected = self.above + DAMPING * self.trend - change;
        let level = (1.0 - LEVEL_WEIGHT) * expected;
        let rise = level + change - self.above;
        self.trend = TREND_WEIGHT * rise + (1.0 - TREND_WEIGHT) * DAMPING * self.trend;
        self.above = level;
    }

    pub(crate) fn predict(&self) -> Path {
        HORIZONS.map(|horizon| {
            #[allow(clippy::cast_precision_loss, reason = "a small count")]
            let power = DAMPING.powf(horizon as f32);
            // The sum of the first powers of the damping.
            let steps = DAMPING * (1.0 - power) / (1.0 - DAMPING);
            self.above + steps * self.trend
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::series;

    #[test]
    fn two_steps_by_hand() {
        let mut ets = Ets::default();
        // 10, then 12: the level is 0.3 * 12 + 0.7 * 10 = 10.6, the trend
        // 0.05 * 0.6 = 0.03. Then 11: the level is
        // 0.3 * 11 + 0.7 * (10.6 + 0.95 * 0.03) = 10.739_95, the trend
        // 0.05 * 0.139_95 + 0.95 * 0.95 * 0.03 = 0.034_072_5.
        ets.observe(2.0);
        ets.observe(-1.0);
        let path = ets.predict();
        let one = 10.739_95 + 0.95 * 0.034_072_5 - 11.0;
        let two = one + 0.95 * 0.95 * 0.034_072_5;
        assert!((path[0] - one).abs() < 1e-5, "{path:?}");
        assert!((path[1] - two).abs() < 1e-5, "{path:?}");
    }

    /// Holt's recursion as the textbooks have it, in levels.
    #[test]
    fn it_is_the_recursion_of_the_textbook() {
        let samples = series::autoregressive_changes(1, 300, (0.3, 0.1));
        let mut ets = Ets::default();
        let (mut level, mut trend) = (samples[0], 0.0);
        for pair in samples.windows(2) {
            let expected = level + 0.95 * trend;
            let next = 0.3 * pair[1] + 0.7 * expected;
            trend = 0.05 * (next - level) + 0.95 * 0.95 * trend;
            level = next;
            ets.observe(series::round(pair[1] - pair[0]));
            for (change, horizon) in ets.predict().into_iter().zip(HORIZONS) {
                let damped = (1..=horizon).map(|step| 0.95f64.powf(f64::from(step)));
                let value = level + damped.sum::<f64>() * trend;
                let found = pair[1] + f64::from(change);
                assert!((found - value).abs() < 1e-3, "{found}, not {value}");
            }
        }
    }

    #[test]
    fn a_ramp_is_followed_as_far_as_the_damping_lets() {
        let mut ets = Ets::default();
        (0..1000).for_each(|_| ets.observe(1.0));
        let path = ets.predict();
        // The fixed point: the trend t has t = 0.05 + 0.9025 t, and the level
        // lags by (1 - 0.95 t) * 0.7 / 0.3.
        let trend = 0.05 / (1.0 - 0.902_5);
        let lag = (1.0 - 0.95 * trend) * 0.7 / 0.3;
        assert!((path[0] - (0.95 * trend - lag)).abs() < 1e-4, "{path:?}");
        let rises = path.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(rises && path[8] > 8.0, "{path:?}");
    }
}
