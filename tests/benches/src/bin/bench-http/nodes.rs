//! Simulated nodes: a heartbeat of each at an interval, spread over it, and an answer to each
//! ping.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt as _;
use rolecast_common::id::{BootId, NodeId};
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, Heartbeat};
use serde_json::json;
use tokio::time::sleep_until;

/// Parts of an interval in which a share of the nodes sends.
const PARTS: u32 = 20;

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
        let beats = beats.collect::<Result<_, _>>()?;
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
    let share = beats.len().div_ceil(PARTS as usize).max(1);
    let mut due = tokio::time::Instant::now();
    loop {
        for some in beats.chunks_mut(share) {
            for beat in some {
                let payload = wire::encode(Encoding::MessagePack, beat).into();
                let published = client.publish(subjects::heartbeat(&beat.node), payload);
                if published.await.is_ok() {
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                beat.sequence += 1;
            }
            due += interval / PARTS;
            sleep_until(due).await;
        }
    }
}
