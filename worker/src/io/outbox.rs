//! Outbox: publishes the messages of a node, and subscribes to its jobs.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_nats::connection::State;
use async_nats::{Subject, Subscriber};
use bytes::Bytes;
use futures_util::FutureExt as _;
use rolecast_common::id::NodeId;
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, Heartbeat, Outcome, OutcomeBatch};
use rolecast_nats::Connection;
use tokio::sync::watch;

use crate::metrics::Tally;

/// Two workers that share a node id by mistake must not both run a job.
const QUEUE_GROUP: &str = "worker";

/// The connection of a node, and the subjects that it sends on.
#[derive(Debug)]
pub(super) struct Outbox {
    connection: Connection,
    node: NodeId,
    /// `rolecast.node.<node>.`
    node_prefix: String,
    /// `rolecast.done.<node>.`
    done_prefix: String,
    heartbeat_subject: Subject,
    batch_subject: Subject,
    /// Counts of the loop's work.
    pub(super) tally: Tally,
}

impl Outbox {
    pub(super) fn new(connection: Connection, node: &NodeId) -> Self {
        let trimmed = |subject: String, end: &str| subject.trim_end_matches(end).to_owned();
        Self {
            connection,
            node: node.clone(),
            node_prefix: trimmed(subjects::node_all(node), ">"),
            done_prefix: trimmed(subjects::done_batch(node), "batch"),
            heartbeat_subject: subjects::heartbeat(node).into(),
            batch_subject: subjects::done_batch(node).into(),
            tally: Tally::default(),
        }
    }

    /// Returns the prefix of the subjects that the node receives on.
    pub(super) fn node_prefix(&self) -> &str {
        &self.node_prefix
    }

    /// Returns the prefix of the subjects that the node answers on.
    pub(super) fn done_prefix(&self) -> &str {
        &self.done_prefix
    }

    /// Returns the longest message that the server takes.
    pub(super) fn max_payload(&self) -> usize {
        self.connection.client.max_payload()
    }

    /// Returns a receiver that changes with each new connection.
    pub(super) fn connected(&self) -> watch::Receiver<u64> {
        let mut connected = self.connection.connected.clone();
        connected.mark_unchanged();
        connected
    }

    /// Returns the error of a login that lacks a permission, if the server reported one.
    pub(super) fn take_violation(&self) -> Option<anyhow::Error> {
        let violation = self.connection.take_violation()?;
        Some(anyhow!(
            "this login lacks a permission that a worker needs: {violation}; `rolecast \
             permissions --node {}` prints what it needs",
            self.node
        ))
    }

    /// Subscribes to jobs and pings before the next publication, so that no job arrives
    /// too early.
    pub(super) fn subscribe(&self) -> anyhow::Result<[Subscriber; 2]> {
        let client = &self.connection.client;
        let jobs = subjects::node_jobs(&self.node);
        let subscribe = async {
            let jobs = client.queue_subscribe(jobs, QUEUE_GROUP.to_owned()).await?;
            let pings = client.subscribe(subjects::node_ping(&self.node)).await?;
            anyhow::Ok([jobs, pings])
        };
        let subscribed = tokio::task::unconstrained(subscribe).now_or_never();
        let subscribed = subscribed.context("the client is busy").flatten();
        subscribed.context("cannot listen for jobs")
    }

    pub(super) fn send_outcomes(&self, batch: u64, outcomes: &OutcomeBatch) {
        let reply = subjects::node_confirm(&self.node, batch).into();
        let (subject, payload) = match outcomes.outcomes.as_slice() {
            [
                Outcome {
                    job: Some(assignment),
                    ..
                },
            ] => {
                // Alone it needs no name, because the subject names its job.
                let outcome = Outcome {
                    job: None,
                    ..outcomes.outcomes[0].clone()
                };
                let subject = format!("{}{assignment}", self.done_prefix);
                (
                    subject.into(),
                    wire::encode(Encoding::MessagePack, &outcome),
                )
            }
            _ => {
                let payload = wire::encode(Encoding::MessagePack, outcomes);
                (self.batch_subject.clone(), payload)
            }
        };
        self.publish(subject, Some(reply), payload.into());
    }

    pub(super) fn send_heartbeat(&self, heartbeat: &Heartbeat) {
        let payload = wire::encode(Encoding::MessagePack, heartbeat);
        self.publish(self.heartbeat_subject.clone(), None, payload.into());
    }

    /// Publishes at once or not at all: important messages are repeated, and a loop that
    /// waits for a broken connection could do nothing else.
    pub(super) fn publish(&self, subject: Subject, reply: Option<Subject>, payload: Bytes) {
        let client = &self.connection.client;
        if client.connection_state() != State::Connected {
            return;
        }
        let published = match reply {
            Some(reply) => {
                let publish = client.publish_with_reply(subject, reply, payload);
                tokio::task::unconstrained(publish).now_or_never()
            }
            None => tokio::task::unconstrained(client.publish(subject, payload)).now_or_never(),
        };
        if let Some(Err(error)) = published {
            tracing::error!(event = "publish_failed", "{error}");
        }
    }

    /// Sends the last messages, for a limited time.
    pub(super) async fn flush(&self, limit: Duration) {
        let flush = self.connection.client.flush();
        if !matches!(tokio::time::timeout(limit, flush).await, Ok(Ok(()))) {
            tracing::warn!(event = "flush_failed", "the last messages may be lost");
        }
    }
}
