//! The role capacity map: the room that the nodes of each role will have, less the jobs
//! that are expected.

use std::collections::BTreeMap;

use rolecast_common::id::{Epoch, Role};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{CapacityMap, RoleCapacity, VERSION};
use rolecast_forecast::{AHEAD_COUNT, Ahead, Params};

use super::queue::{Categories, CategoryState};
use crate::capacity::{self, Demands, Holders};
use crate::category::Policy;
use crate::fleet::{Fleet, Node};

/// Node entries in one map, over all roles and horizons: in JSON they take
/// about 110 bytes each, and a message has at most a mebibyte.
const ENTRIES_MAX: usize = 6000;

pub(super) fn of(
    now: WallTime,
    epoch: Epoch,
    params: Params,
    fleet: &Fleet,
    categories: &Categories,
) -> CapacityMap {
    let (roles, left_out) = role_capacities(fleet, categories, ENTRIES_MAX);
    CapacityMap {
        v: VERSION,
        at_ms: now,
        epoch,
        mode: params.mode,
        quantile: params.quantile.share(),
        roles,
        roles_left_out: u32::try_from(left_out).unwrap_or(u32::MAX),
    }
}

/// Returns the room of each role, with at most `entries_max` entries of nodes in all,
/// and the number of roles left out.
pub(super) fn role_capacities(
    fleet: &Fleet,
    categories: &Categories,
    entries_max: usize,
) -> (BTreeMap<Role, RoleCapacity>, usize) {
    let policies = categories.iter().map(CategoryState::policy);
    let named = policies.flat_map(|policy| &policy.roles);
    let (holders, left_out) = capacity::holders(fleet, named);
    let listed_max = entries_max / AHEAD_COUNT / holders.len().max(1);
    let demands = demands_of(categories, &holders);
    let nothing = Demands::default();
    let capacity = |(role, nodes): (&&Role, &Vec<&Node>)| {
        let demands = demands.get(*role).unwrap_or(&nothing);
        let capacity = capacity::of_role(fleet, nodes, demands, listed_max);
        ((*role).clone(), capacity)
    };
    (holders.iter().map(capacity).collect(), left_out)
}

/// Returns the use of the jobs expected on the nodes of each role.
fn demands_of(categories: &Categories, roles: &Holders<'_>) -> BTreeMap<Role, Demands> {
    let mut demands: BTreeMap<Role, Demands> = BTreeMap::new();
    for state in categories.iter() {
        let shares = shares(state.policy(), roles);
        for ahead in Ahead::all() {
            let Some(rate) = state.demand().per_minute(ahead.seconds()) else {
                continue;
            };
            // Little's law: as many run at a time as arrive while one runs.
            let jobs = rate / 60.0 * state.policy().profile.duration.as_secs_f64();
            for (role, share) in &shares {
                let demands = demands.entry((*role).clone()).or_default();
                let demand = &mut demands[ahead.index()];
                *demand = *demand + capacity::use_of(jobs * share, state.policy().profile.average);
            }
        }
    }
    demands
}

/// Returns the roles whose nodes will run a category's jobs, with their shares: the best
/// of its roles that some node holds; where any role is permitted, all in proportion to
/// their nodes.
fn shares<'a>(policy: &'a Policy, holders: &'a Holders<'a>) -> Vec<(&'a Role, f64)> {
    let is_held = |role: &&Role| holders.get(role).is_some_and(|nodes| !nodes.is_empty());
    let best = policy.roles.iter().find(is_held).or(policy.roles.first());
    if let Some(best) = best {
        return vec![(best, 1.0)];
    }
    #[allow(clippy::cast_precision_loss, reason = "nodes are counted in thousands")]
    let count = |count: usize| count as f64;
    let all = count(holders.values().map(Vec::len).sum()).max(1.0);
    let shares = holders
        .iter()
        .map(|(role, nodes)| (*role, count(nodes.len()) / all));
    shares.collect()
}
