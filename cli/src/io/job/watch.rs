//! `rolecast job watch`: prints each change of a job's state until it has ended.

use std::time::Duration;

use rolecast_common::id::{JobId, JobName};
use rolecast_common::wire::{JobState, JobView, Record};
use rolecast_nats::Clock;
use serde_json::json;
use tokio::time::Instant;

use super::super::failure::Failure;
use super::super::session::{Session, Stored};
use super::super::terminal::Terminal;
use super::super::waiting::{Hints, timed_out};
use super::bar::Bar;
use super::find::{behind, resolve};
use super::queue::{Searched, search};
use crate::exit::Exit;
use crate::style::Tone;
use crate::view;

/// Interval of requests to the dispatcher; changes in between are not seen.
const ASK_EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(
    session: &Session,
    name: &JobName,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let end = session.limit.map(|limit| Instant::now() + limit);
    // A sequence names one job for good, so it is resolved once.
    let job = resolve(session, name).await?;
    let mut hints = Hints::subscribe(session, &job).await?;
    let mut shown = Shown::new(terminal);
    let mut reads_records = true;
    loop {
        let stored = match reads_records {
            true => session.stored(&job).await?,
            false => Stored::Nothing,
        };
        match stored {
            Stored::Record(record) => {
                shown.bar.clear();
                ended(&record, terminal)?;
                return Ok(Exit::of_record(record.status));
            }
            Stored::Nothing => {}
            Stored::Denied(_) => reads_records = false,
        }
        let view = session.view(&job).await?;
        // A login without access to records asks the dispatcher, which reads them too.
        if let Some(record) = view.as_ref().and_then(|view| view.record.as_ref()) {
            shown.bar.clear();
            ended(record, terminal)?;
            return Ok(Exit::of_record(record.status));
        }
        let is_unknown = |view: &JobView| view.state == JobState::Unknown;
        if view.as_ref().is_some_and(is_unknown) && shown.view.is_none() {
            shown.searched = Some(match reads_records {
                true => search(session, &job).await,
                false => Searched::Unfinished { seen: 0 },
            });
        }
        shown.update(view, terminal)?;
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            return Err(shown.gave_up(session, &job));
        }
        hints.wait_until(now + ASK_EVERY).await;
    }
}

/// The last line that was printed.
#[derive(Debug)]
struct Shown {
    bar: Bar,
    view: Option<JobView>,
    was_silent: bool,
    /// Whether the job was ever known.
    was_known: bool,
    /// Whether it waits in the stream, if it was not known at first.
    searched: Option<Searched>,
}

impl Shown {
    fn new(terminal: &Terminal) -> Self {
        Self {
            bar: Bar::new(terminal),
            view: None,
            was_silent: false,
            was_known: false,
            searched: None,
        }
    }

    fn update(&mut self, view: Option<JobView>, terminal: &Terminal) -> Result<(), Failure> {
        let Some(mut view) = view else {
            if !self.was_silent {
                self.bar.clear();
                terminal.note("no dispatcher answers; waiting for one, or for the job's record");
            }
            self.was_silent = true;
            return Ok(());
        };
        self.was_silent = false;
        let progress = match self.bar.is_used() {
            true => view.progress.take(),
            false => None,
        };
        if self
            .view
            .as_ref()
            .is_some_and(|shown| is_same(shown, &view))
        {
            self.bar.show(progress.as_ref());
            return Ok(());
        }
        self.bar.clear();
        let now = Clock::new().now().wall;
        if terminal.json {
            terminal.print_json_line(&json!({ "at_ms": now, "view": view }))?;
        } else {
            let line = view::job::change(&view, now, terminal.palette);
            terminal.print(&format!("{line}\n"))?;
        }
        if view.state == JobState::Unknown {
            let text = format!("{}; watching on", self.why_unknown());
            terminal.note(&terminal.notes.paint(Tone::Faint, &text));
        }
        self.bar.show(progress.as_ref());
        self.was_known |= view.state != JobState::Unknown;
        self.view = Some(view);
        Ok(())
    }

    fn why_unknown(&self) -> String {
        match self.searched {
            _ if self.was_known => "no record: it completed and its category does not record \
                                    completed jobs, or it will be delivered again"
                .to_owned(),
            Some(Searched::Found { ahead }) => behind(ahead),
            Some(Searched::Absent) => "never accepted, or completed without a record".to_owned(),
            Some(Searched::Unfinished { .. }) | None => {
                "behind others in the stream, never accepted, or completed without a record"
                    .to_owned()
            }
        }
    }

    fn gave_up(&self, session: &Session, job: &JobId) -> Failure {
        let is_queued = matches!(self.searched, Some(Searched::Found { .. }));
        if self.view.is_some() && !self.was_known && !is_queued {
            return Failure::new(Exit::NoSuchJob, format!("job {job} is not known"));
        }
        timed_out(session, job)
    }
}

/// Compares everything except small differences in the end of a delay, which is computed
/// to the millisecond from two clocks.
fn is_same(one: &JobView, other: &JobView) -> bool {
    let until = |view: &JobView| view.until_ms.unwrap_or_default();
    let (early, late) = (until(one).min(until(other)), until(one).max(until(other)));
    let other = JobView {
        until_ms: one.until_ms,
        ..other.clone()
    };
    *one == other && late.since(early) < Duration::from_secs(1)
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

#[cfg(test)]
mod tests {
    use rolecast_common::time::WallTime;

    use super::*;

    #[test]
    fn an_end_of_a_delay_that_trembles_is_no_change() {
        let job = JobId::new("j1").expect("it is an id");
        let delayed = |until: u64| JobView {
            until_ms: Some(WallTime::from_millis(until)),
            ..JobView::new(job.clone(), JobState::Delayed, "delayed".to_owned())
        };
        assert!(is_same(&delayed(5000), &delayed(5001)));
        assert!(!is_same(&delayed(5000), &delayed(9000)));
        let waiting = JobView {
            state: JobState::Waiting,
            until_ms: None,
            ..delayed(5000)
        };
        assert!(!is_same(&delayed(5000), &waiting));
    }
}
