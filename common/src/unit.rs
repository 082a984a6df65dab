//! Quantities of a host's resources, each with its unit as its type.
//!
//! Values are finite and not negative by construction: NaN, infinities and negative
//! numbers are refused where they enter, on the wire or in a file.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// A quantity that no host can have.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a finite number of at least 0")]
pub struct InvalidQuantity(f64);

// Three quantities over `f64` share one set of checks and arithmetic.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            pub const ZERO: $name = $name(0.0);

            /// Checks that the number is finite and not negative.
            pub fn new(value: f64) -> Result<Self, InvalidQuantity> {
                if !value.is_finite() || value < 0.0 {
                    return Err(InvalidQuantity(value));
                }
                Ok(Self(value))
            }

            /// Returns the nearest valid quantity; NaN becomes zero.
            pub fn clamped(value: f64) -> Self {
                Self(value.max(0.0).min(f64::MAX))
            }

            pub fn get(self) -> f64 {
                self.0
            }

            /// Subtracts, stopping at zero.
            pub fn minus(self, other: Self) -> Self {
                Self((self.0 - other.0).max(0.0))
            }
        }

        impl TryFrom<f64> for $name {
            type Error = InvalidQuantity;
            fn try_from(value: f64) -> Result<Self, InvalidQuantity> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(quantity: $name) -> f64 {
                quantity.0
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self::clamped(self.0 + other.0)
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                items.fold(Self::ZERO, Add::add)
            }
        }
    };
}

quantity!(
    /// CPU, in cores: 1.0 is one core kept busy.
    Cores
);
quantity!(
    /// A rate of data, in bytes per second.
    BytesPerSecond
);

/// Speed of one core, relative to a core of speed 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Speed(f64);

/// A speed that no core has.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a speed from 0.05 to 20")]
pub struct InvalidSpeed(f64);

impl Speed {
    /// Checks that the number is within 0.05 and 20: cores in use differ less.
    pub fn new(value: f64) -> Result<Self, InvalidSpeed> {
        if !(0.05..=20.0).contains(&value) {
            return Err(InvalidSpeed(value));
        }
        Ok(Self(value))
    }

    pub fn get(self) -> f64 {
        self.0
    }

    /// Returns whether it is the speed of a node that reports none.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Speed {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for Speed {
    type Error = InvalidSpeed;

    fn try_from(value: f64) -> Result<Self, InvalidSpeed> {
        Self::new(value)
    }
}

impl From<Speed> for f64 {
    fn from(speed: Speed) -> f64 {
        speed.0
    }
}

/// An amount of memory or data, in bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(u64);

impl Bytes {
    pub const ZERO: Bytes = Bytes(0);

    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn from_kib(kib: u64) -> Self {
        Self(kib * 1024)
    }

    pub const fn from_mib(mib: u64) -> Self {
        Self(mib * 1024 * 1024)
    }

    /// Returns the whole bytes of an amount, or the nearest number that there is; NaN
    /// becomes zero.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float to integer cast saturates, and NaN becomes 0"
    )]
    pub const fn clamped(bytes: f64) -> Self {
        Self(bytes as u64)
    }

    pub const fn get(self) -> u64 {
        self.0
    }

    /// Subtracts, stopping at zero.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Parses `512MiB`, `2 GB` or a plain number of bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let size: bytesize::ByteSize = text.parse().ok()?;
        Some(Self(size.as_u64()))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&bytesize::ByteSize(self.0).to_string())
    }
}

impl Add for Bytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

/// An amount of each resource: what a host has, uses, or what a job needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Cores.
    pub cpu: Cores,
    /// Bytes.
    pub memory: Bytes,
    /// Bytes per second, received and sent together.
    pub network: BytesPerSecond,
    /// Bytes per second, read and written together.
    pub disk: BytesPerSecond,
}

impl Resources {
    /// Subtracts each resource, stopping at zero.
    pub fn minus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.minus(other.cpu),
            memory: self.memory.minus(other.memory),
            network: self.network.minus(other.network),
            disk: self.disk.minus(other.disk),
        }
    }
}

impl Add for Resources {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            memory: self.memory + other.memory,
            network: self.network + other.network,
            disk: self.disk + other.disk,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(Bytes::parse("512MiB"), Some(Bytes::from_mib(512)));
        assert_eq!(Bytes::parse("1000"), Some(Bytes::new(1000)));
        assert_eq!(Bytes::parse("a lot"), None);
    }

    #[test]
    fn a_speed_is_one_that_a_core_can_have() {
        for value in [0.05, 1.0, 20.0] {
            assert_eq!(Speed::new(value).unwrap().get(), value);
        }
        for value in [f64::NAN, f64::INFINITY, -1.0, 0.0, 0.04, 20.1] {
            assert!(Speed::new(value).is_err(), "{value}");
        }
        assert!(serde_json::from_str::<Speed>("1e9").is_err());
    }

    proptest! {
        #[test]
        fn a_quantity_is_always_finite_and_not_negative(a in any::<f64>(), b in any::<f64>()) {
            let sum = Cores::clamped(a) + Cores::clamped(b);
            prop_assert!(sum.get().is_finite() && sum.get() >= 0.0);
            prop_assert_eq!(Cores::new(a).is_ok(), a.is_finite() && a >= 0.0);
        }
    }
}
