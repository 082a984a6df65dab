//! Times of storage, and the gaps between them.

/// Milliseconds of the wall clock, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeline(Vec<i64>);

impl Timeline {
    pub(super) fn new(mut times: Vec<i64>) -> Timeline {
        times.sort_unstable();
        Timeline(times)
    }

    pub(super) fn times(&self) -> Vec<i64> {
        self.0.clone()
    }

    pub(super) fn first(&self) -> Option<i64> {
        self.0.first().copied()
    }

    /// Returns the longest time without an entry between the first one and `end`.
    pub(super) fn longest_gap_ms(&self, end: i64) -> i64 {
        let before_end = self.0.iter().copied().filter(|at| *at < end);
        let ends = before_end.clone().skip(1).chain([end]);
        before_end
            .zip(ends)
            .map(|(from, to)| to - from)
            .max()
            .unwrap_or(0)
    }

    /// Returns the time from `moment` to the next entry; without one, the time without
    /// entries until `end`.
    pub(super) fn next_after_ms(&self, moment: i64, end: i64) -> i64 {
        let next = self.0.iter().copied().find(|at| *at >= moment);
        (next.unwrap_or(end) - moment).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_may_be_inside_or_at_the_end() {
        let line = Timeline::new(vec![500, 100, 200]);
        assert_eq!(line.longest_gap_ms(550), 300);
        assert_eq!(line.longest_gap_ms(2_000), 1_500);
        // Entries after the end of the load do not shorten the gap before it.
        assert_eq!(line.longest_gap_ms(350), 150);
        assert_eq!(Timeline::default().longest_gap_ms(100), 0);
    }

    #[test]
    fn the_next_one_counts_from_the_moment_or_is_missing_until_the_end() {
        let line = Timeline::new(vec![100, 200]);
        assert_eq!(line.next_after_ms(150, 900), 50);
        assert_eq!(line.next_after_ms(100, 900), 0);
        assert_eq!(line.next_after_ms(300, 900), 600);
    }
}
