//! The cancels in force, and the jobs that they ended last.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use foldhash::{HashMap, HashSet};
use rolecast_common::id::{Category, JobId, Sequence};
use rolecast_common::time::{Time, WallTime};

use super::job::{Away, Job};
use crate::scheduler::cancel::{Cancel, CancelTarget};

/// The most cancels of single jobs, some megabytes; a category is cancelled by one.
const JOBS_MAX: usize = 10_000;
/// The most categories with a cancel: more than any installation has. Guessed.
const CATEGORIES_MAX: usize = 1_000;
/// Time after which the cancel of a job that was not found ends.
const JOB_LASTS: Duration = Duration::from_secs(24 * 3600);
/// The age at which the bucket drops a cancel.
const CATEGORY_LASTS: Duration = Duration::from_secs(30 * 24 * 3600);
/// The most that the stream's clock may be ahead of the dispatcher's: a job that was stored
/// later than its cancel is another one.
const CLOCKS_APART: Duration = Duration::from_secs(1);
/// Jobs remembered after they were recorded as cancelled: nodes that still list them are
/// asked to stop them. As many as some hundred nodes run.
const ENDED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Cancels {
    by_job: HashMap<JobId, Cancel>,
    by_category: BTreeMap<Category, Cancel>,
    /// Orders that are being stored.
    pub(super) storing: BTreeMap<u64, Cancel>,
    /// Jobs that are to be cancelled, a part of them in each turn.
    due: VecDeque<Sequence>,
    /// The time when the last of them were added.
    due_since: Time,
    ended: HashSet<Sequence>,
    ended_in_order: VecDeque<Sequence>,
}

impl Cancels {
    /// Whether nothing was cancelled lately.
    pub(super) fn is_empty(&self) -> bool {
        self.by_job.is_empty() && self.by_category.is_empty() && self.ended.is_empty()
    }

    /// Returns the reason why one more cancel cannot be taken.
    pub(super) fn objection(&self, target: &CancelTarget) -> Option<String> {
        let storing = self.storing.len();
        match target {
            CancelTarget::Job(job) => {
                let is_full = self.by_job.len() + storing >= JOBS_MAX;
                (is_full && !self.by_job.contains_key(job)).then(|| {
                    format!(
                        "{JOBS_MAX} cancels of single jobs are in force, which is the limit; \
                         cancel the jobs of a category by their age, or try again when some \
                         have ended"
                    )
                })
            }
            CancelTarget::Category(category, _) => {
                let is_full = self.by_category.len() + storing >= CATEGORIES_MAX;
                (is_full && !self.by_category.contains_key(category)).then(|| {
                    format!("{CATEGORIES_MAX} categories have a cancel, which is the limit")
                })
            }
        }
    }

    /// Whether a cancel of the category is in force that concerns all these jobs and more.
    /// The new one must not be stored then: it would take the place of the other.
    pub(super) fn cover(&self, target: &CancelTarget) -> bool {
        let CancelTarget::Category(category, before) = target else {
            return false;
        };
        let former = self.by_category.get(category).map(|former| &former.target);
        matches!(former, Some(CancelTarget::Category(_, former)) if former >= before)
    }

    /// Adds a cancel; of two of a category the one that concerns more jobs counts.
    pub(super) fn add(&mut self, cancel: Cancel) {
        if self.cover(&cancel.target) {
            return;
        }
        match &cancel.target {
            CancelTarget::Job(job) => drop(self.by_job.insert(job.clone(), cancel)),
            CancelTarget::Category(category, _) => {
                self.by_category.insert(category.clone(), cancel);
            }
        }
    }

    /// Returns the cancel that concerns a job.
    pub(super) fn of(&self, job: &Job) -> Option<&Cancel> {
        self.find(Facts::of(job))
    }

    /// Returns the cancel that concerns a job that was given back.
    pub(super) fn of_away(&self, away: &Away) -> Option<&Cancel> {
        self.find(Facts::of_away(away))
    }

    fn find(&self, facts: Facts<'_>) -> Option<&Cancel> {
        if self.by_job.is_empty() && self.by_category.is_empty() {
            return None;
        }
        let by_job = self.by_job.get(facts.id);
        let by_category = || self.by_category.get(facts.category?);
        let by_job = by_job.filter(|cancel| facts.are_meant(cancel));
        by_job.or_else(|| by_category().filter(|cancel| facts.are_meant(cancel)))
    }

    /// Removes the cancel of a job that has ended; returns whether there was one.
    pub(super) fn remove(&mut self, job: &JobId) -> bool {
        self.by_job.remove(job).is_some()
    }

    /// Removes the cancels of jobs that were not found within a day, and returns the jobs;
    /// also those of categories that the bucket does not keep any more.
    pub(super) fn expire(&mut self, now: WallTime) -> Vec<JobId> {
        self.by_category
            .retain(|_, cancel| now.since(cancel.at) < CATEGORY_LASTS);
        let old = self
            .by_job
            .iter()
            .filter(|(_, cancel)| now.since(cancel.at) >= JOB_LASTS);
        let mut old: Vec<JobId> = old.map(|(job, _)| job.clone()).collect();
        // The order of a hash map must not reach the outside.
        old.sort_unstable();
        for job in &old {
            self.by_job.remove(job);
        }
        old
    }

    /// Has these jobs cancelled, from this turn on.
    pub(super) fn add_due(&mut self, now: Time, jobs: impl IntoIterator<Item = Sequence>) {
        self.due_since = now;
        self.due.extend(jobs);
    }

    pub(super) fn take_due(&mut self) -> Option<Sequence> {
        self.due.pop_front()
    }

    /// Returns the time from which on jobs are due, if there are any.
    pub(super) fn due_since(&self) -> Option<Time> {
        (!self.due.is_empty()).then_some(self.due_since)
    }

    /// Remembers a job that was recorded as cancelled.
    pub(super) fn record_ended(&mut self, sequence: Sequence) {
        if self.ended.insert(sequence) {
            self.ended_in_order.push_back(sequence);
        }
        if self.ended_in_order.len() > ENDED_MAX
            && let Some(oldest) = self.ended_in_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }

    pub(super) fn has_ended(&self, sequence: Sequence) -> bool {
        self.ended.contains(&sequence)
    }

    /// Forgets the jobs of a stream that is gone.
    pub(super) fn renew_stream(&mut self) {
        self.due.clear();
        self.ended.clear();
        self.ended_in_order.clear();
    }
}

/// What decides whether a cancel concerns a job, as far as it is known.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    id: &'a JobId,
    category: Option<&'a Category>,
    stored: Option<WallTime>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(job: &'a Job) -> Self {
        Self {
            id: &job.id,
            category: Some(&job.source.category),
            stored: Some(job.submitted()),
        }
    }

    pub(super) fn of_away(away: &'a Away) -> Self {
        Self {
            id: &away.history.job,
            category: away.source.as_ref().map(|source| &source.category),
            stored: away.submitted,
        }
    }

    pub(super) fn are_meant(self, cancel: &Cancel) -> bool {
        match &cancel.target {
            CancelTarget::Job(job) => {
                let is_same = |stored: WallTime| stored <= cancel.at + CLOCKS_APART;
                job == self.id && self.stored.is_none_or(is_same)
            }
            CancelTarget::Category(category, before) => {
                Some(category) == self.category
                    && self.stored.is_some_and(|stored| stored < *before)
            }
        }
    }
}
