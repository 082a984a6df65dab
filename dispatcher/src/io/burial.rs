//! Moves a job to the dead letters: stored there first, its outcome recorded,
//! then taken off the queue. Any step may be repeated.

use anyhow::Context as _;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream;
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use rolecast_common::assignment::Ack;
use rolecast_common::nats::{Meaning, meaning_of, publish_with_retry};
use rolecast_common::options::{
    HEADER_ATTEMPTS, HEADER_JOB_ID, HEADER_MSG_ID, HEADER_REASON, HEADER_SUBJECT,
};
use rolecast_common::subjects;
use rolecast_common::wire::{Encoding, Record, encode};

/// What the server adds to a message it is asked for.
const HEADERS_OF_THE_SERVER: [&str; 4] = [
    "Nats-Stream",
    "Nats-Subject",
    "Nats-Sequence",
    "Nats-Time-Stamp",
];

/// A job's own message.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) subject: Subject,
    pub(super) headers: Option<HeaderMap>,
    pub(super) payload: Bytes,
}

/// Buries one job; on an error nothing is lost and it can be tried again.
pub(super) async fn bury(
    jetstream: &jetstream::Context,
    record: &Record,
    ack: Option<&Ack>,
    held: Option<Held>,
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

async fn fetch(jetstream: &jetstream::Context, sequence: u64) -> anyhow::Result<Option<Held>> {
    let stream = jetstream.get_stream_no_info(subjects::STREAM_JOBS).await?;
    match stream.direct_get(sequence).await {
        Ok(message) => Ok(Some(Held {
            subject: message.subject,
            headers: Some(message.headers).filter(|headers| !headers.is_empty()),
            payload: message.payload,
        })),
        Err(error) if error.kind() == jetstream::stream::DirectGetErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot read the job"),
    }
}

async fn store(jetstream: &jetstream::Context, record: &Record, held: Held) -> anyhow::Result<()> {
    let subject = subjects::dead(&subject_token(&record.category), &record.job);
    let mut own = HeaderMap::new();
    for (name, values) in held.headers.iter().flat_map(HeaderMap::iter) {
        if !HEADERS_OF_THE_SERVER.contains(&name.as_ref()) {
            for value in values {
                own.append(name.clone(), value.clone());
            }
        }
    }
    let mut headers = own.clone();
    let attempts = serde_json::to_string(&record.failures)?;
    set(&mut headers, HEADER_ATTEMPTS, &attempts);
    set(&mut headers, HEADER_REASON, &record.reason);
    set(&mut headers, HEADER_SUBJECT, &held.subject);
    set(&mut headers, HEADER_JOB_ID, record.job.as_str());
    let id = format!("dead-{}-{}", record.sequence, record.job);
    set(&mut headers, HEADER_MSG_ID, &id);
    if headers_len(&headers) + held.payload.len() > jetstream.client().max_payload() {
        // As it came it fitted. The subject has its id and category, the
        // recorded outcome the reasons.
        headers = own;
    }
    publish_with_retry(jetstream, &subject, &headers, &held.payload)
        .await
        .context("cannot store the dead letter")?;
    Ok(())
}

async fn record_outcome(jetstream: &jetstream::Context, record: &Record) -> anyhow::Result<()> {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    let payload = encode(Encoding::MessagePack, record).into();
    let subject = subjects::result(&record.job);
    match publish_with_retry(jetstream, &subject, &headers, &payload).await {
        Ok(_) => Ok(()),
        Err(error) if meaning_of(&error) == Some(Meaning::Conflict) => Ok(()),
        Err(error) => Err(error).context("cannot record the outcome"),
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Values came through our parsers or JSON, which leave no line break.
    let value: String = value.chars().filter(|c| !c.is_control()).collect();
    headers.insert(name, value.as_str());
}

/// Returns at least the bytes that the headers take on the wire.
fn headers_len(headers: &HeaderMap) -> usize {
    const FRAME: usize = "NATS/1.0\r\n\r\n".len();
    let values = headers.iter().flat_map(|(name, values)| {
        values
            .iter()
            .map(move |value| AsRef::<str>::as_ref(name).len() + value.as_str().len() + 4)
    });
    FRAME + values.sum::<usize>()
}

/// Makes one token of a category that may be anything a producer wrote.
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
