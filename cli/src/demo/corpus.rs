//! Text that the jobs work on, repeated until there is enough of it.

use bytes::Bytes;

/// Some of this program's own source, used if there is no other text.
const BUILT_IN: [&str; 3] = [
    include_str!("../args/mod.rs"),
    include_str!("../view/job/mod.rs"),
    include_str!("fleet.rs"),
];

/// The least text that is worth compressing.
const USEFUL_LEN_MIN: usize = 4096;

/// A step between pieces that shares no factor with usual sizes, so that pieces differ
/// from each other.
const STEP: usize = 104_729;

/// A ring of text of which each job gets a piece.
#[derive(Clone, Debug)]
pub(crate) struct Corpus {
    /// The text, and again its beginning, so that every piece is a slice.
    ring: Bytes,
    len: usize,
    is_built_in: bool,
}

impl Corpus {
    /// Makes a ring from which pieces of up to `piece_len_max` bytes are cut.
    pub(crate) fn new(text: Vec<u8>, piece_len_max: usize) -> Self {
        let is_built_in = text.len() < USEFUL_LEN_MIN;
        let text = if is_built_in {
            BUILT_IN.concat().into_bytes()
        } else {
            text
        };
        let len = text.len();
        let ring: Vec<u8> = text
            .iter()
            .copied()
            .cycle()
            .take(len + piece_len_max)
            .collect();
        Self {
            ring: ring.into(),
            len,
            is_built_in,
        }
    }

    /// Returns the number of bytes of text.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_built_in(&self) -> bool {
        self.is_built_in
    }

    /// Returns a piece without copying it.
    pub(crate) fn piece(&self, index: usize, len: usize) -> Bytes {
        let start = index.wrapping_mul(STEP) % self.len;
        self.ring.slice(start..start + len)
    }
}

/// Returns whether a file is usable text.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_still_makes_long_pieces() {
        let corpus = Corpus::new(b"0123456789".repeat(500), 20_000);
        assert!(!corpus.is_built_in());
        for index in 0..50 {
            assert_eq!(corpus.piece(index, 20_000).len(), 20_000);
        }
    }

    #[test]
    fn without_text_the_built_in_one_is_used() {
        let corpus = Corpus::new(Vec::new(), 1000);
        assert!(corpus.is_built_in() && corpus.len() > USEFUL_LEN_MIN);
        assert_ne!(corpus.piece(0, 1000), corpus.piece(1, 1000));
    }

    #[test]
    fn binary_files_are_left_out() {
        assert!(is_text("für".as_bytes()));
        assert!(!is_text(b"\x7fELF\0"));
        assert!(!is_text(&[0xff, 0xfe]));
        assert!(!is_text(b""));
    }
}
