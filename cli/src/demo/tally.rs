//! Counts what the records say.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use rolecast_common::id::{JobId, NodeId};
use rolecast_common::wire::{Record, RecordStatus};

use super::fleet::is_eligible;
use crate::view::job::waited;

/// The longest time told apart, in microseconds: an hour.
const LENGTH_MAX_US: u64 = 3_600_000_000;

/// What became of all jobs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Jobs by category and the node that ended them.
    pub(crate) by_place: BTreeMap<(String, NodeId), u64>,
    pub(crate) lengths: BTreeMap<String, Lengths>,
    pub(crate) completed: u64,
    pub(crate) dead: u64,
    pub(crate) expired: u64,
    /// Jobs that took more than one attempt.
    pub(crate) repeated: u64,
    /// Jobs on a node whose role may not run them.
    pub(crate) misplaced: u64,
    /// Jobs without a record.
    pub(crate) lost: Vec<JobId>,
}

/// How long the jobs of a category took.
#[derive(Clone, Debug)]
pub(crate) struct Lengths {
    pub(crate) waits: Histogram<u64>,
    pub(crate) runs: Histogram<u64>,
}

impl Tally {
    /// Counts one job: its record, or that it has none.
    pub(crate) fn add(&mut self, job: &JobId, record: Option<&Record>) {
        let Some(record) = record else {
            self.lost.push(job.clone());
            return;
        };
        match record.status {
            RecordStatus::Completed => self.completed += 1,
            RecordStatus::Dead => self.dead += 1,
            RecordStatus::Expired => self.expired += 1,
        }
        if !record.failures.is_empty() {
            self.repeated += 1;
        }
        let category = &record.category;
        if let Some(node) = &record.node {
            let place = (category.clone(), node.clone());
            *self.by_place.entry(place).or_default() += 1;
            if !is_eligible(category, node.as_str()) {
                self.misplaced += 1;
            }
        }
        let lengths = self.lengths.entry(category.clone());
        let lengths = lengths.or_insert_with(Lengths::new);
        if let Some(waited) = waited(record) {
            lengths.waits.saturating_record(micros(waited));
            lengths.runs.saturating_record(record.run_us.max(1));
        }
    }

    /// Returns whether every job completed, where it may run.
    pub(crate) fn is_flawless(&self) -> bool {
        self.lost.is_empty() && self.dead == 0 && self.expired == 0 && self.misplaced == 0
    }
}

impl Lengths {
    fn new() -> Self {
        let histogram =
            || Histogram::new_with_bounds(1, LENGTH_MAX_US, 3).expect("the bounds are in range");
        Self {
            waits: histogram(),
            runs: histogram(),
        }
    }
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// Returns the value that this share of all is not above.
pub(crate) fn quantile(histogram: &Histogram<u64>, share: f64) -> Duration {
    Duration::from_micros(histogram.value_at_quantile(share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::job::tests::completed;

    #[test]
    fn a_job_without_a_record_is_lost() {
        let mut tally = Tally::default();
        tally.add(&job("a"), Some(&on("oak", "compress")));
        assert!(tally.is_flawless());
        tally.add(&job("b"), None);
        assert!(!tally.is_flawless());
        assert_eq!(tally.lost, [job("b")]);
    }

    #[test]
    fn a_job_on_the_wrong_node_is_a_flaw() {
        let mut tally = Tally::default();
        tally.add(&job("a"), Some(&on("oak", "hash")));
        assert_eq!(tally.misplaced, 1);
        assert!(!tally.is_flawless());
    }

    #[test]
    fn times_are_counted_by_category() {
        let mut tally = Tally::default();
        tally.add(&job("a"), Some(&on("fir", "hash")));
        let lengths = &tally.lengths["hash"];
        let wait = quantile(&lengths.waits, 0.5).as_millis();
        assert!((119..=121).contains(&wait), "{wait}");
        assert_eq!(tally.repeated, 1);
    }

    fn job(id: &str) -> JobId {
        JobId::new(id).unwrap()
    }

    fn on(node: &str, category: &str) -> Record {
        Record {
            node: Some(NodeId::new(node).unwrap()),
            category: category.to_owned(),
            ..completed()
        }
    }
}
