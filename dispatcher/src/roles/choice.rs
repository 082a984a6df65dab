//! Choice of holders: the nodes that may hold a role, the best of them, and holders to
//! replace.

use std::time::Duration;

use rolecast_common::id::{Group, NodeId, Role};
use rolecast_common::time::Time;
use rolecast_common::wire::{RoleChange, RoleDocument, RoleFailure, RolePhase, Why};

use super::RoleSettings;
use super::edit::{Begin, Edit};
use super::facts::Facts;

/// Time within which a node must take a role on and confirm: a hook, and one that takes
/// back what another one left, each of at most 4 s, and the way there and back.
pub(super) const PROMOTION_WAIT: Duration = Duration::from_secs(12);
/// Time after a dispatcher's start in which a node without a heartbeat may be well.
const FIRST_HEARTBEAT_WAIT: Duration = Duration::from_secs(5);

impl Facts {
    /// Returns the reason why the node cannot be given the role, if there is one.
    pub(super) fn objection(&self, now: Time, role: &Role, name: &NodeId) -> Option<String> {
        let Some(node) = self.nodes.get(name).filter(|node| node.is_alive(now)) else {
            return Some("it sends no heartbeats".to_owned());
        };
        let is_drained = |document: &RoleDocument| document.drained.contains(name);
        if !node.last.offers.contains(role) {
            Some("it does not offer it".to_owned())
        } else if node.last.is_draining {
            Some("it is about to leave".to_owned())
        } else if self.keeping.document().is_some_and(is_drained) {
            Some("it is drained".to_owned())
        } else if self.lead.is_some_and(|lead| node.last.epoch > lead.epoch) {
            Some(format!("it has seen epoch {}", node.last.epoch))
        } else if node.has_failed(now, role) {
            let reason = node.failure(role).unwrap_or("it did not take it on");
            Some(format!("it failed lately: {reason}"))
        } else {
            None
        }
    }

    /// Returns the node among all but `except` that should get the role.
    pub(super) fn candidate(
        &self,
        now: Time,
        role: &Role,
        except: Option<&NodeId>,
    ) -> Option<NodeId> {
        let document = self.keeping.document()?;
        let settings = self.settings.managed.get(role)?;
        let fit = self.fit(now, document, settings, role, except);
        fit.into_iter().next()
    }

    /// Returns the nodes among all but `except` that could get the role, the best first.
    pub(super) fn fit(
        &self,
        now: Time,
        document: &RoleDocument,
        settings: &RoleSettings,
        role: &Role,
        except: Option<&NodeId>,
    ) -> Vec<NodeId> {
        let from = settings.from.as_ref();
        let from = from.and_then(|from| document.roles.get(from));
        let from: &[NodeId] = from.map_or(&[], Vec::as_slice);
        let place = |list: &[NodeId], name: &NodeId| {
            let place = list.iter().position(|other| other == name);
            place.unwrap_or(usize::MAX)
        };
        let is_free = |name: &NodeId| from.contains(name) || !self.is_taken(document, role, name);
        let fit = self.nodes.iter().map(|(name, _)| name).filter(|name| {
            Some(*name) != except && is_free(name) && self.objection(now, role, name).is_none()
        });
        let mut fit: Vec<NodeId> = fit.cloned().collect();
        fit.sort_by_key(|name| {
            let rank = self.nodes.rank_of(name);
            (place(from, name), place(&settings.prefer, name), rank)
        });
        fit
    }

    /// Whether the node already has another role of the group.
    fn is_taken(&self, document: &RoleDocument, role: &Role, name: &NodeId) -> bool {
        let settings = self.settings.managed.get(role);
        let group = settings.map(|settings| &settings.group);
        document.roles.iter().any(|(other, holders)| {
            let settings = self.settings.managed.get(other);
            settings.map(|settings| &settings.group) == group && holders.contains(name)
        })
    }

    /// Returns the reason why a holder must be replaced, if there is one.
    pub(super) fn unfitness(&self, now: Time, role: &Role, name: &NodeId) -> Option<Why> {
        let document = self.keeping.document()?;
        let lead = self.lead?;
        if document.drained.contains(name) {
            return Some(Why::Drain);
        }
        let is_granted = self.grants.has(role, name);
        let Some(node) = self.nodes.get(name) else {
            let is_due = now.since(lead.since) >= FIRST_HEARTBEAT_WAIT && !is_granted;
            return is_due.then_some(Why::HolderGone);
        };
        if node.last.is_draining {
            return Some(Why::Drain);
        }
        if !node.is_alive(now) {
            // Until its lease is over it may return without any change.
            return (!is_granted).then_some(Why::HolderGone);
        }
        let unfit = |reason: &str| {
            let reason = reason.to_owned();
            Some(Why::HolderUnfit { reason })
        };
        if !node.last.offers.contains(role) {
            return unfit("it does not offer the role");
        }
        if let Some(reason) = node.failure(role) {
            return unfit(reason);
        }
        if self.nodes.idle_for(now, role, name) >= PROMOTION_WAIT {
            return unfit("it does not act in the role");
        }
        None
    }

    /// Returns the reason why the promotion of a node fails, if it does.
    pub(super) fn failure(
        &self,
        now: Time,
        role: &Role,
        name: &NodeId,
        generation: u64,
    ) -> Option<String> {
        let node = self.nodes.get(name);
        let failure = node.and_then(|node| node.last.failure.as_ref());
        let ours = self.lead.map(|lead| lead.epoch);
        let is_ours = |failure: &&RoleFailure| {
            Some(failure.epoch) == ours
                && failure.generation >= generation
                && failure.roles.contains(role)
        };
        if let Some(failure) = failure.filter(is_ours) {
            return Some(failure.reason.clone());
        }
        self.objection(now, role, name)
    }

    pub(super) fn is_confirmed(&self, change: &RoleChange, node: &NodeId) -> bool {
        let (Some(lead), Some(node)) = (self.lead, self.nodes.get(node)) else {
            return false;
        };
        let assigned = node.last.assigned;
        assigned.epoch == lead.epoch
            && assigned.generation >= change.generation
            && node.last.roles.contains(&change.role)
    }

    /// Returns the node that gets the role instead of one that failed: the former holder,
    /// if it can, or else the best of the others.
    pub(super) fn replacement(
        &self,
        now: Time,
        change: &RoleChange,
        failed: &NodeId,
    ) -> Option<NodeId> {
        let former = change.from.as_ref();
        let former = former.filter(|former| {
            *former != failed && self.objection(now, &change.role, former).is_none()
        });
        let former = former.cloned();
        former.or_else(|| self.candidate(now, &change.role, Some(failed)))
    }

    pub(super) fn is_full(&self, role: &Role) -> bool {
        let document = self.keeping.document();
        let holders = document.and_then(|document| document.roles.get(role));
        let settings = self.settings.managed.get(role);
        let holders_max = settings.map_or(0, |settings| settings.holders.get() as usize);
        holders.map_or(0, Vec::len) >= holders_max
    }

    pub(super) fn excuse(&self, now: Time, role: &Role, node: &NodeId) -> Option<String> {
        let objection = self.objection(now, role, node)?;
        Some(format!("{node}: {objection}"))
    }

    /// Returns the role that was given up in this change, and the node that takes it.
    pub(super) fn follower(
        &self,
        now: Time,
        change: &RoleChange,
        to: &NodeId,
    ) -> Option<(Role, NodeId)> {
        let role = change.came_from.clone()?;
        let document = self.keeping.document()?;
        let is_undone = Some(to) == change.from.as_ref();
        let follower = if is_undone {
            &change.target
        } else {
            &change.from
        };
        let follower = follower.as_ref().filter(|follower| *follower != to)?;
        let holders = document.roles.get(&role)?.len();
        let settings = self.settings.managed.get(&role)?;
        let is_free = holders < settings.holders.get() as usize
            && self.objection(now, &role, follower).is_none()
            && self.has_place(now, &role, follower);
        is_free.then(|| (role, follower.clone()))
    }

    /// Returns the reason why no node can take a role.
    pub(super) fn shortage(&self, now: Time, role: &Role) -> String {
        let mut offering = self.nodes.iter().filter_map(|(name, node)| {
            let is_offered = node.last.offers.contains(role);
            let excuse = is_offered.then(|| self.excuse(now, role, name))?;
            Some(excuse.unwrap_or_else(|| format!("{name}: it has another role of the group")))
        });
        match offering.next() {
            Some(first) => first,
            None => "no node offers it".to_owned(),
        }
    }

    /// Begins to move the role from its holder to another node.
    pub(super) fn hand_over(
        &self,
        now: Time,
        group: &Group,
        role: &Role,
        from: &NodeId,
        to: Option<NodeId>,
        why: Why,
    ) -> Option<Edit> {
        let phase = match to {
            Some(to) if !self.grants.has(role, from) => {
                if !self.has_place(now, role, &to) {
                    return None;
                }
                RolePhase::Promoting { node: to }
            }
            to => RolePhase::Demoting {
                node: from.clone(),
                to,
            },
        };
        Some(Edit::Begin(Begin {
            group: group.clone(),
            role: role.clone(),
            from: Some(from.clone()),
            phase,
            why,
        }))
    }
}
