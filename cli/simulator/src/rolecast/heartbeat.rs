//! Constant part of the heartbeats of a simulated host.

use rolecast_common::id::{BootId, Epoch};
use rolecast_common::unit::{Bytes, BytesPerSecond, Cores, Resources, Speed};
use rolecast_common::wire::Heartbeat;

use super::SLOTS_PER_CORE;
use crate::count::rounded;
use crate::world::{Host, Needs, World};

/// Returns the constant part of the host's heartbeats.
pub(super) fn heartbeat(world: &World, host: &Host) -> Heartbeat {
    let jobs_max = u32::try_from(rounded(host.declared_cores * SLOTS_PER_CORE)).unwrap_or(u32::MAX);
    let categories = world.kinds.iter().map(|kind| kind.category.clone());
    let boot = BootId::new("simulated").expect("it is a boot id");
    Heartbeat {
        epoch: Epoch::new(1),
        interval_ms: u32::try_from(rounded(world.heartbeats.interval_s * 1000.0))
            .unwrap_or(u32::MAX),
        roles: host.roles.clone(),
        labels: host.labels.clone(),
        speed: Speed::new(host.declared_speed).unwrap_or_default(),
        capacity: resources(&Needs {
            cores: host.declared_cores,
            memory: host.memory,
            network: host.network,
            disk: host.disk,
        }),
        jobs_max,
        categories: categories.map(|category| (category, jobs_max)).collect(),
        ..Heartbeat::new(host.id.clone(), boot, 0)
    }
}

pub(super) fn resources(needs: &Needs) -> Resources {
    Resources {
        cpu: Cores::clamped(needs.cores),
        memory: Bytes::new(rounded(needs.memory)),
        network: BytesPerSecond::clamped(needs.network),
        disk: BytesPerSecond::clamped(needs.disk),
    }
}
