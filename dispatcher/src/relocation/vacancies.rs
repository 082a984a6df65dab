//! Managed roles without all their holders, and since when.

use std::collections::BTreeMap;

use rolecast_common::id::Role;
use rolecast_common::time::{Now, WallTime};
use rolecast_common::wire::VacantRole;

/// The start of each vacancy.
#[derive(Debug, Default)]
pub(super) struct Vacancies(BTreeMap<Role, WallTime>);

impl Vacancies {
    /// Records the roles that are vacant at this moment.
    pub(super) fn observe(&mut self, now: Now, vacant: impl Iterator<Item = Role>) {
        let before = std::mem::take(&mut self.0);
        let since = |role: &Role| before.get(role).copied().unwrap_or(now.wall);
        self.0 = vacant.map(|role| (role.clone(), since(&role))).collect();
    }

    /// Adds the start of its vacancy to a role.
    pub(super) fn date(&self, mut vacant: VacantRole) -> VacantRole {
        if let Some(since) = self.0.get(&vacant.role) {
            vacant.since_ms = *since;
        }
        vacant
    }
}
