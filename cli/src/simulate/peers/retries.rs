//! Jobs that were killed are tried again after a second, until ten executions failed.

use std::collections::{BTreeMap, VecDeque};

use super::super::policy::JobIndex;

const DELAY_S: f64 = 1.0;
const KILLS_MAX: u32 = 10;
/// The engine's clock has steps of a nanosecond: what is due that soon is due.
const TICK_S: f64 = 2e-9;

/// What waits for another attempt.
#[derive(Debug, Default)]
pub(super) struct Retries {
    kills: BTreeMap<JobIndex, u32>,
    /// When each is due. All wait equally long, so the first came first.
    due: VecDeque<(f64, JobIndex)>,
}

impl Retries {
    /// Notes that an execution was killed.
    pub(super) fn add(&mut self, now_s: f64, job: JobIndex) {
        let kills = self.kills.entry(job).or_default();
        *kills += 1;
        if *kills < KILLS_MAX {
            self.due.push_back((now_s + DELAY_S, job));
        }
    }

    /// Takes a job whose wait is over.
    pub(super) fn take(&mut self, now_s: f64) -> Option<JobIndex> {
        let (due_s, job) = *self.due.front()?;
        (due_s <= now_s + TICK_S).then(|| {
            self.due.pop_front();
            job
        })
    }

    pub(super) fn next_s(&self) -> Option<f64> {
        self.due.front().map(|(due_s, _)| *due_s)
    }
}
