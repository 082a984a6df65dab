//! Checkpoints: a forecaster's state as bytes, so that a restart loses nothing.
//!
//! The form is a header (format, model, length), the fields one after another in
//! little-endian, and a checksum. It is read back exactly: a forecaster that was saved
//! and loaded forecasts bit for bit the same as the original. A state of another format,
//! a damaged one, or one that no samples can have led to is refused as a whole: one with
//! a number that is not finite, a place beyond its ring, or counts and numbers that do
//! not agree. The checksum detects damage, not malice: a party that may write the bucket
//! may write any state, and gets forecasts that are finite and clamped.

use rolecast_common::fnv::fnv1a;

/// Version of the format; changes whenever any field of any part does.
const FORMAT: u32 = 1;

/// A state that can be written and read back.
pub(crate) trait Stored {
    fn save(&self, out: &mut Vec<u8>);

    /// Reads a state into this one; `None` if the bytes are not one.
    fn load(&mut self, from: &mut &[u8]) -> Option<()>;
}

/// Implements [`Stored`] field by field.
macro_rules! state {
    ($type:ty { $($field:ident),+ $(,)? } $(for $($generic:tt)+)?) => {
        impl $(<$($generic)+>)? crate::checkpoint::Stored for $type {
            fn save(&self, out: &mut Vec<u8>) {
                $(crate::checkpoint::Stored::save(&self.$field, out);)+
            }

            fn load(&mut self, from: &mut &[u8]) -> Option<()> {
                $(crate::checkpoint::Stored::load(&mut self.$field, from)?;)+
                Some(())
            }
        }
    };
}
pub(crate) use state;

macro_rules! number {
    ($($type:ty),+) => {$(
        impl Stored for $type {
            fn save(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn load(&mut self, from: &mut &[u8]) -> Option<()> {
                let (bytes, rest) = from.split_first_chunk()?;
                *self = Self::from_le_bytes(*bytes);
                *from = rest;
                Some(())
            }
        }
    )+};
}
number!(u8, u16, u32, u64, i16);

impl Stored for f32 {
    fn save(&self, out: &mut Vec<u8>) {
        self.to_bits().save(out);
    }

    fn load(&mut self, from: &mut &[u8]) -> Option<()> {
        let mut bits = 0u32;
        bits.load(from)?;
        *self = Self::from_bits(bits);
        self.is_finite().then_some(())
    }
}

impl<T: Stored, const N: usize> Stored for [T; N] {
    fn save(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|item| item.save(out));
    }

    fn load(&mut self, from: &mut &[u8]) -> Option<()> {
        self.iter_mut().try_for_each(|item| item.load(from))
    }
}

impl Stored for Option<u64> {
    fn save(&self, out: &mut Vec<u8>) {
        u8::from(self.is_some()).save(out);
        self.unwrap_or_default().save(out);
    }

    fn load(&mut self, from: &mut &[u8]) -> Option<()> {
        let (mut is_some, mut value) = (0u8, 0u64);
        is_some.load(from)?;
        value.load(from)?;
        *self = (is_some == 1).then_some(value);
        (is_some <= 1).then_some(())
    }
}

/// Appends a state with a header and a checksum; `kind` distinguishes states.
pub(crate) fn seal(kind: u16, state: &impl Stored, out: &mut Vec<u8>) {
    let start = out.len();
    FORMAT.save(out);
    kind.save(out);
    0u32.save(out);
    let body = out.len();
    state.save(out);
    let len = u32::try_from(out.len() - body).expect("a state is small");
    out[body - 4..body].copy_from_slice(&len.to_le_bytes());
    let sum = fnv1a(&out[start..]);
    sum.save(out);
}

/// Removes a sealed state from the front of `from`.
pub(crate) fn unseal(kind: u16, state: &mut impl Stored, from: &mut &[u8]) -> Option<()> {
    let all = *from;
    let (mut format, mut found, mut len) = (0u32, 0u16, 0u32);
    format.load(from)?;
    found.load(from)?;
    len.load(from)?;
    let mut body = from.get(..len as usize)?;
    *from = &from[len as usize..];
    let sealed = &all[..all.len() - from.len()];
    let mut sum = 0u64;
    sum.load(from)?;
    if format != FORMAT || found != kind || sum != fnv1a(sealed) {
        return None;
    }
    state.load(&mut body)?;
    body.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Forecaster, Model, Quantiles};

    const MINUTE: Duration = Duration::from_secs(60);

    fn sample(number: u64) -> Option<f64> {
        let mut rng = fastrand::Rng::with_seed(number);
        let wave = (number as f64 / 40.0).sin() * 20.0 + 50.0;
        (!number.is_multiple_of(97)).then(|| wave + rng.f64() * 5.0)
    }

    fn trained(steps: u64) -> Forecaster {
        let mut forecaster = Forecaster::new(Model::Ensemble, MINUTE, 100.0);
        (0..steps).for_each(|number| forecaster.observe(number, sample(number)));
        forecaster
    }

    fn saved(forecaster: &Forecaster) -> Vec<u8> {
        let mut bytes = Vec::new();
        forecaster.save(&mut bytes);
        bytes
    }

    fn load(bytes: &[u8]) -> Option<Forecaster> {
        Forecaster::load(Model::Ensemble, MINUTE, 100.0, &mut &*bytes)
    }

    #[test]
    fn a_loaded_forecaster_goes_on_bit_for_bit() {
        let mut original = trained(3000);
        let mut copy = load(&saved(&original)).unwrap();
        for number in 3000..3200 {
            original.observe(number, sample(number));
            copy.observe(number, sample(number));
            for horizon in 1..=60 {
                assert_eq!(original.predict(horizon), copy.predict(horizon));
                assert_eq!(original.predict_peak(horizon), copy.predict_peak(horizon));
            }
        }
        assert_eq!(saved(&original), saved(&copy));
    }

    #[test]
    fn several_states_follow_one_another() {
        let mut bytes = saved(&trained(100));
        bytes.extend(saved(&trained(200)));
        let mut rest = bytes.as_slice();
        let first = Forecaster::load(Model::Ensemble, MINUTE, 100.0, &mut rest).unwrap();
        let second = Forecaster::load(Model::Ensemble, MINUTE, 100.0, &mut rest).unwrap();
        assert_eq!(saved(&first), saved(&trained(100)));
        assert_eq!(saved(&second), saved(&trained(200)));
        assert!(rest.is_empty());
    }

    #[test]
    fn any_damage_is_noticed() {
        let bytes = saved(&trained(100));
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let mut damaged = bytes.clone();
            damaged[rng.usize(..bytes.len())] ^= 1 << rng.u8(..8);
            assert!(load(&damaged).is_none());
        }
        for len in 0..bytes.len() {
            assert!(load(&bytes[..len]).is_none(), "cut to {len} bytes");
        }
    }

    /// The offsets of a forecaster's fields behind the header, in the order of the
    /// fields.
    const NUMBER: usize = 4 + 2 + 4 + 1;
    const HISTORY_HEAD: usize = NUMBER + 8 + 4 * 128;
    const HISTORY_COUNT: usize = HISTORY_HEAD + 2;
    const PROFILE_OPEN: usize = HISTORY_COUNT + 8 + 5 * 4 + (144 + 3 * 2) * 4 + 1;
    const PROFILE_FIRST: usize = PROFILE_OPEN + 8 + 2 * 4;
    const ORIGINS_KNOWN: usize = PROFILE_FIRST + 8 + 64 * (4 + 4 * 2) + 64 * 4;
    const ORIGINS_HEAD: usize = ORIGINS_KNOWN + 8;

    /// Writes other bytes over a state and makes its checksum right again.
    fn resealed(state: &[u8], at: usize, by: &[u8]) -> Vec<u8> {
        let mut state = state.to_vec();
        state[at..at + by.len()].copy_from_slice(by);
        let (body, sum) = state.split_last_chunk_mut().unwrap();
        *sum = fnv1a(body).to_le_bytes();
        state
    }

    #[test]
    fn a_resealed_state_that_no_samples_can_have_led_to_is_refused() {
        let state = saved(&trained(80));
        let number = |at: usize| u64::from_le_bytes(state[at..at + 8].try_into().unwrap());
        let found = [NUMBER, HISTORY_COUNT, PROFILE_OPEN, PROFILE_FIRST].map(number);
        assert_eq!(found, [79, 79, 7, 0]);
        // All but the very first moment that the bits have room for.
        assert_eq!(number(ORIGINS_KNOWN), u64::MAX);
        for at in [NUMBER, HISTORY_COUNT, PROFILE_OPEN, PROFILE_FIRST] {
            assert!(load(&resealed(&state, at, &number(at).to_le_bytes())).is_some());
        }
        for (at, value) in [
            // A forecast of 60 steps ago would be of before the first sample.
            (NUMBER, 30),
            (NUMBER, NUMBER_BEYOND),
            (NUMBER, u64::MAX),
            (HISTORY_COUNT, u64::MAX),
            (HISTORY_COUNT, 0),
            // Fewer samples than there are moments.
            (HISTORY_COUNT, 63),
            (PROFILE_OPEN, u64::MAX),
            (PROFILE_OPEN, 6),
            (PROFILE_FIRST, 8),
        ] {
            let hostile = resealed(&state, at, &value.to_le_bytes());
            assert!(load(&hostile).is_none(), "{value} at {at}");
        }
        for (at, len) in [(HISTORY_HEAD, 128u16), (ORIGINS_HEAD, 64)] {
            assert!(load(&resealed(&state, at, &(len - 1).to_le_bytes())).is_some());
            assert!(load(&resealed(&state, at, &len.to_le_bytes())).is_none());
        }
        // Without a last sample nothing is known.
        assert!(load(&resealed(&state, NUMBER - 1, &[0])).is_none());
    }

    const NUMBER_BEYOND: u64 = (1 << 48) + 1;

    #[test]
    fn a_resealed_state_that_is_read_goes_on_with_samples() {
        let state = saved(&trained(200));
        let mut rng = fastrand::Rng::with_seed(3);
        let mut read = 0;
        for _ in 0..200 {
            let at = rng.usize(10..state.len() - 16);
            let hostile = resealed(&state, at, &rng.u64(..).to_le_bytes()[..rng.usize(1..8)]);
            let Some(mut forecaster) = load(&hostile) else {
                continue;
            };
            read += 1;
            let first = forecaster.number().unwrap() + 1;
            for number in first..first + 3 {
                forecaster.observe(number, Some(50.0));
                let Quantiles { p50, p90, p99 } = forecaster.predict_peak(60);
                assert!(0.0 <= p50 && p50 <= p90 && p90 <= p99 && p99 <= 100.0);
            }
        }
        assert!(read > 20, "only {read} were read");
    }

    #[test]
    fn a_state_of_another_model_is_refused() {
        let bytes = saved(&trained(100));
        assert!(Forecaster::load(Model::Arima, MINUTE, 100.0, &mut bytes.as_slice()).is_none());
    }

    #[test]
    fn a_number_that_is_not_finite_is_refused() {
        let mut value = 0.0f32;
        assert!(value.load(&mut f32::NAN.to_le_bytes().as_slice()).is_none());
        assert!(value.load(&mut 1.5f32.to_le_bytes().as_slice()).is_some());
    }
}
