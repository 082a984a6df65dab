//! Horizons until which peaks are kept ready.

use std::time::Duration;

/// Horizons until which peaks are kept ready, in seconds.
pub(super) const HORIZONS_S: [u32; AHEAD_COUNT] = [1, 10, 60, 300, 900, 3600];
/// Number of the horizons until which peaks are kept ready.
pub const AHEAD_COUNT: usize = 6;

/// One of the horizons until which peaks are kept ready: 1, 10, 60, 300, 900 and 3,600 s
/// after the last heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead(usize);

impl Ahead {
    /// Returns the nearest horizon that is not shorter than `stay`; the longest, an hour, for
    /// more than that.
    pub fn covering(stay: Duration) -> Self {
        let covers = |seconds: &u32| Duration::from_secs(u64::from(*seconds)) >= stay;
        let index = HORIZONS_S.iter().position(covers);
        Self(index.unwrap_or(AHEAD_COUNT - 1))
    }

    /// Returns all horizons, the nearest first.
    pub fn all() -> impl Iterator<Item = Ahead> {
        (0..AHEAD_COUNT).map(Self)
    }

    /// Returns its index among all horizons, below [`AHEAD_COUNT`].
    pub fn index(self) -> usize {
        self.0
    }

    /// Returns its length in seconds.
    pub fn seconds(self) -> u32 {
        HORIZONS_S[self.0]
    }
}
