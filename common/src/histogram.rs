//! Histogram of durations, in plain numbers.

use std::time::Duration;

/// Upper bounds of the buckets, in seconds, the bound included: about two and a half times
/// the one before, from a millisecond to a day.
pub const BOUNDS_S: [f64; 20] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 900.0, 3600.0, 14_400.0, 86_400.0,
];

/// Number of durations in each bucket, and their sum.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    counts: [u64; BOUNDS_S.len() + 1],
    sum_s: f64,
}

impl Histogram {
    pub fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS_S.partition_point(|bound| *bound < seconds);
        self.counts[bucket] += 1;
        self.sum_s += seconds;
    }

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the sum, in seconds.
    pub fn sum_s(&self) -> f64 {
        self.sum_s
    }

    /// Returns the number of durations in each bucket alone, with its upper bound; the last
    /// one is [`f64::MAX`].
    pub fn buckets(&self) -> [(f64, u64); BOUNDS_S.len() + 1] {
        let bound = |bucket: usize| BOUNDS_S.get(bucket).copied().unwrap_or(f64::INFINITY);
        std::array::from_fn(|bucket| (bound(bucket), self.counts[bucket]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        let mut histogram = Histogram::default();
        for millis in [0, 1, 2, 2, 1000, 1001, 200_000_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let filled = histogram
            .buckets()
            .into_iter()
            .filter(|(_, count)| *count > 0);
        let filled: Vec<_> = filled.collect();
        let expected = [
            (0.001, 2),
            (0.0025, 2),
            (1.0, 1),
            (2.5, 1),
            (f64::INFINITY, 1),
        ];
        assert_eq!(filled, expected);
        assert_eq!(histogram.count(), 7);
        assert!((histogram.sum_s() - 200_002.006).abs() < 1e-6);
        assert!(BOUNDS_S.is_sorted());
    }
}
