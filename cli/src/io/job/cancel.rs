//! `rolecast job cancel`: cancels jobs, and waits for their ends.

use std::io::{IsTerminal as _, stdin};
use std::time::Duration;

use anyhow::anyhow;
use rolecast_common::id::{Category, JobId};
use rolecast_common::subjects;
use rolecast_common::wire::{
    self, CancelAnswer, CancelCounts, CancelFate, CancelRequest, Encoding, JobState, Record,
    RecordStatus, VERSION,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::super::failure::Failure;
use super::super::session::{Session, no_dispatcher};
use super::super::terminal::Terminal;
use super::find::resolve;
use crate::args::cancel::Cancel;
use crate::config::Environment;
use crate::exit::Exit;
use crate::style::Tone;
use crate::view::{cancel, job};

/// Time limit of the end of a cancelled job without `--timeout`: a command has 5 s after
/// SIGTERM, and a record takes milliseconds unless the server elects a leader.
const END_MAX: Duration = Duration::from_secs(15);
/// Interval of questions for the end.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Time for which the command waits for a job that the dispatcher does not hold.
const PENDING_WAIT: Duration = Duration::from_secs(1);
/// Time for which a job is neither held nor recorded before it counts as ended without a
/// record, as where its category records no completed jobs.
const UNRECORDED_AFTER: Duration = Duration::from_secs(3);

/// A job with what is known of its end.
struct Cancelled {
    job: JobId,
    fate: CancelFate,
    record: Option<Record>,
}

pub(super) async fn run(
    session: &Session,
    wanted: &Cancel,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let by = wanted.by.clone().or_else(|| session.user.clone());
    let by = by.or_else(|| environment.user.clone()).unwrap_or_default();
    let request = CancelRequest {
        v: VERSION,
        job: None,
        category: None,
        older_ms: 0,
        by,
        reason: wanted.reason.clone().unwrap_or_default(),
        dry_run: false,
    };
    match &wanted.category {
        Some(category) => of_category(session, wanted, category, request, terminal).await,
        None => of_jobs(session, wanted, request, terminal).await,
    }
}

async fn ask(session: &Session, request: &CancelRequest) -> Result<CancelAnswer, Failure> {
    let body = wire::encode(Encoding::MessagePack, request).into();
    let answer = session.request(subjects::API_CANCEL, body).await?;
    answer.ok_or_else(no_dispatcher)
}

async fn of_category(
    session: &Session,
    wanted: &Cancel,
    category: &Category,
    request: CancelRequest,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let older = wanted.older.unwrap_or_default();
    let mut request = CancelRequest {
        category: Some(category.clone()),
        older_ms: u64::try_from(older.as_millis()).unwrap_or(u64::MAX),
        dry_run: true,
        ..request
    };
    if !wanted.yes {
        let counts = ask(session, &request).await?.counts.unwrap_or_default();
        if !confirms(category, &counts, wanted.older, terminal)? {
            terminal.note("nothing was cancelled");
            return Ok(Exit::Failed);
        }
    }
    request.dry_run = false;
    let counts = ask(session, &request).await?.counts.unwrap_or_default();
    if terminal.json {
        terminal.print_document(&json!({ "category": category, "cancelled": counts }))?;
    } else {
        terminal.print(&cancel::category(category, &counts))?;
    }
    Ok(Exit::Fine)
}

/// Asks a person at the terminal; elsewhere the flag is required.
fn confirms(
    category: &Category,
    counts: &CancelCounts,
    older: Option<Duration>,
    terminal: &Terminal,
) -> Result<bool, Failure> {
    let question = cancel::question(category, counts, older);
    if !stdin().is_terminal() || terminal.json {
        let error = anyhow!("this cancels {question}; add --yes to do it");
        return Err(Failure::usage(error));
    }
    terminal.note(&format!("Cancel {question}? Type yes:"));
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "yes"))
}

async fn of_jobs(
    session: &Session,
    wanted: &Cancel,
    mut request: CancelRequest,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let mut all = Vec::with_capacity(wanted.jobs.len());
    for name in &wanted.jobs {
        let job = resolve(session, name).await?;
        request.job = Some(job.clone());
        let answer = ask(session, &request).await?;
        all.push((job, answer));
    }
    let end = Instant::now() + session.limit.unwrap_or(END_MAX);
    let mut done = Vec::with_capacity(all.len());
    for (job, answer) in all {
        let cancelled = follow(session, job, &answer, end).await?;
        if !terminal.json {
            let line = match &cancelled.record {
                Some(record) => job::summary(record, terminal.palette),
                None => cancel::unrecorded(&cancelled.job, cancelled.fate),
            };
            terminal.print(&format!("{line}\n"))?;
        }
        done.push(cancelled);
    }
    if terminal.json {
        let rows: Vec<_> = done.iter().map(document).collect();
        terminal.print_document(&json!({ "jobs": rows }))?;
    } else if done.iter().any(Cancelled::is_late) {
        let text = "not ended yet; rolecast job watch shows the end";
        terminal.note(&terminal.notes.paint(Tone::Warning, text));
    }
    let mut exits = done.iter().map(Cancelled::exit);
    Ok(exits.find(|exit| *exit != Exit::Fine).unwrap_or(Exit::Fine))
}

/// Waits for the record of a job that is being cancelled.
async fn follow(
    session: &Session,
    job: JobId,
    answer: &CancelAnswer,
    end: Instant,
) -> Result<Cancelled, Failure> {
    let mut fate = answer.fate.unwrap_or(CancelFate::Pending);
    let mut record;
    let mut unknown_since: Option<Instant> = None;
    // One that was just submitted may be on its way to the dispatcher.
    let end = match fate {
        CancelFate::Pending => end.min(Instant::now() + PENDING_WAIT),
        CancelFate::Recording | CancelFate::Stopping | CancelFate::Ended => end,
    };
    loop {
        let view = session.view(&job).await?.ok_or_else(no_dispatcher)?;
        record = view.record;
        if record.is_some() {
            break;
        }
        let now = Instant::now();
        if view.state != JobState::Unknown || fate == CancelFate::Pending {
            unknown_since = None;
        } else if *unknown_since.get_or_insert(now) + UNRECORDED_AFTER <= now {
            fate = CancelFate::Ended;
            break;
        }
        if now >= end {
            break;
        }
        sleep(ASK_EVERY).await;
    }
    Ok(Cancelled { job, fate, record })
}

impl Cancelled {
    /// Whether its end was not seen in time.
    fn is_late(&self) -> bool {
        self.record.is_none() && matches!(self.fate, CancelFate::Recording | CancelFate::Stopping)
    }

    fn exit(&self) -> Exit {
        match (&self.record, self.fate) {
            (Some(record), _) if record.status == RecordStatus::Cancelled => Exit::Fine,
            (Some(_), _) | (None, CancelFate::Ended) => Exit::Failed,
            (None, CancelFate::Pending) => Exit::Fine,
            (None, CancelFate::Recording | CancelFate::Stopping) => Exit::Late,
        }
    }
}

fn document(cancelled: &Cancelled) -> serde_json::Value {
    let record = cancelled.record.as_ref();
    json!({
        "job": cancelled.job,
        "fate": match record {
            Some(_) => CancelFate::Ended,
            None => cancelled.fate,
        },
        "status": record.map(|record| record.status),
        "reason": record.map(|record| &record.reason),
        "node": record.and_then(|record| record.node.as_ref()),
    })
}
