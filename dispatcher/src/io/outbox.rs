//! Execution of the machine's commands.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::HeaderMap;
use async_nats::client::{PublishError, PublishErrorKind};
use rolecast_common::assignment::Ack;
use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::options::{
    HEADER_DEADLINE, HEADER_DEADLINE_IN, HEADER_ROLES, HEADER_TIME_LIMIT, format_roles,
};
use rolecast_common::requests;
use rolecast_common::subjects::{self, KEY_CAPACITY, STREAM_DEAD, Source};
use rolecast_common::wire::{CapacityMap, Decision, Encoding, Record, encode};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::dead_lettering::{self, JobMessage};
use super::leader::Leader;
use super::{api, refusals, upkeep};
use crate::fitting::fit;
use crate::scheduler::{Input, Output, PULL_BEAT, PULL_EXPIRES};
use crate::shortening::shorten_capacity;

impl Leader {
    pub(super) async fn carry_out(&mut self, output: Output, may_send: bool) -> anyhow::Result<()> {
        match output {
            Output::Event(event) => self.log.event(self.now.time, &event),
            Output::StepDown { reason } => self.stepped_down = Some(reason),
            Output::DoubtLease => self.doubt_lease(),
            Output::Drop(sequence) => {
                self.held.remove(&sequence);
            }
            // Another dispatcher may lead: the results of these jobs are its to report.
            Output::SaveHistory { .. } | Output::ForgetHistory(_) if !self.leads() => {}
            Output::Bury { record, .. } if !self.leads() => self.report(Input::Buried {
                sequence: record.sequence,
                is_done: false,
            }),
            Output::SaveHistory { sequence, history } => {
                // The writer ends only with the program.
                let _ = self.histories.send((sequence, Some(history)));
            }
            Output::ForgetHistory(sequence) => {
                let _ = self.histories.send((sequence, None));
            }
            // While the stack is fitted there may be no room for more lessons.
            Output::Learn(lessons) => drop(self.lessons.try_send(lessons)),
            Output::Bury { record, ack } => {
                let held = self.held.remove(&record.sequence);
                self.dead_letter(record, ack, held);
            }
            Output::Roles(output) => self.carry_out_roles(output, may_send).await?,
            Output::Forward { .. } if !may_send => self.report_unsent(&output),
            Output::Ack { sequence, .. } | Output::GiveBack { sequence, .. } if !may_send => {
                self.held.remove(&sequence);
            }
            Output::Fetch { .. }
            | Output::Ping { .. }
            | Output::AskReport { .. }
            | Output::Recover
            | Output::KeepAlive(_)
            | Output::Record(_)
            | Output::Confirm(_)
            | Output::Admit { .. }
            | Output::PublishCapacity(_)
            | Output::RecordDecision(_)
            | Output::SaveForecast { .. }
                if !may_send => {}
            Output::PublishCapacity(map) => self.publish_capacity(map),
            Output::RecordDecision(decision) => self.record_decision(&decision).await?,
            Output::SaveForecast { node, bytes } => self.keeper.keep(&node, bytes),
            Output::Forward { .. } => self.forward(output).await?,
            Output::Fetch { source, batch } => self.fetch(&source, batch).await?,
            Output::Ping { node, number } => self.ping(node, number, "").await?,
            Output::AskReport { node, number } => {
                self.ping(node, number, subjects::PING_FOR_REPORT).await?;
            }
            Output::Recover => self.recover(),
            Output::Record(record) => self.record(&record).await?,
            Output::Ack { sequence, ack } => self.acknowledge(sequence, &ack).await?,
            Output::KeepAlive(ack) => self.publish(ack.as_str(), "+WPI").await?,
            Output::GiveBack {
                sequence,
                ack,
                delay,
            } => self.give_back(sequence, ack, delay).await?,
            Output::Confirm(reply) => self.publish(&reply, "").await?,
            Output::Admit { node, admission } => {
                let payload = encode(Encoding::MessagePack, &*admission);
                self.publish(&subjects::node_admission(&node), payload)
                    .await?;
            }
        }
        Ok(())
    }

    async fn acknowledge(&mut self, sequence: Sequence, ack: &Ack) -> anyhow::Result<()> {
        self.held.remove(&sequence);
        self.publish(ack.as_str(), "+ACK").await
    }

    async fn give_back(
        &mut self,
        sequence: Sequence,
        ack: Ack,
        delay: Duration,
    ) -> anyhow::Result<()> {
        self.held.remove(&sequence);
        if let (Some(postponed), false) = (&mut self.postponed, delay.is_zero()) {
            // Sent at this moment it would arrive late; see `recovery`.
            postponed.push((ack, self.now.time + delay));
            return Ok(());
        }
        self.publish(ack.as_str(), give_back_word(delay)).await
    }

    /// Orders the recovery from the task that owns the consumers.
    fn recover(&mut self) {
        self.postponed = Some(Vec::new());
        let upkeep = self.upkeep.clone();
        tokio::spawn(async move {
            // The receiver is gone only when this lead ends.
            let _ = upkeep.send(upkeep::Order::Recover).await;
        });
    }

    /// Gives back the deliveries that were postponed during a recovery.
    pub(super) async fn end_recovery(&mut self) {
        for (ack, until) in self.postponed.take().unwrap_or_default() {
            let word = give_back_word(until.since(self.now.time));
            if let Err(error) = self.publish(ack.as_str(), word).await {
                tracing::warn!(event = "send_failed", "cannot send: {error:#}");
            }
        }
    }

    async fn publish(&self, subject: &str, payload: impl Into<bytes::Bytes>) -> anyhow::Result<()> {
        let client = &self.connection.client;
        client.publish(subject.to_owned(), payload.into()).await?;
        Ok(())
    }

    fn report_unsent(&self, output: &Output) {
        let Output::Forward {
            sequence,
            assignment,
            ..
        } = output
        else {
            return;
        };
        self.report(Input::Unsent {
            sequence: *sequence,
            attempt: assignment.attempt(),
        });
    }

    async fn forward(&mut self, output: Output) -> anyhow::Result<()> {
        let Output::Forward {
            sequence,
            node,
            assignment,
            deadline,
            time_limit,
            roles,
        } = output
        else {
            return Ok(());
        };
        let held = self
            .held
            .get(&sequence)
            .cloned()
            .context("a job to send is not held")?;
        let subject = subjects::node_jobs(&node);
        let reply = subjects::done(&node, &assignment);
        let client = &self.connection.client;
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
    ) -> anyhow::Result<()> {
        let Err(error) = sent else {
            self.held.remove(&sequence);
            return Ok(());
        };
        if error.kind() != PublishErrorKind::MaxPayloadExceeded {
            self.held.remove(&sequence);
            return Err(error.into());
        }
        let limit = self.connection.client.max_payload();
        let why = format!(
            "with the headers that are added on its way to a node it is larger than this \
             server takes: max_payload is {limit} bytes"
        );
        self.report(Input::Unsendable {
            sequence,
            attempt,
            why,
        });
        Ok(())
    }

    async fn fetch(&self, source: &Source, batch: u32) -> anyhow::Result<()> {
        let consumer = source.consumer();
        let prefix = &self.streams.api_prefix;
        let next = requests::consumer_next(subjects::STREAM_JOBS, &consumer);
        let subject = format!("{prefix}.{next}");
        let reply = format!("{}.pull.{consumer}", self.inbox);
        let expires = u64::try_from(PULL_EXPIRES.as_nanos()).unwrap_or(u64::MAX);
        let beat = u64::try_from(PULL_BEAT.as_nanos()).unwrap_or(u64::MAX);
        let request = json!({"batch": batch, "expires": expires, "idle_heartbeat": beat});
        let request = request.to_string();
        let client = &self.connection.client;
        client
            .publish_with_reply(subject, reply, request.into())
            .await?;
        Ok(())
    }

    async fn ping(&mut self, node: NodeId, number: u64, text: &'static str) -> anyhow::Result<()> {
        let subject = subjects::node_ping(&node);
        let reply = subjects::pong(&node, number);
        self.pings.sent(self.clock.now().time, node, number);
        let client = &self.connection.client;
        client
            .publish_with_reply(subject, reply, bytes::Bytes::from_static(text.as_bytes()))
            .await?;
        Ok(())
    }

    async fn record(&self, record: &Record) -> anyhow::Result<()> {
        let subject = subjects::result(&record.job);
        let reply = format!("{}.record.{}", self.inbox, record.sequence);
        let headers = self.expected_none.clone();
        let client = &self.connection.client;
        let limit = dead_lettering::record_len_max(client, &headers);
        let payload = fit(record, limit).into();
        client
            .publish_with_reply_and_headers(subject, reply, headers, payload)
            .await?;
        Ok(())
    }

    /// Publishes a record of a decision without waiting for the answer: a lost one does
    /// little harm.
    async fn record_decision(&self, decision: &Decision) -> anyhow::Result<()> {
        let Some(job) = &decision.job else {
            return Ok(());
        };
        let subject = subjects::decision(&decision.category, job);
        let payload = encode(Encoding::MessagePack, decision).into();
        self.connection.client.publish(subject, payload).await?;
        Ok(())
    }

    fn publish_capacity(&self, mut map: Box<CapacityMap>) {
        let bucket = self.capacity.clone();
        let len_max = api::len_max(&self.connection.client, Encoding::Json);
        tokio::spawn(async move {
            // Encoding a large map takes milliseconds; the loop must not wait.
            let encoded = spawn_blocking(move || {
                shorten_capacity(&mut map, Encoding::Json, len_max);
                encode(Encoding::Json, &*map)
            });
            let encoded = encoded.await;
            let Ok(value) = encoded else {
                return;
            };
            let stored = async {
                bucket.open().await?.put(KEY_CAPACITY, value.into()).await?;
                anyhow::Ok(())
            };
            if let Err(error) = stored.await {
                tracing::warn!(
                    event = "capacity_not_stored",
                    "capacity map not stored: {error:#}"
                );
            }
        });
    }

    fn dead_letter(&self, record: Box<Record>, ack: Option<Ack>, held: Option<JobMessage>) {
        let jetstream = self.streams.jetstream.clone();
        let reports = self.reports.clone();
        tokio::spawn(async move {
            let sequence = record.sequence;
            let result = dead_lettering::dead_letter(&jetstream, &record, ack.as_ref(), held).await;
            if let Err(error) = &result {
                tracing::warn!(event = "burial_failed", job = %record.job, "{error:#}");
                if let Some(trouble) = refusals::trouble_of(STREAM_DEAD, error) {
                    let _ = reports.send(Input::Troubled(trouble)).await;
                }
            }
            let is_done = result.is_ok();
            // The receiver is gone only when the program ends.
            let _ = reports.send(Input::Buried { sequence, is_done }).await;
        });
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
fn give_back_word(delay: Duration) -> String {
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
