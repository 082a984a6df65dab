//! Retries: killed jobs are sent again after a second, unless they have failed.

use std::collections::{BTreeMap, VecDeque};

use crate::policy::{JobIndex, KILLS_MAX};

const DELAY_S: f64 = 1.0;

/// Killed jobs that must be sent again.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    counts: BTreeMap<JobIndex, u8>,
    /// In the order of their times.
    due: VecDeque<(f64, JobIndex)>,
}

impl Retries {
    pub(crate) fn killed(&mut self, now_s: f64, job: JobIndex) {
        let count = self.counts.entry(job).or_default();
        *count += 1;
        if *count < KILLS_MAX {
            self.due.push_back((now_s + DELAY_S, job));
        }
    }

    pub(crate) fn next_s(&self) -> Option<f64> {
        self.due.front().map(|(due_s, _)| *due_s)
    }

    /// Takes the next job that is due by now.
    pub(crate) fn take(&mut self, now_s: f64) -> Option<JobIndex> {
        if self.next_s()? > now_s {
            return None;
        }
        self.due.pop_front().map(|(_, job)| job)
    }
}
