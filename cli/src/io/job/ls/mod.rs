//! `rolecast job ls`: jobs by category, state, node and age.

mod ended;
mod held;
mod open;
mod stream;

use rolecast_common::id::{Category, NodeId, Sequence};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{JobState, ListedJob};
use rolecast_nats::Clock;
use serde_json::json;

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::terminal::Terminal;
use crate::args::job_list::{First, JobList};
use crate::exit::Exit;
use crate::style::Tone;
use crate::view::job_list::list;

/// Messages that are read from a stream for one list, and bytes: a second or so.
const READS_MAX: u32 = 2_000;
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// The jobs to list.
#[derive(Debug)]
struct Wanted {
    category: Option<Category>,
    node: Option<NodeId>,
    states: Vec<JobState>,
    /// The times between which they were submitted.
    since: Option<WallTime>,
    until: Option<WallTime>,
    newest_first: bool,
    after: Option<Sequence>,
    limit: usize,
}

impl Wanted {
    fn is(&self, job: &ListedJob) -> bool {
        let in_time = job.submitted_ms.is_none_or(|at| {
            self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at <= until)
        });
        in_time
            && self.states.contains(&job.state)
            && self
                .node
                .as_ref()
                .is_none_or(|node| job.node.as_ref() == Some(node))
            && self
                .category
                .as_ref()
                .is_none_or(|name| job.category.as_ref() == Some(name))
    }
}

/// The result: the jobs, the place to continue after, and what is missing.
#[derive(Debug, Default)]
struct Found {
    jobs: Vec<ListedJob>,
    next: Option<Sequence>,
    note: Option<String>,
}

pub(super) async fn run(
    session: &Session,
    asked: &JobList,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let (states, is_ended) = asked
        .wanted()
        .map_err(|why| Failure::new(Exit::Usage, why))?;
    let now = Clock::new().now().wall;
    let before = |length: Option<std::time::Duration>| {
        let millis = length.map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        millis.map(|millis| WallTime::from_millis(now.as_millis().saturating_sub(millis)))
    };
    let first = asked.first.unwrap_or(match is_ended {
        true => First::Newest,
        false => First::Oldest,
    });
    let wanted = Wanted {
        category: asked.category.clone(),
        node: asked.node.clone(),
        states,
        since: before(asked.younger),
        until: before(asked.older),
        newest_first: first == First::Newest,
        after: asked.after,
        limit: asked.limit as usize,
    };
    let found = match is_ended {
        true => ended::list(session, &wanted, now).await?,
        false => open::list(session, &wanted).await?,
    };
    if terminal.json {
        terminal.print_document(&json!({
            "at_ms": now, "jobs": found.jobs, "next": found.next, "note": found.note,
        }))?;
        return Ok(Exit::Fine);
    }
    terminal.print(&list(&found.jobs, now, terminal.palette))?;
    if let Some(next) = found.next {
        terminal.print(&format!("\nmore with --after {next}\n"))?;
    }
    let note = found
        .note
        .map(|note| terminal.notes.paint(Tone::Warning, &note));
    terminal.note_all(note);
    Ok(Exit::Fine)
}
