//! Jobs of a test: submits them, waits for their outcomes and counts these.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use futures_util::StreamExt;
use rolecast_common::id::{JobId, Sequence};
use rolecast_common::wire::{self, Encoding, FailedAttempt, Record};
use rolecast_common::{options, subjects};

use crate::cluster::{Cluster, LIMIT};
use crate::wait::{wait_for, wait_until};

/// Publishes that may wait for their acknowledgement at once: below the
/// server's limits, above what the network's delay costs.
const UNACKNOWLEDGED_MAX: usize = 256;

/// A message of ROLECAST_DEAD.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    pub subject: String,
    pub sequence: Sequence,
    pub headers: HeaderMap,
    pub payload: Bytes,
}

impl DeadLetter {
    /// Returns a header's value, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.as_str())
    }

    /// Returns the attempts that failed, oldest first.
    pub fn attempts(&self) -> Vec<FailedAttempt> {
        serde_json::from_str(self.header(options::HEADER_ATTEMPTS)).unwrap_or_default()
    }
}

/// Makes headers from names and values.
pub fn headers<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(name, value);
    }
    headers
}

impl Cluster {
    /// Submits a job with an id, by `Nats-Msg-Id`, and waits until it is stored.
    pub async fn submit(&self, category: &str, job: &str, payload: impl Into<Bytes>) -> PublishAck {
        let subject = format!("rolecast.jobs.{category}");
        let headers = headers([(options::HEADER_MSG_ID, job)]);
        self.submit_to(&subject, headers, payload).await
    }

    /// Submits a job to any subject with any headers, and waits until it is stored.
    pub async fn submit_to(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: impl Into<Bytes>,
    ) -> PublishAck {
        let payload = payload.into();
        let sent = self
            .operator()
            .publish_with_headers(subject.to_owned(), headers, payload)
            .await
            .expect("a publish can be sent");
        sent.await.expect("the job is stored")
    }

    /// Submits many jobs, `job(i)` giving the id and payload of each, and waits
    /// until all are stored.
    pub async fn submit_many(
        &self,
        category: &str,
        count: usize,
        job: impl Fn(usize) -> (String, Bytes),
    ) {
        let jetstream = self.operator();
        let mut sent: Vec<PublishAckFuture> = Vec::new();
        for i in 0..count {
            let (id, payload) = job(i);
            let subject = format!("rolecast.jobs.{category}");
            let headers = headers([(options::HEADER_MSG_ID, id.as_str())]);
            let publish = jetstream.publish_with_headers(subject, headers, payload);
            sent.push(publish.await.expect("a publish can be sent"));
            if sent.len() == UNACKNOWLEDGED_MAX {
                await_all(&mut sent).await;
            }
        }
        await_all(&mut sent).await;
    }

    /// Returns the recorded outcome of a job, if it has one.
    pub async fn record(&self, job: &str) -> Option<Record> {
        let job = JobId::new(job).expect("a test names jobs with valid ids");
        let jetstream = self.operator();
        let stream = jetstream.get_stream_no_info(subjects::STREAM_RESULTS);
        let stream = stream.await.ok()?;
        let message = stream.direct_get_last_for_subject(subjects::result(&job));
        let payload = message.await.ok()?.payload;
        Some(decode_record(&payload))
    }

    /// Waits for the recorded outcome of a job.
    pub async fn wait_record(&self, job: &str) -> Record {
        let what = format!("the outcome of {job}");
        wait_for(&what, LIMIT, async || self.record(job).await).await
    }

    /// Waits until no job is left in ROLECAST_JOBS; returns the time of the wait.
    pub async fn wait_no_jobs(&self, limit: Duration) -> Duration {
        wait_until("no job is left", limit, async || {
            self.message_count(subjects::STREAM_JOBS).await == Some(0)
        })
        .await
    }

    /// Waits until this many decisions are recorded, which is a little later than the job
    /// is sent, and may be later than its outcome.
    pub async fn wait_decisions(&self, count: u64) {
        wait_until("the decisions are recorded", LIMIT, async || {
            self.message_count(subjects::STREAM_DECISIONS).await >= Some(count)
        })
        .await;
    }

    /// Returns every recorded outcome, oldest first.
    pub async fn records(&self) -> Vec<Record> {
        let messages = self.messages(subjects::STREAM_RESULTS).await;
        let payloads = messages.iter().map(|message| &message.payload);
        payloads.map(decode_record).collect()
    }

    /// Counts the recorded outcomes by their status: `completed`, `dead`, `expired`.
    pub async fn outcome_counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for record in self.records().await {
            *counts.entry(record.status.as_str()).or_default() += 1;
        }
        counts
    }

    /// Returns every dead letter, oldest first.
    pub async fn dead_letters(&self) -> Vec<DeadLetter> {
        self.messages(subjects::STREAM_DEAD).await
    }

    /// Returns the number of messages of a stream; `None` if the server does not report
    /// it.
    pub async fn message_count(&self, stream: &str) -> Option<u64> {
        let stream = self.jetstream().get_stream(stream).await.ok()?;
        Some(stream.cached_info().state.messages)
    }

    /// Returns the number of messages that a stream ever took, including replaced ones.
    pub async fn stored_count(&self, stream: &str) -> Option<u64> {
        let stream = self.jetstream().get_stream(stream).await.ok()?;
        Some(stream.cached_info().state.last_sequence)
    }

    /// Returns a stream and its state, once it exists: the dispatcher answers as soon as the
    /// queue does, and creates the others then.
    pub async fn stream(&self, name: &str) -> Stream {
        wait_for(&format!("stream {name}"), LIMIT, async || {
            self.jetstream().get_stream(name).await.ok()
        })
        .await
    }

    async fn messages(&self, stream: &str) -> Vec<DeadLetter> {
        let stream = self.stream(stream).await;
        let count = usize::try_from(stream.cached_info().state.messages).unwrap_or(usize::MAX);
        let mut found = Vec::with_capacity(count);
        if count == 0 {
            return found;
        }
        let consumer = stream.create_consumer(OrderedConfig::default()).await;
        let consumer = consumer.expect("a consumer can be made");
        let mut messages = consumer.messages().await.expect("messages can be read");
        loop {
            let next = tokio::time::timeout(LIMIT, messages.next()).await;
            let message = next
                .expect("messages keep coming")
                .expect("the stream does not end");
            let message = message.expect("a message can be read");
            let info = message
                .info()
                .expect("a message of a stream has its place in the reply");
            let (sequence, pending) = (info.stream_sequence, info.pending);
            found.push(DeadLetter {
                subject: message.subject.to_string(),
                sequence: Sequence::new(sequence),
                headers: message.headers.clone().unwrap_or_default(),
                payload: message.payload.clone(),
            });
            if pending == 0 {
                return found;
            }
        }
    }
}

async fn await_all(sent: &mut Vec<PublishAckFuture>) {
    for ack in sent.drain(..) {
        ack.await.expect("the job is stored");
    }
}

fn decode_record(payload: &Bytes) -> Record {
    wire::decode(Encoding::MessagePack, payload).expect("a recorded outcome can be read")
}
