//! Simple policies: a random host, and the host with the fewest jobs in flight.

use fastrand::Rng;

use super::super::policy::HostIndex;
use super::super::world::World;
use super::fleet::least;
use super::push::{Choice, Query};

/// Any host that may run the job, with equal chances.
pub(super) struct Random {
    rng: Rng,
}

impl Random {
    pub(super) fn new(world: &World) -> Self {
        Self {
            rng: Rng::with_seed(world.seed),
        }
    }
}

impl Choice for Random {
    fn choose(&mut self, _query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex> {
        self.rng.choice(candidates).copied()
    }
}

/// The host with the fewest jobs in flight, of all that may run the job.
pub(super) struct LeastInFlight {
    /// Whether jobs in flight count per declared capacity.
    is_weighted: bool,
    rng: Rng,
}

impl LeastInFlight {
    pub(super) fn new(world: &World, is_weighted: bool) -> Self {
        Self {
            is_weighted,
            rng: Rng::with_seed(world.seed),
        }
    }
}

impl Choice for LeastInFlight {
    fn choose(&mut self, query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex> {
        let fleet = query.fleet;
        least(candidates, &mut self.rng, |host| {
            let in_flight = fleet.in_flight[host];
            if self.is_weighted {
                return (in_flight + 1.0) / fleet.capacity(host);
            }
            in_flight
        })
    }
}
