//! Settings of the managed roles.

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

/// The settings of one managed role.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleSettings {
    pub group: Group,
    /// The number of nodes that should hold it.
    pub holders: NonZeroU32,
    /// The role of the same group whose holders get it first.
    pub from: Option<Role>,
    /// The nodes that get it first among equals.
    pub prefer: Vec<NodeId>,
    /// The load of the role on its holder.
    pub cost: Cores,
    /// The cost of one change: the time that the service stalls.
    pub change_cost: Duration,
    /// Time for which another node keeps the role before a relieved holder gets it back,
    /// and for which that one must be well then.
    pub term: Duration,
    /// The most changes in an hour that no operator ordered and no node's death forced.
    pub changes_per_hour: u32,
}

impl Settings {
    /// Returns the groups of managed roles.
    pub fn groups(&self) -> BTreeSet<&Group> {
        self.managed.values().map(|role| &role.group).collect()
    }

    /// Returns the roles of a group in the order in which they are filled: one
    /// that takes its holders from another precedes that one.
    pub fn roles_of<'a>(&'a self, group: &'a Group) -> Vec<&'a Role> {
        let of_group = self.managed.iter();
        let of_group = of_group.filter(|(_, settings)| settings.group == *group);
        let mut roles: Vec<&Role> = of_group.map(|(role, _)| role).collect();
        // The longer the way to a role without `from`, the earlier.
        roles.sort_by_key(|role| std::cmp::Reverse(self.depth(role)));
        roles
    }

    fn depth(&self, role: &Role) -> usize {
        let from = |role: &Role| self.managed.get(role)?.from.clone();
        // A circle is a mistake of the configuration; it ends here anyway.
        std::iter::successors(from(role), from)
            .take(self.managed.len())
            .count()
    }
}
