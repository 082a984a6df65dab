//! Dead-lettering of a job: it is stored as a dead letter, its outcome is recorded, then
//! it is taken off the queue. Any step may be repeated.

use anyhow::Context as _;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream;
use async_nats::{Client, HeaderMap, Subject};
use bytes::Bytes;
use rolecast_common::assignment::Ack;
use rolecast_common::options::{
    HEADER_ATTEMPTS, HEADER_JOB_ID, HEADER_MSG_ID, HEADER_REASON, HEADER_SUBJECT,
};
use rolecast_common::subjects::{self, Source};
use rolecast_common::wire::{Message as _, Record};
use rolecast_nats::{
    HEADERS_LEN_MAX, Meaning, headers_len, meaning_of, publish_with_retry, without_store_headers,
};

use crate::fitting::fit;

/// The message of a job.
#[derive(Clone, Debug)]
pub(super) struct JobMessage {
    pub(super) subject: Subject,
    pub(super) headers: Option<HeaderMap>,
    pub(super) payload: Bytes,
}

/// Dead-letters one job; on an error nothing is lost and it can be tried again.
pub(super) async fn dead_letter(
    jetstream: &jetstream::Context,
    record: &Record,
    ack: Option<&Ack>,
    held: Option<JobMessage>,
) -> anyhow::Result<()> {
    let held = match held {
        Some(held) => Some(held),
        None => fetch(jetstream, record.sequence.get()).await?,
    };
    let Some(held) = held else {
        // Without a stored message the queue is done with it already.
        return record_outcome(jetstream, record).await;
    };
    store(jetstream, record, held).await?;
    record_outcome(jetstream, record).await?;
    let client = jetstream.client();
    match ack {
        Some(ack) => {
            let reply = client.request(ack.as_str().to_owned(), "+TERM".into());
            reply.await.context("cannot take the job off the queue")?;
        }
        None => {
            let stream = jetstream.get_stream_no_info(subjects::STREAM_JOBS).await?;
            let deleted = stream.delete_message(record.sequence.get()).await;
            deleted.context("cannot take the job off the queue")?;
        }
    }
    Ok(())
}

/// Records the outcome of a cancelled job, and deletes it from the stream. The record of a
/// job that was given back by a former dispatcher is completed by its message.
pub(super) async fn remove(
    jetstream: &jetstream::Context,
    mut record: Record,
) -> anyhow::Result<()> {
    let sequence = record.sequence.get();
    if record.category.is_empty()
        && let Some(message) = fetch(jetstream, sequence).await?
        && let Ok(source) = Source::parse(&message.subject)
    {
        record.category = source.category.to_string();
    }
    record_outcome(jetstream, &record).await?;
    let stream = jetstream.get_stream_no_info(subjects::STREAM_JOBS).await?;
    match stream.delete_message(sequence).await {
        Ok(_) => Ok(()),
        // One that is gone is what was wanted.
        Err(_) if fetch(jetstream, sequence).await?.is_none() => Ok(()),
        Err(error) => Err(error).context("cannot take the cancelled job off the queue"),
    }
}

async fn fetch(
    jetstream: &jetstream::Context,
    sequence: u64,
) -> anyhow::Result<Option<JobMessage>> {
    let stream = jetstream.get_stream_no_info(subjects::STREAM_JOBS).await?;
    match stream.direct_get(sequence).await {
        Ok(message) => Ok(Some(JobMessage {
            subject: message.subject,
            headers: Some(message.headers).filter(|headers| !headers.is_empty()),
            payload: message.payload,
        })),
        Err(error) if error.kind() == jetstream::stream::DirectGetErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot read the job"),
    }
}

async fn store(
    jetstream: &jetstream::Context,
    record: &Record,
    held: JobMessage,
) -> anyhow::Result<()> {
    let subject = subjects::dead(&subject_token(&record.category), &record.job);
    let own = held.headers.as_ref().map(without_store_headers);
    let own = own.unwrap_or_default();
    let room = jetstream.client().max_payload();
    let room = room.saturating_sub(held.payload.len()).min(HEADERS_LEN_MAX);
    let headers = letter_headers(own, record, &held.subject, room)?;
    publish_with_retry(jetstream, &subject, &headers, &held.payload)
        .await
        .context("cannot store the dead letter")?;
    Ok(())
}

/// Returns the headers of a dead letter, of at most `room` bytes: its producer's, and as
/// many of ours as fit. Without ours it fitted before; its subject has its id and
/// category, and the recorded outcome has the reasons.
fn letter_headers(
    own: HeaderMap,
    record: &Record,
    subject: &Subject,
    room: usize,
) -> anyhow::Result<HeaderMap> {
    let mut least = own.clone();
    let id = format!("dead-{}-{}", record.sequence, record.job);
    set(&mut least, HEADER_MSG_ID, &id);
    let mut short = least.clone();
    set(&mut short, HEADER_REASON, &record.reason);
    set(&mut short, HEADER_SUBJECT, subject);
    set(&mut short, HEADER_JOB_ID, record.job.as_str());
    let mut full = short.clone();
    let attempts = serde_json::to_string(&record.failures)?;
    set(&mut full, HEADER_ATTEMPTS, &attempts);
    let mut choices = [full, short, least].into_iter();
    Ok(choices
        .find(|headers| headers_len(headers) <= room)
        .unwrap_or(own))
}

async fn record_outcome(jetstream: &jetstream::Context, record: &Record) -> anyhow::Result<()> {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    let limit = record_len_max(&jetstream.client(), &headers);
    let payload = fit(record, limit).into();
    let subject = subjects::result(&record.job);
    match publish_with_retry(jetstream, &subject, &headers, &payload).await {
        Ok(_) => Ok(()),
        Err(error) if meaning_of(&error) == Some(Meaning::Conflict) => Ok(()),
        Err(error) => Err(error).context("cannot record the outcome"),
    }
}

/// Returns the largest size of a record: what the server takes and readers accept.
pub(super) fn record_len_max(client: &Client, headers: &HeaderMap) -> usize {
    let room = client.max_payload().saturating_sub(headers_len(headers));
    room.min(Record::LEN_MAX)
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Values passed our parsers or JSON, which leave no line break.
    let value: String = value.chars().filter(|c| !c.is_control()).collect();
    headers.insert(name, value.as_str());
}

/// Returns one subject token for a category, which may be any text of a producer.
fn subject_token(category: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let token: String = category
        .chars()
        .take(64)
        .map(|c| if safe(c) { c } else { '_' })
        .collect();
    if token.is_empty() {
        "_".to_owned()
    } else {
        token
    }
}
