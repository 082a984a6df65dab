//! Queries to the coordinator: the holders of roles, and the candidates.

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::VacantRole;

use super::Coordinator;

/// Nodes that are named of those that should hold a vacant role.
const ASSIGNED_MAX: usize = 8;

impl Coordinator {
    /// Returns the node that holds the role, if exactly one does and it acts in it.
    pub fn sole_holder(&self, role: &Role) -> Option<&NodeId> {
        let [holder] = self.document()?.roles.get(role)?.as_slice() else {
            return None;
        };
        self.acts(role, holder).then_some(holder)
    }

    /// Returns whether a change is under way in the role's group.
    pub fn is_changing(&self, role: &Role) -> bool {
        let group = self
            .facts
            .settings
            .managed
            .get(role)
            .map(|role| &role.group);
        let document = self.document();
        document.is_none_or(|document| group.is_some_and(|g| document.changes.contains_key(g)))
    }

    /// Whether the node may be given the role, or acts in it.
    pub fn is_offered(&self, role: &Role, node: &NodeId) -> bool {
        let known = self.facts.nodes.get(node);
        known.is_some_and(|node| node.offers(role))
    }

    /// Returns the nodes that could take the role over now, the best first: those that
    /// hold the role it is taken from, if there are any.
    pub fn candidates(&self, now: Time, role: &Role) -> Vec<NodeId> {
        let (Some(document), Some(settings)) =
            (self.document(), self.facts.settings.managed.get(role))
        else {
            return Vec::new();
        };
        let mut fit = self
            .facts
            .fit(now, document, settings, role, self.sole_holder(role));
        let from = settings.from.as_ref();
        let from = from.and_then(|from| document.roles.get(from));
        let is_next = |node: &NodeId| from.is_some_and(|from| from.contains(node));
        if fit.iter().any(is_next) {
            fit.retain(is_next);
        }
        fit
    }

    /// Returns the nodes that act in the role, by their own report; none that is gone.
    pub fn acting(&self, role: &Role) -> Vec<NodeId> {
        let acting = self
            .facts
            .nodes
            .iter()
            .filter(|(name, _)| self.acts(role, name));
        acting.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the nodes that may be given the role; none that is gone.
    pub fn offered_by(&self, role: &Role) -> Vec<NodeId> {
        let offering = self.facts.nodes.iter();
        let offering = offering.filter(|(name, _)| self.is_offered(role, name));
        offering.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the managed roles that the node offers.
    pub(crate) fn offers(&self, node: &NodeId) -> Vec<Role> {
        let known = self.facts.nodes.get(node);
        known.map_or_else(Vec::new, |node| node.last.offers.clone())
    }

    /// Returns the role as a vacant one if fewer live nodes act in it than should, with
    /// what is known about the cause.
    pub(crate) fn vacancy(&self, now: Now, role: &Role) -> Option<VacantRole> {
        let document = self.document()?;
        let wanted = self.facts.settings.managed.get(role)?.holders.get();
        let mut live = self.facts.nodes.iter();
        let live = live.by_ref().filter(|(_, node)| node.is_alive(now.time));
        let (mut acting, mut offered) = (Vec::new(), 0);
        for (name, node) in live {
            offered += u32::from(node.last.offers.contains(role));
            if node.last.roles.contains(role) {
                acting.push(name);
            }
        }
        let acting_count = u32::try_from(acting.len()).unwrap_or(u32::MAX);
        if acting_count >= wanted {
            return None;
        }
        let assigned = document.roles.get(role).into_iter().flatten();
        let assigned = assigned.filter(|name| !acting.contains(name));
        let mut failures = self.facts.nodes.iter();
        let failure = failures.find_map(|(name, node)| Some((name, node.failure(role)?)));
        Some(VacantRole {
            role: role.clone(),
            wanted,
            acting: acting_count,
            since_ms: now.wall,
            offered,
            assigned: assigned.take(ASSIGNED_MAX).cloned().collect(),
            is_changing: self.is_changing(role),
            failed: failure.map(|(name, _)| name.clone()),
            reason: failure.map_or_else(String::new, |(_, why)| why.to_owned()),
        })
    }

    fn acts(&self, role: &Role, node: &NodeId) -> bool {
        let known = self.facts.nodes.get(node);
        known.is_some_and(|node| node.acts(role))
    }
}
