//! Rotation: round-robin, and the smooth variant that follows capacity.

use super::super::policy::HostIndex;
use super::super::world::World;
use super::push::{Choice, Query};

/// Each host in turn, for every kind by itself.
pub(super) struct RoundRobin {
    /// The next host, or the one after it.
    next: Vec<HostIndex>,
}

impl RoundRobin {
    pub(super) fn new(world: &World) -> Self {
        Self {
            next: vec![0; world.kinds.len()],
        }
    }
}

impl Choice for RoundRobin {
    fn choose(&mut self, query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex> {
        let next = &mut self.next[query.kind];
        let at = candidates.partition_point(|host| host < next);
        let host = *candidates.get(at).or(candidates.first())?;
        *next = host + 1;
        Some(host)
    }
}

/// Each host as often as its capacity allows, evenly spread: the host with the most
/// credit is chosen and pays the credit that all received.
pub(super) struct WeightedRoundRobin {
    credit: Vec<Vec<f64>>,
}

impl WeightedRoundRobin {
    pub(super) fn new(world: &World) -> Self {
        Self {
            credit: vec![vec![0.0; world.hosts.len()]; world.kinds.len()],
        }
    }
}

impl Choice for WeightedRoundRobin {
    fn choose(&mut self, query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex> {
        let credit = &mut self.credit[query.kind];
        let mut given = 0.0;
        let mut best = *candidates.first()?;
        for host in candidates {
            let weight = query.fleet.capacity(*host);
            credit[*host] += weight;
            given += weight;
            if credit[*host] > credit[best] {
                best = *host;
            }
        }
        credit[best] -= given;
        Some(best)
    }
}
