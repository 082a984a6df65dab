//! Counts of the jobs, from their records.

use std::collections::BTreeMap;

use rolecast_common::id::{JobId, NodeId};
use rolecast_common::wire::{Record, RecordStatus};

use super::fleet::is_eligible;

/// Counts over all jobs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Jobs by category and the node that ended them.
    pub(crate) by_place: BTreeMap<(String, NodeId), u64>,
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

impl Tally {
    /// Counts one job, with its record if it has one.
    pub(crate) fn add(&mut self, job: &JobId, record: Option<&Record>) {
        let Some(record) = record else {
            self.lost.push(job.clone());
            return;
        };
        match record.status {
            RecordStatus::Completed => self.completed += 1,
            // Nobody cancels jobs of the demo.
            RecordStatus::Dead | RecordStatus::Cancelled => self.dead += 1,
            RecordStatus::Expired => self.expired += 1,
        }
        if !record.failures.is_empty() || !record.losses.is_empty() {
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
    }

    /// Returns whether every job completed on a node that may run it.
    pub(crate) fn is_flawless(&self) -> bool {
        self.lost.is_empty() && self.dead == 0 && self.expired == 0 && self.misplaced == 0
    }
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
