//! `rolecast job watch`: prints each change of a job's state until it has ended.

use std::time::Duration;

use rolecast_common::id::JobId;
use rolecast_common::nats::Clock;
use rolecast_common::wire::{JobState, JobView, Record};
use serde_json::json;
use tokio::time::Instant;

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::terminal::Terminal;
use super::super::waiting::{Hints, timed_out};
use super::find::resolve;
use crate::exit::Exit;
use crate::style::Tone;
use crate::view;

/// How often the dispatcher is asked; changes in between are not seen.
const ASK_EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(
    session: &Session,
    id: &JobId,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let end = session.limit.map(|limit| Instant::now() + limit);
    // A sequence stands for one job for good, so it is resolved once.
    let job = resolve(session, id).await?;
    let mut hints = Hints::subscribe(session, &job).await?;
    let mut shown = Shown::default();
    loop {
        if let Some(record) = session.record(&job).await? {
            ended(&record, terminal)?;
            return Ok(Exit::of_record(record.status));
        }
        shown.update(session.view(&job).await?, terminal)?;
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            return Err(shown.gave_up(session, &job));
        }
        hints.wait_until(now + ASK_EVERY).await;
    }
}

/// What was printed last.
#[derive(Debug, Default)]
struct Shown {
    view: Option<JobView>,
    was_silent: bool,
    /// Whether the job was ever known.
    was_known: bool,
}

impl Shown {
    fn update(&mut self, view: Option<JobView>, terminal: &Terminal) -> Result<(), Failure> {
        let Some(view) = view else {
            if !self.was_silent {
                terminal.note("no dispatcher answers; waiting for one, or for the job's record");
            }
            self.was_silent = true;
            return Ok(());
        };
        self.was_silent = false;
        if self.view.as_ref() == Some(&view) {
            return Ok(());
        }
        let now = Clock::new().now().wall;
        if terminal.json {
            terminal.print_json_line(&json!({ "at_ms": now, "view": view }))?;
        } else {
            let line = view::job::change(&view, now, terminal.palette);
            terminal.print(&format!("{line}\n"))?;
        }
        if view.state == JobState::Unknown {
            let text = if self.was_known {
                "no record: it completed and its category does not record completed jobs, \
                 or it will be delivered again; watching on"
            } else {
                "never accepted, still behind others in the stream, or completed without a \
                 record; watching on"
            };
            terminal.note(&terminal.notes.paint(Tone::Faint, text));
        }
        self.was_known |= view.state != JobState::Unknown;
        self.view = Some(view);
        Ok(())
    }

    fn gave_up(&self, session: &Session, job: &JobId) -> Failure {
        if self.view.is_some() && !self.was_known {
            return Failure::new(Exit::NoSuchJob, format!("job {job} is not known"));
        }
        timed_out(session, job)
    }
}

fn ended(record: &Record, terminal: &Terminal) -> Result<(), Failure> {
    let now = record.finished_ms;
    if terminal.json {
        return terminal.print_json_line(&json!({ "at_ms": now, "record": record }));
    }
    let summary = view::job::summary(record, terminal.palette);
    terminal.print(&format!("{now}  {summary}\n"))?;
    Ok(())
}
