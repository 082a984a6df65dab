//! Edits: one step of the document, from the version that counts to the next one.

use rolecast_common::id::{Epoch, Group, NodeId, Role};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{
    PAST_CHANGES_MAX, PastRoleChange, RoleChange, RoleChangeResult, RoleDocument, RolePhase,
    VERSION, Why,
};

use super::settings::Settings;

/// A step of the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Edit {
    Drain(NodeId),
    Undrain(NodeId),
    Begin(Begin),
    /// A change enters its next phase, or the same one with another node.
    Phase {
        group: Group,
        phase: RolePhase,
        trouble: Option<String>,
    },
    /// A change is over: `to` has the role, and `follower` takes the role that `to` gave
    /// up for it, or was to give up.
    Finish {
        group: Group,
        to: Option<NodeId>,
        follower: Option<(Role, NodeId)>,
        trouble: Option<String>,
    },
}

/// A change begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Begin {
    pub(super) group: Group,
    pub(super) role: Role,
    pub(super) from: Option<NodeId>,
    pub(super) phase: RolePhase,
    pub(super) why: Why,
}

/// Returns the first document ever.
pub(super) fn first(settings: &Settings) -> RoleDocument {
    RoleDocument {
        v: VERSION,
        epoch: Epoch::default(),
        generation: 0,
        roles: empty_roles(settings),
        changes: Default::default(),
        history: Vec::new(),
        drained: Default::default(),
    }
}

fn empty_roles(settings: &Settings) -> std::collections::BTreeMap<Role, Vec<NodeId>> {
    let managed = settings.managed.keys();
    managed.map(|role| (role.clone(), Vec::new())).collect()
}

/// Returns the document as a dispatcher takes it over from another, or from itself with
/// another configuration: without roles that are not managed. No generation up to `given`
/// is used again.
pub(super) fn claimed(
    settings: &Settings,
    epoch: Epoch,
    given: u64,
    found: &RoleDocument,
) -> RoleDocument {
    let mut roles = empty_roles(settings);
    for (role, holders) in &mut roles {
        for node in found.roles.get(role).into_iter().flatten() {
            if !holders.contains(node) {
                holders.push(node.clone());
            }
        }
    }
    let is_managed = |group: &Group, role: &Role| {
        let managed = settings.managed.get(role);
        managed.is_some_and(|settings| settings.group == *group)
    };
    let mut changes = found.changes.clone();
    changes.retain(|group, change| is_managed(group, &change.role));
    RoleDocument {
        epoch,
        generation: found.generation.max(given) + 1,
        roles,
        changes,
        ..found.clone()
    }
}

/// Whether the document names the node as one that may be acting in the role.
pub(super) fn is_named(document: &RoleDocument, role: &Role, node: &NodeId) -> bool {
    let holders = document.roles.get(role);
    if holders.is_some_and(|holders| holders.contains(node)) {
        return true;
    }
    let mut changes = document.changes.values();
    changes.any(|change| {
        let is_of = change.role == *role || change.came_from.as_ref() == Some(role);
        is_of && names(change).contains(&node)
    })
}

/// Returns the nodes that a change names.
pub(super) fn names(change: &RoleChange) -> Vec<&NodeId> {
    let (first, second) = match &change.phase {
        RolePhase::Demoting { node, to } => (node, to.as_ref()),
        RolePhase::Promoting { node } => (node, None),
    };
    let others = [second, change.from.as_ref(), change.target.as_ref()];
    others.into_iter().flatten().chain([first]).collect()
}

/// Applies a step to a copy.
pub(super) fn apply(
    settings: &Settings,
    epoch: Epoch,
    wall: WallTime,
    document: &RoleDocument,
    edit: Edit,
) -> RoleDocument {
    let mut next = RoleDocument {
        epoch,
        generation: document.generation + 1,
        ..document.clone()
    };
    match edit {
        Edit::Drain(node) => drop(next.drained.insert(node)),
        Edit::Undrain(node) => drop(next.drained.remove(&node)),
        Edit::Begin(change) => begin(settings, wall, &mut next, change),
        Edit::Phase {
            group,
            phase,
            trouble,
        } => {
            let change = next.changes.remove(&group);
            let mut change = change.expect("only a change under way has a next phase");
            change.trouble = change.trouble.or(trouble);
            change.phase = phase;
            enter(settings, wall, &mut next, group, change);
        }
        Edit::Finish {
            group,
            to,
            follower,
            trouble,
        } => {
            finish(wall, &mut next, &group, to, trouble);
            if let Some((role, node)) = follower {
                let phase = RolePhase::Promoting { node };
                let follow = Begin {
                    group,
                    role,
                    from: None,
                    phase,
                    why: Why::Swap,
                };
                begin(settings, wall, &mut next, follow);
            }
        }
    }
    next
}

fn begin(settings: &Settings, wall: WallTime, next: &mut RoleDocument, change: Begin) {
    let Begin {
        group,
        role,
        from,
        phase,
        why,
    } = change;
    if let Some(holders) = next.roles.get_mut(&role) {
        holders.retain(|holder| Some(holder) != from.as_ref());
    }
    let target = match &phase {
        RolePhase::Demoting { to, .. } => to.clone(),
        RolePhase::Promoting { node } => Some(node.clone()),
    };
    let change = RoleChange {
        role,
        phase,
        generation: next.generation,
        from,
        target,
        came_from: None,
        why,
        began_ms: wall,
        since_ms: wall,
        trouble: None,
    };
    enter(settings, wall, next, group, change);
}

/// Begins the present phase of a change.
fn enter(
    settings: &Settings,
    wall: WallTime,
    next: &mut RoleDocument,
    group: Group,
    mut change: RoleChange,
) {
    change.generation = next.generation;
    change.since_ms = wall;
    if let RolePhase::Promoting { node } = &change.phase {
        for (role, holders) in &mut next.roles {
            let of_group = settings.managed.get(role);
            let is_of_group = of_group.is_some_and(|role| role.group == group);
            if is_of_group && holders.contains(node) {
                holders.retain(|holder| holder != node);
                change.came_from = Some(role.clone());
            }
        }
    }
    next.changes.insert(group, change);
}

fn finish(
    wall: WallTime,
    next: &mut RoleDocument,
    group: &Group,
    to: Option<NodeId>,
    trouble: Option<String>,
) {
    let change = next.changes.remove(group);
    let change = change.expect("only a change under way is finished");
    if let Some(to) = &to {
        let holders = next.roles.entry(change.role.clone()).or_default();
        holders.push(to.clone());
    }
    let result = match &to {
        None => RoleChangeResult::Vacated,
        Some(_) if to == change.from => RoleChangeResult::Undone,
        Some(_) => RoleChangeResult::Done,
    };
    next.history.push(PastRoleChange {
        group: group.clone(),
        role: change.role,
        from: change.from,
        to,
        why: change.why,
        result,
        began_ms: change.began_ms,
        ended_ms: wall,
        epoch: next.epoch,
        generation: next.generation,
        trouble: change.trouble.or(trouble),
    });
    let surplus = next.history.len().saturating_sub(PAST_CHANGES_MAX);
    next.history.drain(..surplus);
}
