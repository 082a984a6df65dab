//! The LSTM's weights, and the format of their file.
//!
//! The file, little-endian: the magic `RLST`, a u32 version, four u32 sizes
//! (inputs, hidden units, anchors, horizons), the weights as f32 in the order of
//! the fields, and the FNV-1a hash (64 bit) of all before it.

use std::sync::LazyLock;

use rolecast_common::fnv::fnv1a;

use super::features::{ANCHORS, INPUTS};
use super::{HIDDEN, HORIZON_COUNT};

/// Input, forget and output gate and the candidate, each `HIDDEN` wide.
pub(super) const GATES: usize = 4 * HIDDEN;
/// A coefficient for each anchor and the spread, for each horizon.
pub(super) const HEAD: usize = (ANCHORS + 1) * HORIZON_COUNT;

const MAGIC: [u8; 4] = *b"RLST";
const VERSION: u32 = 1;
const SIZES: [usize; 4] = [INPUTS, HIDDEN, ANCHORS, HORIZON_COUNT];
const HEADER_LEN: usize = 4 + 4 + 4 * SIZES.len();
const HASH_LEN: usize = 8;

/// Every weight of the network, finite; each row has the contributions of one source to
/// all targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    pub(super) from_input: [[f32; GATES]; INPUTS],
    pub(super) from_hidden: [[f32; GATES]; HIDDEN],
    pub(super) bias: [f32; GATES],
    pub(super) head: [[f32; HEAD]; HIDDEN],
    pub(super) head_bias: [f32; HEAD],
}

/// The reason why bytes are not weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWeights {
    /// They begin otherwise: another format, version, or size of the network.
    #[error("not a file of weights of this version")]
    Header,
    /// They are so many bytes, more or fewer than the sizes in the header require.
    #[error("{0} bytes long, not as the sizes require")]
    Length(usize),
    /// The hash at the end is not that of the bytes before it.
    #[error("damaged: the hash differs")]
    Hash,
    /// A weight is infinite or NaN.
    #[error("a weight is not finite")]
    NotFinite,
}

impl Weights {
    /// Returns the weights shipped with the program, which every forecaster uses. The first
    /// call parses them.
    pub fn builtin() -> &'static Weights {
        static BUILTIN: LazyLock<Box<Weights>> = LazyLock::new(|| {
            let bytes = include_bytes!("../lstm.bin");
            Box::new(Weights::parse(bytes).expect("a test parses the shipped weights"))
        });
        &BUILTIN
    }

    /// Reads the bytes of a file of weights, all of them.
    ///
    /// # Errors
    /// The first reason found why they are none.
    pub fn parse(bytes: &[u8]) -> Result<Weights, InvalidWeights> {
        let mut weights = Weights::zero();
        let expected = header();
        if !bytes.starts_with(&expected) {
            return Err(InvalidWeights::Header);
        }
        let count: usize = weights.parts().iter().map(|part| part.len()).sum();
        if bytes.len() != HEADER_LEN + 4 * count + HASH_LEN {
            return Err(InvalidWeights::Length(bytes.len()));
        }
        let (body, hash) = bytes.split_at(bytes.len() - HASH_LEN);
        if hash != fnv1a(body).to_le_bytes() {
            return Err(InvalidWeights::Hash);
        }
        let mut words = body[HEADER_LEN..].as_chunks::<4>().0.iter();
        for weight in weights.parts_mut().into_iter().flatten() {
            let word = words.next().expect("the length was checked");
            *weight = f32::from_le_bytes(*word);
            if !weight.is_finite() {
                return Err(InvalidWeights::NotFinite);
            }
        }
        Ok(weights)
    }

    /// Returns the bytes that [`Weights::parse`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = header();
        for weight in self.parts().into_iter().flatten() {
            bytes.extend(weight.to_le_bytes());
        }
        let hash = fnv1a(&bytes);
        bytes.extend(hash.to_le_bytes());
        bytes
    }

    /// Returns the network that always forecasts the last value.
    pub(super) fn zero() -> Weights {
        Weights {
            from_input: [[0.0; GATES]; INPUTS],
            from_hidden: [[0.0; GATES]; HIDDEN],
            bias: [0.0; GATES],
            head: [[0.0; HEAD]; HIDDEN],
            head_bias: [0.0; HEAD],
        }
    }

    /// Returns all weights in the order of the file.
    pub(super) fn parts(&self) -> [&[f32]; 5] {
        [
            self.from_input.as_flattened(),
            self.from_hidden.as_flattened(),
            &self.bias,
            self.head.as_flattened(),
            &self.head_bias,
        ]
    }

    pub(super) fn parts_mut(&mut self) -> [&mut [f32]; 5] {
        [
            self.from_input.as_flattened_mut(),
            self.from_hidden.as_flattened_mut(),
            &mut self.bias,
            self.head.as_flattened_mut(),
            &mut self.head_bias,
        ]
    }
}

fn header() -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend(VERSION.to_le_bytes());
    for size in SIZES {
        let size = u32::try_from(size).expect("sizes are small");
        header.extend(size.to_le_bytes());
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_weights_are_sound_and_survive_the_file() {
        let weights = Weights::builtin();
        assert_eq!(Weights::parse(&weights.to_bytes()).as_ref(), Ok(weights));
        assert_ne!(weights, &Weights::zero());
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = Weights::builtin().to_bytes();
        for position in (0..bytes.len()).step_by(97) {
            let mut damaged = bytes.clone();
            damaged[position] ^= 4;
            assert!(Weights::parse(&damaged).is_err(), "byte {position}");
        }
        assert_eq!(Weights::parse(&[]), Err(InvalidWeights::Header));
        let short = &bytes[..bytes.len() - 4];
        assert_eq!(
            Weights::parse(short),
            Err(InvalidWeights::Length(short.len()))
        );
    }

    #[test]
    fn weights_that_are_not_finite_are_refused() {
        let mut weights = Weights::builtin().clone();
        weights.bias[0] = f32::NAN;
        let parsed = Weights::parse(&weights.to_bytes());
        assert_eq!(parsed, Err(InvalidWeights::NotFinite));
    }
}
