//! Limit on the log lines of one kind.
//!
//! Enough lines pass to follow events, too few to fill a disk, whatever others send.

use std::time::Duration;

use crate::time::Time;

/// Span of time in which this many lines may be written.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lets `MAX` lines pass in ten seconds and counts the others.
#[derive(Debug, Default)]
pub struct Limit<const MAX: u32> {
    since: Time,
    lines: u32,
    suppressed: u64,
}

impl<const MAX: u32> Limit<MAX> {
    /// Returns how many lines were suppressed before this one, or `None` if this one is
    /// suppressed as well.
    pub fn pass(&mut self, now: Time) -> Option<u64> {
        if now.since(self.since) >= INTERVAL {
            self.since = now;
            self.lines = 0;
        }
        if self.lines >= MAX {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_becomes_few_lines_and_a_count() {
        let at = |seconds| Time::from_start(Duration::from_secs(seconds));
        let mut limit = Limit::<100>::default();
        let passed = (0..20_000).filter_map(|_| limit.pass(at(20))).count();
        assert_eq!(passed, 100);
        assert_eq!(limit.pass(at(29)), None);
        assert_eq!(limit.pass(at(30)), Some(19_901));
        assert_eq!(limit.pass(at(31)), Some(0));
    }
}
