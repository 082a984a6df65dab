//! The exponentially weighted moving average (Brown 1956), or simple
//! exponential smoothing: one level, the same for every horizon.

use super::checkpoint::state;
use super::window::Path;

/// The weight of the newest sample (measured best of 0.5, 0.2 and 0.05).
const WEIGHT: f32 = 0.2;

#[derive(Clone, Debug, Default)]
pub(super) struct Ewma {
    /// How far the level is above the newest sample.
    above: f32,
}

state!(Ewma { above });

impl Ewma {
    /// Takes by how much the newest sample is above the one before.
    pub(super) fn observe(&mut self, change: f32) {
        self.above = (1.0 - WEIGHT) * (self.above - change);
    }

    pub(super) fn predict(&self) -> Path {
        [self.above; super::HORIZONS.len()]
    }
}
