//! Choice of holders: the nodes that may hold a role, the best of them, and holders to
//! replace.

use std::time::Duration;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::Time;
use rolecast_common::wire::{RoleDocument, RoleFailure, Why};

use super::{Coordinator, RoleSettings};

/// Time within which a node must take a role on and confirm: a hook, and one that takes
/// back what another one left, each of at most 4 s, and the way there and back.
pub(super) const PROMOTION_WAIT: Duration = Duration::from_secs(12);
/// Time after a dispatcher's start in which a node without a heartbeat may be well.
const UNHEARD_WAIT: Duration = Duration::from_secs(5);

impl Coordinator {
    /// Returns the reason why the node cannot be given the role, if there is one.
    pub(super) fn objection(&self, now: Time, role: &Role, name: &NodeId) -> Option<String> {
        let Some(node) = self.nodes.get(name).filter(|node| node.is_alive(now)) else {
            return Some("it is not heard".to_owned());
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
            let is_due = now.since(lead.since) >= UNHEARD_WAIT && !is_granted;
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
}
