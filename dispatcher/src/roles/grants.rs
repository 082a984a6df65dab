//! Grants: the nodes that may be acting in each role at this moment. The safety of roles
//! rests on them.
//!
//! - A grant answers a heartbeat, and the worker counts its lease from when it sent that
//!   one. So it is certainly over a lease after the heartbeat was *received*.
//! - It is over earlier if the worker reports that it carried out a later assignment
//!   without the role: it refuses all earlier ones. Or if the boot that has the grant
//!   reports that it failed to take the role on, which it does not try again.
//! - The grants of a former dispatcher are known from the document, which was stored
//!   first. It granted nothing after the lease passed to this one.

use std::collections::BTreeMap;

use rolecast_common::id::{BootId, Epoch, NodeId, Role};
use rolecast_common::time::Time;
use rolecast_common::wire::RoleDocument;

use super::edit;
use super::input::Report;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    /// The time at which it is certainly over.
    until: Time,
    /// The last generation in which the node was given the role.
    generation: u64,
    /// The boot of the worker that has it; unknown if a former dispatcher granted it.
    boot: Option<BootId>,
}

/// All grants that may not be over.
#[derive(Debug, Default)]
pub(super) struct Grants {
    by_role: BTreeMap<Role, BTreeMap<NodeId, Grant>>,
    /// The time until which unknown nodes may act in any role.
    blind_until: Time,
}

impl Grants {
    /// Forgets the grants that are over.
    pub(super) fn prune(&mut self, now: Time) {
        for grants in self.by_role.values_mut() {
            grants.retain(|_, grant| now < grant.until);
        }
        self.by_role.retain(|_, grants| !grants.is_empty());
    }

    /// Records a grant of this dispatcher.
    pub(super) fn give(
        &mut self,
        role: &Role,
        node: &NodeId,
        boot: &BootId,
        generation: u64,
        until: Time,
    ) {
        let grant = self.entry(role, node, until);
        // Our generations only rise; a predecessor's grant is replaced by this one.
        grant.generation = generation;
        grant.boot = Some(boot.clone());
    }

    /// Records a possible grant of a former dispatcher up to this generation.
    pub(super) fn inherit(&mut self, role: &Role, node: &NodeId, generation: u64, until: Time) {
        let grant = self.entry(role, node, until);
        grant.generation = generation.max(grant.generation);
    }

    /// Records the nodes that a former dispatcher may have given roles.
    pub(super) fn inherit_all(&mut self, found: &RoleDocument, until: Time) {
        let changed = found.changes.values();
        let changed = changed.flat_map(|change| {
            let roles = [Some(&change.role), change.came_from.as_ref()];
            let roles = roles.into_iter().flatten();
            roles.flat_map(move |role| edit::names(change).into_iter().map(move |n| (role, n)))
        });
        let held = found.roles.iter();
        let held = held.flat_map(|(role, nodes)| nodes.iter().map(move |node| (role, node)));
        for (role, node) in held.chain(changed) {
            self.inherit(role, node, found.generation, until);
        }
    }

    fn entry(&mut self, role: &Role, node: &NodeId, until: Time) -> &mut Grant {
        let of_role = self.by_role.entry(role.clone()).or_default();
        let grant = of_role.entry(node.clone()).or_insert(Grant {
            until,
            generation: 0,
            boot: None,
        });
        grant.until = until.max(grant.until);
        grant
    }

    /// Records that until then it is unknown which nodes act in which roles.
    pub(super) fn blind(&mut self, until: Time) {
        self.blind_until = until.max(self.blind_until);
    }

    /// Ends the grants that a node no longer has by its own report.
    pub(super) fn confirm(&mut self, ours: Epoch, report: &Report) {
        for (role, grants) in &mut self.by_role {
            let Some(grant) = grants.get(&report.node) else {
                continue;
            };
            if report.roles.contains(role) {
                continue;
            }
            let failure = report.failure.as_ref();
            let is_later =
                |epoch: Epoch, generation: u64| epoch == ours && generation > grant.generation;
            let is_later = is_later(report.assigned.epoch, report.assigned.generation)
                || failure.is_some_and(|failure| is_later(failure.epoch, failure.generation));
            let is_failed = grant.boot.as_ref() == Some(&report.boot)
                && failure.is_some_and(|failure| {
                    failure.epoch == ours
                        && failure.generation >= grant.generation
                        && failure.roles.contains(role)
                });
            if is_later || is_failed {
                grants.remove(&report.node);
            }
        }
    }

    /// Whether the grant is this dispatcher's.
    pub(super) fn is_own(&self, role: &Role, node: &NodeId) -> bool {
        let of_role = self.by_role.get(role);
        let grant = of_role.and_then(|grants| grants.get(node));
        grant.is_some_and(|grant| grant.boot.is_some())
    }

    pub(super) fn has(&self, role: &Role, node: &NodeId) -> bool {
        let of_role = self.by_role.get(role);
        of_role.is_some_and(|grants| grants.contains_key(node))
    }

    /// Whether the node may be acting in any role.
    pub(super) fn has_any(&self, node: &NodeId) -> bool {
        let mut roles = self.by_role.values();
        roles.any(|grants| grants.contains_key(node))
    }

    /// Whether the node may act in the role beside all others that may.
    pub(super) fn has_room(&self, now: Time, role: &Role, node: &NodeId, holders: u32) -> bool {
        if now < self.blind_until {
            return false;
        }
        let others = self.by_role.get(role).map_or(0, |grants| {
            grants.keys().filter(|other| *other != node).count()
        });
        others < holders as usize
    }

    /// Returns every role with each node that may be acting in it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Role, &NodeId)> {
        self.by_role
            .iter()
            .flat_map(|(role, grants)| grants.keys().map(move |node| (role, node)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rolecast_common::wire::{RoleFailure, RoleVersion};

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_start(Duration::from_secs(seconds))
    }

    fn leader() -> Role {
        Role::new("leader").unwrap()
    }

    fn node(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn report(boot: &str, epoch: u64, generation: u64) -> Report {
        Report {
            node: node("a"),
            boot: BootId::new(boot).unwrap(),
            sequence: 1,
            epoch: Epoch::new(epoch),
            roles: Vec::new(),
            offers: Vec::new(),
            assigned: RoleVersion {
                epoch: Epoch::new(epoch),
                generation,
            },
            failure: None,
            is_draining: false,
        }
    }

    fn granted() -> Grants {
        let mut grants = Grants::default();
        let boot = BootId::new("a1").unwrap();
        grants.give(&leader(), &node("a"), &boot, 5, at(20));
        grants
    }

    fn is_held_after(mut grants: Grants, report: &Report) -> bool {
        grants.confirm(Epoch::new(3), report);
        grants.has(&leader(), &node("a"))
    }

    #[test]
    fn a_grant_ends_with_its_lease_or_with_a_later_assignment_without_it() {
        assert!(is_held_after(granted(), &report("a1", 3, 5)));
        assert!(!is_held_after(granted(), &report("a1", 3, 6)));
        // An earlier dispatcher's numbers are no evidence about ours.
        assert!(is_held_after(granted(), &report("a1", 2, 6)));
        let mut still = report("a1", 3, 6);
        still.roles = vec![leader()];
        assert!(is_held_after(granted(), &still));
        let mut grants = granted();
        grants.prune(at(19));
        assert!(grants.has(&leader(), &node("a")));
        grants.prune(at(20));
        assert!(!grants.has(&leader(), &node("a")));
    }

    #[test]
    fn a_failure_counts_of_the_boot_that_was_granted_and_not_of_another() {
        let mut failed = report("a1", 3, 4);
        failed.failure = Some(RoleFailure {
            epoch: Epoch::new(3),
            generation: 5,
            roles: vec![leader()],
            reason: String::new(),
        });
        assert!(!is_held_after(granted(), &failed));
        // It may be losing this one while it still reports its failure at another.
        let mut other = failed.clone();
        other.failure.as_mut().unwrap().roles.clear();
        assert!(is_held_after(granted(), &other));
        other.failure.as_mut().unwrap().generation = 6;
        assert!(!is_held_after(granted(), &other));
        failed.boot = BootId::new("a0").unwrap();
        assert!(is_held_after(granted(), &failed));
        failed.boot = BootId::new("a1").unwrap();
        let mut earlier = failed.clone();
        earlier.failure.as_mut().unwrap().epoch = Epoch::new(2);
        assert!(is_held_after(granted(), &earlier), "of another dispatcher");
        failed.failure.as_mut().unwrap().generation = 4;
        assert!(is_held_after(granted(), &failed));
        let mut inherited = Grants::default();
        inherited.inherit(&leader(), &node("a"), 4, at(20));
        assert!(is_held_after(inherited, &failed));
    }

    #[test]
    fn there_is_room_beside_fewer_than_the_holders() {
        let grants = granted();
        assert!(!grants.has_room(at(1), &leader(), &node("b"), 1));
        assert!(grants.has_room(at(1), &leader(), &node("a"), 1));
        assert!(grants.has_room(at(1), &leader(), &node("b"), 2));
        let mut blind = Grants::default();
        blind.blind(at(10));
        assert!(!blind.has_room(at(9), &leader(), &node("b"), 1));
        assert!(blind.has_room(at(10), &leader(), &node("b"), 1));
    }
}
