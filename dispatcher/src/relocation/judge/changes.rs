//! Past changes: the number of recent ones, and the cost of one.

use std::collections::VecDeque;
use std::time::Duration;

use rolecast_common::time::Time;

/// The window of the bound on changes.
const HOUR: Duration = Duration::from_secs(3600);
/// Rate at which a change stops counting as recent, in seconds. From simulation.
const RECENT_S: f64 = 300.0;
/// Changes remembered: more than any sane bound an hour, and a bound on memory.
const KNOWN_MAX: usize = 256;
/// Weight of the last change in the average length. Guessed.
const LAST_SHARE: f64 = 0.5;

/// A change: the time of its report to this judge, and how long before that it was made.
#[derive(Clone, Copy, Debug)]
struct Change {
    recorded: Time,
    earlier: Duration,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    made: VecDeque<Change>,
    length_s: Option<f64>,
}

impl Changes {
    /// Adds a change that was made this long ago.
    pub(super) fn add(&mut self, now: Time, earlier: Duration) {
        if self.made.len() == KNOWN_MAX {
            self.made.pop_front();
        }
        self.made.push_back(Change {
            recorded: now,
            earlier,
        });
    }

    /// Records the duration of a change.
    pub(super) fn measure(&mut self, length: Duration) {
        let last = length.as_secs_f64();
        let before = self.length_s.unwrap_or(last);
        self.length_s = Some(before + LAST_SHARE * (last - before));
    }

    /// Returns the cost of a change: the configured one, or the duration of the last ones
    /// if that was more. Durations do not include the warm-up, so it is never less.
    pub(super) fn cost_s(&self, configured: Duration) -> f64 {
        let configured = configured.as_secs_f64();
        self.length_s.map_or(configured, |s| s.max(configured))
    }

    /// Returns the number of recent changes, each counting less with time.
    pub(super) fn recent(&self, now: Time) -> f64 {
        let ages = self.ages(now).map(|age| age.as_secs_f64());
        ages.map(|age_s| (-age_s / RECENT_S).exp()).sum()
    }

    /// Returns the number of changes in the last hour.
    pub(super) fn within_hour(&self, now: Time) -> usize {
        self.ages(now).filter(|age| *age < HOUR).count()
    }

    /// Returns the time since the last change.
    pub(super) fn last(&self, now: Time) -> Option<Duration> {
        self.ages(now).min()
    }

    fn ages(&self, now: Time) -> impl Iterator<Item = Duration> {
        let made = self.made.iter();
        made.map(move |change| now.since(change.recorded).saturating_add(change.earlier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_change_counts_less_with_time() {
        let mut changes = Changes::default();
        changes.add(at(1000), Duration::ZERO);
        changes.add(at(1000), Duration::from_secs(300));
        assert!((changes.recent(at(1000)) - 1.368).abs() < 1e-3);
        assert!(changes.recent(at(2500)) < 0.01);
        assert_eq!(changes.last(at(1010)), Some(Duration::from_secs(10)));
        assert_eq!(changes.within_hour(at(4400)), 1);
        assert_eq!(changes.within_hour(at(4600)), 0);
    }

    #[test]
    fn what_changes_took_raises_their_cost_and_never_lowers_it() {
        let configured = Duration::from_secs(10);
        let mut changes = Changes::default();
        assert_eq!(changes.cost_s(configured), 10.0);
        changes.measure(Duration::from_secs(1));
        assert_eq!(changes.cost_s(configured), 10.0);
        changes.measure(Duration::from_secs(41));
        assert_eq!(changes.cost_s(configured), 21.0);
    }
}
