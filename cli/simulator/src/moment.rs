//! Points in virtual time.

use std::ops::Add;

const NANOS_PER_SECOND: f64 = 1e9;

/// A point in a run, in nanoseconds since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// The clock's step, in seconds.
    pub(crate) const STEP_S: f64 = 1.0 / NANOS_PER_SECOND;

    /// Returns the first moment not before `seconds`; the start if that is negative.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates: a moment that is never reached is the last one"
    )]
    pub(crate) fn at(seconds: f64) -> Self {
        Self((seconds * NANOS_PER_SECOND).ceil() as u64)
    }

    pub(crate) fn seconds(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND
    }

    /// Returns the seconds since `earlier`, which must not be later.
    pub(crate) fn since(self, earlier: Self) -> f64 {
        debug_assert!(earlier <= self, "{earlier:?} lies ahead of {self:?}");
        Self(self.0 - earlier.0).seconds()
    }
}

impl Add<f64> for Moment {
    type Output = Self;

    /// Returns the first moment not before this many seconds later.
    fn add(self, seconds: f64) -> Self {
        Self(self.0.saturating_add(Self::at(seconds).0))
    }
}
