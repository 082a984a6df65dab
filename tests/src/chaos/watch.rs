//! Watches the stored results, and the nodes that act in the managed role.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, Message};
use futures_util::StreamExt as _;
use rolecast_common::subjects::{HEARTBEATS, RESULTS, STREAM_JOBS, STREAM_RESULTS};
use rolecast_common::wire::{self, Encoding, Heartbeat, Record, RoleVersion};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::ledger::{Records, Stored};

/// Time between two reads of the results, and before another try after a missing answer.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Time limit for the answer of a server.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const BATCH_MAX: usize = 1_000;
/// The server removes the consumer of a read that was given up after this time.
const CONSUMER_IDLE: Duration = Duration::from_secs(10);

/// The role that the dispatcher gives to one of the workers.
const ROLE: &str = "leader";

/// The tasks that observe; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    jetstream: Context,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Debug, Default)]
struct Seen {
    records: Records,
    holders: Vec<(String, RoleVersion)>,
}

impl Watch {
    pub(crate) fn start(client: &Client) -> Watch {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let jetstream = jetstream::new(client.clone());
        let records = follow(jetstream.clone(), Arc::clone(&seen));
        let heartbeats = observe_heartbeats(client.clone(), Arc::clone(&seen));
        Watch {
            seen,
            jetstream,
            tasks: [tokio::spawn(records), tokio::spawn(heartbeats)],
        }
    }

    pub(crate) fn records(&self) -> Records {
        lock(&self.seen).records.clone()
    }

    /// Reads the records without copying them.
    pub(crate) fn with_records<T>(&self, read: impl FnOnce(&Records) -> T) -> T {
        read(&lock(&self.seen).records)
    }

    pub(crate) fn holders(&self) -> Vec<(String, RoleVersion)> {
        lock(&self.seen).holders.clone()
    }

    /// Returns the number of stored jobs; `None` if no server reports it.
    pub(crate) async fn left(&self) -> Option<usize> {
        let (messages, _) = self.figures(STREAM_JOBS).await?;
        usize::try_from(messages).ok()
    }

    /// Returns the number of records, and the sequence of the last one.
    pub(crate) async fn results(&self) -> Option<(u64, u64)> {
        self.figures(STREAM_RESULTS).await
    }

    async fn figures(&self, stream: &str) -> Option<(u64, u64)> {
        let asked = timeout(ANSWER_LIMIT, self.jetstream.get_stream(stream));
        let stream = asked.await.ok()?.ok()?;
        let state = &stream.cached_info().state;
        Some((state.messages, state.last_sequence))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Follows the results over deaths of servers, and of the whole stream.
async fn follow(jetstream: Context, seen: Arc<Mutex<Seen>>) {
    let mut place = Place::default();
    loop {
        // Missed records are read again from the last position on.
        let _ = read_on(&jetstream, &seen, &mut place).await;
        sleep(LOOK_INTERVAL).await;
    }
}

/// The position to read from, and its stream among those that had the name one after the
/// other.
#[derive(Debug, Default)]
struct Place {
    created: Option<i128>,
    stream: u32,
    next: u64,
}

async fn read_on(jetstream: &Context, seen: &Mutex<Seen>, place: &mut Place) -> anyhow::Result<()> {
    let stream = timeout(ANSWER_LIMIT, jetstream.get_stream(STREAM_RESULTS)).await??;
    let created = stream.cached_info().created.unix_timestamp_nanos();
    if place.created.is_some_and(|before| before != created) {
        place.stream += 1;
        place.next = 0;
    }
    place.created = Some(created);
    let consumer = timeout(ANSWER_LIMIT, consumer(&stream, place.next)).await??;
    loop {
        let batch = timeout(ANSWER_LIMIT, batch(&consumer)).await??;
        for message in &batch {
            let stored = stored(message, place)?;
            place.next = stored.sequence + 1;
            lock(seen).records.add(stored);
        }
        if batch.is_empty() {
            // A stream that was lost has no consumer any more: reading it fails.
            timeout(ANSWER_LIMIT, consumer.get_info()).await??;
            sleep(LOOK_INTERVAL).await;
        }
    }
}

async fn consumer(stream: &Stream, next: u64) -> anyhow::Result<PullConsumer> {
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: next.max(1),
        },
        ack_policy: AckPolicy::None,
        filter_subject: RESULTS.to_owned(),
        inactive_threshold: CONSUMER_IDLE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    Ok(stream.create_consumer(config).await?)
}

async fn batch(consumer: &PullConsumer) -> anyhow::Result<Vec<jetstream::Message>> {
    let mut messages = consumer.fetch().max_messages(BATCH_MAX).messages().await?;
    let mut batch = Vec::new();
    while let Some(message) = messages.next().await {
        batch.push(message.map_err(|error| anyhow::anyhow!("{error}"))?);
    }
    Ok(batch)
}

fn stored(message: &jetstream::Message, place: &Place) -> anyhow::Result<Stored> {
    let info = message.info().map_err(|error| anyhow::anyhow!("{error}"))?;
    let (sequence, at) = (info.stream_sequence, info.published.unix_timestamp_nanos());
    let record: Record = wire::decode(Encoding::MessagePack, &message.payload)
        .with_context(|| format!("record {sequence}"))?;
    Ok(Stored {
        stream: place.stream,
        sequence,
        job: record.job.to_string(),
        status: record.status.as_str(),
        reason: record.reason,
        at: i64::try_from(at / 1_000_000).unwrap_or(i64::MAX),
    })
}

async fn observe_heartbeats(client: Client, seen: Arc<Mutex<Seen>>) {
    let Ok(mut heartbeats) = client.subscribe(HEARTBEATS).await else {
        return;
    };
    while let Some(message) = heartbeats.next().await {
        let holder = holder(&message);
        lock(&seen).holders.extend(holder);
    }
}

/// Returns the node and the version of the roles if it acts in the managed one.
fn holder(message: &Message) -> Option<(String, RoleVersion)> {
    let heartbeat: Heartbeat = wire::decode(Encoding::MessagePack, &message.payload).ok()?;
    let acts = heartbeat.roles.iter().any(|role| role.as_str() == ROLE);
    acts.then(|| (heartbeat.node.to_string(), heartbeat.assigned))
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
