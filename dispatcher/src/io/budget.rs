//! Limit of the number of requests that are handled.

use rolecast_common::time::Time;

/// Lets so many pass in a second, and a burst of them after a pause.
#[derive(Debug)]
pub(super) struct Budget {
    per_second: f64,
    burst: f64,
    left: f64,
    at: Time,
}

impl Budget {
    pub(super) fn new(per_second: f64, burst: f64, now: Time) -> Self {
        Self {
            per_second,
            burst,
            left: burst,
            at: now,
        }
    }

    /// Takes one, if one is left.
    pub(super) fn take(&mut self, now: Time) -> bool {
        let earned = now.since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + earned).min(self.burst);
        self.at = now;
        let is_there = self.left >= 1.0;
        if is_there {
            self.left -= 1.0;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_of_requests_is_handled_up_to_a_limit() {
        let at = |millis| Time::from_start(Duration::from_millis(millis));
        let mut budget = Budget::new(1_000.0, 500.0, at(0));
        let taken = |budget: &mut Budget, from: u64, to: u64| {
            let times = (from..to).flat_map(|millis| [millis; 5]);
            times.filter(|millis| budget.take(at(*millis))).count()
        };
        // Five in each millisecond for ten seconds.
        let count = taken(&mut budget, 0, 10_000);
        assert!((10_400..=10_500).contains(&count), "{count}");
        assert!(budget.take(at(20_000)));
    }
}
