//! Share of the jobs that is recorded, by category.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::Category;
use rolecast_common::wire::CategoryStatus;

use super::Recording;

/// The time in which jobs are counted to find the share that is recorded.
const RECENT: Duration = Duration::from_secs(600);
/// So many decisions in a second mean that there were more: the dispatcher records
/// twenty, and its seconds are not those of the clock.
const FULL_SECOND: u32 = 15;

/// Share of the jobs that is recorded.
pub(super) struct Scales<'a> {
    /// Recent decisions a minute; empty if all are recorded.
    per_minute: BTreeMap<&'a Category, f64>,
}

impl<'a> Scales<'a> {
    pub(super) fn new(recording: &'a Recording) -> Self {
        let now = recording.status.at_ms;
        let ages = recording.jobs.iter().map(|job| now.since(job.decided));
        let counted = ages.max().unwrap_or_default().min(RECENT);
        let minutes = (counted.as_secs_f64() / 60.0).max(1.0);
        let mut seconds: BTreeMap<u64, u32> = BTreeMap::new();
        let mut per_minute = BTreeMap::new();
        for job in &recording.jobs {
            if now.since(job.decided) <= counted {
                let second = job.decided.as_millis() / 1000;
                *seconds.entry(second).or_default() += 1;
                *per_minute.entry(&job.category).or_default() += 1.0 / minutes;
            }
        }
        if !seconds.values().any(|count| *count >= FULL_SECOND) {
            per_minute.clear();
        }
        Self { per_minute }
    }

    /// Returns the number of jobs for each that is recorded, with a note if that is more
    /// than one.
    pub(super) fn of(&self, status: &CategoryStatus) -> (f64, Option<String>) {
        let category = &status.category;
        let recorded = self.per_minute.get(category);
        let (Some(recorded), Some(expected)) = (recorded, status.expected_per_minute) else {
            return (1.0, None);
        };
        if expected <= *recorded {
            return (1.0, None);
        }
        let note = format!(
            "{category}: {recorded:.0} of {expected:.0} jobs a minute are recorded; the \
             others are added to these"
        );
        (expected / recorded, Some(note))
    }
}
