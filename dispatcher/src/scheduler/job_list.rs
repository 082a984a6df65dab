//! Lists of the jobs that are held or were given back, by their place in the stream.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::time::Now;
use rolecast_common::wire::{JobList, JobState, JobTotals, JobsRequest, ListedJob, VERSION};

use super::jobs::{Away, Job, Jobs, State};
use super::queue::Queue;
use super::sending::why;
use crate::fleet::Fleet;

/// Jobs of a page without `limit`, and the most of any.
const JOBS_DEFAULT: usize = 200;
const JOBS_MAX: usize = 500;
/// Different reasons of waiting that are found for one page: each looks at all nodes.
const REASONS_MAX: usize = 16;
/// Characters of a reason that are listed; `job get` shows all.
const REASON_CHARS_MAX: usize = 200;
const ELSEWHERE: &str = "see rolecast job get";

/// The owners that a list reads.
pub(super) struct Sources<'a> {
    pub(super) jobs: &'a Jobs,
    pub(super) queue: &'a Queue,
    pub(super) fleet: &'a Fleet,
}

/// Returns the requested page.
pub(super) fn page(now: Now, from: &Sources<'_>, request: &JobsRequest) -> JobList {
    let max = request
        .limit
        .map_or(JOBS_DEFAULT, |limit| limit.get() as usize);
    let (totals, chosen, is_last) = choose(from.jobs, request, max.min(JOBS_MAX));
    let mut reasons = Reasons::default();
    let row = |sequence: &Sequence| match from.jobs.get(*sequence) {
        Some(job) => Some(of_held(now, from, &mut reasons, job)),
        None => {
            let away = from.jobs.given_back(*sequence)?;
            Some(of_away(now, *sequence, away))
        }
    };
    let jobs: Vec<ListedJob> = chosen.iter().filter_map(row).collect();
    JobList {
        v: VERSION,
        at_ms: now.wall,
        next: chosen.last().copied().filter(|_| !is_last),
        jobs,
        totals,
    }
}

/// Returns the totals, the sequences of a page in its order, and whether it is the last.
fn choose(jobs: &Jobs, request: &JobsRequest, max: usize) -> (JobTotals, Vec<Sequence>, bool) {
    let mut totals = JobTotals::default();
    let mut chosen = Nearest {
        max,
        newest_first: request.newest_first,
        after: request.after,
        kept: BTreeSet::new(),
        is_full: false,
    };
    let has_state = |state| request.states.is_empty() || request.states.contains(&state);
    for job in jobs.iter() {
        let state = match job.is_waiting() {
            true => JobState::Waiting,
            false => JobState::Running,
        };
        match job.is_waiting() {
            true => totals.waiting += 1,
            false => totals.running += 1,
        }
        let is_wanted = has_state(state)
            && request
                .node
                .as_ref()
                .is_none_or(|node| node_of(job) == Some(node))
            && request
                .category
                .as_ref()
                .is_none_or(|c| job.source().category == *c);
        if is_wanted {
            chosen.offer(job.sequence());
        }
    }
    for (sequence, away) in jobs.all_given_back() {
        totals.delayed += 1;
        let source = away.source.as_ref();
        let is_wanted = has_state(JobState::Delayed)
            && request.node.is_none()
            && request
                .category
                .as_ref()
                .is_none_or(|category| source.is_none_or(|source| source.category == *category));
        if is_wanted {
            chosen.offer(sequence);
        }
    }
    let is_last = !chosen.is_full;
    (totals, chosen.list(), is_last)
}

/// The first sequences after a cursor, in one of two directions.
struct Nearest {
    max: usize,
    newest_first: bool,
    after: Option<Sequence>,
    kept: BTreeSet<Sequence>,
    /// Whether one was left to the next page.
    is_full: bool,
}

impl Nearest {
    fn offer(&mut self, sequence: Sequence) {
        let is_behind = self.after.is_some_and(|after| match self.newest_first {
            true => sequence >= after,
            false => sequence <= after,
        });
        if is_behind {
            return;
        }
        self.kept.insert(sequence);
        if self.kept.len() > self.max {
            self.is_full = true;
            match self.newest_first {
                true => self.kept.pop_first(),
                false => self.kept.pop_last(),
            };
        }
    }

    fn list(self) -> Vec<Sequence> {
        match self.newest_first {
            true => self.kept.into_iter().rev().collect(),
            false => self.kept.into_iter().collect(),
        }
    }
}

fn node_of(job: &Job) -> Option<&NodeId> {
    match job.state() {
        State::Running { node, .. } => Some(node),
        State::Recording { record, .. } | State::DeadLettering { record, .. } => {
            record.node.as_ref()
        }
        State::Waiting => None,
    }
}

fn of_held(now: Now, from: &Sources<'_>, reasons: &mut Reasons, job: &Job) -> ListedJob {
    let last = job.failures().last().map(|failure| failure.reason.as_str());
    let last = last.unwrap_or_default();
    let (state, since, reason) = match job.state() {
        State::Waiting => {
            let reason = reasons.of(from, job);
            (JobState::Waiting, Some(job.waited(now.time)), reason)
        }
        State::Running { sent, .. } => {
            let since = now.time.since(*sent);
            let cancelled = from.jobs.why_cancelled(job);
            let reason = cancelled.unwrap_or_else(|| last.to_owned());
            (JobState::Running, Some(since), reason)
        }
        State::Recording { .. } | State::DeadLettering { .. } => {
            let reason = "its outcome is being recorded".to_owned();
            (JobState::Running, None, reason)
        }
    };
    ListedJob {
        job: job.id().clone(),
        sequence: job.sequence(),
        category: Some(job.source().category.clone()),
        priority: job.source().priority,
        state,
        node: node_of(job).cloned(),
        attempt: job.last_attempt().filter(|_| state == JobState::Running),
        submitted_ms: Some(job.submitted()),
        since_ms: since.map(millis),
        until_ms: None,
        progress: job.progress().cloned(),
        reason: clipped(&reason),
        failed: count(job.failures().len()),
        lost: count(job.losses().len()),
    }
}

fn of_away(now: Now, sequence: Sequence, away: &Away) -> ListedJob {
    let source = away.source.as_ref();
    ListedJob {
        job: away.history.job.clone(),
        sequence,
        category: source.map(|source| source.category.clone()),
        priority: source.map(|source| source.priority).unwrap_or_default(),
        state: JobState::Delayed,
        node: None,
        attempt: None::<Attempt>,
        submitted_ms: away.submitted,
        since_ms: None,
        until_ms: Some(now.wall + away.until.since(now.time)),
        progress: None,
        reason: clipped(&away.reason),
        failed: count(away.history.failures.len()),
        lost: count(away.history.losses.len()),
    }
}

/// Reasons why jobs wait, one for all jobs of a class.
#[derive(Default)]
struct Reasons(BTreeMap<String, String>);

impl Reasons {
    fn of(&mut self, from: &Sources<'_>, job: &Job) -> String {
        let is_own = job.has_history() || job.judged().is_some();
        let key = match is_own {
            true => job.sequence().to_string(),
            false => format!("{} {}", job.source().category, job.requirement()),
        };
        if let Some(reason) = self.0.get(&key) {
            return reason.clone();
        }
        if self.0.len() >= REASONS_MAX {
            return ELSEWHERE.to_owned();
        }
        let reason = why::of_job(from.jobs, from.queue, from.fleet, job);
        self.0.insert(key, reason.clone());
        reason
    }
}

fn clipped(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
