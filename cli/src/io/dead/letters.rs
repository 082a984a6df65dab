//! Reads dead letters from their stream.

use anyhow::anyhow;
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use futures_util::StreamExt as _;
use rolecast_common::id::{Category, JobId};
use rolecast_common::subjects::{self, STREAM_DEAD};
use tokio::time::timeout;

use super::super::failure::Failure;
use super::super::job::wall;
use super::super::session::Session;
use crate::args::dead::Selection;
use crate::dead_letter::DeadLetter;
use crate::exit::Exit;

/// The header with the size of a payload that was left out.
const HEADER_SIZE: &str = "Nats-Msg-Size";

/// Returns the subject of all dead jobs, or of all in a category.
pub(super) fn filter(category: Option<&Category>) -> String {
    match category {
        Some(category) => format!("rolecast.dead.{category}.*"),
        None => subjects::DEAD.to_owned(),
    }
}

pub(super) async fn stream(session: &Session) -> Result<Stream, Failure> {
    match session.jetstream.get_stream(STREAM_DEAD).await {
        Ok(stream) => Ok(stream),
        Err(error) => Err(session.diagnose(error.into(), STREAM_DEAD).await),
    }
}

/// Reads the headers of all dead jobs, oldest first.
pub(super) async fn list(
    session: &Session,
    category: Option<&Category>,
    each: impl FnMut(DeadLetter),
) -> Result<(), Failure> {
    list_from(session, category, DeliverPolicy::All, each).await
}

/// Reads the headers of the dead jobs from one on, oldest first.
pub(in crate::io) async fn list_from(
    session: &Session,
    category: Option<&Category>,
    deliver_policy: DeliverPolicy,
    mut each: impl FnMut(DeadLetter),
) -> Result<(), Failure> {
    let stream = stream(session).await?;
    let config = pull::OrderedConfig {
        filter_subject: filter(category),
        headers_only: true,
        deliver_policy,
        ..pull::OrderedConfig::default()
    };
    let consumer = stream.create_consumer(config).await?;
    if consumer.cached_info().num_pending == 0 {
        return Ok(());
    }
    let mut messages = consumer.messages().await?;
    loop {
        let next = timeout(session.answer_max, messages.next()).await;
        // Jobs removed while they are listed never arrive.
        let silent = |_| anyhow!("the list of dead jobs ended early; run the command again");
        let Some(message) = next.map_err(silent)? else {
            return Ok(());
        };
        let message = message?;
        let info = message.info().map_err(anyhow::Error::from_boxed)?;
        let (sequence, pending) = (info.stream_sequence, info.pending);
        let died = wall(info.published.unix_timestamp_nanos());
        let headers = message.headers.clone().unwrap_or_default();
        let size = headers.get(HEADER_SIZE);
        let size = size.and_then(|size| size.as_str().parse().ok());
        let size = size.unwrap_or_default();
        let letter = DeadLetter::read(&message.subject, &headers, sequence, died, size);
        if let Some(letter) = letter {
            each(letter);
        }
        if pending == 0 {
            return Ok(());
        }
    }
}

/// A dead job with all data that are kept of it.
pub(super) struct Whole {
    pub(super) letter: DeadLetter,
    pub(super) message: StreamMessage,
}

/// Reads the dead job of this id.
pub(super) async fn by_id(session: &Session, job: &JobId) -> Result<Whole, Failure> {
    let stream = session.jetstream.get_stream_no_info(STREAM_DEAD).await?;
    let subject = subjects::dead_any(job);
    let found = stream.get_last_raw_message_by_subject(&subject).await;
    let message = match found {
        Ok(message) => message,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
            let text = format!("job {job} has no dead letter; see rolecast dead ls");
            return Err(Failure::new(Exit::NoSuchJob, text));
        }
        Err(error) => return Err(session.diagnose(error.into(), STREAM_DEAD).await),
    };
    whole(message)
}

/// Reads the dead job at this sequence; `None` if somebody else has removed it.
pub(super) async fn by_sequence(
    session: &Session,
    sequence: u64,
) -> Result<Option<Whole>, Failure> {
    let stream = session.jetstream.get_stream_no_info(STREAM_DEAD).await?;
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(Some(whole(message)?)),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(session.diagnose(error.into(), STREAM_DEAD).await),
    }
}

/// Completes letters that had no room for the reason from the records of their jobs.
pub(super) async fn complete(session: &Session, letter: &mut DeadLetter) -> Result<(), Failure> {
    if letter.reason.is_empty()
        && let Some(record) = session.record(&letter.job).await?
    {
        letter.complete(record);
    }
    Ok(())
}

fn whole(message: StreamMessage) -> Result<Whole, Failure> {
    let size = u64::try_from(message.payload.len()).unwrap_or(u64::MAX);
    let died = wall(message.time.unix_timestamp_nanos());
    let sequence = message.sequence;
    let letter = DeadLetter::read(&message.subject, &message.headers, sequence, died, size);
    let Some(letter) = letter else {
        let text = format!("{:?} is not the subject of a dead job", message.subject);
        return Err(Failure::new(Exit::Failed, text));
    };
    Ok(Whole { letter, message })
}

/// Returns the sequences of the jobs that a command selects.
pub(super) async fn selected(
    session: &Session,
    selection: &Selection,
) -> Result<Vec<u64>, Failure> {
    let mut sequences = Vec::new();
    if selection.all {
        let category = selection.category.as_ref();
        list(session, category, |letter| sequences.push(letter.sequence)).await?;
        return Ok(sequences);
    }
    for job in &selection.ids {
        sequences.push(by_id(session, job).await?.letter.sequence);
    }
    Ok(sequences)
}
