//! Waits for a job's recorded outcome.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use async_nats::Subscriber;
use futures_util::StreamExt as _;
use rolecast_common::id::JobId;
use rolecast_common::subjects;
use rolecast_common::time::format_duration;
use rolecast_common::wire::{JobState, Record};
use tokio::time::{Instant, sleep, sleep_until};

use super::failure::Failure;
use super::session::Session;
use super::terminal::Terminal;
use crate::exit::Exit;
use crate::style::Tone;
use crate::view::job::why_not_started;

/// Interval of reads without a hint: a hint may be lost while reconnecting.
const RECORD_CHECK_EVERY: Duration = Duration::from_secs(2);
/// Delay of the next read after a hint that arrived before the record was stored.
const RECORD_CHECK_SOON: Duration = Duration::from_millis(50);
/// The longest time between two checks whether a job is still queued: each check fetches
/// its payload.
const QUEUE_CHECK_MAX: Duration = Duration::from_secs(30);
/// Time after which a job that has not started is reported, and interval of further
/// checks.
const PRINT_EVERY: Duration = Duration::from_secs(3);
/// The most different reasons reported of one job.
const REASONS_MAX: usize = 10;
/// Failed reads in a row before giving up: a server restart takes less.
const ERRORS_MAX: u32 = 10;

/// Hints: receives a job's record when it is published.
///
/// A publish is a hint only: the stream may refuse it. The stored record is
/// authoritative.
#[derive(Debug)]
pub(crate) struct Hints(Subscriber);

impl Hints {
    /// Subscribes, and waits until the server has taken the subscription.
    pub(crate) async fn subscribe(session: &Session, job: &JobId) -> Result<Self, Failure> {
        let client = &session.connection.client;
        let subscriber = client.subscribe(subjects::result(job)).await?;
        client.flush().await?;
        Ok(Self(subscriber))
    }

    /// Waits for a hint until `deadline`; returns whether one arrived.
    pub(crate) async fn wait_until(&mut self, deadline: Instant) -> bool {
        tokio::select! {
            hint = self.0.next() => {
                if hint.is_none() {
                    sleep_until(deadline).await;
                }
                hint.is_some()
            }
            () = sleep_until(deadline) => false,
        }
    }
}

/// Waits for the record of a job, at most for the session's limit.
pub(crate) async fn wait_for_record(
    session: &Session,
    job: &JobId,
    hints: &mut Hints,
) -> Result<Record, Failure> {
    let end = session.limit.map(|limit| Instant::now() + limit);
    let mut errors = 0;
    let mut check_after = RECORD_CHECK_EVERY;
    loop {
        match session.record(job).await {
            Ok(Some(record)) => return Ok(record),
            Ok(None) => errors = 0,
            Err(failure) if errors >= ERRORS_MAX => return Err(failure),
            Err(_) => errors += 1,
        }
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            return Err(timed_out(session, job));
        }
        let next = now + check_after;
        let next = end.map_or(next, |end| next.min(end));
        let is_hinted = hints.wait_until(next).await;
        check_after = if is_hinted {
            RECORD_CHECK_SOON
        } else {
            RECORD_CHECK_EVERY
        };
    }
}

/// Returns once the job has left the queue without a record, as it does when its category
/// does not record completed jobs; never if this login cannot observe that.
pub(crate) async fn ended_unrecorded(session: &Session, job: &JobId, sequence: u64) -> Failure {
    let mut check_after = RECORD_CHECK_EVERY;
    loop {
        sleep(check_after).await;
        check_after = (check_after * 2).min(QUEUE_CHECK_MAX);
        match session.is_queued(sequence).await {
            Some(true) => continue,
            Some(false) => {}
            None => pending().await,
        }
        // The record is stored before the job leaves; a replica may be a little behind.
        sleep(RECORD_CHECK_EVERY).await;
        if let Ok(None) = session.record(job).await {
            let text = format!(
                "job {job} has left the queue without a recorded outcome, so its end and its \
                 output are not known: its category does not record completed jobs \
                 (record_outcomes = false), or its record was deleted"
            );
            return Failure::new(Exit::Failed, text);
        }
    }
}

/// Prints on stderr why the job does not start, each reason once; never returns.
///
/// A login that may only publish jobs and read records may not ask: then nothing is
/// printed.
pub(crate) async fn print_reasons(
    session: &Session,
    job: &JobId,
    sequence: u64,
    terminal: &Terminal,
) -> Infallible {
    let mut printed: Vec<String> = Vec::new();
    loop {
        sleep(PRINT_EVERY).await;
        let text = match session.view(job).await {
            Ok(Some(view)) if view.state == JobState::Unknown => {
                let is_queued = session.is_queued(sequence).await == Some(true);
                is_queued.then(|| format!("job {job} waits in the stream, behind others"))
            }
            Ok(Some(view)) => why_not_started(&view),
            Ok(None) => Some(format!("job {job} waits: no dispatcher answers")),
            Err(_) if session.connection.take_violation().is_some() => pending().await,
            Err(_) => None,
        };
        let Some(text) = text.filter(|text| !printed.contains(text)) else {
            continue;
        };
        terminal.note(&terminal.notes.paint(Tone::Warning, &text));
        printed.push(text);
        if printed.len() >= REASONS_MAX {
            pending::<()>().await;
        }
    }
}

/// Returns the failure that the job has not ended in time; the job continues.
pub(crate) fn timed_out(session: &Session, job: &JobId) -> Failure {
    let limit = format_duration(session.limit.unwrap_or_default());
    Failure::new(
        Exit::Late,
        format!("job {job} has not ended within {limit}; see rolecast job get {job}"),
    )
}
