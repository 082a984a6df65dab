//! Answers that list nodes, shortened to the size of a message; what is left out is
//! counted.
//!
//! Lists are halved until the answer fits. That takes few steps, and only fleets of
//! thousands take any.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use rolecast_common::id::Role;
use rolecast_common::wire::{CapacityMap, Encoding, JobList, RolesView, encoded_len};

/// Shortens the map: leaves out the last nodes of each role, then the roles with the
/// fewest nodes.
pub(crate) fn shorten_capacity(map: &mut CapacityMap, encoding: Encoding, len_max: usize) {
    let horizons = map.roles.values().flat_map(|role| &role.horizons);
    let mut nodes_max = horizons.map(|at| at.nodes.len()).max().unwrap_or_default();
    while nodes_max > 0 && encoded_len(encoding, map) > len_max {
        nodes_max /= 2;
        let roles = map.roles.values_mut();
        for at in roles.flat_map(|role| &mut role.horizons) {
            at.nodes.truncate(nodes_max);
        }
    }
    while !map.roles.is_empty() && encoded_len(encoding, map) > len_max {
        keep_roles(map, map.roles.len() / 2);
    }
}

fn keep_roles(map: &mut CapacityMap, count: usize) {
    let mut roles: Vec<(Reverse<u32>, Role)> = map
        .roles
        .iter()
        .map(|(name, role)| (Reverse(role.nodes), name.clone()))
        .collect();
    roles.sort();
    for (_, role) in roles.drain(count..) {
        map.roles.remove(&role);
        map.roles_left_out += 1;
    }
}

/// Shortens the view: leaves out the last nodes that act in each role or could have it,
/// holders excepted, and the last drained ones.
pub(crate) fn shorten_roles(view: &mut RolesView, encoding: Encoding, len_max: usize) {
    let lists = view.roles.values();
    let lists = lists.flat_map(|role| [role.acting.len(), role.offered_by.len()]);
    let longest = lists.chain([view.document.drained.len()]).max();
    let mut nodes_max = longest.unwrap_or_default();
    while nodes_max > 0 && encoded_len(encoding, view) > len_max {
        nodes_max /= 2;
        keep_nodes(view, nodes_max);
    }
}

fn keep_nodes(view: &mut RolesView, count: usize) {
    for (name, role) in &mut view.roles {
        let held = view.document.roles.get(name);
        role.acting
            .sort_by_key(|node| (!held.is_some_and(|held| held.contains(node)), node.clone()));
        role.acting_left_out += cut(&mut role.acting, count);
        role.offered_left_out += cut(&mut role.offered_by, count);
    }
    let drained = std::mem::take(&mut view.document.drained);
    let mut drained: Vec<_> = drained.into_iter().collect();
    view.drained_left_out += cut(&mut drained, count);
    view.document.drained = BTreeSet::from_iter(drained);
}

/// Shortens the list of jobs: the next page continues earlier.
pub(crate) fn shorten_jobs(list: &mut JobList, encoding: Encoding, len_max: usize) {
    while list.jobs.len() > 1 && encoded_len(encoding, list) > len_max {
        list.jobs.truncate(list.jobs.len() / 2);
        list.next = list.jobs.last().map(|job| job.sequence);
    }
}

/// Shortens the list and returns the number of entries left out.
fn cut<T>(list: &mut Vec<T>, count: usize) -> u32 {
    let left_out = list.len().saturating_sub(count);
    list.truncate(count);
    u32::try_from(left_out).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rolecast_common::id::{Epoch, Group, NodeId};
    use rolecast_common::time::WallTime;
    use rolecast_common::unit::Resources;
    use rolecast_common::wire::{
        CapacityAt, ForecastMode, ManagedRole, NodeCapacity, RoleCapacity, RoleDocument, VERSION,
    };

    use super::*;

    const BOTH: [Encoding; 2] = [Encoding::MessagePack, Encoding::Json];

    fn nodes(count: usize) -> Vec<NodeId> {
        let names = (0..count).map(|n| format!("n{n:05}"));
        names.map(|name| NodeId::new(&name).unwrap()).collect()
    }

    fn capacity(roles: usize, node_count: usize) -> CapacityMap {
        let node = |node| NodeCapacity {
            node,
            available: Resources::default(),
        };
        let role = |nodes_more: usize| RoleCapacity {
            nodes: u32::try_from(node_count + nodes_more).unwrap(),
            horizons: vec![CapacityAt {
                nodes: nodes(node_count).into_iter().map(node).collect(),
                ..CapacityAt::default()
            }],
        };
        CapacityMap {
            v: VERSION,
            at_ms: WallTime::default(),
            epoch: Epoch::default(),
            mode: ForecastMode::On,
            quantile: 0.9,
            roles: (0..roles)
                .map(|n| (Role::new(&format!("r{n:03}")).unwrap(), role(n)))
                .collect(),
            roles_left_out: 0,
        }
    }

    fn view(offered: usize, drained: usize) -> RolesView {
        let leader = Role::new("leader").unwrap();
        let holder = NodeId::new("z-holder").unwrap();
        let mut acting = nodes(offered);
        acting.push(holder.clone());
        let managed = ManagedRole {
            group: Group::new("default").unwrap(),
            holders_wanted: 1,
            acting,
            offered_by: nodes(offered),
            judgement: Default::default(),
            acting_left_out: 0,
            offered_left_out: 0,
        };
        RolesView {
            v: VERSION,
            epoch: Epoch::default(),
            roles: BTreeMap::from([(leader.clone(), managed)]),
            document: RoleDocument {
                v: VERSION,
                epoch: Epoch::default(),
                generation: 1,
                roles: BTreeMap::from([(leader, vec![holder])]),
                changes: BTreeMap::new(),
                history: Vec::new(),
                drained: nodes(drained).into_iter().collect(),
            },
            drained_left_out: 0,
        }
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        for encoding in BOTH {
            let (map, roles) = (capacity(3, 10), view(10, 10));
            let (mut map_cut, mut roles_cut) = (map.clone(), roles.clone());
            shorten_capacity(&mut map_cut, encoding, encoded_len(encoding, &map));
            shorten_roles(&mut roles_cut, encoding, encoded_len(encoding, &roles));
            assert_eq!((map_cut, roles_cut), (map, roles));
        }
    }

    #[test]
    fn a_map_loses_nodes_and_then_the_smallest_roles() {
        for encoding in BOTH {
            let whole = capacity(40, 100);
            let mut map = whole.clone();
            shorten_capacity(&mut map, encoding, encoded_len(encoding, &whole) / 3);
            let left =
                |map: &CapacityMap| map.roles.values().next().map(|r| r.horizons[0].nodes.len());
            assert_eq!((map.roles.len(), left(&map)), (40, Some(25)));
            let bare = encoded_len(encoding, &capacity(40, 0));
            shorten_capacity(&mut map, encoding, bare / 3);
            assert!(encoded_len(encoding, &map) <= bare / 3);
            assert_eq!((map.roles.len(), map.roles_left_out), (10, 30));
            assert!(map.roles.keys().all(|role| role.as_str() >= "r030"));
            shorten_capacity(&mut map, encoding, 0);
            assert_eq!((map.roles.len(), map.roles_left_out), (0, 40));
        }
    }

    #[test]
    fn roles_lose_nodes_but_no_holder() {
        for encoding in BOTH {
            let whole = view(1000, 500);
            let len_max = encoded_len(encoding, &whole) / 5;
            let mut view = whole.clone();
            shorten_roles(&mut view, encoding, len_max);
            assert!(encoded_len(encoding, &view) <= len_max);
            let role = view.roles.values().next().unwrap();
            assert!(role.acting.contains(&NodeId::new("z-holder").unwrap()));
            let count = |list: usize, left_out: u32| list + left_out as usize;
            assert_eq!(count(role.acting.len(), role.acting_left_out), 1001);
            assert_eq!(count(role.offered_by.len(), role.offered_left_out), 1000);
            assert_eq!(
                count(view.document.drained.len(), view.drained_left_out),
                500
            );
            assert!(role.offered_by.len() > 100 && role.offered_left_out > 0);
        }
    }
}
