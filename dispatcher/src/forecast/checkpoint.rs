//! A forecaster's state as bytes, so that a restart forgets nothing.
//!
//! The form is a header (format, model, length), the fields one after another
//! in little-endian, and a checksum. It is read back exactly: a forecaster
//! that was saved and loaded forecasts bit for bit what the original would. A
//! state of another format, a damaged one, or one that holds a number which is
//! not finite is refused as a whole. The checksum notices damage, not malice:
//! whoever may write the bucket may write what they like, and gets forecasts
//! that are finite and clamped.

use std::time::Duration;

use rolecast_common::fnv::fnv1a;

use super::{Forecaster, Model, Stack};

/// Changes whenever any field of any part does.
const FORMAT: u32 = 1;
/// The kind of a stack; forecasters have the place of their model.
const STACK: usize = 1000;

/// What can be written and read back.
pub(super) trait State {
    fn save(&self, out: &mut Vec<u8>);

    /// Reads the state over this one; `None` if the bytes are not of one.
    fn load(&mut self, from: &mut &[u8]) -> Option<()>;
}

/// Implements [`State`] field by field.
macro_rules! state {
    ($type:ty { $($field:ident),+ $(,)? } $(for $($generic:tt)+)?) => {
        impl $(<$($generic)+>)? crate::forecast::checkpoint::State for $type {
            fn save(&self, out: &mut Vec<u8>) {
                $(crate::forecast::checkpoint::State::save(&self.$field, out);)+
            }

            fn load(&mut self, from: &mut &[u8]) -> Option<()> {
                $(crate::forecast::checkpoint::State::load(&mut self.$field, from)?;)+
                Some(())
            }
        }
    };
}
pub(super) use state;

macro_rules! number {
    ($($type:ty),+) => {$(
        impl State for $type {
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

impl State for f32 {
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

/// An index or a count; it may not be larger than any we keep.
impl State for usize {
    fn save(&self, out: &mut Vec<u8>) {
        u16::try_from(*self)
            .expect("indexes into small rings")
            .save(out);
    }

    fn load(&mut self, from: &mut &[u8]) -> Option<()> {
        let mut index = 0u16;
        index.load(from)?;
        *self = usize::from(index);
        Some(())
    }
}

impl<T: State, const N: usize> State for [T; N] {
    fn save(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|item| item.save(out));
    }

    fn load(&mut self, from: &mut &[u8]) -> Option<()> {
        self.iter_mut().try_for_each(|item| item.load(from))
    }
}

impl State for Option<u64> {
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

/// Appends a state with a header and a checksum; `kind` tells states apart.
fn seal(kind: usize, state: &impl State, out: &mut Vec<u8>) {
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

/// Takes a sealed state off the front of `from`.
fn unseal(kind: usize, state: &mut impl State, from: &mut &[u8]) -> Option<()> {
    let all = *from;
    let (mut format, mut found, mut len) = (0u32, 0usize, 0u32);
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

impl Forecaster {
    /// Appends the state to `out`, all but the global stack.
    pub fn save(&self, out: &mut Vec<u8>) {
        seal(kind(self.model), self, out);
    }

    /// Takes a state off the front of `from`; `None` if there is none of this
    /// model that is whole.
    pub fn load(model: Model, step: Duration, capacity: f64, from: &mut &[u8]) -> Option<Self> {
        let mut forecaster = Self::new(model, step, capacity);
        unseal(kind(model), &mut forecaster, from)?;
        Some(forecaster)
    }
}

impl Stack {
    /// Appends the coefficients to `out`.
    pub fn save(&self, out: &mut Vec<u8>) {
        seal(STACK, self, out);
    }

    /// Takes coefficients off the front of `from`; `None` if there are none that
    /// are whole.
    pub fn load(from: &mut &[u8]) -> Option<Self> {
        let mut stack = Self::default();
        unseal(STACK, &mut stack, from)?;
        Some(stack)
    }
}

fn kind(model: Model) -> usize {
    let place = Model::ALL.into_iter().position(|other| other == model);
    place.expect("every model is listed")
}

#[cfg(test)]
mod tests {
    use super::*;

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
