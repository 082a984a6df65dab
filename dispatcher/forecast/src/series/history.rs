//! The recent samples of one series, and its volatility.
//!
//! Every model reads the same ring of samples. Volatility is the mean absolute change
//! from one sample to the next, exponentially weighted (J. P. Morgan's RiskMetrics 1996
//! weighs squares; absolute values are less sensitive to spikes), with several memories.
//! Forecasts are made and scored in its unit, so that a series in bytes and one in cores
//! are alike to every model.

use super::place::Place;
use crate::checkpoint::state;

/// Samples kept: the longest horizon behind the longest feature, and a little.
pub(crate) const HISTORY_LEN: usize = 128;
/// Half-lives of the volatilities, in steps, from bursts to the usual one (measured on
/// real series; a factor of three to ten apart).
const HALF_LIVES: [f32; 4] = [10.0, 30.0, 120.0, 4320.0];
/// The usual volatility's share in the unit: a burst must not follow upon
/// nothing (measured).
const USUAL_SHARE: f32 = 0.2;

/// Mean absolute changes with growing memories.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Volatility {
    pub(crate) burst: f32,
    pub(crate) short: f32,
    pub(crate) medium: f32,
    pub(crate) usual: f32,
}

state!(Volatility {
    burst,
    short,
    medium,
    usual
});

/// The last samples, newest first by [`History::value`].
#[derive(Clone, Debug)]
pub(crate) struct History {
    ring: [f32; HISTORY_LEN],
    /// The place of the newest sample.
    head: Place<HISTORY_LEN>,
    /// Number of samples so far.
    count: u64,
    volatility: Volatility,
    /// The mean absolute value, with the longest memory.
    level: f32,
}

state!(History {
    ring,
    head,
    count,
    volatility,
    level
});

impl Default for History {
    fn default() -> Self {
        Self {
            ring: [0.0; HISTORY_LEN],
            head: Place::default(),
            count: 0,
            volatility: Volatility::default(),
            level: 0.0,
        }
    }
}

impl History {
    /// Appends a finite sample.
    pub(crate) fn push(&mut self, value: f32) {
        debug_assert!(value.is_finite(), "{value} is not a sample");
        if self.count == 0 {
            self.ring = [value; HISTORY_LEN];
        }
        let change = (value - self.value(0)).abs();
        self.head.advance();
        self.ring[self.head.index()] = value;
        self.count += 1;
        let weight_min = 1.0 / count_f32(self.count);
        self.volatility.update(change, weight_min);
        let weight = decay_weight(HALF_LIVES[3]).max(weight_min);
        self.level += weight * (value.abs() - self.level);
    }

    /// Returns the sample `lag` steps ago; before the first one, the first.
    pub(crate) fn value(&self, lag: usize) -> f32 {
        self.ring[self.head.before(lag)]
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn volatilities(&self) -> Volatility {
        self.volatility
    }

    /// Returns the unit of change: short volatility and a part of the long one; never
    /// zero, nor so small that rounding looks like change.
    pub(crate) fn unit(&self) -> f32 {
        let floor = 1e-5 * self.level + f32::MIN_POSITIVE.sqrt();
        let volatility = self.volatility.short + USUAL_SHARE * self.volatility.usual;
        volatility.max(floor)
    }
}

impl Volatility {
    fn update(&mut self, change: f32, weight_min: f32) {
        let all = [
            &mut self.burst,
            &mut self.short,
            &mut self.medium,
            &mut self.usual,
        ];
        for (volatility, half_life) in all.into_iter().zip(HALF_LIVES) {
            *volatility += decay_weight(half_life).max(weight_min) * (change - *volatility);
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "exact up to 2^24, and a weight only"
)]
fn count_f32(count: u64) -> f32 {
    count as f32
}

/// Returns the weight of a new sample in an average with this half-life, in steps.
pub(crate) fn decay_weight(half_life: f32) -> f32 {
    1.0 - 0.5f32.powf(1.0 / half_life)
}
