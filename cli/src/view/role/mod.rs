//! Managed roles as text: their holders, and changes under way.

pub(crate) mod history;
pub(crate) mod order;

use rolecast_common::alarm::of_roles;
use rolecast_common::id::{NodeId, Role};
use rolecast_common::wire::{ManagedRole, RoleChange, RolePhase, RolesView};
use rolecast_common::words;
use rolecast_common::words::under_way;

use crate::style::{Palette, Tone};
use crate::table::{Align, Text, plain, table};
use crate::view::status::lines;

/// The text if the configuration manages no role.
const NOTHING_MANAGED: &str = "no role has holders in the dispatcher's configuration; \
    see [roles.leader] holders = 1 in `rolecast dispatcher-init`\n";

const COLUMNS: [(&str, Align); 8] = [
    ("role", Align::Left),
    ("group", Align::Left),
    ("holders", Align::Left),
    ("wanted", Align::Right),
    ("could", Align::Left),
    ("change", Align::Left),
    ("since", Align::Left),
    ("why", Align::Left),
];

/// Nodes that are named; of more only the number is shown.
const NAMES_MAX: usize = 4;

/// Lists managed roles; `is_verbose` shows every figure.
pub(crate) fn list(view: &RolesView, is_verbose: bool, palette: Palette) -> String {
    let mut text = if view.roles.is_empty() {
        NOTHING_MANAGED.to_owned()
    } else {
        let rows = view
            .roles
            .iter()
            .map(|(role, managed)| row(view, role, managed));
        format!("{}\n", table(palette, &COLUMNS, rows.collect()))
    };
    let judged = view.roles.iter();
    let judged: Vec<String> = judged
        .filter_map(|(role, managed)| judgement(role, managed, is_verbose))
        .collect();
    let notes = judged.into_iter().chain(drained(view));
    let notes = notes.map(|note| (note, Tone::Faint));
    let notes = notes.map(|(note, tone)| palette.paint(tone, &note) + "\n");
    let notes: String = notes.collect();
    let after = notes + &lines(&of_roles(view), palette);
    if !after.is_empty() {
        text.push_str(&format!("\n{after}"));
    }
    text
}

fn row(view: &RolesView, role: &Role, managed: &ManagedRole) -> Vec<Text> {
    let left_out = managed.offered_left_out as usize;
    let could = match managed.offered_by.as_slice() {
        [] if left_out == 0 => ("nobody".to_owned(), Tone::Bad),
        nodes if left_out == 0 && nodes.len() <= NAMES_MAX => plain(join(nodes)),
        nodes => plain(format!("{} nodes", nodes.len() + left_out)),
    };
    let (change, since, why) = match change_of(view, role) {
        None => (plain("-"), plain("-"), plain("-")),
        Some(change) => (
            (under_way(change), Tone::Warning),
            plain(change.since_ms),
            plain(words::why(&change.why)),
        ),
    };
    vec![
        (role.to_string(), Tone::Strong),
        plain(&managed.group),
        holders(view, role, managed),
        plain(managed.holders_wanted),
        could,
        change,
        since,
        why,
    ]
}

/// Lists the holders; one that does not act in the role is marked, and so is a node
/// that acts in it without being a holder.
pub(crate) fn holders(view: &RolesView, role: &Role, managed: &ManagedRole) -> Text {
    let held = held(view, role);
    let phase = change_of(view, role).map(|change| &change.phase);
    let named = held.iter().map(|node| {
        let is_acting = managed.acting.contains(node);
        let mark = if is_acting { "" } else { " (not acting)" };
        format!("{node}{mark}")
    });
    let others = managed.acting.iter().filter(|node| !held.contains(node));
    let others = others.map(|node| {
        let mark = match phase {
            Some(RolePhase::Demoting { node: from, .. }) if from == node => "still acting",
            Some(RolePhase::Promoting { node: to }) if to == node => "acting, not confirmed",
            Some(RolePhase::Demoting { .. } | RolePhase::Promoting { .. }) | None => {
                "acting, not a holder"
            }
        };
        format!("{node} ({mark})")
    });
    let all: Vec<String> = named.chain(others).collect();
    if all.is_empty() {
        return ("nobody".to_owned(), Tone::Bad);
    }
    let is_as_told =
        managed.acting.len() == held.len() && held.iter().all(|node| managed.acting.contains(node));
    let is_full = held.len() >= managed.holders_wanted as usize;
    let tone = match (is_as_told && is_full, managed.acting.is_empty()) {
        (true, _) => Tone::Good,
        (false, true) => Tone::Bad,
        (false, false) => Tone::Warning,
    };
    (all.join(", "), tone)
}

/// Shows whether the holder should be relieved, if that is known.
fn judgement(role: &Role, managed: &ManagedRole, is_verbose: bool) -> Option<String> {
    let figures = &managed.judgement;
    if figures.is_empty() {
        return None;
    }
    Some(match is_verbose {
        true => format!("{role}: {}", words::line(figures)),
        false => format!("{role}: {}", words::brief(figures)),
    })
}

fn drained(view: &RolesView) -> Option<String> {
    let nodes: Vec<&NodeId> = view.document.drained.iter().collect();
    let is_any = !nodes.is_empty();
    let more = match view.drained_left_out {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let names = join(&nodes);
    is_any.then(|| format!("drained: {names}{more}; rolecast node undrain ends it"))
}

fn held<'a>(view: &'a RolesView, role: &Role) -> &'a [NodeId] {
    view.document.roles.get(role).map_or(&[], Vec::as_slice)
}

fn change_of<'a>(view: &'a RolesView, role: &Role) -> Option<&'a RoleChange> {
    let mut changes = view.document.changes.values();
    changes.find(|change| change.role == *role)
}

/// Returns the progress of the change of a role, if it moves.
pub(crate) fn change(view: &RolesView, role: &Role) -> Option<String> {
    change_of(view, role).map(under_way)
}

fn join(names: &[impl ToString]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
