//! Policies that trust the last heartbeat, and keep no account of the jobs they sent.

use rolecast_common::unit::Resources;
use rolecast_common::wire::Usage;

use super::super::policy::{HostIndex, Report};
use super::super::world::World;
use super::fleet::least;
use super::push::{Choice, Query};

/// The host with the smallest share of its CPU in use.
pub(super) struct LeastReportedCpu {
    rng: fastrand::Rng,
    used: Vec<f64>,
}

impl LeastReportedCpu {
    pub(super) fn new(world: &World) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(world.seed),
            used: vec![0.0; world.hosts.len()],
        }
    }
}

impl Choice for LeastReportedCpu {
    fn choose(&mut self, query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex> {
        let used = &self.used;
        least(candidates, &mut self.rng, |host| {
            used[host] / query.fleet.cores[host]
        })
    }

    fn observe(&mut self, host: HostIndex, report: &Report<'_>) {
        self.used[host] = report.usage.total.cpu.get();
    }
}

/// The share of CPU and of memory that must be free.
const FREE_MIN: f64 = 0.15;

/// Of the hosts with enough CPU and memory, the one with the best weighted sum
/// of free shares; if there is none, jobs wait.
pub(super) struct ThresholdScore {
    rng: fastrand::Rng,
    free: Vec<Shares>,
    capacity: Vec<Shares>,
}

/// A number for each resource.
#[derive(Clone, Copy, Debug)]
struct Shares {
    cpu: f64,
    memory: f64,
    network: f64,
    disk: f64,
}

impl Shares {
    const ALL: Shares = Shares {
        cpu: 1.0,
        memory: 1.0,
        network: 1.0,
        disk: 1.0,
    };

    fn free(used: &Resources, capacity: &Shares) -> Self {
        let free = |used: f64, capacity: f64| (1.0 - used / capacity).max(0.0);
        let memory = used.memory.get() as f64;
        Shares {
            cpu: free(used.cpu.get(), capacity.cpu),
            memory: free(memory, capacity.memory),
            network: free(used.network.get(), capacity.network),
            disk: free(used.disk.get(), capacity.disk),
        }
    }

    fn score(&self) -> f64 {
        0.4 * self.cpu + 0.3 * self.memory + 0.15 * self.network + 0.15 * self.disk
    }
}

impl ThresholdScore {
    pub(super) fn new(world: &World) -> Self {
        let hosts = world.hosts.iter();
        Self {
            rng: fastrand::Rng::with_seed(world.seed),
            free: vec![Shares::ALL; world.hosts.len()],
            capacity: hosts
                .map(|host| Shares {
                    cpu: host.declared_cores,
                    memory: host.memory,
                    network: host.network,
                    disk: host.disk,
                })
                .collect(),
        }
    }
}

impl Choice for ThresholdScore {
    fn choose(&mut self, _query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex> {
        let free = &self.free;
        let best = least(candidates, &mut self.rng, |host| {
            let free = &free[host];
            if free.cpu.min(free.memory) > FREE_MIN {
                -free.score()
            } else {
                f64::INFINITY
            }
        })?;
        (free[best].cpu.min(free[best].memory) > FREE_MIN).then_some(best)
    }

    fn observe(&mut self, host: HostIndex, report: &Report<'_>) {
        let Usage { total, .. } = &report.usage;
        self.free[host] = Shares::free(total, &self.capacity[host]);
    }
}
