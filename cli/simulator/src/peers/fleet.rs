//! Hosts as every policy knows them: declared capacity, and the kinds that each may run.

use super::super::policy::HostIndex;
use super::super::world::World;

/// The hosts as a dispatcher without heartbeats knows them.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) cores: Vec<f64>,
    pub(super) speed: Vec<f64>,
    /// Jobs sent whose end was not reported.
    pub(super) in_flight: Vec<f64>,
    /// The hosts that may run each kind, in their order.
    eligible: Vec<Vec<HostIndex>>,
}

impl Fleet {
    pub(super) fn new(world: &World) -> Self {
        let hosts = &world.hosts;
        let eligible = |kind: usize| {
            let may_run = |host: &HostIndex| world.may_run(kind, *host);
            (0..hosts.len()).filter(may_run).collect()
        };
        Self {
            cores: hosts.iter().map(|host| host.declared_cores).collect(),
            speed: hosts.iter().map(|host| host.declared_speed).collect(),
            in_flight: vec![0.0; hosts.len()],
            eligible: (0..world.kinds.len()).map(eligible).collect(),
        }
    }

    pub(super) fn eligible(&self, kind: usize) -> &[HostIndex] {
        &self.eligible[kind]
    }

    pub(super) fn may_run(&self, kind: usize, host: HostIndex) -> bool {
        self.eligible[kind].binary_search(&host).is_ok()
    }

    /// Returns the work that the host does in a second, in cores of speed 1.
    pub(super) fn capacity(&self, host: HostIndex) -> f64 {
        self.cores[host] * self.speed[host]
    }
}

/// Returns the host with the least cost; a random one of equals.
pub(super) fn least(
    hosts: &[HostIndex],
    rng: &mut fastrand::Rng,
    mut cost: impl FnMut(HostIndex) -> f64,
) -> Option<HostIndex> {
    if hosts.is_empty() {
        return None;
    }
    let (behind, ahead) = hosts.split_at(rng.usize(..hosts.len()));
    let mut best = None;
    let mut best_cost = f64::INFINITY;
    for host in ahead.iter().chain(behind) {
        let cost = cost(*host);
        if best.is_none() || cost < best_cost {
            best = Some(*host);
            best_cost = cost;
        }
    }
    best
}
