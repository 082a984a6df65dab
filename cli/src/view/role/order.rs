//! Effect of an order about roles, in one line.

use std::collections::BTreeSet;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::wire::{RolePhase, RolesView};

use super::{held, join};
use crate::style::{Palette, Tone};

/// Returns the holder of the role that was to move to `to`, and the effect on the others
/// of its group.
pub(crate) fn moved(
    role: &Role,
    to: &NodeId,
    before: &RolesView,
    after: &RolesView,
    palette: Palette,
) -> String {
    if !held(after, role).contains(to) {
        let text =
            format!("{to} was given {role} and has lost it since; see rolecast role history");
        return format!("{}\n", palette.paint(Tone::Warning, &text));
    }
    let node = palette.paint(Tone::Good, to.as_str());
    if held(before, role).contains(to) {
        return format!("{node} holds {role}, as before\n");
    }
    let group = after.roles.get(role).map(|managed| &managed.group);
    let is_of_group = |role: &&Role| after.roles.get(*role).map(|managed| &managed.group) == group;
    let lost = roles_held(before, to).into_iter().filter(is_of_group);
    let lost: Vec<&Role> = lost
        .filter(|role| !held(after, role).contains(to))
        .collect();
    let former = if lost.is_empty() {
        String::new()
    } else {
        format!("{} ", join(&lost))
    };
    let mut parts = vec![format!("{former}{node} holds {role} now")];
    let touched = after.roles.keys().filter(is_of_group);
    let touched = touched.flat_map(|role| held(before, role).iter().chain(held(after, role)));
    let others: BTreeSet<&NodeId> = touched.filter(|node| *node != to).collect();
    let others = others.into_iter();
    let changed = others.filter(|node| roles_held(before, node) != roles_held(after, node));
    parts.extend(changed.map(|node| holding(after, node)));
    format!("{}\n", parts.join(", "))
}

/// Returns the roles that the node holds, or is about to.
fn holding(view: &RolesView, node: &NodeId) -> String {
    let promised = view.document.changes.values().find_map(|change| {
        let is_promised = change.phase == RolePhase::Promoting { node: node.clone() };
        is_promised.then_some(&change.role)
    });
    match (roles_held(view, node).as_slice(), promised) {
        ([], None) => format!("{node} holds no managed role"),
        ([], Some(role)) => format!("{node} is taking on {role}"),
        (roles, None) => format!("{node} holds {}", join(roles)),
        (roles, Some(role)) => format!("{node} holds {} and is taking on {role}", join(roles)),
    }
}

/// Returns that a node is drained, with the roles it has not given up yet.
pub(crate) fn drained(
    node: &NodeId,
    before: &RolesView,
    after: &RolesView,
    palette: Palette,
) -> String {
    let name = palette.paint(Tone::Strong, node.as_str());
    let acting = after.roles.iter();
    let acting = acting.filter(|(_, managed)| managed.acting.contains(node));
    let held = roles_held(after, node).into_iter();
    let left: BTreeSet<&Role> = held.chain(acting.map(|(role, _)| role)).collect();
    let left: Vec<&Role> = left.into_iter().collect();
    let roles = if left.is_empty() {
        String::new()
    } else {
        format!(" and is giving up {}: see rolecast role ls", join(&left))
    };
    if before.document.drained.contains(node) {
        return format!("{name} was drained already{roles}\n");
    }
    format!("{name} gets no more jobs and no managed roles{roles}\n")
}

/// Returns that a node is in service again.
pub(crate) fn undrained(node: &NodeId, before: &RolesView, palette: Palette) -> String {
    let name = palette.paint(Tone::Strong, node.as_str());
    if !before.document.drained.contains(node) {
        return format!("{name} was not drained: nothing changes\n");
    }
    format!("{name} may have jobs and managed roles again\n")
}

/// Returns the managed roles of a node.
fn roles_held<'a>(view: &'a RolesView, node: &NodeId) -> Vec<&'a Role> {
    let roles = view.document.roles.iter();
    let held = roles.filter(|(_, holders)| holders.contains(node));
    held.map(|(role, _)| role).collect()
}
