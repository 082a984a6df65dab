//! Metrics of roles: their room in the future, and the holders of managed ones.

use std::fmt;
use std::sync::Arc;

use rolecast_common::unit::Resources;
use rolecast_common::wire::CapacityAt;
use rolecast_http::metrics::{Kind, Row, Samples};

use super::figures::Figures;

/// Series of a metric by role.
const BY_ROLE: &str = "roles that categories name, and 64 others";
const BY_HORIZON: &str = "6 for each of: roles that categories name, and 64 others";
const BY_MANAGED: &str = "managed roles";

pub(super) static ROWS: [Row<Arc<Figures>>; 14] = [
    Row {
        name: "rolecast_role_nodes",
        kind: Kind::Gauge,
        help: "Nodes that take jobs and have the role",
        labels: &["role"],
        bound: BY_ROLE,
        read: |figures, samples| {
            for (role, capacity) in &figures.capacity {
                samples.count(&[role.as_str()], u64::from(capacity.nodes))?;
            }
            Ok(())
        },
    },
    Row {
        name: "rolecast_role_available_cpu_cores",
        kind: Kind::Gauge,
        help: "CPU that the role's nodes will have for more jobs until the horizon, at the \
            configured quantile",
        labels: &["role", "horizon"],
        bound: BY_HORIZON,
        read: |figures, samples| by_horizon(figures, samples, |at| cpu(&at.available.safe)),
    },
    Row {
        name: "rolecast_role_available_memory_bytes",
        kind: Kind::Gauge,
        help: "The same of memory",
        labels: &["role", "horizon"],
        bound: BY_HORIZON,
        read: |figures, samples| by_horizon(figures, samples, |at| memory(&at.available.safe)),
    },
    Row {
        name: "rolecast_role_available_network_bytes_per_second",
        kind: Kind::Gauge,
        help: "The same of the network",
        labels: &["role", "horizon"],
        bound: BY_HORIZON,
        read: |figures, samples| by_horizon(figures, samples, |at| network(&at.available.safe)),
    },
    Row {
        name: "rolecast_role_available_disk_bytes_per_second",
        kind: Kind::Gauge,
        help: "The same of the disks",
        labels: &["role", "horizon"],
        bound: BY_HORIZON,
        read: |figures, samples| by_horizon(figures, samples, |at| disk(&at.available.safe)),
    },
    Row {
        name: "rolecast_role_shortage_cpu_cores",
        kind: Kind::Gauge,
        help: "CPU that the role's nodes will lack for the jobs that are expected until the horizon",
        labels: &["role", "horizon"],
        bound: BY_HORIZON,
        read: |figures, samples| by_horizon(figures, samples, |at| cpu(&at.shortage)),
    },
    Row {
        name: "rolecast_role_shortage_memory_bytes",
        kind: Kind::Gauge,
        help: "The same of memory",
        labels: &["role", "horizon"],
        bound: BY_HORIZON,
        read: |figures, samples| by_horizon(figures, samples, |at| memory(&at.shortage)),
    },
    Row {
        name: "rolecast_role_shortage_network_bytes_per_second",
        kind: Kind::Gauge,
        help: "The same of the network",
        labels: &["role", "horizon"],
        bound: BY_HORIZON,
        read: |figures, samples| by_horizon(figures, samples, |at| network(&at.shortage)),
    },
    Row {
        name: "rolecast_role_shortage_disk_bytes_per_second",
        kind: Kind::Gauge,
        help: "The same of the disks",
        labels: &["role", "horizon"],
        bound: BY_HORIZON,
        read: |figures, samples| by_horizon(figures, samples, |at| disk(&at.shortage)),
    },
    Row {
        name: "rolecast_role_holders_wanted",
        kind: Kind::Gauge,
        help: "Nodes that should hold the managed role; of the leader",
        labels: &["role"],
        bound: BY_MANAGED,
        read: |figures, samples| {
            let mut managed = figures.managed.iter();
            managed.try_for_each(|role| samples.count(&[role.role.as_str()], role.wanted))
        },
    },
    Row {
        name: "rolecast_role_holders",
        kind: Kind::Gauge,
        help: "Nodes that act in the managed role; of the leader",
        labels: &["role"],
        bound: BY_MANAGED,
        read: |figures, samples| {
            figures.managed.iter().try_for_each(|role| {
                let acting = u64::try_from(role.acting.len()).unwrap_or(u64::MAX);
                samples.count(&[role.role.as_str()], acting)
            })
        },
    },
    Row {
        name: "rolecast_role_holder",
        kind: Kind::Gauge,
        help: "Always 1, for each node that acts in the managed role; of the leader",
        labels: &["role", "node"],
        bound: "16 for each of: managed roles",
        read: |figures, samples| {
            for role in &figures.managed {
                for node in role.acting.iter().take(HOLDERS_MAX) {
                    samples.count(&[role.role.as_str(), node.as_str()], 1)?;
                }
            }
            Ok(())
        },
    },
    Row {
        name: "rolecast_role_vacant_seconds_total",
        kind: Kind::Counter,
        help: "Time in which the managed role had too few holders, in steps of 2 s; counted by \
            this process while it leads",
        labels: &["role"],
        bound: BY_MANAGED,
        read: |figures, samples| {
            figures.managed.iter().try_for_each(|role| {
                samples.value(&[role.role.as_str()], role.tally.vacant.as_secs_f64())
            })
        },
    },
    Row {
        name: "rolecast_role_changes_total",
        kind: Kind::Counter,
        help: "Changes of the managed role that ended, by reason: operator, drain, holder_gone, \
            holder_unfit, election, swap, bottleneck or restored; counted by this process while \
            it leads",
        labels: &["role", "reason"],
        bound: "8 for each of: managed roles",
        read: |figures, samples| {
            for role in &figures.managed {
                for (reason, count) in &role.tally.changes {
                    samples.count(&[role.role.as_str(), reason], *count)?;
                }
            }
            Ok(())
        },
    },
];

/// Holders of one role that are listed.
const HOLDERS_MAX: usize = 16;

fn by_horizon(
    figures: &Figures,
    samples: &mut Samples<'_, '_>,
    of: fn(&CapacityAt) -> f64,
) -> fmt::Result {
    for (role, capacity) in &figures.capacity {
        for at in &capacity.horizons {
            let horizon = format!("{}s", at.seconds);
            samples.value(&[role.as_str(), &horizon], of(at))?;
        }
    }
    Ok(())
}

fn cpu(resources: &Resources) -> f64 {
    resources.cpu.get()
}

#[allow(clippy::cast_precision_loss, reason = "a metric needs few digits")]
fn memory(resources: &Resources) -> f64 {
    resources.memory.get() as f64
}

fn network(resources: &Resources) -> f64 {
    resources.network.get()
}

fn disk(resources: &Resources) -> f64 {
    resources.disk.get()
}
