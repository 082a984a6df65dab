//! `rolecast job logs`: the end of what the attempts at a job wrote to stderr.

use std::time::Duration;

use rolecast_common::id::{JobId, JobName};
use rolecast_common::subjects;
use rolecast_common::wire::{AttemptLog, Encoding, LogPage, LogRequest, encode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::failure::Failure;
use super::super::session::{Session, no_dispatcher};
use super::super::terminal::Terminal;
use super::super::waiting::{Hints, timed_out};
use super::find::{Found, find, resolve};
use super::get::not_known;
use crate::exit::Exit;
use crate::view;
use crate::view::job::Missing;

/// Interval of requests for further logs.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The most logs that are read at once: more attempts than a category usually has.
const LOGS_MAX: usize = 1000;

/// The requested part of the logs, and its form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) attempt: Option<u32>,
    pub(super) follow: bool,
    pub(super) raw: bool,
}

pub(super) async fn run(
    session: &Session,
    name: &JobName,
    wanted: Wanted,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let job = resolve(session, name).await?;
    if wanted.follow {
        return follow(session, job, wanted, terminal).await;
    }
    let mut reader = Reader::new(job);
    let logs = reader.read(session).await?;
    if let Some(attempt) = wanted.attempt {
        let log = logs.iter().find(|log| log.attempt.get() == attempt);
        let log = log.ok_or_else(|| no_such_attempt(&reader.job, attempt))?;
        if terminal.json {
            terminal.print_document(log)?;
        } else {
            terminal.print_output(&log.log.0, wanted.raw)?;
        }
        return Ok(Exit::Fine);
    }
    let found = find(session, &JobName::Id(reader.job.clone())).await?;
    let (missing, lost) = match &found {
        Found::Ended(record) => (view::job::missing(record, &logs), None),
        Found::Open(view) => (Vec::new(), view::job::lost_so_far(view)),
        Found::Unknown(searched) if logs.is_empty() => {
            let text = not_known(name, *searched);
            return Err(Failure::new(Exit::NoSuchJob, text));
        }
        Found::Unknown(_) => (Vec::new(), None),
    };
    if terminal.json {
        let without: Vec<Value> = missing
            .iter()
            .map(|missing| {
                let Missing { attempt, node, why } = missing;
                json!({ "attempt": attempt, "node": node, "why": why })
            })
            .collect();
        let job = &reader.job;
        terminal.print_document(&json!({ "job": job, "logs": logs, "without_log": without }))?;
        return Ok(Exit::Fine);
    }
    for log in &logs {
        print(log, wanted, terminal)?;
    }
    if logs.is_empty() && missing.is_empty() && lost.is_none() {
        terminal.note(&view::job::none(&reader.job));
    }
    for missing in missing {
        terminal.note(&missing.to_string());
    }
    terminal.note_all(lost);
    Ok(Exit::Fine)
}

/// Prints the logs as they arrive, until the job has ended.
async fn follow(
    session: &Session,
    job: JobId,
    wanted: Wanted,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let end = session.limit.map(|limit| Instant::now() + limit);
    let mut hints = Hints::subscribe(session, &job).await?;
    let name = JobName::Id(job.clone());
    let mut reader = Reader::new(job);
    let mut printed = Vec::new();
    loop {
        // The log of the last attempt is stored before the record.
        let found = find(session, &name).await?;
        for log in reader.read(session).await? {
            print(&log, wanted, terminal)?;
            printed.push(log);
        }
        match found {
            Found::Ended(record) => {
                for missing in view::job::missing(&record, &printed) {
                    terminal.note(&missing.to_string());
                }
                return Ok(Exit::Fine);
            }
            Found::Unknown(searched) if printed.is_empty() => {
                return Err(Failure::new(Exit::NoSuchJob, not_known(&name, searched)));
            }
            Found::Open(_) | Found::Unknown(_) => {}
        }
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            return Err(timed_out(session, &reader.job));
        }
        hints.wait_until(now + ASK_EVERY).await;
    }
}

fn print(log: &AttemptLog, wanted: Wanted, terminal: &Terminal) -> Result<(), Failure> {
    if terminal.json {
        return terminal.print_json_line(log);
    }
    let heading = view::job::heading(log, terminal.palette);
    terminal.print(&format!("{heading}\n"))?;
    terminal.print_output(&log.log.0, wanted.raw)?;
    if !log.log.0.ends_with(b"\n") {
        terminal.print("\n")?;
    }
    Ok(())
}

fn no_such_attempt(job: &JobId, attempt: u32) -> Failure {
    let text = format!(
        "attempt {attempt} at job {job} has no log; rolecast job logs {job} lists those that have \
         one, and the reasons of the others"
    );
    Failure::new(Exit::Failed, text)
}

/// Reads the logs of a job, each once.
struct Reader {
    job: JobId,
    /// The position of the last one.
    position: u64,
    /// The newest job of this id: a dead one that is retried begins again with attempt 1.
    newest: u64,
}

impl Reader {
    fn new(job: JobId) -> Self {
        Self {
            job,
            position: 0,
            newest: 0,
        }
    }

    /// Returns those that were stored since the last call.
    async fn read(&mut self, session: &Session) -> Result<Vec<AttemptLog>, Failure> {
        let mut logs = Vec::new();
        while logs.len() < LOGS_MAX {
            let request = LogRequest::new(self.job.clone(), self.position);
            let body = encode(Encoding::MessagePack, &request).into();
            let page: Option<LogPage> = session.request(subjects::API_LOGS, body).await?;
            let page = page.ok_or_else(no_dispatcher)?;
            let Some(log) = page.log.filter(|_| page.position > self.position) else {
                break;
            };
            self.position = page.position;
            self.newest = self.newest.max(log.sequence.get());
            logs.push(log);
        }
        logs.retain(|log| log.sequence.get() == self.newest);
        Ok(logs)
    }
}
