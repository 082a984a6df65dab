//! Assignment of roles to nodes, in answer to their heartbeats, and claims of roles that
//! were not given.

use std::collections::BTreeSet;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::Time;
use rolecast_common::wire::{RoleAssignment, VERSION};

use super::edit;
use super::facts::Facts;
use super::output::{Event, Output};
use super::{GATHER_WAIT, ROLE_LEASE, ROLE_LEASE_MARGIN};

impl Facts {
    /// Reports claims of roles that were not given, and epochs that are not ours; returns
    /// the number of new claims.
    pub(super) fn report_claims(&mut self, name: &NodeId, out: &mut Vec<Output>) -> u64 {
        let (Some(lead), Some(document)) = (self.lead, self.keeping.document()) else {
            return 0;
        };
        let Some(node) = self.nodes.get_mut(name) else {
            return 0;
        };
        if node.last.epoch > lead.epoch && node.last.epoch > node.ahead_reported {
            node.ahead_reported = node.last.epoch;
            out.push(Output::Event(Event::EpochAhead {
                node: name.clone(),
                seen: node.last.epoch,
                ours: lead.epoch,
            }));
        }
        let is_claim = |role: &&Role| {
            self.settings.managed.contains_key(*role)
                && !edit::is_named(document, role, name)
                && !self.grants.is_own(role, name)
        };
        let claims: BTreeSet<Role> = node.last.roles.iter().filter(is_claim).cloned().collect();
        // The document may have been rolled back, and they were given after all.
        let until = lead.since + ROLE_LEASE + ROLE_LEASE_MARGIN;
        for role in claims.iter().filter(|_| node.received < until) {
            self.grants.inherit(role, name, u64::MAX, until);
        }
        let mut count = 0;
        for role in claims.difference(&node.claims_reported) {
            count += 1;
            let (node, role) = (name.clone(), role.clone());
            out.push(Output::Event(Event::Claimed { node, role }));
        }
        node.claims_reported = claims;
        count
    }

    /// Whether the node has, had, is to have or claims a managed role.
    pub(super) fn is_concerned(&self, name: &NodeId) -> bool {
        let Some(document) = self.keeping.document() else {
            return true;
        };
        let claims = |role: &Role| self.settings.managed.contains_key(role);
        let node = self.nodes.get(name);
        self.grants.has_any(name)
            || node.is_some_and(|node| node.last.roles.iter().any(claims))
            || document.roles.values().any(|nodes| nodes.contains(name))
            || document
                .changes
                .values()
                .any(|change| edit::names(change).contains(&name))
    }

    /// Sends all nodes their roles.
    pub(super) fn assign_all(&mut self, now: Time, out: &mut Vec<Output>) {
        let names = self.nodes.iter().map(|(name, _)| name.clone());
        let names: Vec<NodeId> = names.filter(|name| self.is_concerned(name)).collect();
        for name in names {
            self.assign(now, &name, out);
        }
    }

    /// Sends a node its roles, in answer to its last heartbeat.
    pub(super) fn assign(&mut self, now: Time, name: &NodeId, out: &mut Vec<Output>) {
        let (Some(lead), Some(document), Some(node)) =
            (self.lead, self.keeping.document(), self.nodes.get(name))
        else {
            return;
        };
        if now >= lead.until || node.last.epoch > lead.epoch {
            return;
        }
        let roles = document.roles_of(name);
        // A node that does not act in what a predecessor's document gives it may be the
        // holder of an older document than the fleet's: another one may act in it.
        let is_granted = |role: &Role| {
            self.grants.is_own(role, name)
                || self.grants.has(role, name) && node.last.roles.contains(role)
        };
        let has_gathered = now.since(lead.since) >= GATHER_WAIT;
        let is_allowed = |role: &Role| {
            is_granted(role)
                || !self.keeping.is_pending() && has_gathered && self.has_place(now, role, name)
        };
        if !roles.iter().all(is_allowed) {
            return;
        }
        let (epoch, generation) = (document.epoch, document.generation);
        let until = node.received + ROLE_LEASE + ROLE_LEASE_MARGIN;
        for role in &roles {
            let boot = &node.last.boot;
            self.grants.give(role, name, boot, generation, until);
        }
        let lease_ms = u32::try_from(ROLE_LEASE.as_millis());
        out.push(Output::Assign {
            node: name.clone(),
            assignment: RoleAssignment {
                v: VERSION,
                epoch,
                generation,
                boot: node.last.boot.clone(),
                answers: node.last.sequence,
                lease_ms: lease_ms.expect("the lease is seconds long"),
                roles,
            },
        });
    }
}
