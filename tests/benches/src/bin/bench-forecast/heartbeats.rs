//! Simulated workers: hosts whose use rises and falls, and their heartbeats each second.

use std::collections::BTreeMap;

use anyhow::Context as _;
use rolecast_benches::usage::Usage;
use rolecast_common::assignment::Assignment;
use rolecast_common::id::{BootId, Category, Epoch, NodeId, Role};
use rolecast_common::subjects;
use rolecast_common::unit::{Bytes, BytesPerSecond, Cores, Resources};
use rolecast_common::wire::{self, Encoding, Heartbeat, Pressure, Share};

const CORES: f64 = 16.0;
const MEMORY: Bytes = Bytes::from_mib(64 * 1024);
const MEMORY_GIB: f64 = 64.0;
const NETWORK: f64 = 1.25e9;
const DISK: f64 = 5e8;
/// The share of the use that belongs to jobs in hand.
const JOBS_SHARE: f64 = 0.2;

/// One host with its worker.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) subject: String,
    beat: Heartbeat,
    usages: [Usage; 4],
}

impl Host {
    pub(crate) fn new(number: u32, epoch: Epoch, seed: u64) -> anyhow::Result<Self> {
        let node = NodeId::new(&format!("node-{number:05}"))?;
        let roles: &[&str] = match number % 5 {
            0 => &["leader", "follower"],
            1 | 2 => &["follower"],
            _ => &["backup"],
        };
        let roles: Result<Vec<Role>, _> = roles.iter().map(|role| Role::new(role)).collect();
        let categories = [("thumbnail", 4), ("ocr", 2), ("mail", 8)];
        let categories: Result<BTreeMap<Category, u32>, _> = categories
            .into_iter()
            .map(|(category, jobs_max)| Ok((Category::new(category)?, jobs_max)))
            .collect();
        let categories: Result<_, rolecast_common::id::InvalidId> = categories;
        let resource = |index: u64| Usage::new(seed ^ (u64::from(number) * 4 + index));
        let boot = BootId::new(&format!("boot-{number}"))?;
        Ok(Self {
            subject: subjects::heartbeat(&node),
            usages: [resource(0), resource(1), resource(2), resource(3)],
            beat: Heartbeat {
                epoch,
                roles: roles?,
                capacity: resources([1.0; 4]),
                jobs_max: 8,
                categories: categories?,
                jobs: in_hand(number, epoch)?,
                ..Heartbeat::new(node, boot, 0)
            },
        })
    }

    pub(crate) fn node(&self) -> &NodeId {
        &self.beat.node
    }

    /// Returns the heartbeat of the worker at a second of a day.
    pub(crate) fn beat(&mut self, second: f64) -> Vec<u8> {
        let shares = self.usages.each_mut().map(|usage| usage.next(second));
        self.beat.sequence += 1;
        self.beat.usage = wire::Usage {
            total: resources(shares),
            jobs: resources(shares.map(|share| share * JOBS_SHARE)),
            pressure: Some(Pressure {
                cpu: Share::clamped(shares[0] / 10.0),
                memory: Share::clamped(0.0),
                io: Share::clamped(shares[3] / 20.0),
            }),
        };
        wire::encode(Encoding::MessagePack, &self.beat)
    }
}

fn resources(shares: [f64; 4]) -> Resources {
    let [cpu, memory, network, disk] = shares;
    // Whole MiB: memory is counted in pages.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of 64 GiB"
    )]
    let mib = (memory * MEMORY_GIB * 1024.0) as u64;
    Resources {
        cpu: Cores::clamped(cpu * CORES),
        memory: Bytes::from_mib(mib).min(MEMORY),
        network: BytesPerSecond::clamped(network * NETWORK),
        disk: BytesPerSecond::clamped(disk * DISK),
    }
}

/// Returns two jobs that every heartbeat lists.
fn in_hand(number: u32, epoch: Epoch) -> anyhow::Result<Vec<Assignment>> {
    let jobs = [("ocr", 1), ("mail", 2)].map(|(category, place)| {
        let sequence = number * 2 + place;
        format!(
            "{epoch}.{category}.0198f0c2-7d1e-7aa3-9c55-{sequence:012x}.1.\
             $JS.ACK.ROLECAST_JOBS.normal-{category}.1.{sequence}.{sequence}.1764000000123456789.9"
        )
    });
    let jobs: Result<Vec<Assignment>, _> = jobs.iter().map(|text| text.parse()).collect();
    jobs.context("these are assignments")
}
