//! Which roles are managed, and how.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use rolecast_common::id::{Group, NodeId, Role};
use rolecast_common::unit::Cores;

/// The roles of the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Every role that a category or a worker may name, managed or not.
    pub known: BTreeSet<Role>,
    pub managed: BTreeMap<Role, RoleSettings>,
}

/// How one managed role is given to nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleSettings {
    pub group: Group,
    /// How many nodes are to hold it.
    pub holders: NonZeroU32,
    /// The role of the same group whose holders get it first.
    pub from: Option<Role>,
    /// Who of equals gets it first.
    pub prefer: Vec<NodeId>,
    /// What the role takes from its holder.
    pub cost: Cores,
    /// What one change costs: how long the service stalls.
    pub change_cost: Duration,
    /// How long another node keeps the role before a relieved holder gets it back, and
    /// for how long it must be well then.
    pub term: Duration,
    /// The most changes in an hour that nobody ordered and no node's death forced.
    pub changes_per_hour: u32,
}

impl Settings {
    /// Returns the groups of managed roles.
    pub fn groups(&self) -> BTreeSet<&Group> {
        self.managed.values().map(|role| &role.group).collect()
    }

    /// Returns the roles of a group in the order in which they are filled: one
    /// that takes its holders from another comes before that one.
    pub fn roles_of<'a>(&'a self, group: &'a Group) -> Vec<&'a Role> {
        let of_group = self.managed.iter();
        let of_group = of_group.filter(|(_, settings)| settings.group == *group);
        let mut roles: Vec<&Role> = of_group.map(|(role, _)| role).collect();
        // The longer the way down to a role that takes from nobody, the earlier.
        roles.sort_by_key(|role| std::cmp::Reverse(self.depth(role)));
        roles
    }

    fn depth(&self, role: &Role) -> usize {
        let from = |role: &Role| self.managed.get(role)?.from.clone();
        // A circle is a mistake of the configuration; it ends here all the same.
        std::iter::successors(from(role), from)
            .take(self.managed.len())
            .count()
    }
}
