//! Parses the roles of the configuration, and reports impossible ones.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use rolecast_common::id::{Group, NodeId, Role};
use rolecast_common::settings::Table;
use rolecast_common::unit::Cores;

use super::{RoleSettings, Settings};

/// Settings of a managed role whose configuration does not name them.
#[derive(Clone, Copy, Debug)]
pub struct RoleDefaults {
    pub change_cost: Duration,
    pub term: Duration,
    pub changes_per_hour: u32,
}

impl Settings {
    /// Parses the sections `[roles.<name>]`. Without any there are the roles leader,
    /// backup and follower, and none is managed.
    pub fn read(root: &mut Table<'_>, defaults: RoleDefaults) -> Self {
        let read = root.tables("roles", |name, table| {
            let role = Role::new(name);
            if let Err(error) = &role {
                table.mistake("", error.to_string());
            }
            (role.ok(), read_role(table, defaults))
        });
        let read: Vec<(Role, Option<RoleSettings>)> = read
            .into_iter()
            .filter_map(|(role, settings)| Some((role?, settings)))
            .collect();
        if read.is_empty() {
            return Self {
                known: ["leader", "backup", "follower"]
                    .map(|name| Role::new(name).expect("these are role names"))
                    .into(),
                managed: BTreeMap::new(),
            };
        }
        let settings = Self {
            known: read.iter().map(|(role, _)| role.clone()).collect(),
            managed: read
                .into_iter()
                .filter_map(|(role, settings)| Some((role, settings?)))
                .collect(),
        };
        settings.check(root);
        settings
    }

    /// Reports roles that cannot be filled as configured.
    fn check(&self, root: &mut Table<'_>) {
        for (role, settings) in &self.managed {
            let Some(from) = &settings.from else {
                continue;
            };
            let text = match self.managed.get(from) {
                None => Some(format!("role \"{from}\" has no holders of its own")),
                Some(other) if other.group != settings.group => Some(format!(
                    "role \"{from}\" is of group {}, this one of group {}",
                    other.group, settings.group
                )),
                Some(_) if self.is_circle(role) => {
                    Some("the roles take their holders from each other in a circle".to_owned())
                }
                Some(_) => None,
            };
            if let Some(text) = text {
                root.mistake("roles", format!("{role}.from: {text}"));
            }
        }
    }

    fn is_circle(&self, role: &Role) -> bool {
        let from = |role: &Role| self.managed.get(role)?.from.clone();
        std::iter::successors(from(role), from)
            .take(self.managed.len())
            .any(|other| other == *role)
    }
}

/// Parses one role; `None` if it has no holders and so is not managed.
fn read_role(table: &mut Table<'_>, defaults: RoleDefaults) -> Option<RoleSettings> {
    let keys = [
        "group",
        "from",
        "prefer",
        "cost",
        "change_cost",
        "term",
        "changes_per_hour",
    ];
    let Some(holders) = table.get::<u32>("holders") else {
        for key in keys {
            if table.has(key) {
                table.mistake(key, "only for a role with holders");
            }
        }
        return None;
    };
    let settings = RoleSettings {
        group: table
            .get("group")
            .unwrap_or_else(|| Group::new("default").expect("it is the name of a group")),
        holders: NonZeroU32::new(holders).unwrap_or(NonZeroU32::MIN),
        from: table.get("from"),
        prefer: table.get_or("prefer", Vec::<NodeId>::new()),
        cost: table.table("cost", |table| table.get_or("cpu", Cores::ZERO)),
        change_cost: table.get_or("change_cost", defaults.change_cost),
        term: table.get_or("term", defaults.term),
        changes_per_hour: table.get_or("changes_per_hour", defaults.changes_per_hour),
    };
    if holders == 0 {
        let text = "must be at least 1; leave it out for a role that is not managed";
        table.mistake("holders", text);
    }
    if settings.change_cost.is_zero() {
        table.mistake("change_cost", "must be longer than 0s");
    }
    Some(settings)
}

#[cfg(test)]
mod tests {
    use rolecast_common::settings;

    use super::*;

    const DEFAULTS: RoleDefaults = RoleDefaults {
        change_cost: Duration::from_secs(7),
        term: Duration::from_secs(70),
        changes_per_hour: 7,
    };

    fn read(text: &str) -> Result<Settings, settings::Mistakes> {
        settings::read(text, |root| Settings::read(root, DEFAULTS))
    }

    #[test]
    fn a_service_has_a_leader_that_comes_from_its_backups() {
        let text = "\
[roles.leader]
holders = 1
from = \"backup\"
prefer = [\"n1\"]
cost = { cpu = 0.3 }
[roles.backup]
holders = 2
[roles.follower]
";
        let settings = read(text).unwrap();
        assert_eq!(settings.known.len(), 3);
        let leader = &settings.managed[&Role::new("leader").unwrap()];
        assert_eq!(leader.from, Some(Role::new("backup").unwrap()));
        assert_eq!(leader.change_cost, DEFAULTS.change_cost);
        assert!((leader.cost.get() - 0.3).abs() < 1e-9);
        assert_eq!(settings.managed.len(), 2);
    }

    #[test]
    fn all_roles_that_cannot_be_filled_are_reported_at_once() {
        let text = "\
[roles.a]
holders = 1
from = \"b\"
[roles.b]
holders = 1
from = \"a\"
[roles.c]
holders = 0
from = \"d\"
[roles.d]
group = \"other\"
[roles.e]
holders = 1
group = \"other\"
from = \"a\"
";
        let error = read(text).unwrap_err().to_string();
        for line in [
            "roles: a.from: the roles take their holders from each other",
            "line 8: roles.c.holders: must be at least 1",
            "roles: c.from: role \"d\" has no holders",
            "line 11: roles.d.group: only for a role with holders",
            "roles: e.from: role \"a\" is of group default",
        ] {
            assert!(error.contains(line), "{line:?} not in {error}");
        }
    }
}
