//! Answers `rolecast.api.*`: what the machine knows, completed by what the streams hold.

use async_nats::jetstream::{self, stream::DirectGetErrorKind};
use async_nats::{Client, HeaderMap, Message};
use bytes::Bytes;
use rolecast_common::id::{Category, JobId, NodeId, Sequence};
use rolecast_common::label::{Requirement, ShardKey};
use rolecast_common::nats::headers_len;
use rolecast_common::options::{self, Headers};
use rolecast_common::subjects::{STREAM_JOBS, STREAM_RESULTS, Source, result};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{
    self, Blob, Encoding, HEADER_CONTENT_TYPE, HEADER_ERROR, HEADER_ERROR_CODE, JobState, JobView,
    Record, RecordStatus, Status,
};

use super::{Streams, discovery};

/// Returns how to answer: in JSON, for a person at a terminal, unless asked otherwise.
pub(super) fn encoding(request: &Message) -> Encoding {
    let headers = request.headers.as_ref();
    let content_type = headers.and_then(|headers| headers.get(HEADER_CONTENT_TYPE));
    match content_type.map(|value| value.as_str()) {
        Some(value) if value == Encoding::MessagePack.content_type() => Encoding::MessagePack,
        Some(_) | None => Encoding::Json,
    }
}

/// Reads the ids a request may mean: the one it says, and if that is a number,
/// that of the unnamed job with this sequence.
pub(super) fn requested_jobs(request: &Message, stream_created: WallTime) -> Vec<JobId> {
    let text = std::str::from_utf8(&request.payload)
        .unwrap_or_default()
        .trim();
    let sequence = text.parse().ok().map(Sequence::new);
    let unnamed = sequence.map(|sequence| sequence.job_id(stream_created));
    JobId::new(text).ok().into_iter().chain(unnamed).collect()
}

/// Reads the id of a node.
pub(super) fn requested_node(request: &Message) -> Option<NodeId> {
    let text = std::str::from_utf8(&request.payload).ok()?;
    NodeId::new(text.trim()).ok()
}

/// A job that somebody thinks of.
pub(super) struct Imagined {
    pub(super) category: Category,
    pub(super) requirement: Requirement,
    pub(super) key: Option<ShardKey>,
}

/// Reads the category of an imagined job, and its wishes as a real one would have them.
pub(super) fn imagined(request: &Message) -> Result<Imagined, String> {
    let text = std::str::from_utf8(&request.payload).unwrap_or_default();
    let category = Category::new(text.trim()).map_err(|error| error.to_string())?;
    let headers = Headers::of(request.headers.as_ref());
    let wishes = options::parse_wishes(&headers);
    let (requirement, key) = wishes.map_err(|error| error.to_string())?;
    Ok(Imagined {
        category,
        requirement,
        key,
    })
}

/// Says what becomes of jobs of a category that is not served.
pub(super) fn not_served(category: &Category, serves_undeclared: bool) -> String {
    let fate = if serves_undeclared {
        "the first job of it gets the profile under [undeclared]"
    } else {
        "jobs of it are put to the dead letters"
    };
    format!("category {category} is not declared and no job of it has come; {fate}")
}

/// Answers that there is no answer, and why.
pub(super) async fn refuse(streams: Streams, why: String, request: Message) {
    let Some(reply) = request.reply else {
        return;
    };
    let client = streams.jetstream.client();
    let sent = client.publish_with_headers(reply, error_headers(&why), Bytes::new());
    if let Err(error) = sent.await {
        tracing::warn!(event = "answer_not_sent", "answer not sent: {error}");
    }
}

/// Answers with what the machine knows and nothing else.
pub(super) async fn answer<M: wire::Message>(streams: Streams, answer: M, request: Message) {
    respond(&streams.jetstream.client(), &request, &answer).await;
}

/// Adds each category's backlog and oldest job, then answers.
pub(super) async fn answer_status(streams: Streams, mut status: Status, request: Message) {
    match discovery::backlogs(&streams.jetstream).await {
        Ok(backlogs) => add_backlogs(&streams, &mut status, backlogs.held).await,
        Err(error) => {
            tracing::warn!(
                event = "status_incomplete",
                "cannot read the backlogs: {error:#}"
            );
        }
    }
    respond(&streams.jetstream.client(), &request, &status).await;
}

async fn add_backlogs(
    streams: &Streams,
    status: &mut Status,
    backlogs: std::collections::BTreeMap<String, u64>,
) {
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

/// Answers with the recorded outcome if there is one, else with what the machine knows.
pub(super) async fn answer_job(
    streams: Streams,
    jobs: Vec<JobId>,
    known: Option<JobView>,
    request: Message,
) {
    let Some(job) = jobs.last().cloned() else {
        return;
    };
    let max_payload = streams.jetstream.client().max_payload();
    let mut record = None;
    for job in &jobs {
        match recorded(&streams.jetstream, job).await {
            Ok(found) => record = record.or(found),
            Err(error) => {
                tracing::warn!(event = "record_unreadable", %job, "cannot read outcome: {error:#}");
            }
        }
    }
    let view = match (record, known) {
        (Some(record), _) => JobView {
            v: wire::VERSION,
            state: match record.status {
                RecordStatus::Completed => JobState::Completed,
                RecordStatus::Dead => JobState::Dead,
                RecordStatus::Expired => JobState::Expired,
            },
            node: record.node.clone(),
            attempt: record.attempt,
            reason: record.reason.clone(),
            job: record.job.clone(),
            record: Some(without_large_output(record, max_payload)),
        },
        (None, Some(view)) => view,
        (None, None) => JobView {
            v: wire::VERSION,
            state: JobState::Unknown,
            node: None,
            attempt: None,
            reason: "not held here: never accepted, or still behind others".to_owned(),
            record: None,
            job,
        },
    };
    respond(&streams.jetstream.client(), &request, &view).await;
}

/// Leaves out an output that may not fit an answer: twice as long in JSON, with some more
/// around it. It is whole in the results stream.
fn without_large_output(mut record: Record, max_payload: usize) -> Record {
    if record.output.0.len() > max_payload / 3 {
        record.output = Blob::default();
        record.output_truncated = true;
    }
    record
}

async fn recorded(jetstream: &jetstream::Context, job: &JobId) -> anyhow::Result<Option<Record>> {
    let stream = jetstream.get_stream_no_info(STREAM_RESULTS).await?;
    match stream.direct_get_last_for_subject(result(job)).await {
        Ok(message) => Ok(Some(wire::decode(Encoding::MessagePack, &message.payload)?)),
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sends the answer, or says that it is larger than the server takes.
async fn respond<M: wire::Message>(client: &Client, request: &Message, answer: &M) {
    let Some(reply) = request.reply.clone() else {
        return;
    };
    let encoding = encoding(request);
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_CONTENT_TYPE, encoding.content_type());
    let mut payload = Bytes::from(wire::encode(encoding, answer));
    let limit = client.max_payload();
    if headers_len(&headers) + payload.len() > limit {
        let len = payload.len();
        let why = format!("the answer has {len} bytes and max_payload of this server is {limit}");
        headers = error_headers(&why);
        payload = Bytes::new();
    }
    if let Err(error) = client.publish_with_headers(reply, headers, payload).await {
        tracing::warn!(event = "answer_not_sent", "answer not sent: {error}");
    }
}

fn error_headers(why: &str) -> HeaderMap {
    // A header is one line.
    let why = why.replace(char::is_control, " ");
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_ERROR, why.as_str());
    headers.insert(HEADER_ERROR_CODE, "400");
    headers
}
