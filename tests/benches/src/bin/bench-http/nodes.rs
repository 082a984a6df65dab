//! Simulated nodes: a heartbeat of each at an interval, spread evenly over it, and an answer to
//! each ping.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt as _;
use rolecast_common::id::{BootId, NodeId};
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, Heartbeat};
use serde_json::json;
use tokio::time::MissedTickBehavior;

/// Time from one group of heartbeats to the next: the least that the timer distinguishes.
const STEP: Duration = Duration::from_millis(1);
/// The most groups that are sent at once after a delay: real nodes would not wait for each
/// other, but neither would all of them be late at once.
const CATCH_UP_MAX: f64 = 5.0;

/// The nodes; they send as long as the program runs.
pub(crate) struct Nodes {
    begun: Instant,
    sent: Arc<AtomicU64>,
}

impl Nodes {
    pub(crate) async fn start(
        client: Client,
        count: u32,
        interval: Duration,
    ) -> anyhow::Result<Self> {
        let mut pings = client.subscribe("rolecast.node.*.ping").await?;
        let answers = client.clone();
        tokio::spawn(async move {
            while let Some(ping) = pings.next().await {
                if let Some(reply) = ping.reply {
                    // The server is there as long as the benchmark.
                    let _ = answers.publish(reply, Bytes::new()).await;
                }
            }
        });
        let sent = Arc::new(AtomicU64::new(0));
        let beats = (0..count).map(|number| first_heartbeat(number, interval));
        let beats: Vec<_> = beats.collect::<Result<_, _>>()?;
        ensure!(!beats.is_empty(), "--nodes is 0");
        tokio::spawn(send(client, beats, interval, Arc::clone(&sent)));
        Ok(Self {
            begun: Instant::now(),
            sent,
        })
    }

    pub(crate) fn sent_per_second(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
        let sent = self.sent.load(Ordering::Relaxed) as f64;
        sent / self.begun.elapsed().as_secs_f64()
    }
}

fn first_heartbeat(number: u32, interval: Duration) -> anyhow::Result<Heartbeat> {
    let beat = json!({"v": 1, "node": "x", "boot": "b", "seq": 1, "interval_ms": interval.as_millis(),
        "roles": ["follower"], "capacity": {"cpu": 4.0, "memory": 8_000_000_000_u64},
        "usage": {"total": {}}, "jobs_max": 4, "categories": {"echo": 4},
        "labels": {"zone": "eu"}});
    let beat: Heartbeat = wire::decode(Encoding::Json, beat.to_string().as_bytes())
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let name = format!("f{number:05}");
    Ok(Heartbeat {
        node: NodeId::new(&name).context("it is a node's name")?,
        boot: BootId::new(&name).context("it is a boot's name")?,
        ..beat
    })
}

async fn send(client: Client, mut beats: Vec<Heartbeat>, interval: Duration, sent: Arc<AtomicU64>) {
    #[allow(clippy::cast_precision_loss, reason = "a number of nodes")]
    let each_step = beats.len() as f64 * STEP.as_secs_f64() / interval.as_secs_f64();
    let mut timer = tokio::time::interval(STEP);
    timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut last, mut due, mut next) = (Instant::now(), 0.0, 0);
    loop {
        timer.tick().await;
        let passed = last.elapsed().as_secs_f64() / STEP.as_secs_f64();
        last = Instant::now();
        due += each_step * passed.min(CATCH_UP_MAX);
        while due >= 1.0 {
            due -= 1.0;
            let count = beats.len();
            let beat = &mut beats[next];
            next = (next + 1) % count;
            let payload = wire::encode(Encoding::MessagePack, beat).into();
            let published = client.publish(subjects::heartbeat(&beat.node), payload);
            if published.await.is_ok() {
                sent.fetch_add(1, Ordering::Relaxed);
            }
            beat.sequence += 1;
        }
    }
}
