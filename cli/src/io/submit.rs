//! `rolecast submit`: publishes a job, and waits for its end if asked to.

use std::cell::Cell;
use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use bytes::Bytes;
use rolecast_common::id::JobId;
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_common::time::format_duration;
use rolecast_common::wire::Record;
use rolecast_nats::{Clock, Meaning, explain, meaning_of, publish_reporting};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::failure::Failure;
use super::session::{Session, no_stream, nothing_stores};
use super::terminal::Terminal;
use super::waiting::{Hints, ended_unrecorded, print_reasons, wait_for_record};
use crate::args::submit::{Payload, Submit};
use crate::exit::Exit;
use crate::style::Tone;
use crate::submission::{self, Submission, oversize};
use crate::view::job::{summary, truncation};

/// Age of an unanswered publish at which the stream is looked up.
const CHECK_AFTER: Duration = Duration::from_millis(300);
/// The most read from a file or stdin: the largest max_payload a server can have.
const PAYLOAD_MAX: u64 = 64 * 1024 * 1024;

/// Reads the payload from the source that the arguments name.
pub(crate) fn read_payload(payload: &Payload) -> Result<Bytes, Failure> {
    if let Some(text) = &payload.data {
        return Ok(text.clone().into());
    }
    let mut bytes = Vec::new();
    if let Some(path) = &payload.file {
        let place = || format!("cannot read the payload from {}", path.display());
        let file = File::open(path).with_context(place)?;
        let mut file = file.take(PAYLOAD_MAX + 1);
        file.read_to_end(&mut bytes).with_context(place)?;
    } else if payload.stdin {
        let mut stdin = std::io::stdin().lock().take(PAYLOAD_MAX + 1);
        stdin
            .read_to_end(&mut bytes)
            .context("cannot read the payload from stdin")?;
    }
    Ok(bytes.into())
}

pub(crate) async fn run(
    session: &Session,
    submit: &Submit,
    payload: Bytes,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let max_payload = session.connection.client.server_info().max_payload;
    if let Some(text) = oversize(payload.len(), max_payload) {
        return Err(Failure::usage(anyhow!(text)));
    }
    let fresh = JobId::new(&Uuid::now_v7().to_string())?;
    let submission = submission::build(submit, fresh, Clock::new().now().wall)
        .map_err(|error| Failure::usage(error.into()))?;
    let mut hints = match submit.wait {
        true => Some(Hints::subscribe(session, &submission.job).await?),
        false => None,
    };
    let ack = publish(session, &submission, &payload).await?;
    announce(&submission, &ack, submit.wait, terminal)?;
    let Some(hints) = &mut hints else {
        if terminal.json {
            terminal.print_document(&to_json(&submission, &ack, None))?;
        }
        return Ok(Exit::Fine);
    };
    let record = tokio::select! {
        record = wait_for_record(session, &submission.job, hints) => record?,
        failure = ended_unrecorded(session, &submission.job, ack.sequence) => return Err(failure),
        never = print_reasons(session, &submission.job, ack.sequence, terminal) => match never {},
    };
    show(&submission, &ack, &record, submit.raw, terminal)?;
    Ok(Exit::of_output(&record))
}

/// Publishes; a missing stream is reported at once, a slow answer is awaited.
async fn publish(
    session: &Session,
    submission: &Submission,
    payload: &Bytes,
) -> Result<PublishAck, Failure> {
    let Submission {
        subject, headers, ..
    } = submission;
    // Whether the server reported for every try that nobody listens there.
    let is_unheard = Cell::new(None);
    let note = |error: &PublishError| {
        let is_so = error.kind() == PublishErrorKind::StreamNotFound;
        is_unheard.set(Some(is_so && is_unheard.get() != Some(false)));
    };
    let publish = publish_reporting(&session.jetstream, subject, headers, payload, note);
    let missing = async {
        sleep(CHECK_AFTER).await;
        if !session.is_missing(STREAM_JOBS).await {
            std::future::pending::<()>().await;
        }
    };
    let published = tokio::select! {
        published = timeout(session.answer_max, publish) => published,
        () = missing => return Err(no_stream(STREAM_JOBS)),
        () = session.connection.refused(subject) => {
            let error = anyhow!("the job was not submitted");
            return Err(session.denial(&error).unwrap_or_else(|| error.into()));
        }
    };
    let Ok(published) = published else {
        let limit = format_duration(session.answer_max);
        let error = anyhow!("the job was not confirmed within {limit}");
        let is_unheard = is_unheard.get() == Some(true);
        return Err(unsure(session, submission, error, is_unheard).await);
    };
    match published {
        Ok(ack) => Ok(ack),
        Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
            let error = anyhow!("payload and headers exceed this server's max_payload");
            Err(Failure::usage(error))
        }
        Err(error) if is_unsure(&error) => {
            note(&error);
            let is_unheard = is_unheard.get() == Some(true);
            Err(unsure(session, submission, error.into(), is_unheard).await)
        }
        Err(error) => Err(session.diagnose(error.into(), STREAM_JOBS).await),
    }
}

/// Returns whether the message may have been stored although no confirmation arrived.
fn is_unsure(error: &PublishError) -> bool {
    meaning_of(error).is_none_or(Meaning::is_passing)
}

/// Returns the advice for another submission of a job that may have been stored.
async fn unsure(
    session: &Session,
    submission: &Submission,
    error: anyhow::Error,
    is_unheard: bool,
) -> Failure {
    if let Some(failure) = session.denial(&error) {
        return failure;
    }
    match session.missing(STREAM_JOBS).await {
        Some(true) => return no_stream(STREAM_JOBS),
        None if is_unheard => return nothing_stores(&submission.subject),
        Some(false) | None => {}
    }
    let error = explain(&session.connection, error);
    Failure::unreachable(anyhow!("{error:#}; {}", advice(&submission.job)))
}

fn advice(job: &JobId) -> String {
    format!(
        "the job may have been stored anyway: submit it again with --id {job}, which \
         stores it once within the stream's duplicate window (2 minutes by default), or look \
         with rolecast job get {job}"
    )
}

/// Prints that the job is queued: on stdout, unless that is for its output.
fn announce(
    submission: &Submission,
    ack: &PublishAck,
    waits: bool,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let job = &submission.job;
    let text = if ack.duplicate {
        format!(
            "job {job} was queued before (sequence {}); nothing new",
            ack.sequence
        )
    } else {
        format!("job {job} queued (sequence {})", ack.sequence)
    };
    match (waits, terminal.json) {
        (true, false) => terminal.note(&terminal.notes.paint(Tone::Faint, &text)),
        (false, false) => terminal.print(&format!("{text}\n"))?,
        (true | false, true) => {}
    }
    Ok(())
}

fn show(
    submission: &Submission,
    ack: &PublishAck,
    record: &Record,
    is_raw: bool,
    terminal: &Terminal,
) -> Result<(), Failure> {
    if terminal.json {
        return terminal.print_document(&to_json(submission, ack, Some(record)));
    }
    terminal.print_output(&record.output.0, is_raw)?;
    terminal.note(&summary(record, terminal.notes));
    terminal.note_all(truncation(record));
    Ok(())
}

fn to_json(submission: &Submission, ack: &PublishAck, record: Option<&Record>) -> Value {
    json!({
        "job": submission.job,
        "subject": submission.subject,
        "sequence": ack.sequence,
        "duplicate": ack.duplicate,
        "record": record,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_did_not_come_is_distinguished_from_a_refusal() {
        for (kind, is_expected) in [
            (PublishErrorKind::TimedOut, true),
            (PublishErrorKind::BrokenPipe, true),
            (PublishErrorKind::Other, true),
            (PublishErrorKind::MaxPayloadExceeded, false),
            (PublishErrorKind::WrongLastSequence, false),
        ] {
            assert_eq!(is_unsure(&PublishError::new(kind)), is_expected, "{kind}");
        }
        for (code, is_expected) in [(10_008, true), (10_077, false)] {
            let json = format!(
                "{{\"code\": 503, \"err_code\": {code}, \
                 \"description\": \"maximum bytes exceeded\"}}"
            );
            let error: async_nats::jetstream::Error = serde_json::from_str(&json).unwrap();
            let error = PublishError::with_source(PublishErrorKind::Other, error);
            assert_eq!(is_unsure(&error), is_expected, "{code}");
        }
        let text = advice(&JobId::new("order-7").unwrap());
        assert!(text.contains("--id order-7"), "{text}");
    }
}
