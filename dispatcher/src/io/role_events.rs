//! Log lines of role events, with one event name each.

use rolecast_common::id::{Group, NodeId, Role};
use rolecast_common::wire::{PastRoleChange, RoleChange, RolePhase, Why};

use crate::roles::Event;

pub(super) fn log(event: &Event) {
    match event {
        Event::TakenOver { epoch, generation } => {
            tracing::info!(event = "roles_taken_over", %epoch, generation, "roles taken over");
        }
        Event::Step { group, change } => log_step(group, change),
        Event::Finished(past) => log_finished(past),
        Event::Vacant {
            role,
            missing,
            reason,
        } => {
            tracing::error!(event = "role_vacant", %role, missing, reason, "role has too few holders");
        }
        Event::Filled { role } => {
            tracing::info!(event = "role_filled", %role, "role has all its holders again");
        }
        Event::Claimed { node, role } => {
            tracing::warn!(
                event = "role_claimed", %node, %role,
                "node acts in a role that it was not given; it gets no jobs for it"
            );
        }
        Event::EpochAhead { node, seen, ours } => {
            tracing::warn!(event = "epoch_ahead", %node, %seen, %ours, "node follows a later epoch");
        }
        Event::Overtaken { ours, found } => {
            tracing::warn!(event = "roles_overtaken", %ours, %found, "a later dispatcher assigns roles");
        }
    }
}

pub(super) fn log_limited(role: &Role) {
    tracing::warn!(
        event = "role_changes_limited", %role,
        "a role should move, but the limit of changes within the hour is reached"
    );
}

pub(super) fn log_hot(role: &Role, hot: u32, heard: u32) {
    tracing::warn!(
        event = "group_hot", %role, hot, heard,
        "so many nodes are overloaded that no change of roles helps"
    );
}

fn log_step(group: &Group, change: &RoleChange) {
    let (role, generation) = (&change.role, change.generation);
    let (why, figures) = words(&change.why);
    let trouble = change.trouble.as_deref().unwrap_or_default();
    match &change.phase {
        RolePhase::Demoting { node, to } => {
            let to = name(to.as_ref());
            tracing::info!(
                event = "role_demoting", %group, %role, %node, to, generation, why, figures, trouble,
                "taking the role from its holder"
            );
        }
        RolePhase::Promoting { node } => {
            let from = name(change.from.as_ref());
            tracing::info!(
                event = "role_promoting", %group, %role, %node, from, generation, why, trouble,
                "giving the role to a node"
            );
        }
    }
}

fn log_finished(past: &PastRoleChange) {
    let PastRoleChange {
        group,
        role,
        result,
        ..
    } = past;
    let (why, _) = words(&past.why);
    let (from, to) = (name(past.from.as_ref()), name(past.to.as_ref()));
    let took_ms = past
        .ended_ms
        .as_millis()
        .saturating_sub(past.began_ms.as_millis());
    let (generation, trouble) = (past.generation, past.trouble.as_deref().unwrap_or_default());
    tracing::info!(
        event = "role_changed", %group, %role, from, to, ?result, why, took_ms, generation, trouble,
        "a change of a role has ended"
    );
}

fn name(node: Option<&NodeId>) -> &str {
    node.map_or("nobody", NodeId::as_str)
}

/// Returns the reason and its figures.
fn words(why: &Why) -> (&str, String) {
    let (word, figures) = match why {
        Why::Operator => ("operator", None),
        Why::Drain => ("drain", None),
        Why::HolderGone => ("holder gone", None),
        Why::HolderUnfit { reason } => (reason.as_str(), None),
        Why::Election => ("election", None),
        Why::Swap => ("swap", None),
        Why::Bottleneck { figures } => ("bottleneck", Some(figures)),
        Why::Restored { figures } => ("restored", Some(figures)),
    };
    let figures = figures.map(|figures| {
        let texts: Vec<String> = figures
            .iter()
            .map(|(name, value)| format!("{name}={value:.2}"))
            .collect();
        texts.join(" ")
    });
    (word, figures.unwrap_or_default())
}
