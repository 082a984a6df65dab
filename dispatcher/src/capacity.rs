//! The role capacity map: the room that the nodes of each role will have, compared with
//! the jobs that are expected.
//!
//! A node of several roles counts in each of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rolecast_common::id::Role;
use rolecast_common::resource::ByResource;
use rolecast_common::unit::{BytesPerSecond, Resources};
use rolecast_common::wire::{
    CapacityAt, NodeCapacity, NodeHealth, ResourceBand, RoleCapacity, RoleStatus,
};
use rolecast_forecast::{AHEAD_COUNT, Ahead};

use crate::fleet::{Fleet, Node};

/// The use of the jobs expected until each horizon.
pub(crate) type Demands = [Resources; AHEAD_COUNT];

/// The most roles in the map that no category names: bounds the work that invented names
/// of roles can cause. Those with the most nodes are kept.
const OTHERS_MAX: usize = 64;

/// The nodes of each role that take jobs.
pub(crate) type Holders<'a> = BTreeMap<&'a Role, Vec<&'a Node>>;

/// Returns the nodes that take jobs by role, for the roles named here and those that a
/// node holds; and the number of roles left out.
pub(crate) fn holders<'a>(
    fleet: &'a Fleet,
    named: impl Iterator<Item = &'a Role>,
) -> (Holders<'a>, usize) {
    let mut named: Holders<'a> = named.map(|role| (role, Vec::new())).collect();
    let mut others = Holders::new();
    for node in fleet.nodes().filter(|node| !node.lacks_listener()) {
        let is_ready = node.health() == NodeHealth::Ready;
        for role in node.roles() {
            let holders = match named.get_mut(role) {
                Some(holders) => holders,
                None => others.entry(role).or_default(),
            };
            // A heartbeat may list a role twice.
            let is_new = holders.last().is_none_or(|last| last.slot() != node.slot());
            holders.extend((is_ready && is_new).then_some(node));
        }
    }
    let mut others: Vec<_> = others.into_iter().collect();
    others.sort_by_key(|(role, holders)| (Reverse(holders.len()), *role));
    let left_out = others.len().saturating_sub(OTHERS_MAX);
    named.extend(others.into_iter().take(OTHERS_MAX));
    (named, left_out)
}

/// Returns the future room of a role's nodes; at most `listed_max` of them are listed one
/// by one.
pub(crate) fn of_role(
    fleet: &Fleet,
    nodes: &[&Node],
    demands: &Demands,
    listed_max: usize,
) -> RoleCapacity {
    let horizons = Ahead::all().zip(demands);
    RoleCapacity {
        nodes: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
        horizons: horizons
            .map(|(ahead, demand)| until(fleet, nodes, ahead, *demand, listed_max))
            .collect(),
    }
}

/// Returns the status of a role with the first horizon at which something is short.
pub(crate) fn status_of(role: &Role, capacity: &RoleCapacity) -> RoleStatus {
    let mut horizons = capacity.horizons.iter();
    let short = horizons.find(|at| at.shortage != Resources::default());
    RoleStatus {
        role: role.clone(),
        nodes: capacity.nodes,
        shortage: short.map_or_else(Resources::default, |at| at.shortage),
        at_horizon_s: short.map(|at| at.seconds),
    }
}

fn until(
    fleet: &Fleet,
    nodes: &[&Node],
    ahead: Ahead,
    demand: Resources,
    listed_max: usize,
) -> CapacityAt {
    let mut available = ResourceBand::default();
    // The use of present jobs is a part of the demand.
    let mut room = Resources::default();
    for node in nodes {
        let safe = node.capacity().minus(node.safe_exogenous(ahead));
        let likely = node.capacity().minus(node.likely_exogenous(ahead));
        let reserved = fleet.reserved(node);
        room = room + safe;
        available.safe = available.safe + safe.minus(reserved);
        available.likely = available.likely + likely.minus(reserved);
    }
    let listed = nodes.iter().take(listed_max);
    CapacityAt {
        seconds: ahead.seconds(),
        available,
        nodes: listed
            .map(|node| NodeCapacity {
                node: node.id().clone(),
                available: node
                    .capacity()
                    .minus(node.safe_exogenous(ahead) + fleet.reserved(node)),
            })
            .collect(),
        demand,
        shortage: limited(nodes, demand.minus(room)),
    }
}

/// Removes shortages of resources that are unlimited because some node does not know its
/// capacity.
fn limited(nodes: &[&Node], shortage: Resources) -> Resources {
    let is_limited = |has: fn(&Resources) -> f64| {
        let mut capacities = nodes.iter().map(|node| node.capacity());
        capacities.all(|capacity| has(&capacity) > 0.0)
    };
    let rate = |has: fn(&Resources) -> f64, shortage: BytesPerSecond| match is_limited(has) {
        true => shortage,
        false => BytesPerSecond::ZERO,
    };
    Resources {
        network: rate(|has| has.network.get(), shortage.network),
        disk: rate(|has| has.disk.get(), shortage.disk),
        ..shortage
    }
}

/// Returns the use of this many jobs at a time.
pub(crate) fn use_of(jobs: f64, profile: Resources) -> Resources {
    ByResource::from(profile).map(|each| jobs * each).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rolecast_common::id::{NodeId, Sequence};
    use rolecast_common::time::{Now, Time};
    use rolecast_common::unit::{Bytes, Cores};

    use super::*;
    use crate::fleet::tests::{OCR, beat};

    /// Two followers of 4 cores and 1,024 MiB, on which others use 1 and 3 cores
    /// and a job holds half a core and 64 MiB of the first; and a backup.
    fn fleet() -> Fleet {
        let mut fleet = crate::fleet::tests::fleet();
        for (name, role, used) in [
            ("n1", "follower", 1.0),
            ("n2", "follower", 3.0),
            ("n3", "backup", 0.0),
        ] {
            let mut beat = beat(name, "a", 1);
            beat.roles = vec![Role::new(role).unwrap()];
            beat.usage.total.cpu = Cores::clamped(used);
            fleet.take(Now::default(), &beat.node, &beat).unwrap();
        }
        let slot = fleet.get(&NodeId::new("n1").unwrap()).unwrap().slot();
        fleet.send(Time::ZERO, slot, Sequence::new(1), OCR);
        fleet
    }

    fn cores(cpu: f64) -> Resources {
        Resources {
            cpu: Cores::clamped(cpu),
            ..Resources::default()
        }
    }

    fn follower() -> Role {
        Role::new("follower").unwrap()
    }

    fn of(fleet: &Fleet, role: &Role, demands: &Demands, listed_max: usize) -> RoleCapacity {
        let (mut holders, _) = holders(fleet, [role].into_iter());
        let nodes = holders.remove(role).unwrap();
        of_role(fleet, &nodes, demands, listed_max)
    }

    #[test]
    fn of_invented_roles_those_with_the_most_nodes_are_kept() {
        let mut fleet = fleet();
        for node in 0..3 {
            let mut beat = beat(&format!("odd-{node}"), "a", 1);
            let invented = (0..60).map(|role| format!("odd-{node}-{role}"));
            beat.roles = invented.map(|role| Role::new(&role).unwrap()).collect();
            fleet.take(Now::default(), &beat.node, &beat).unwrap();
        }
        let leader = Role::new("leader").unwrap();
        let (held, left_out) = holders(&fleet, [&leader].into_iter());
        assert_eq!(held.len(), OTHERS_MAX + 1);
        // Two usual ones, and 180 invented.
        assert_eq!(left_out, 182 - OTHERS_MAX);
        assert_eq!(held[&follower()].len(), 2, "it has the most nodes");
        assert!(held[&leader].is_empty(), "a category names it");
    }

    #[test]
    fn a_node_that_lists_a_role_twice_counts_once() {
        let mut fleet = fleet();
        let mut beat = beat("n4", "a", 1);
        beat.roles = vec![follower(), Role::new("backup").unwrap(), follower()];
        fleet.take(Now::default(), &beat.node, &beat).unwrap();
        assert_eq!(of(&fleet, &follower(), &Demands::default(), 0).nodes, 3);
    }

    #[test]
    fn the_sum_over_a_role_is_that_of_its_nodes() {
        let role = of(&fleet(), &follower(), &Demands::default(), 10);
        assert_eq!(role.nodes, 2);
        assert_eq!(role.horizons.len(), AHEAD_COUNT);
        for at in &role.horizons {
            let of_nodes: Vec<f64> = at.nodes.iter().map(|n| n.available.cpu.get()).collect();
            assert_eq!(of_nodes, [2.5, 1.0]);
            assert_eq!(at.available.safe.cpu.get(), 3.5);
            assert_eq!(at.available.likely.cpu.get(), 3.5);
            assert_eq!(at.available.safe.memory, Bytes::from_mib(2048 - 64));
            assert_eq!(at.shortage, Resources::default());
        }
    }

    #[test]
    fn what_jobs_hold_is_a_part_of_the_demand() {
        let mut demands = [cores(4.0); AHEAD_COUNT];
        let quarter = Ahead::covering(Duration::from_secs(900)).index();
        demands[quarter] = cores(5.0);
        let role = of(&fleet(), &follower(), &demands, 0);
        assert!(role.horizons[0].nodes.is_empty());
        assert_eq!(role.horizons[0].shortage, Resources::default());
        assert_eq!(role.horizons[quarter].shortage, cores(1.0));
        let status = status_of(&follower(), &role);
        assert_eq!((status.nodes, status.at_horizon_s), (2, Some(900)));
        assert_eq!(status.shortage, cores(1.0));
    }

    #[test]
    fn a_rate_of_unknown_capacity_is_never_short_and_a_role_without_nodes_always() {
        let needs = Resources {
            disk: BytesPerSecond::clamped(1e9),
            ..cores(1.0)
        };
        let followers = of(&fleet(), &follower(), &[needs; AHEAD_COUNT], 0);
        assert_eq!(followers.horizons[0].shortage, Resources::default());
        let leader = Role::new("leader").unwrap();
        let leaders = of(&fleet(), &leader, &[needs; AHEAD_COUNT], 0);
        assert_eq!(leaders.horizons[0].shortage, needs);
    }

    #[test]
    fn a_node_that_takes_no_jobs_offers_nothing() {
        let mut fleet = fleet();
        fleet.drain(&NodeId::new("n1").unwrap());
        fleet.bounce(&NodeId::new("n2").unwrap());
        let role = of(&fleet, &follower(), &Demands::default(), 10);
        assert_eq!(
            (role.nodes, role.horizons[0].available),
            (0, ResourceBand::default())
        );
    }
}
