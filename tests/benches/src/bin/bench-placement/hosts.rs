//! Fleet and jobs of the benchmarks: nodes of several sizes, and four categories, as
//! `tests/scenarios/mixed.toml` has them.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use rolecast_benches::usage::Usage;
use rolecast_common::id::{BootId, Category, Epoch, InvalidId, NodeId, Role};
use rolecast_common::resource::ByResource;
use rolecast_common::unit::{Bytes, BytesPerSecond, Cores, Resources, Speed};
use rolecast_common::wire::{
    self, Blob, Heartbeat, JobUsage, Outcome, OutcomeStatus, Pressure, Share, VERSION,
};
use rolecast_dispatcher::category::{Backoff, Patience, Policy, Profile, Weights};

/// Slots a core: more than it can use, so that the cost decides.
const SLOTS_PER_CORE: u32 = 64;
/// The share of the use on a node that belongs to jobs.
const JOBS_SHARE: f64 = 0.3;
/// Jobs that a node has in hand on average.
const JOBS_PER_NODE: f64 = 1.6;
const ROLES: [&str; 10] = [
    "leader", "backup", "backup", "gpu", "follower", "follower", "follower", "follower",
    "follower", "follower",
];

/// A category of jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    mean_s: f64,
    pub(crate) cores: f64,
    memory: Bytes,
    memory_peak: Bytes,
    disk: f64,
    network: f64,
    pub(crate) role: Option<&'static str>,
    /// Its share of all work.
    share: f64,
}

pub(crate) const KINDS: [Kind; 4] = [
    Kind {
        name: "api",
        mean_s: 0.02,
        cores: 1.0,
        memory: Bytes::from_mib(30),
        memory_peak: Bytes::from_mib(40),
        disk: 0.0,
        network: 2.5e6,
        role: None,
        share: 0.10,
    },
    Kind {
        name: "data",
        mean_s: 2.0,
        cores: 1.3,
        memory: Bytes::from_mib(400),
        memory_peak: Bytes::from_mib(1100),
        disk: 15e6,
        network: 0.0,
        role: None,
        share: 0.40,
    },
    Kind {
        name: "background",
        mean_s: 30.0,
        cores: 1.8,
        memory: Bytes::from_mib(1200),
        memory_peak: Bytes::from_mib(3400),
        disk: 10e6,
        network: 0.0,
        role: None,
        share: 0.45,
    },
    Kind {
        name: "gpu",
        mean_s: 10.0,
        cores: 2.0,
        memory: Bytes::from_mib(1024),
        memory_peak: Bytes::from_mib(1024),
        disk: 0.0,
        network: 0.0,
        role: Some("gpu"),
        share: 0.05,
    },
];

impl Kind {
    pub(crate) fn policy(&self) -> Result<Policy, InvalidId> {
        let roles: Result<Vec<Role>, _> = self.role.into_iter().map(Role::new).collect();
        let amounts = |memory| Resources {
            cpu: Cores::clamped(self.cores),
            memory,
            network: BytesPerSecond::clamped(self.network),
            disk: BytesPerSecond::clamped(self.disk),
        };
        Ok(Policy {
            category: Category::new(self.name)?,
            declared: true,
            roles: roles?,
            profile: Profile {
                average: amounts(self.memory),
                peak: amounts(self.memory_peak),
                duration: Duration::from_secs_f64(self.mean_s),
            },
            weights: Weights::default(),
            patience: Patience::Never,
            wait_max: Duration::MAX,
            running_max: None,
            time_limit: None,
            attempts_max: 3,
            backoff: Backoff {
                min: Duration::from_secs(1),
                max: Duration::from_secs(60),
            },
            records_completed: false,
        })
    }

    /// Returns the number of its jobs in hand on this many nodes.
    pub(crate) fn in_hand(&self, nodes: u32) -> u64 {
        let of = |kind: &Kind| kind.share / kind.cores;
        let part = of(self) / KINDS.iter().map(of).sum::<f64>();
        whole(f64::from(nodes) * JOBS_PER_NODE * part).max(1)
    }

    /// Draws the end of a job.
    pub(crate) fn outcome(&self, rng: &mut Rng) -> Outcome {
        let run_s = self.mean_s * -(1.0 - rng.f64()).ln();
        let micros = |seconds: f64| whole(seconds * 1e6);
        Outcome {
            v: VERSION,
            job: None,
            status: OutcomeStatus::Completed,
            reason: String::new(),
            output: Blob::default(),
            output_truncated: false,
            log: Blob::default(),
            log_truncated: false,
            started_ms: None,
            run_us: micros(run_s * (1.0 + rng.f64())),
            usage: JobUsage {
                cpu_us: micros(run_s * self.cores),
                memory_max: whole(self.memory.get() as f64 * (0.5 + rng.f64())),
                disk_bytes: whole(self.disk * run_s),
                network_bytes: whole(self.network * run_s),
            },
            traceparent: None,
        }
    }
}

/// The categories of jobs that are placed one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// As they arrive: nearly all are of the shortest.
    Arriving,
    /// As many of each: the index of each has changed more when it is read.
    Even,
}

impl Mix {
    /// Draws the indexes of categories.
    pub(crate) fn draw(self, count: usize, rng: &mut Rng) -> Vec<usize> {
        let weight = |kind: &Kind| match self {
            Mix::Arriving => kind.share / kind.mean_s,
            Mix::Even => 1.0,
        };
        let all: f64 = KINDS.iter().map(weight).sum();
        let mut one = || {
            let mut left = rng.f64() * all;
            let place = KINDS.iter().position(|kind| {
                left -= weight(kind);
                left < 0.0
            });
            place.unwrap_or(0)
        };
        (0..count).map(|_| one()).collect()
    }
}

/// One node, with the use by others.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) beat: Heartbeat,
    usages: [Usage; 4],
}

impl Host {
    pub(crate) fn new(number: u32, seed: u64) -> Result<Self, InvalidId> {
        let mut rng = Rng::with_seed(seed ^ (u64::from(number) << 32));
        let cores = match rng.u32(..100) {
            0..30 => 2,
            30..65 => 4,
            65..90 => 8,
            _ => 16,
        };
        let io = f64::from(cores.max(4));
        let speeds = [0.8, 1.0, 1.2, 1.4];
        let jobs_max = cores * SLOTS_PER_CORE;
        let categories: Result<BTreeMap<_, _>, _> = KINDS
            .iter()
            .map(|kind| Ok((Category::new(kind.name)?, jobs_max)))
            .collect();
        let node = NodeId::new(&format!("node-{number:05}"))?;
        let boot = BootId::new(&format!("boot-{number}"))?;
        Ok(Self {
            usages: std::array::from_fn(|_| Usage::new(rng.u64(..))),
            beat: Heartbeat {
                epoch: Epoch::new(1),
                roles: vec![Role::new(ROLES[number as usize % ROLES.len()])?],
                speed: Speed::new(speeds[rng.usize(..4)]).unwrap_or_default(),
                capacity: Resources {
                    cpu: Cores::clamped(f64::from(cores)),
                    memory: Bytes::from_mib(u64::from(cores) * (2048 << rng.u32(..3))),
                    network: BytesPerSecond::clamped(62.5e6 * io),
                    disk: BytesPerSecond::clamped(60e6 * io),
                },
                jobs_max,
                categories: categories?,
                ..Heartbeat::new(node, boot, 0)
            },
        })
    }

    /// Prepares the next heartbeat, at a second of the day.
    pub(crate) fn beat(&mut self, second: u32) -> &Heartbeat {
        let second = f64::from(second);
        let shares = self.usages.each_mut().map(|usage| usage.next(second));
        let capacity = self.beat.capacity;
        self.beat.sequence += 1;
        self.beat.usage = wire::Usage {
            total: part(capacity, shares),
            jobs: part(capacity, shares.map(|share| share * JOBS_SHARE)),
            pressure: Some(Pressure {
                cpu: Share::clamped(shares[0] / 10.0),
                memory: Share::clamped(0.0),
                io: Share::clamped(shares[3] / 20.0),
            }),
        };
        &self.beat
    }
}

fn part(of: Resources, shares: [f64; 4]) -> Resources {
    let (of, shares) = (ByResource::from(of), ByResource::new(shares));
    ByResource::from_fn(|resource| of[resource] * shares[resource]).into()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and no amount is negative"
)]
fn whole(value: f64) -> u64 {
    value as u64
}
