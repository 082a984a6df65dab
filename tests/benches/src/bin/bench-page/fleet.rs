//! Simulated nodes: a heartbeat of each in a second, and answers to pings.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::Client;
use futures_util::StreamExt as _;
use rolecast_benches::usage::Usage;
use rolecast_common::id::{BootId, Category, NodeId, Role};
use rolecast_common::subjects;
use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::{self, Encoding, Heartbeat};
use tokio::task::JoinSet;
use tokio::time::interval;

/// Parts of a second in which heartbeats are sent.
const PARTS: usize = 20;
const CORES: f64 = 16.0;

/// The nodes; they end when this is dropped.
pub(crate) struct Fleet {
    _tasks: JoinSet<()>,
}

struct Host {
    beat: Heartbeat,
    usage: Usage,
}

impl Fleet {
    pub(crate) async fn start(client: Client, nodes: u32) -> anyhow::Result<Self> {
        let mut pings = client.subscribe("rolecast.node.*.ping").await?;
        let hosts: anyhow::Result<Vec<Host>> = (0..nodes).map(host).collect();
        let hosts = hosts?;
        let mut tasks = JoinSet::new();
        let answering = client.clone();
        tasks.spawn(async move {
            while let Some(ping) = pings.next().await {
                if let Some(reply) = ping.reply {
                    // The bench ends with the server.
                    let _ = answering.publish(reply, "".into()).await;
                }
            }
        });
        tasks.spawn(beat(client, hosts));
        Ok(Self { _tasks: tasks })
    }
}

async fn beat(client: Client, mut hosts: Vec<Host>) {
    let mut parts = interval(Duration::from_secs(1) / u32::try_from(PARTS).unwrap_or(1));
    let per_part = hosts.len().div_ceil(PARTS).max(1);
    let mut second = 0.0;
    loop {
        for hosts in hosts.chunks_mut(per_part) {
            parts.tick().await;
            for host in hosts {
                let used = host.usage.next(second);
                host.beat.sequence += 1;
                host.beat.usage.total.cpu = Cores::clamped(used * CORES);
                let payload = wire::encode(Encoding::MessagePack, &host.beat);
                let subject = subjects::heartbeat(&host.beat.node);
                if client.publish(subject, payload.into()).await.is_err() {
                    return;
                }
            }
        }
        second += 1.0;
    }
}

fn host(number: u32) -> anyhow::Result<Host> {
    let node = NodeId::new(&format!("node-{number:05}"))?;
    let boot = BootId::new(&format!("boot-{number}"))?;
    let role = ["web", "batch", "edge"][number as usize % 3];
    let mut beat = Heartbeat {
        roles: vec![Role::new(role)?],
        capacity: Resources {
            cpu: Cores::clamped(CORES),
            memory: Bytes::from_mib(64 * 1024),
            ..Resources::default()
        },
        jobs_max: 8,
        categories: BTreeMap::from([(Category::new("echo")?, 8)]),
        ..Heartbeat::new(node, boot, 0)
    };
    beat.labels
        .insert("zone", ["a", "b", "c", "d"][number as usize % 4])?;
    let usage = Usage::new(u64::from(number));
    Ok(Host { beat, usage })
}
