//! Pending forecasts, which wait for their time to be scored.
//!
//! Longer horizons are scored at every seventh or eleventh step only: neighbouring errors
//! are nearly the same, and memory is the scarcest resource of 40,000 series. Those
//! strides share no factor with an hour or a day, so that no beat of the series is always
//! or never seen. Changes are kept in 16 bits, in units of the moment times the root of
//! the horizon, to 1/512.

use super::band::Spread;
use crate::checkpoint::{Stored, state};
use crate::model::{HORIZONS, MEMBERS, PEAK_HORIZONS};

/// Steps between two scored forecasts, by horizon.
pub(crate) const STRIDES: [u16; HORIZONS.len()] = [1, 1, 1, 1, 1, 1, 7, 7, 11];
pub(crate) const PEAK_STRIDES: [u16; PEAK_HORIZONS.len()] = [1, 1, 1, 11];

const SLOTS: usize = slots(&HORIZONS, &STRIDES);
const PEAK_SLOTS: usize = slots(&PEAK_HORIZONS, &PEAK_STRIDES);

const fn slot_count(horizon: u32, stride: u16) -> usize {
    horizon.div_ceil(stride as u32) as usize
}

const fn slots(horizons: &[u32], strides: &[u16]) -> usize {
    let (mut sum, mut index) = (0, 0);
    while index < horizons.len() {
        sum += slot_count(horizons[index], strides[index]);
        index += 1;
    }
    sum
}

/// A change in 16 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Packed(i16);

impl Stored for Packed {
    fn save(&self, out: &mut Vec<u8>) {
        self.0.save(out);
    }

    fn load(&mut self, from: &mut &[u8]) -> Option<()> {
        self.0.load(from)
    }
}

const PER_UNIT: f32 = 512.0;

impl Packed {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a float to integer cast saturates, and NaN becomes 0"
    )]
    fn pack(change: f32, unit: f32) -> Self {
        Self((change / unit * PER_UNIT).round() as i16)
    }

    fn unpack(self, unit: f32) -> f32 {
        f32::from(self.0) / PER_UNIT * unit
    }
}

/// The forecasts for one horizon, as changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Issued {
    /// The change of each expert but the naive one, whose change is zero.
    pub(crate) members: [f32; MEMBERS - 1],
    pub(crate) base: f32,
    pub(crate) spread: Spread,
}

impl Issued {
    /// Takes the members, then the base, then the quantiles.
    fn from_fn(value: impl Fn(usize) -> f32) -> Self {
        Self {
            members: std::array::from_fn(&value),
            base: value(MEMBERS - 1),
            spread: Spread {
                p50: value(MEMBERS),
                p90: value(MEMBERS + 1),
                p99: value(MEMBERS + 2),
            },
        }
    }
}

/// The forecast for one window's peak, as changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct IssuedPeak {
    pub(crate) base: f32,
    pub(crate) spread: Spread,
}

/// The forecasts in flight.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    paths: [[Packed; MEMBERS + 3]; SLOTS],
    peaks: [[Packed; 4]; PEAK_SLOTS],
}

state!(Pending { paths, peaks });

impl Default for Pending {
    fn default() -> Self {
        Self {
            paths: [[Packed::default(); MEMBERS + 3]; SLOTS],
            peaks: [[Packed::default(); 4]; PEAK_SLOTS],
        }
    }
}

/// Returns the slot of the forecast made at step `origin`, if it is kept.
fn slot(origin: u64, index: usize, horizons: &[u32], strides: &[u16]) -> Option<usize> {
    let stride = u64::from(strides[index]);
    if !origin.is_multiple_of(stride) {
        return None;
    }
    let first = slots(&horizons[..index], &strides[..index]);
    let count = slot_count(horizons[index], strides[index]);
    #[allow(clippy::cast_possible_truncation, reason = "a remainder")]
    let turn = (origin / stride) as usize % count;
    Some(first + turn)
}

fn scale(unit: f32, horizon: u32) -> f32 {
    #[allow(clippy::cast_precision_loss, reason = "a small count")]
    let horizon = horizon as f32;
    unit * horizon.sqrt()
}

impl Pending {
    pub(crate) fn put(&mut self, origin: u64, index: usize, unit: f32, issued: &Issued) {
        let Some(slot) = slot(origin, index, &HORIZONS, &STRIDES) else {
            return;
        };
        let unit = scale(unit, HORIZONS[index]);
        let packed = &mut self.paths[slot];
        for (packed, change) in packed.iter_mut().zip(issued.members) {
            *packed = Packed::pack(change, unit);
        }
        let Spread { p50, p90, p99 } = issued.spread;
        let rest = [issued.base, p50, p90, p99];
        for (packed, change) in packed[MEMBERS - 1..].iter_mut().zip(rest) {
            *packed = Packed::pack(change, unit);
        }
    }

    /// Returns the forecasts made at step `origin`, if they are scored.
    pub(crate) fn get(&self, origin: u64, index: usize, unit: f32) -> Option<Issued> {
        let packed = &self.paths[slot(origin, index, &HORIZONS, &STRIDES)?];
        let unit = scale(unit, HORIZONS[index]);
        Some(Issued::from_fn(|at| packed[at].unpack(unit)))
    }

    pub(crate) fn put_peak(&mut self, origin: u64, index: usize, unit: f32, issued: IssuedPeak) {
        let Some(slot) = slot(origin, index, &PEAK_HORIZONS, &PEAK_STRIDES) else {
            return;
        };
        let unit = scale(unit, PEAK_HORIZONS[index]);
        let Spread { p50, p90, p99 } = issued.spread;
        let changes = [issued.base, p50, p90, p99];
        self.peaks[slot] = changes.map(|change| Packed::pack(change, unit));
    }

    pub(crate) fn get_peak(&self, origin: u64, index: usize, unit: f32) -> Option<IssuedPeak> {
        let packed = &self.peaks[slot(origin, index, &PEAK_HORIZONS, &PEAK_STRIDES)?];
        let unit = scale(unit, PEAK_HORIZONS[index]);
        let [base, p50, p90, p99] = packed.map(|packed| packed.unpack(unit));
        let spread = Spread { p50, p90, p99 };
        Some(IssuedPeak { base, spread })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::series;

    const UNIT: f32 = 0.37;

    /// A forecast with values made from its step, horizon and field.
    fn issued(seed: u64) -> Issued {
        let values = series::noise(seed, MEMBERS + 3);
        Issued::from_fn(|at| 5.0 * series::round(values[at]))
    }

    fn changes(issued: &Issued) -> Vec<f32> {
        let Spread { p50, p90, p99 } = issued.spread;
        let rest = [issued.base, p50, p90, p99];
        issued.members.into_iter().chain(rest).collect()
    }

    fn assert_close(found: &[f32], put: &[f32], horizon: u32) {
        // Half a step of 1/512, and the rounding error.
        let tolerance = 0.501 / 512.0 * scale(UNIT, horizon);
        for (found, put) in found.iter().zip(put) {
            assert!((found - put).abs() <= tolerance, "{found}, not {put}");
        }
    }

    #[test]
    fn every_forecast_comes_back_when_its_time_has_come() {
        let mut pending = Pending::default();
        for step in 1000..1300u64 {
            for (index, horizon) in HORIZONS.into_iter().enumerate() {
                let seed = |step: u64| step * 100 + u64::from(horizon);
                let origin = step - u64::from(horizon);
                let found = pending.get(origin, index, UNIT);
                let is_scored = origin.is_multiple_of(u64::from(STRIDES[index]));
                assert_eq!(found.is_some(), is_scored, "{origin}, {horizon}");
                if let Some(found) = found.filter(|_| origin >= 1000) {
                    let put = issued(seed(origin));
                    assert_close(&changes(&found), &changes(&put), horizon);
                }
                // In the order of the forecaster: first it scores, then it forecasts.
                pending.put(step, index, UNIT, &issued(seed(step)));
            }
        }
    }

    #[test]
    fn every_peak_comes_back_when_its_time_has_come() {
        let mut pending = Pending::default();
        for step in 1000..1300u64 {
            for (index, horizon) in PEAK_HORIZONS.into_iter().enumerate() {
                let peak = |step: u64| {
                    let Issued { base, spread, .. } = issued(step * 100 + u64::from(horizon));
                    IssuedPeak { base, spread }
                };
                let list = |peak: IssuedPeak| {
                    let Spread { p50, p90, p99 } = peak.spread;
                    [peak.base, p50, p90, p99]
                };
                let origin = step - u64::from(horizon);
                let found = pending.get_peak(origin, index, UNIT);
                let is_scored = origin.is_multiple_of(u64::from(PEAK_STRIDES[index]));
                assert_eq!(found.is_some(), is_scored, "{origin}, {horizon}");
                if let Some(found) = found.filter(|_| origin >= 1000) {
                    assert_close(&list(found), &list(peak(origin)), horizon);
                }
                pending.put_peak(step, index, UNIT, peak(step));
            }
        }
    }

    #[test]
    fn strides_share_no_factor_with_an_hour_or_a_day() {
        for stride in STRIDES.into_iter().chain(PEAK_STRIDES) {
            let is_shared = |factor: u16| stride.is_multiple_of(factor);
            assert!(![2, 3, 5].into_iter().any(is_shared), "{stride}");
        }
    }

    #[test]
    fn what_is_too_large_is_cut_and_what_is_no_number_is_no_change() {
        let most = f32::from(i16::MAX) / PER_UNIT;
        for (change, expected) in [
            (1e30, most),
            (-1e30, f32::from(i16::MIN) / PER_UNIT),
            (f32::INFINITY, most),
            (f32::NAN, 0.0),
            (63.5, 63.5),
        ] {
            assert_eq!(Packed::pack(change, 1.0).unpack(1.0), expected, "{change}");
        }
    }
}
