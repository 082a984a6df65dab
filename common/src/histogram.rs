//! Histogram of durations, in plain numbers.

use std::time::Duration;

use crate::time::WallTime;
use crate::trace::TraceId;

/// Upper bounds of the buckets, in seconds, the bound included: about two and a half times
/// the one before, from a millisecond to a day.
pub const BOUNDS_S: [f64; 20] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 900.0, 3600.0, 14_400.0, 86_400.0,
];

/// Number of durations in each bucket, and their sum.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    counts: [u64; BUCKETS],
    sum_s: f64,
    /// The last duration in each bucket that belongs to a trace; `None` if there is none.
    exemplars: Option<Box<[Option<Exemplar>; BUCKETS]>>,
}

const BUCKETS: usize = BOUNDS_S.len() + 1;

/// A duration that a trace explains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    pub trace: TraceId,
    pub seconds: f64,
    pub at: WallTime,
}

impl Histogram {
    pub fn observe(&mut self, duration: Duration) {
        let (bucket, seconds) = place(duration);
        self.counts[bucket] += 1;
        self.sum_s += seconds;
    }

    /// Observes a duration that ends now, of a job that may be in a trace which is recorded.
    pub fn observe_traced(&mut self, now: WallTime, duration: Duration, trace: Option<TraceId>) {
        self.observe(duration);
        if let Some(trace) = trace {
            let (bucket, seconds) = place(duration);
            let exemplars = self.exemplars.get_or_insert_default();
            exemplars[bucket] = Some(Exemplar {
                trace,
                seconds,
                at: now,
            });
        }
    }

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the sum, in seconds.
    pub fn sum_s(&self) -> f64 {
        self.sum_s
    }

    /// Returns an exemplar for each bucket, if there is one for any.
    pub fn exemplars(&self) -> Option<&[Option<Exemplar>]> {
        self.exemplars.as_deref().map(<[_; BUCKETS]>::as_slice)
    }

    /// Returns the number of durations in each bucket alone, with its upper bound; the last
    /// one is [`f64::INFINITY`].
    pub fn buckets(&self) -> [(f64, u64); BUCKETS] {
        let bound = |bucket: usize| BOUNDS_S.get(bucket).copied().unwrap_or(f64::INFINITY);
        std::array::from_fn(|bucket| (bound(bucket), self.counts[bucket]))
    }
}

/// Returns the bucket of a duration, and the duration in seconds.
fn place(duration: Duration) -> (usize, f64) {
    let seconds = duration.as_secs_f64();
    let bucket = BOUNDS_S.partition_point(|bound| *bound < seconds);
    (bucket, seconds)
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

    #[test]
    fn each_bucket_keeps_its_last_duration_in_a_trace() {
        let context = |trace: u8| {
            let trace = format!("00-{trace:032x}-00f067aa0ba902b7-01");
            crate::trace::TraceContext::parse(&trace).unwrap().trace
        };
        let mut histogram = Histogram::default();
        histogram.observe_traced(WallTime::from_millis(1), Duration::from_millis(600), None);
        assert_eq!(histogram.exemplars(), None);
        for (at, millis, trace) in [(2, 600, 1), (3, 700, 2), (4, 1, 3)] {
            let at = WallTime::from_millis(at);
            let duration = Duration::from_millis(millis);
            histogram.observe_traced(at, duration, Some(context(trace)));
        }
        histogram.observe(Duration::from_millis(800));
        let exemplar = |trace, seconds, at| Exemplar {
            trace: context(trace),
            seconds,
            at: WallTime::from_millis(at),
        };
        let exemplars = histogram.exemplars().unwrap();
        assert_eq!(exemplars[0], Some(exemplar(3, 0.001, 4)));
        assert_eq!(exemplars[9], Some(exemplar(2, 0.7, 3)));
        assert_eq!(exemplars.iter().flatten().count(), 2);
        assert_eq!(histogram.count(), 5);
    }
}
