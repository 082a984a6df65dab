//! Outbox: publishes what the scheduler orders, and holds jobs until they are sent.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::client::{PublishError, PublishErrorKind};
use async_nats::connection::State;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use foldhash::{HashMap, HashMapExt as _};
use rolecast_common::assignment::Ack;
use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::options::{
    HEADER_DEADLINE, HEADER_DEADLINE_IN, HEADER_ROLES, HEADER_TIME_LIMIT, format_roles,
};
use rolecast_common::requests;
use rolecast_common::subjects::{self, Source};
use rolecast_common::time::Time;
use rolecast_common::trace::{HEADER_PRODUCER, HEADER_TRACEPARENT};
use rolecast_common::wire::{AttemptLog, Decision, Encoding, Record, encode, encoded_len};
use rolecast_nats::Clock;
use serde_json::json;
use tokio::time::timeout;

use super::dead_lettering::{self, JobMessage};
use super::pings::Pings;
use super::traces::Tracer;
use crate::fitting::{fit, fit_log};
use crate::metrics::Loop;
use crate::scheduler::{Input, Output, PULL_BEAT, PULL_EXPIRES};
use crate::span::Span;

/// Messages on their way out, and the jobs that wait for theirs.
pub(super) struct Outbox {
    client: Client,
    clock: Clock,
    /// The prefix of the JetStream API for pull requests.
    api_prefix: String,
    /// Pulls answer on `<inbox>.pull.<consumer>`, records on `<inbox>.record.<sequence>`.
    inbox: String,
    held: HashMap<Sequence, JobMessage>,
    pings: Pings,
    /// Headers of a write that must be the first on its subject.
    expected_none: HeaderMap,
    /// Deliveries to give back, with the ends of their delays, during a recovery.
    postponed: Option<Vec<(Ack, Time)>>,
    /// Counts of the loop's work.
    pub(super) work: Loop,
    tracer: Tracer,
}

impl Outbox {
    pub(super) fn new(client: Client, clock: Clock, api_prefix: String, tracer: Tracer) -> Self {
        let mut expected_none = HeaderMap::new();
        expected_none.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
        Self {
            inbox: client.new_inbox(),
            client,
            clock,
            api_prefix,
            held: HashMap::new(),
            pings: Pings::default(),
            expected_none,
            postponed: None,
            work: Loop::default(),
            tracer,
        }
    }

    pub(super) fn inbox(&self) -> &str {
        &self.inbox
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Flushes pending messages, as far as NATS is reachable.
    pub(super) async fn flush(&self, limit: Duration) {
        let flushed = timeout(limit, self.client.flush()).await;
        tracing::debug!(event = "flushed", ok = matches!(flushed, Ok(Ok(()))));
    }

    /// Keeps the message of a delivered job until it is sent or over.
    pub(super) fn hold(&mut self, sequence: Sequence, message: JobMessage) {
        self.held.insert(sequence, message);
    }

    /// Returns the message of a job, which is not needed here any more.
    pub(super) fn release(&mut self, sequence: Sequence) -> Option<JobMessage> {
        self.held.remove(&sequence)
    }

    /// Returns the round trip of an answered ping.
    pub(super) fn pinged(&mut self, now: Time, node: &NodeId, number: u64) -> Option<Duration> {
        self.pings.answered(now, node, number)
    }

    /// Postpones what is given back with a delay until [`Outbox::end_recovery`].
    pub(super) fn begin_recovery(&mut self) {
        self.postponed = Some(Vec::new());
    }

    pub(super) async fn acknowledge(
        &mut self,
        sequence: Sequence,
        ack: &Ack,
    ) -> anyhow::Result<()> {
        self.held.remove(&sequence);
        self.publish(ack.as_str(), "+ACK").await
    }

    pub(super) async fn give_back(
        &mut self,
        now: Time,
        sequence: Sequence,
        ack: Ack,
        delay: Duration,
    ) -> anyhow::Result<()> {
        self.held.remove(&sequence);
        if let (Some(postponed), false) = (&mut self.postponed, delay.is_zero()) {
            // Sent at this moment it would arrive late; see `recovery`.
            postponed.push((ack, now + delay));
            return Ok(());
        }
        self.publish(ack.as_str(), negative_ack(delay)).await
    }

    /// Gives back the deliveries that were postponed during a recovery.
    pub(super) async fn end_recovery(&mut self, now: Time) {
        for (ack, until) in self.postponed.take().unwrap_or_default() {
            let answer = negative_ack(until.since(now));
            if let Err(error) = self.publish(ack.as_str(), answer).await {
                tracing::warn!(event = "send_failed", "cannot send: {error:#}");
            }
        }
    }

    pub(super) async fn publish(
        &self,
        subject: &str,
        payload: impl Into<Bytes>,
    ) -> anyhow::Result<()> {
        let client = &self.client;
        client.publish(subject.to_owned(), payload.into()).await?;
        Ok(())
    }

    /// Sends a job to its node; returns the input that reports it as too large, if it is.
    pub(super) async fn forward(&mut self, output: Output) -> anyhow::Result<Option<Input>> {
        let Output::Forward {
            sequence,
            node,
            assignment,
            deadline,
            time_limit,
            roles,
            trace,
        } = output
        else {
            return Ok(None);
        };
        let held = self
            .held
            .get(&sequence)
            .cloned()
            .context("a job to send is not held")?;
        let subject = subjects::node_jobs(&node);
        let reply = subjects::done(&node, &assignment);
        let client = &self.client;
        if held.headers.is_none() && roles.is_empty() && time_limit.is_none() {
            let sent = client.publish_with_reply(subject, reply, held.payload);
            let sent = sent.await;
            return self.finish_forward(sequence, assignment.attempt(), sent);
        }
        // No job has these headers already: one that does is refused.
        let mut headers = held.headers.unwrap_or_default();
        if !roles.is_empty() {
            headers.insert(HEADER_ROLES, format_roles(&roles).as_str());
        }
        if let Some(limit) = time_limit {
            let limit = format!("{}ms", limit.as_millis());
            headers.insert(HEADER_TIME_LIMIT, limit.as_str());
        }
        if let Some(deadline) = deadline {
            let left = deadline.since(self.clock.now().wall).as_millis();
            headers = without(headers, HEADER_DEADLINE);
            headers.insert(HEADER_DEADLINE, deadline.to_string().as_str());
            headers.insert(HEADER_DEADLINE_IN, format!("{left}ms").as_str());
        }
        if let Some(trace) = trace.filter(|_| self.tracer.exports()) {
            headers = without(headers, HEADER_TRACEPARENT);
            headers.insert(HEADER_TRACEPARENT, trace.at_node.to_string().as_str());
            headers.insert(HEADER_PRODUCER, trace.producer.to_string().as_str());
        }
        let sent = client.publish_with_reply_and_headers(subject, reply, headers, held.payload);
        let sent = sent.await;
        self.finish_forward(sequence, assignment.attempt(), sent)
    }

    /// Releases the payload. A job that is too large, because of the added headers, is
    /// dead-lettered with it.
    fn finish_forward(
        &mut self,
        sequence: Sequence,
        attempt: Attempt,
        sent: Result<(), PublishError>,
    ) -> anyhow::Result<Option<Input>> {
        let Err(error) = sent else {
            self.held.remove(&sequence);
            return Ok(None);
        };
        if error.kind() != PublishErrorKind::MaxPayloadExceeded {
            self.held.remove(&sequence);
            return Err(error.into());
        }
        let limit = self.client.max_payload();
        let why = format!(
            "with the headers that are added on its way to a node it is larger than this \
             server takes: max_payload is {limit} bytes"
        );
        Ok(Some(Input::Unsendable {
            sequence,
            attempt,
            why,
        }))
    }

    /// Exports stages of jobs in traces.
    pub(super) fn trace(&self, spans: Vec<Span>) {
        self.tracer.export(spans);
    }

    pub(super) async fn fetch(&mut self, source: &Source, batch: u32) -> anyhow::Result<()> {
        self.work.pulls += 1;
        let consumer = source.consumer();
        let prefix = &self.api_prefix;
        let next = requests::consumer_next(subjects::STREAM_JOBS, &consumer);
        let subject = format!("{prefix}.{next}");
        let reply = format!("{}.pull.{consumer}", self.inbox);
        let expires = u64::try_from(PULL_EXPIRES.as_nanos()).unwrap_or(u64::MAX);
        let beat = u64::try_from(PULL_BEAT.as_nanos()).unwrap_or(u64::MAX);
        let request = json!({"batch": batch, "expires": expires, "idle_heartbeat": beat});
        let request = request.to_string();
        let client = &self.client;
        client
            .publish_with_reply(subject, reply, request.into())
            .await?;
        Ok(())
    }

    pub(super) async fn ping(
        &mut self,
        node: NodeId,
        number: u64,
        text: &'static str,
    ) -> anyhow::Result<()> {
        let subject = subjects::node_ping(&node);
        let reply = subjects::pong(&node, number);
        self.pings.sent(self.clock.now().time, node, number);
        let client = &self.client;
        client
            .publish_with_reply(subject, reply, Bytes::from_static(text.as_bytes()))
            .await?;
        Ok(())
    }

    pub(super) async fn record(&self, record: &Record) -> anyhow::Result<()> {
        let subject = subjects::result(&record.job);
        let reply = format!("{}.record.{}", self.inbox, record.sequence);
        let headers = self.expected_none.clone();
        let client = &self.client;
        let limit = dead_lettering::record_len_max(client, &headers);
        let payload = fit(record, limit).into();
        client
            .publish_with_reply_and_headers(subject, reply, headers, payload)
            .await?;
        Ok(())
    }

    /// Publishes a record of a decision without waiting for the answer: a lost one does
    /// little harm.
    pub(super) async fn record_decision(&self, decision: &Decision) -> anyhow::Result<()> {
        let Some(job) = &decision.job else {
            return Ok(());
        };
        let subject = subjects::decision(&decision.category, job);
        let payload = encode(Encoding::MessagePack, decision).into();
        self.client.publish(subject, payload).await?;
        Ok(())
    }

    /// Publishes the log of an attempt in the same way: no job depends on it.
    pub(super) async fn store_log(&self, mut log: AttemptLog) -> anyhow::Result<()> {
        let subject = subjects::log(&log.job, log.attempt);
        let len_max = self.client.max_payload();
        fit_log(
            &mut log,
            |log| encoded_len(Encoding::MessagePack, log),
            len_max,
        );
        let payload = encode(Encoding::MessagePack, &log).into();
        self.client.publish(subject, payload).await?;
        Ok(())
    }
}

/// Removes the other spellings of a header that is about to be set.
fn without(headers: HeaderMap, header: &str) -> HeaderMap {
    let is_other = |name: &str| name != header && name.eq_ignore_ascii_case(header);
    if !headers.iter().any(|(name, _)| is_other(name.as_ref())) {
        return headers;
    }
    let mut kept = HeaderMap::new();
    for (name, values) in headers.iter() {
        if !is_other(name.as_ref()) {
            for value in values {
                kept.append(name.clone(), value.clone());
            }
        }
    }
    kept
}

/// Returns the negative acknowledgement that has the job redelivered after `delay`.
fn negative_ack(delay: Duration) -> String {
    // A delay of zero would take the server's timer; without one it is at once.
    if delay.is_zero() {
        return "-NAK".to_owned();
    }
    format!("-NAK {{\"delay\": {}}}", delay.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_set_has_one_spelling() {
        let mut headers = HeaderMap::new();
        headers.append("rolecast-deadline", "5m");
        headers.append("ROLECAST-DEADLINE", "5m");
        headers.append("Language", "de");
        headers.append("Language", "en");
        let mut kept = without(headers, HEADER_DEADLINE);
        kept.insert(HEADER_DEADLINE, "2026-01-31T12:00:00Z");
        assert_eq!(kept.len(), 2);
        assert_eq!(kept.get_all("Language").count(), 2);
    }
}
