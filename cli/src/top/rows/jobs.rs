//! Rows of the list of jobs: those that have not ended, and the last decisions.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::id::{Category, JobId, NodeId};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{Decision, JobState, ListedJob, ProgressView, Verdict};

use super::super::feed::JobsOf;
use super::super::list::{Column, Item, Rank};
use super::super::picture::Picture;
use super::nodes::{age, count};
use crate::style::{Tone, one_line};
use crate::table::{Text, plain};
use crate::view::job::thousandths;

/// The characters of a progress that are shown.
const MESSAGE_CHARS_MAX: usize = 60;

/// A job, as far as it is known.
#[derive(Debug)]
pub(in super::super) struct Row<'a> {
    job: &'a JobId,
    category: Option<&'a Category>,
    state: (&'static str, Tone),
    /// Place of the state in the order: what waits is first, what was decided last.
    place: u8,
    node: Option<&'a NodeId>,
    /// Time since its state was reported.
    age_ms: u64,
    waited_ms: u64,
    /// Attempts that failed, or were lost.
    failed: u64,
    progress: Option<&'a ProgressView>,
}

impl Item for Row<'_> {
    fn key(&self) -> &str {
        self.job.as_str()
    }

    fn contains(&self, part: &str) -> bool {
        let is_in = |text: &str| text.to_lowercase().contains(part);
        is_in(self.key())
            || is_in(self.state.0)
            || self
                .category
                .is_some_and(|category| is_in(category.as_str()))
            || self.node.is_some_and(|node| is_in(node.as_str()))
            || self.progress.is_some_and(|progress| is_in(&progress.text))
    }
}

/// Returns the rows, each job once: those that have not ended, then those with a recent
/// decision.
pub(in super::super) fn rows<'a>(picture: &'a Picture, of: &JobsOf) -> Vec<Row<'a>> {
    let now = picture.status.as_ref().map(|status| status.at_ms);
    let listed = picture.jobs.listing.pages(of).iter();
    let listed = listed.flat_map(|page| page.jobs.iter().map(|job| open(job, page.at_ms)));
    let decisions = picture.jobs.decisions.iter();
    let decided = decisions.filter_map(|decision| decided(decision, now));
    let mut seen = BTreeSet::new();
    let is_wanted = |row: &Row<'_>| {
        of.node.as_ref().is_none_or(|node| row.node == Some(node))
            && of
                .category
                .as_ref()
                .is_none_or(|category| row.category == Some(category))
    };
    // A job counts by its last state, even if that is elsewhere.
    let last = listed.chain(decided).filter(|row| seen.insert(row.job));
    last.filter(is_wanted).collect()
}

/// Returns a job that has not ended.
fn open(job: &ListedJob, now: WallTime) -> Row<'_> {
    let since = job.since_ms.unwrap_or(0);
    let stored = job.submitted_ms.map_or(0, |at| millis(now.since(at)));
    let waited_ms = match job.state {
        JobState::Running => stored.saturating_sub(since),
        JobState::Waiting
        | JobState::Delayed
        | JobState::Unknown
        | JobState::Completed
        | JobState::Dead
        | JobState::Expired
        | JobState::Cancelled => stored,
    };
    let place = match job.state {
        JobState::Waiting => 0,
        JobState::Delayed => 1,
        JobState::Running => 2,
        JobState::Unknown
        | JobState::Completed
        | JobState::Dead
        | JobState::Expired
        | JobState::Cancelled => 3,
    };
    Row {
        job: &job.job,
        category: job.category.as_ref(),
        state: (job.state.as_str(), Tone::of_state(job.state)),
        place,
        node: job.node.as_ref(),
        age_ms: since,
        waited_ms,
        failed: u64::from(job.failed) + u64::from(job.lost),
        progress: job.progress.as_ref(),
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn decided(decision: &Decision, now: Option<WallTime>) -> Option<Row<'_>> {
    let age = now.map_or(Duration::ZERO, |now| now.since(decision.at_ms));
    Some(Row {
        job: decision.job.as_ref()?,
        category: Some(&decision.category),
        state: verdict(decision),
        place: 4,
        node: decision.node.as_ref(),
        age_ms: millis(age),
        waited_ms: decision.waited_ms,
        failed: u64::from(decision.failed) + u64::from(decision.lost),
        progress: None,
    })
}

/// The column by which jobs are sorted at first: what waits is above.
pub(in super::super) const FIRST_SORT: usize = 2;

pub(in super::super) fn columns<'a>() -> Vec<Column<Row<'a>>> {
    vec![
        Column::left(
            "job",
            (16, 0),
            |r| (r.key().to_owned(), Tone::Strong),
            |r| Rank::Text(r.key().to_owned()),
        ),
        Column::left(
            "category",
            (12, 4),
            |r| plain(category(r)),
            |r| Rank::Text(category(r)),
        ),
        Column::left(
            "state",
            (9, 1),
            |r| (r.state.0.to_owned(), r.state.1),
            |r| Rank::Least(f64::from(r.place)),
        ),
        Column::right(
            "done",
            (5, 3),
            |r| plain(share(r)),
            |r| Rank::Most(r.progress.map_or(-1.0, |progress| progress.done.get())),
        ),
        Column::left("node", (12, 2), |r| plain(node(r)), |r| Rank::Text(node(r))),
        Column::right(
            "ago",
            (5, 5),
            |r| plain(age(r.age_ms)),
            |r| Rank::Least(count(r.age_ms)),
        ),
        Column::right(
            "waited",
            (7, 6),
            |r| plain(age(r.waited_ms)),
            |r| Rank::Most(count(r.waited_ms)),
        ),
        Column::right("failed", (7, 7), failed, |r| Rank::Most(count(r.failed))),
        // Details of a job show it on a narrow screen.
        Column::left(
            "progress",
            (30, 8),
            |r| plain(message(r)),
            |r| Rank::Text(message(r)),
        ),
    ]
}

/// Returns the part of a job that is done.
fn share(row: &Row<'_>) -> String {
    let progress = row.progress;
    progress.map_or("-".to_owned(), |progress| {
        format!("{} %", thousandths(progress) / 10)
    })
}

fn message(row: &Row<'_>) -> String {
    let progress = row.progress;
    progress.map_or(String::new(), |progress| {
        one_line(&progress.text, MESSAGE_CHARS_MAX)
    })
}

fn category(row: &Row<'_>) -> String {
    row.category.map_or("-".to_owned(), Category::to_string)
}

fn node(row: &Row<'_>) -> String {
    row.node.map_or("-".to_owned(), NodeId::to_string)
}

fn failed(row: &Row<'_>) -> Text {
    (
        row.failed.to_string(),
        Tone::of_trouble(row.failed, Tone::Warning),
    )
}

/// Returns the state of a job by its last decision.
fn verdict(decision: &Decision) -> (&'static str, Tone) {
    match decision.verdict {
        Verdict::Sent => ("sent", Tone::Good),
        Verdict::Held => ("held", Tone::Warning),
        Verdict::Nowhere => ("no node", Tone::Bad),
    }
}
