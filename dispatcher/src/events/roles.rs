//! Events of managed roles as published events.

use rolecast_common::id::{Group, NodeId, Role};
use rolecast_common::wire::{
    Figures, PastRoleChange, RoleChange, RoleChangeResult, RolePhase, Why,
};
use serde_json::Value;

use super::kind::Kind;
use super::notice::Notice;
use crate::roles::Event;

/// Returns the published event; `None` for one that goes with a change of the lease.
pub(super) fn of(event: &Event) -> Option<Notice> {
    Some(match event {
        Event::Step { group, change } => changing(group, change),
        Event::Finished(past) => changed(past),
        Event::Vacant {
            role,
            missing,
            reason,
        } => {
            let message = format!("role {role} lacks {missing} holders: {reason}");
            Notice::new(Kind::RoleVacant, role, message)
                .with("missing", *missing)
                .with("reason", reason.as_str())
        }
        Event::Filled { role } => {
            let message = format!("role {role} has all its holders again");
            Notice::new(Kind::RoleFilled, role, message)
        }
        Event::Claimed { node, role } => {
            let message = format!("node {node} acts as {role} without having been given the role");
            Notice::new(Kind::RoleClaimed, role, message).with("node", node.as_str())
        }
        Event::EpochAhead { node, seen, ours } => {
            let message = format!("node {node} follows epoch {seen}, and this is epoch {ours}");
            Notice::new(Kind::NodeEpochAhead, node, message)
                .with("seen", seen.get())
                .with("ours", ours.get())
        }
        Event::TakenOver { .. } | Event::Overtaken { .. } => return None,
    })
}

pub(super) fn limited(role: &Role) -> Notice {
    let message =
        format!("role {role} should move, but the limit of changes within the hour is reached");
    Notice::new(Kind::RoleLimited, role, message)
}

pub(super) fn overloaded(role: &Role, overloaded: u32, nodes: u32) -> Notice {
    let message = format!(
        "{overloaded} of {nodes} nodes that may hold role {role} are overloaded; no change helps"
    );
    Notice::new(Kind::RoleOverloaded, role, message)
        .with("overloaded", overloaded)
        .with("nodes", nodes)
}

fn changing(group: &Group, change: &RoleChange) -> Notice {
    let role = &change.role;
    let (phase, node, to, what) = match &change.phase {
        RolePhase::Demoting { node, to } => ("demoting", node, to.as_ref(), "is taken from"),
        RolePhase::Promoting { node } => ("promoting", node, Some(node), "is given to"),
    };
    let (why, reason, _) = cause(&change.why);
    let message = format!("role {role} {what} {node} ({})", reason.unwrap_or(why));
    let notice = Notice::new(Kind::RoleChanging, role, message)
        .with("group", group.as_str())
        .with("phase", phase)
        .with("node", node.as_str())
        .with_some("from", change.from.as_ref().map(NodeId::as_str))
        .with_some("to", to.map(NodeId::as_str))
        .with("generation", change.generation)
        .with_some("trouble", change.trouble.as_deref());
    with_cause(notice, &change.why)
}

fn changed(past: &PastRoleChange) -> Notice {
    let role = &past.role;
    let took_ms = past
        .ended_ms
        .as_millis()
        .saturating_sub(past.began_ms.as_millis());
    let name = |node: Option<&NodeId>| node.map_or("nobody", NodeId::as_str).to_owned();
    let (from, to) = (name(past.from.as_ref()), name(past.to.as_ref()));
    let (result, what) = match past.result {
        RoleChangeResult::Done if past.from.is_none() => ("done", format!("was given to {to}")),
        RoleChangeResult::Done => ("done", format!("moved from {from} to {to}")),
        RoleChangeResult::Undone => ("undone", format!("stays at {to}: its change was undone")),
        RoleChangeResult::Vacated => ("vacated", format!("is vacant: no node took it from {from}")),
    };
    let (why, reason, _) = cause(&past.why);
    let why = reason.unwrap_or(why);
    let message = format!("role {role} {what}, after {took_ms} ms ({why})");
    let notice = Notice::new(Kind::RoleChanged, role, message)
        .with("group", past.group.as_str())
        .with_some("from", past.from.as_ref().map(NodeId::as_str))
        .with_some("to", past.to.as_ref().map(NodeId::as_str))
        .with("result", result)
        .with("took_ms", took_ms)
        .with("generation", past.generation)
        .with_some("trouble", past.trouble.as_deref());
    with_cause(notice, &past.why)
}

fn with_cause(notice: Notice, why: &Why) -> Notice {
    let (why, reason, figures) = cause(why);
    let figures = figures.map(|figures| {
        let entries = figures.iter();
        Value::from_iter(entries.map(|(name, value)| (name, Value::from(value))))
    });
    notice
        .with("why", why)
        .with_some("reason", reason)
        .with_some("figures", figures)
}

/// Returns the cause as it is named on the wire, with its reason and its figures.
fn cause(why: &Why) -> (&'static str, Option<&str>, Option<&Figures>) {
    match why {
        Why::Operator => ("operator", None, None),
        Why::Drain => ("drain", None, None),
        Why::HolderGone => ("holder_gone", None, None),
        Why::HolderUnfit { reason } => ("holder_unfit", Some(reason), None),
        Why::Election => ("election", None, None),
        Why::Swap => ("swap", None, None),
        Why::Bottleneck { figures } => ("bottleneck", None, Some(figures)),
        Why::Restored { figures } => ("restored", None, Some(figures)),
    }
}
