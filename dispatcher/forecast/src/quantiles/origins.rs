//! Origins: the moments from which forecasts in flight were made.

use crate::HORIZON_MAX;
use crate::checkpoint::state;
use crate::series::history::History;
use crate::series::place::Place;

/// Moments kept: one for each step until the longest horizon, and now.
const ORIGINS: usize = HORIZON_MAX as usize + 4;

/// The movement of a series at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Origin {
    /// The unit of change.
    pub(crate) unit: f32,
    /// Volatilities, and the recent error of one step, in units.
    pub(crate) usual: f32,
    pub(crate) burst: f32,
    pub(crate) medium: f32,
    pub(crate) miss: f32,
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
pub(crate) struct Origins {
    slots: [Slot; ORIGINS],
    peaks: [f32; ORIGINS],
    /// One bit for each lag: whether there is a sample.
    known: u64,
    head: Place<ORIGINS>,
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
            head: Place::default(),
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
    pub(crate) fn push(&mut self, history: &History, is_known: bool, miss: f32, peak: f32) {
        self.head.advance();
        self.known = self.known << 1 | u64::from(is_known);
        let unit = history.unit();
        let volatility = history.volatilities();
        let ratios = [volatility.usual, volatility.burst, volatility.medium, miss];
        self.slots[self.head.index()] = Slot {
            unit,
            ratios: ratios.map(|ratio| pack(ratio / unit)),
        };
        self.peaks[self.head.index()] = peak;
    }

    /// Returns the lag of the first known moment; `None` if there is none.
    pub(crate) fn first_lag(&self) -> Option<u32> {
        self.known.checked_ilog2()
    }

    /// Returns the moment `lag` steps ago, if there was a sample.
    pub(crate) fn get(&self, lag: usize) -> Option<Origin> {
        if self.known >> lag & 1 == 0 {
            return None;
        }
        let slot = self.slots[self.head.before(lag)];
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
    pub(crate) fn peak(&self, count: usize) -> f32 {
        let steps = (0..count).map(|lag| self.peaks[self.head.before(lag)]);
        steps.fold(f32::MIN, f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_without_a_sample_is_none_and_the_others_keep_their_place() {
        let (mut history, mut origins) = (History::default(), Origins::default());
        let mut units = Vec::new();
        for step in 0u8..200 {
            history.push(f32::from(step % 7 * (step % 3)));
            origins.push(&history, step % 5 != 2, 0.5, f32::from(step));
            units.push(history.unit());
            for lag in 0..=usize::from(step).min(HORIZON_MAX as usize) {
                let then = usize::from(step) - lag;
                let found = origins.get(lag).map(|origin| origin.unit);
                assert_eq!(found, (then % 5 != 2).then_some(units[then]), "{lag}");
            }
        }
    }

    #[test]
    fn before_the_first_moment_there_is_none() {
        let (mut history, mut origins) = (History::default(), Origins::default());
        assert_eq!(origins.get(0), None);
        history.push(3.0);
        origins.push(&history, true, 0.0, 3.0);
        assert!(origins.get(0).is_some());
        assert!((1..=HORIZON_MAX as usize).all(|lag| origins.get(lag).is_none()));
    }

    #[test]
    fn the_peak_is_the_largest_of_the_last_steps() {
        let (history, mut origins) = (History::default(), Origins::default());
        for peak in [9.0, 4.0, 6.0, 1.0] {
            origins.push(&history, true, 0.0, peak);
        }
        let found = [1, 2, 3, 4].map(|count| origins.peak(count));
        assert_eq!(found, [1.0, 6.0, 6.0, 9.0]);
    }

    #[test]
    fn ratios_are_kept_to_half_of_a_256th_and_cut_when_too_large() {
        for ratio in [0.0, 0.3, 1.0, 37.123, 255.9] {
            let found = unpack(pack(ratio));
            assert!((found - ratio).abs() <= 0.501 / RATIO_STEPS, "{found}");
        }
        assert_eq!(unpack(pack(1e30)), f32::from(u16::MAX) / RATIO_STEPS);
        assert_eq!(unpack(pack(f32::NAN)), 0.0);
    }
}
