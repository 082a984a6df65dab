//! Progress of jobs: the lines that a command writes about it, and the way to the worker.
//!
//! A line begins with the part that is done, as a number from 0 to 1, a percentage or a
//! fraction: `0.4`, `40%`, `3/8`. A text may follow behind a space or a colon. All other
//! lines are ignored, and of the lines that arrive together only the last one counts.

use std::fmt;
use std::sync::Arc;

use rolecast_common::wire::Progress;

/// Bytes of a line that are read; the rest of a longer one is dropped.
const LINE_MAX: usize = 512;
/// Lines that are tried, from the last one back, before those that arrived together with
/// them are dropped: a flood costs no more than reading it.
const TRIES_MAX: usize = 16;

/// Passes the progress of one execution on; it never waits.
#[derive(Clone)]
pub(crate) struct Reporter(Arc<dyn Fn(Progress) + Send + Sync>);

impl Reporter {
    pub(crate) fn new(pass: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(pass))
    }

    pub(crate) fn report(&self, progress: Progress) {
        (self.0)(progress);
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}

/// Reads lines from pieces of a stream.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not arrived yet.
    pending: Vec<u8>,
}

impl Lines {
    /// Takes the next piece; returns the progress of the last valid line that ends in it.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Option<Progress> {
        let Some(last) = piece.iter().rposition(is_end) else {
            self.extend(piece);
            return None;
        };
        let mut lines = piece[..last].rsplit(is_end).take(TRIES_MAX).peekable();
        let mut found = None;
        while let Some(line) = lines.next().filter(|_| found.is_none()) {
            // The first line of the piece begins before it.
            let is_first = line.as_ptr() == piece.as_ptr();
            found = match is_first {
                true => {
                    self.extend(line);
                    parse(&self.pending)
                }
                false => parse(line),
            };
        }
        self.pending.clear();
        self.extend(&piece[last + 1..]);
        found
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = LINE_MAX - self.pending.len();
        self.pending
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "searches in slices pass references"
)]
fn is_end(byte: &u8) -> bool {
    // Programs that redraw a line end it with a carriage return.
    matches!(byte, b'\n' | b'\r')
}

/// Reads one line; `None` if it does not begin with a part that is done.
fn parse(line: &[u8]) -> Option<Progress> {
    let line = &line[..line.len().min(LINE_MAX)];
    let line = String::from_utf8_lossy(line);
    let (number, rest) = number(line.trim())?;
    let after = rest.trim_start();
    let (done, rest) = if let Some(rest) = after.strip_prefix('%') {
        (number / 100.0, rest)
    } else if let Some(rest) = after.strip_prefix('/') {
        let (whole, rest) = self::number(rest.trim_start())?;
        (number / whole, rest)
    } else if number <= 1.0 {
        (number, rest)
    } else {
        return None;
    };
    let is_separate = rest.is_empty() || rest.starts_with([' ', '\t', ':']);
    // A fraction of nothing is not a number.
    if !is_separate || !done.is_finite() {
        return None;
    }
    let text = rest.trim_start_matches([' ', '\t', ':']);
    Some(Progress::clamped(done, text))
}

/// Reads a plain number at the beginning, and returns what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let rest = text.trim_start_matches(is_part);
    let number = text[..text.len() - rest.len()].parse().ok()?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Option<(f64, String)> {
        let progress = Lines::default().take(format!("{line}\n").as_bytes())?;
        Some((progress.done.get(), progress.text))
    }

    #[test]
    fn a_line_has_a_number_a_percentage_or_a_fraction_and_perhaps_a_text() {
        for (line, done, text) in [
            ("0.4 page 3 of 8", 0.4, "page 3 of 8"),
            ("0", 0.0, ""),
            ("1", 1.0, ""),
            (".5\tx", 0.5, "x"),
            ("40%", 0.4, ""),
            ("  40 %  page 3  ", 0.4, "page 3"),
            ("12.5%: page 3", 0.125, "page 3"),
            ("3/8 pages", 0.375, "pages"),
            ("3 / 8: pages", 0.375, "pages"),
            ("0/8", 0.0, ""),
            ("9/8", 1.0, ""),
            ("101%", 1.0, ""),
            ("0.33333333", 0.333, ""),
            ("0.5 a\u{1b}[2Jb\tc", 0.5, "a [2Jb c"),
        ] {
            assert_eq!(read(line), Some((done, text.to_owned())), "{line:?}");
        }
    }

    #[test]
    fn other_lines_are_ignored() {
        for line in [
            "", " ", "page 3", "-0.1", "+0.1", "1.5", "40", "0,4", "0.4x", "1e-3", "nan", "inf",
            "NaN%", "%", "/", "3/", "3/0", "0/0", "/8", "1.2.3", ".", "40%x", "0x1",
        ] {
            assert_eq!(read(line), None, "{line:?}");
        }
    }

    #[test]
    fn lines_are_joined_from_pieces_and_the_last_valid_one_counts() {
        let mut lines = Lines::default();
        let mut take = |piece: &str| lines.take(piece.as_bytes()).map(|p| p.done.get());
        assert_eq!(take("0.1 one\n0.2 two\n0.3"), Some(0.2));
        assert_eq!(take("5 three"), None);
        assert_eq!(take("\n"), Some(0.35));
        assert_eq!(take("0.5\r0.6\r\nnonsense\n"), Some(0.6));
        assert_eq!(take("0."), None);
        assert_eq!(take("7\nmore\nnonsense\n"), Some(0.7));
    }

    #[test]
    fn a_line_without_an_end_is_bounded_and_the_next_one_is_read() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert_eq!(lines.take(&[b'x'; 1000]), None);
            assert!(lines.pending.len() <= LINE_MAX);
        }
        let read = lines.take(b"0.9\n0.8\n").unwrap();
        assert_eq!(read.done.get(), 0.8);
        let long = format!("0.5 {}\n", "é".repeat(10_000));
        let read = lines.take(long.as_bytes()).unwrap();
        assert_eq!(read.text, "é".repeat(100));
    }

    proptest! {
        #[test]
        fn reading_never_panics(pieces in prop::collection::vec("\\PC{0,40}|[0-9./%\n\r ]{0,600}", 0..8)) {
            let mut lines = Lines::default();
            for piece in pieces {
                if let Some(progress) = lines.take(piece.as_bytes()) {
                    prop_assert!((0.0..=1.0).contains(&progress.done.get()));
                }
            }
        }
    }
}
