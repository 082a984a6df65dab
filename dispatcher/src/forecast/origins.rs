//! The moments from which forecasts in flight were made.

use super::HORIZON_MAX;
use super::checkpoint::state;
use super::history::History;

/// Moments kept: one for each step until the longest horizon, and now.
const ORIGINS: usize = HORIZON_MAX as usize + 4;

/// How a series moved at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Origin {
    /// The unit of change.
    pub(super) unit: f32,
    /// Volatilities, and the recent error of one step, in units.
    pub(super) usual: f32,
    pub(super) burst: f32,
    pub(super) medium: f32,
    pub(super) miss: f32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    unit: f32,
    /// The four ratios, in 1/256.
    ratios: [u16; 4],
}

state!(Slot { unit, ratios });

/// A ring of moments and of the largest value in the step before each.
#[derive(Clone, Debug)]
pub(super) struct Origins {
    slots: [Slot; ORIGINS],
    peaks: [f32; ORIGINS],
    /// One bit for each lag: whether there is a sample.
    known: u64,
    head: usize,
}

state!(Origins {
    slots,
    peaks,
    known,
    head
});

impl Default for Origins {
    fn default() -> Self {
        Self {
            slots: [Slot::default(); ORIGINS],
            peaks: [0.0; ORIGINS],
            known: 0,
            head: 0,
        }
    }
}

const RATIO_STEPS: f32 = 256.0;

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
fn pack(ratio: f32) -> u16 {
    (ratio * RATIO_STEPS).round() as u16
}

fn unpack(ratio: u16) -> f32 {
    f32::from(ratio) / RATIO_STEPS
}

impl Origins {
    /// Appends the newest moment; `peak` is the largest value since the last.
    pub(super) fn push(&mut self, history: &History, is_known: bool, miss: f32, peak: f32) {
        self.head = (self.head + 1) % ORIGINS;
        self.known = self.known << 1 | u64::from(is_known);
        let unit = history.unit();
        let volatility = history.volatilities();
        let ratios = [volatility.usual, volatility.burst, volatility.medium, miss];
        self.slots[self.head] = Slot {
            unit,
            ratios: ratios.map(|ratio| pack(ratio / unit)),
        };
        self.peaks[self.head] = peak;
    }

    /// Returns the moment `lag` steps ago, if there was a sample.
    pub(super) fn get(&self, lag: usize) -> Option<Origin> {
        if self.known >> lag & 1 == 0 {
            return None;
        }
        let slot = self.slots[(self.head + ORIGINS - lag) % ORIGINS];
        let [usual, burst, medium, miss] = slot.ratios.map(unpack);
        Some(Origin {
            unit: slot.unit,
            usual,
            burst,
            medium,
            miss,
        })
    }

    /// Returns the largest value of the last `count` steps.
    pub(super) fn peak(&self, count: usize) -> f32 {
        let steps = (0..count).map(|lag| self.peaks[(self.head + ORIGINS - lag) % ORIGINS]);
        steps.fold(f32::MIN, f32::max)
    }
}
