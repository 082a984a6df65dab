//! Facts on which the coordinator decides: settings, nodes, grants, the document and the
//! lead.

use rolecast_common::id::{Epoch, Group, NodeId, Role};
use rolecast_common::time::Time;

use super::grants::Grants;
use super::keeping::Keeping;
use super::nodes::Nodes;
use super::settings::Settings;

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) settings: Settings,
    pub(super) nodes: Nodes,
    pub(super) grants: Grants,
    pub(super) keeping: Keeping,
    pub(super) lead: Option<Lead>,
}

/// The present lead of this dispatcher.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lead {
    pub(super) epoch: Epoch,
    pub(super) since: Time,
    pub(super) until: Time,
}

impl Facts {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            nodes: Nodes::default(),
            grants: Grants::default(),
            keeping: Keeping::default(),
            lead: None,
        }
    }

    pub(super) fn is_at_work(&self, now: Time) -> bool {
        self.lead.is_some_and(|lead| now < lead.until)
    }

    pub(super) fn roles_of(&self, group: &Group) -> Vec<Role> {
        self.settings.roles_of(group).into_iter().cloned().collect()
    }

    pub(super) fn has_place(&self, now: Time, role: &Role, node: &NodeId) -> bool {
        let settings = self.settings.managed.get(role);
        settings.is_some_and(|settings| {
            let holders = settings.holders.get();
            self.grants.has_room(now, role, node, holders)
        })
    }
}
