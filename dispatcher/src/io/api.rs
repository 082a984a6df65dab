//! Answers to `rolecast.api.*`: the scheduler's state, completed by the content of the
//! streams.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::{
    self,
    stream::{DirectGetErrorKind, LastRawMessageErrorKind},
};
use async_nats::{Client, HeaderMap, Message};
use bytes::Bytes;
use rolecast_common::id::{Category, InvalidId, JobId, JobName, NodeId, Sequence};
use rolecast_common::label::{Requirement, ShardKey};
use rolecast_common::options::{self, Origin};
use rolecast_common::subjects::{
    STREAM_DECISIONS, STREAM_JOBS, STREAM_RESULTS, Source, decision_any, result,
};
use rolecast_common::time::{WallTime, format_duration};
use rolecast_common::wire::{
    self, Decision, ERROR_MISSING, ERROR_REQUEST, Encoding, HEADER_CONTENT_TYPE, HEADER_ERROR,
    HEADER_ERROR_CODE, JobState, JobView, MESSAGE_LEN_MAX, Malformed, Record, RecordStatus, Status,
    StatusRequest,
};
use rolecast_nats::{headers_len, job_headers};
use tokio::task::spawn_blocking;

use super::request::Request;
use super::{Streams, dead_letters, discovery, endpoints};
use crate::fitting::shortened;

/// Time that reading the streams may take for a status: less than the 2 s for which a
/// doctor waits for the answer, and much more than a healthy cluster needs.
const READ_MAX: Duration = Duration::from_millis(1500);
/// The most bytes of the view of a job beside the record, the longest reason in JSON
/// included.
const VIEW_LEN_MAX: usize = 8 * 1024;
const PAGE_EXAMPLE: &str = r#"{"v": 1, "after": {"node": "web-1"}, "limit": 100}"#;
/// Characters of a reason that are kept: it is on each page of a status.
const WHY_CHARS_MAX: usize = 500;
/// Characters of an unknown subject that are sent back.
const SUBJECT_CHARS_MAX: usize = 200;

/// Returns the encoding of the answer: JSON, for a person at a terminal, unless the
/// request asks otherwise.
pub(super) fn encoding(request: &Message) -> Encoding {
    let headers = request.headers.as_ref();
    let content_type = headers.and_then(|headers| headers.get(HEADER_CONTENT_TYPE));
    match content_type.map(|value| value.as_str()) {
        Some(value) if value == Encoding::MessagePack.content_type() => Encoding::MessagePack,
        Some(_) | None => Encoding::Json,
    }
}

/// Reads the requested job: its id, or `#` and its sequence.
pub(super) fn requested_job(request: &Message) -> Result<JobName, String> {
    let text = std::str::from_utf8(&request.payload).unwrap_or_default();
    text.trim()
        .parse()
        .map_err(|error: InvalidId| error.to_string())
}

/// Reads the id of a job.
pub(super) fn requested_id(request: &Message) -> Result<JobId, String> {
    let text = std::str::from_utf8(&request.payload).unwrap_or_default();
    JobId::new(text.trim()).map_err(|error| error.to_string())
}

/// Reads the id of a node.
pub(super) fn requested_node(request: &Message) -> Result<NodeId, String> {
    let text = std::str::from_utf8(&request.payload).unwrap_or_default();
    NodeId::new(text.trim()).map_err(|error| error.to_string())
}

/// Decodes the message in the body of a question or an order.
pub(super) fn body<M: wire::Message>(request: &Message) -> Result<M, Malformed> {
    let headers = request.headers.as_ref();
    let content_type = headers.and_then(|headers| headers.get(HEADER_CONTENT_TYPE));
    // A person at a terminal writes JSON.
    let encoding = content_type.map_or(Encoding::Json, |value| Encoding::of(Some(value.as_str())));
    wire::decode(encoding, &request.payload)
}

/// Reads the requested page of the status.
pub(super) fn requested_page(request: &Message) -> Result<StatusRequest, String> {
    if request.payload.is_empty() {
        return Ok(StatusRequest::first());
    }
    body(request).map_err(|error| {
        format!("{error}; request a status without a body, or with one such as {PAGE_EXAMPLE}")
    })
}

/// A job for a dry run.
pub(super) struct Imagined {
    pub(super) category: Category,
    pub(super) requirement: Requirement,
    pub(super) key: Option<ShardKey>,
}

/// Reads the category of a dry run, and its options as a real job would have them.
pub(super) fn imagined(request: &Message) -> Result<Imagined, String> {
    let text = std::str::from_utf8(&request.payload).unwrap_or_default();
    let category = Category::new(text.trim()).map_err(|error| error.to_string())?;
    let headers = job_headers(request.headers.as_ref());
    let wishes = options::parse_wishes(&headers);
    let (requirement, key) = wishes.map_err(|error| error.to_string())?;
    Ok(Imagined {
        category,
        requirement,
        key,
    })
}

/// Returns what happens to jobs of a category that is not served.
pub(super) fn not_served(category: &Category, serves_undeclared: bool) -> String {
    let fate = if serves_undeclared {
        "its first job will get the profile under [undeclared]"
    } else {
        "its jobs are dead-lettered"
    };
    format!("category {category} is not declared and no job of it has arrived; {fate}")
}

/// Answers with an error and its reason.
pub(super) async fn refuse(streams: Streams, why: String, request: Request) {
    send_error(&streams, request, &why, ERROR_REQUEST).await;
}

async fn send_error(streams: &Streams, request: Request, why: &str, code: &str) {
    request.count_error(code, why);
    publish_error(&streams.jetstream.client(), &request, why, code).await;
}

async fn publish_error(client: &Client, request: &Message, why: &str, code: &str) {
    let Some(reply) = request.reply.clone() else {
        return;
    };
    let sent = client.publish_with_headers(reply, error_headers(why, code), Bytes::new());
    if let Err(error) = sent.await {
        tracing::warn!(event = "answer_not_sent", "answer not sent: {error}");
    }
}

/// Answers a request for which there is no endpoint.
pub(super) async fn refuse_unknown(streams: Streams, request: Message) {
    let subject: String = request.subject.chars().take(SUBJECT_CHARS_MAX).collect();
    let why = format!(
        "there is no endpoint {subject}; there are {}",
        endpoints::listed()
    );
    publish_error(&streams.jetstream.client(), &request, &why, ERROR_MISSING).await;
}

/// Answers with the scheduler's state alone.
pub(super) async fn answer<M: wire::Message>(streams: Streams, answer: M, request: Request) {
    respond(&streams.jetstream.client(), &request, &answer).await;
}

/// Answers with as much of the answer as a message takes.
pub(super) async fn answer_large<M: wire::Message + Send + 'static>(
    streams: Streams,
    mut answer: M,
    shorten: fn(&mut M, Encoding, usize),
    request: Request,
) {
    let client = streams.jetstream.client();
    let encoding = encoding(&request);
    let len_max = len_max(&client, encoding);
    // Encoding a large answer takes milliseconds; the loop must not wait.
    let encoded = spawn_blocking(move || {
        shorten(&mut answer, encoding, len_max);
        Bytes::from(wire::encode(encoding, &answer))
    });
    if let Ok(payload) = encoded.await {
        send(&client, &request, encoding, payload).await;
    }
}

/// Adds the numbers of each category in the streams, as far as they can be read.
pub(super) async fn add_stored(streams: &Streams, status: &mut Status) {
    let read = tokio::time::timeout(READ_MAX, read_stored(streams, status));
    let why = match read.await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => format!("no answer within {}", format_duration(READ_MAX)),
    };
    tracing::warn!(
        event = "status_incomplete",
        "cannot read the streams: {why}"
    );
    status.unread = Some(why.chars().take(WHY_CHARS_MAX).collect());
}

async fn read_stored(streams: &Streams, status: &mut Status) -> anyhow::Result<()> {
    let backlogs = discovery::backlogs(&streams.jetstream).await?;
    add_backlogs(streams, status, backlogs.held).await;
    dead_letters::add(&streams.jetstream, status).await
}

async fn add_backlogs(streams: &Streams, status: &mut Status, backlogs: BTreeMap<String, u64>) {
    for (subject, count) in backlogs {
        let Ok(source) = Source::parse(&subject) else {
            continue;
        };
        let mut categories = status.categories.iter_mut();
        let Some(category) = categories.find(|c| c.category == source.category) else {
            continue;
        };
        category.backlog += count;
        let Some(stored) = oldest(&streams.jetstream, &subject).await else {
            continue;
        };
        let age = status.at_ms.as_millis().saturating_sub(stored.as_millis());
        category.oldest_ms = Some(category.oldest_ms.unwrap_or(0).max(age));
    }
}

async fn oldest(jetstream: &jetstream::Context, subject: &str) -> Option<WallTime> {
    let stream = jetstream.get_stream_no_info(STREAM_JOBS).await.ok()?;
    let message = stream
        .direct_get_next_for_subject(subject, Some(1))
        .await
        .ok()?;
    let nanos = message.time.unix_timestamp_nanos();
    u64::try_from(nanos / 1_000_000)
        .ok()
        .map(WallTime::from_millis)
}

/// Answers with the recorded outcome if there is one, otherwise with the scheduler's state,
/// otherwise with whether the stream holds the job.
pub(super) async fn answer_job(
    streams: Streams,
    name: JobName,
    known: Option<JobView>,
    request: Request,
) {
    let (job, is_stored) = match (&known, name) {
        (Some(view), _) => (view.job.clone(), true),
        (None, JobName::Sequence(sequence)) => stored(&streams, sequence).await,
        (None, JobName::Id(job)) => match Sequence::of_unnamed(&job, streams.jobs_created) {
            Some(sequence) => stored(&streams, sequence).await,
            None => (job, false),
        },
    };
    let record = recorded(&streams.jetstream, &job).await;
    let record = record.unwrap_or_else(|error| {
        tracing::warn!(event = "record_unreadable", %job, "cannot read outcome: {error:#}");
        None
    });
    let view = match (record, known) {
        (Some(record), _) => {
            let encoding = encoding(&request);
            let room = len_max(&streams.jetstream.client(), encoding);
            ended(shortened(
                record,
                encoding,
                room.saturating_sub(VIEW_LEN_MAX),
            ))
        }
        (None, Some(view)) => view,
        (None, None) if is_stored => {
            let reason = "it waits in the stream, behind others".to_owned();
            JobView::new(job, JobState::Waiting, reason)
        }
        (None, None) => {
            let reason = "not held here and not recorded: it waits in the stream behind others, \
                          was never accepted, or ended without a record";
            JobView::new(job, JobState::Unknown, reason.to_owned())
        }
    };
    respond(&streams.jetstream.client(), &request, &view).await;
}

fn ended(record: Record) -> JobView {
    let state = match record.status {
        RecordStatus::Completed => JobState::Completed,
        RecordStatus::Dead => JobState::Dead,
        RecordStatus::Expired => JobState::Expired,
        RecordStatus::Cancelled => JobState::Cancelled,
    };
    JobView {
        node: record.node.clone(),
        attempt: record.attempt,
        failed: u32::try_from(record.failures.len()).unwrap_or(u32::MAX),
        lost: u32::try_from(record.losses.len()).unwrap_or(u32::MAX),
        record: Some(record.clone()),
        ..JobView::new(record.job, state, record.reason)
    }
}

/// Returns the id of the job with this sequence, and whether the stream holds it: if not,
/// the id of a job without an id of its own.
async fn stored(streams: &Streams, sequence: Sequence) -> (JobId, bool) {
    let origin = Origin {
        sequence,
        stored: WallTime::default(),
        stream_created: streams.jobs_created,
    };
    let stream = streams.jetstream.get_stream_no_info(STREAM_JOBS).await;
    let message = match stream {
        Ok(stream) => stream.direct_get(sequence.get()).await.ok(),
        Err(_) => None,
    };
    match message {
        Some(message) => {
            let headers = job_headers(Some(&message.headers));
            (origin.job_id(&headers), true)
        }
        None => (sequence.job_id(streams.jobs_created), false),
    }
}

pub(super) async fn recorded(
    jetstream: &jetstream::Context,
    job: &JobId,
) -> anyhow::Result<Option<Record>> {
    let stream = jetstream.get_stream_no_info(STREAM_RESULTS).await?;
    match stream.direct_get_last_for_subject(result(job)).await {
        Ok(message) => Ok(Some(wire::decode(Encoding::MessagePack, &message.payload)?)),
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Answers with the record of the decision by which the job was sent, or had to wait.
pub(super) async fn answer_decision(streams: Streams, job: JobId, request: Request) {
    let why = match decided(&streams.jetstream, &job).await {
        Ok(Some(decision)) => return answer(streams, decision, request).await,
        Ok(None) => {
            let why = format!("no decision about job {job} is recorded");
            return send_error(&streams, request, &why, ERROR_MISSING).await;
        }
        Err(error) => format!("cannot read the decision about job {job}: {error:#}"),
    };
    refuse(streams, why, request).await;
}

pub(super) async fn decided(
    jetstream: &jetstream::Context,
    job: &JobId,
) -> anyhow::Result<Option<Decision>> {
    let stream = jetstream.get_stream_no_info(STREAM_DECISIONS).await?;
    let subject = decision_any(job);
    match stream.get_last_raw_message_by_subject(&subject).await {
        Ok(message) => Ok(Some(wire::decode(Encoding::MessagePack, &message.payload)?)),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn respond<M: wire::Message>(client: &Client, request: &Request, answer: &M) {
    let encoding = encoding(request);
    let payload = Bytes::from(wire::encode(encoding, answer));
    send(client, request, encoding, payload).await;
}

/// Returns the largest size of an answer: what the server takes and its reader accepts.
pub(super) fn len_max(client: &Client, encoding: Encoding) -> usize {
    let room = client
        .max_payload()
        .saturating_sub(headers_len(&headers(encoding)));
    room.min(MESSAGE_LEN_MAX)
}

fn headers(encoding: Encoding) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_CONTENT_TYPE, encoding.content_type());
    headers
}

/// Sends the answer, or an error if it is larger than the server takes.
pub(super) async fn send(client: &Client, request: &Request, encoding: Encoding, payload: Bytes) {
    let headers = headers(encoding);
    let limit = client.max_payload();
    if headers_len(&headers) + payload.len() > limit {
        let len = payload.len();
        let why = format!("the answer has {len} bytes and max_payload of this server is {limit}");
        request.count_error(ERROR_REQUEST, &why);
        return publish_error(client, request, &why, ERROR_REQUEST).await;
    }
    request.count();
    let Some(reply) = request.reply.clone() else {
        return;
    };
    if let Err(error) = client.publish_with_headers(reply, headers, payload).await {
        tracing::warn!(event = "answer_not_sent", "answer not sent: {error}");
    }
}

fn error_headers(why: &str, code: &str) -> HeaderMap {
    // A header is one line.
    let why = why.replace(char::is_control, " ");
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_ERROR, why.as_str());
    headers.insert(HEADER_ERROR_CODE, code);
    headers
}
