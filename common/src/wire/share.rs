//! Part of a whole.

use serde::{Deserialize, Deserializer, Serialize};

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

impl Share {
    /// Returns the nearest number from 0 to 1; NaN becomes 0.
    pub fn clamped(value: f64) -> Self {
        if value.is_nan() {
            return Self(0.0);
        }
        Self(value.clamp(0.0, 1.0))
    }

    pub fn get(self) -> f64 {
        self.0
    }
}

/// Reads a number, and takes the nearest one from 0 to 1: no node must be lost because of
/// a figure for people.
pub(super) fn clamped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    f64::deserialize(deserializer).map(Share::clamped)
}

impl TryFrom<f64> for Share {
    type Error = &'static str;

    fn try_from(value: f64) -> Result<Self, &'static str> {
        if !(0.0..=1.0).contains(&value) {
            return Err("a share is a number from 0 to 1");
        }
        Ok(Self(value))
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> f64 {
        share.0
    }
}
