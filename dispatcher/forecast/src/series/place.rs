//! A place in a ring: within it by construction, even when read from a checkpoint.

use crate::checkpoint::Stored;

/// The place of the newest of `N` entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place<const N: usize>(u16);

impl<const N: usize> Place<N> {
    const LEN: u16 = {
        assert!(0 < N && N <= u16::MAX as usize, "a ring is small");
        #[allow(clippy::cast_possible_truncation, reason = "it was just checked")]
        {
            N as u16
        }
    };

    /// Advances to the place of the oldest.
    pub(crate) fn advance(&mut self) {
        self.0 = (self.0 + 1) % Self::LEN;
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Returns the place of the entry `lag` before the newest.
    pub(crate) fn before(self, lag: usize) -> usize {
        debug_assert!(lag < N, "lag {lag} is forgotten");
        (self.index() + N - lag) % N
    }
}

impl<const N: usize> Stored for Place<N> {
    fn save(&self, out: &mut Vec<u8>) {
        self.0.save(out);
    }

    fn load(&mut self, from: &mut &[u8]) -> Option<()> {
        self.0.load(from)?;
        (self.0 < Self::LEN).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_goes_round_and_looks_back() {
        let mut place = Place::<3>::default();
        let found = [(); 4].map(|()| {
            place.advance();
            [place.index(), place.before(1), place.before(2)]
        });
        assert_eq!(found, [[1, 0, 2], [2, 1, 0], [0, 2, 1], [1, 0, 2]]);
    }

    #[test]
    fn a_place_beyond_the_ring_is_refused() {
        let read = |place: u16| Place::<3>::default().load(&mut &place.to_le_bytes()[..]);
        assert_eq!((read(2), read(3), read(u16::MAX)), (Some(()), None, None));
    }
}
