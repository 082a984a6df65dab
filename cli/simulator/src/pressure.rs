//! Pressure on a host, and the resulting slow-down of its jobs.
//!
//! - The CPU is a fluid: with `u` = wanted cores / cores, a job is slowed by
//!   `max(1, u) * (1 + 0.15 * min(u, 1)^2)`; the second factor is what jobs cost each
//!   other in caches and shared cores. If others go first, `max(1, u)` counts the jobs
//!   alone against what others leave, at least 5 % of the cores.
//! - Disk and network slow the jobs that use them by wanted / capacity, if that ratio is
//!   above one. The slowest resource rules.
//! - Above 93 % of the memory all jobs thrash: slower, linearly up to five times at
//!   100 %.

use super::world::{Needs, Sharing};

/// Slow-down of jobs by each other on a busy CPU.
const INTERFERENCE: f64 = 0.15;
/// The least share of the CPU that is left to jobs where others have priority.
const JOBS_SHARE_MIN: f64 = 0.05;
/// The share of memory above which a host thrashes, and its largest slow-down.
pub(super) const THRASH_FROM: f64 = 0.93;
const THRASH_MAX: f64 = 5.0;

/// Demand on a host over its capacity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pressure {
    /// Demand of jobs, and of others if they share, over what these can get; above 1 they
    /// wait.
    pub(super) cpu: f64,
    pub(super) disk: f64,
    pub(super) network: f64,
    /// Slow-down of all jobs by caches and shared cores.
    pub(super) interference: f64,
    /// Slow-down of all jobs by a shortage of memory.
    pub(super) thrash: f64,
}

impl Pressure {
    pub(super) fn new(capacity: Needs, sharing: Sharing, others: Needs, jobs: Needs) -> Self {
        let utilization = (others.cores + jobs.cores) / capacity.cores;
        let cpu = match sharing {
            Sharing::Fair => utilization,
            Sharing::Priority => jobs.cores / cores_left(capacity, others),
        };
        let memory = (others.memory + jobs.memory) / capacity.memory;
        let depth = (memory - THRASH_FROM) / (1.0 - THRASH_FROM);
        Self {
            cpu,
            disk: (others.disk + jobs.disk) / capacity.disk,
            network: (others.network + jobs.network) / capacity.network,
            interference: interference(utilization),
            thrash: 1.0 + (THRASH_MAX - 1.0) * depth.clamp(0.0, 1.0),
        }
    }

    /// Returns the slow-down of a job with these needs.
    pub(super) fn slowdown(&self, needs: Needs) -> f64 {
        let cpu = self.cpu.max(1.0) * self.interference;
        self.worst(cpu, needs) * self.thrash
    }

    /// Returns the pressure on the resource that a job with these needs lacks most.
    pub(super) fn busiest(&self, needs: Needs) -> f64 {
        self.worst(self.cpu, needs)
    }

    fn worst(&self, mut worst: f64, needs: Needs) -> f64 {
        if needs.disk > 0.0 {
            worst = worst.max(self.disk);
        }
        if needs.network > 0.0 {
            worst = worst.max(self.network);
        }
        worst
    }
}

/// Returns the slow-down of jobs on a CPU of this utilization, from sharing caches and
/// execution units.
pub(super) fn interference(utilization: f64) -> f64 {
    1.0 + INTERFERENCE * utilization.min(1.0).powi(2)
}

/// Returns the CPU for jobs where others have priority.
pub(super) fn cores_left(capacity: Needs, others: Needs) -> f64 {
    (capacity.cores - others.cores).max(JOBS_SHARE_MIN * capacity.cores)
}
