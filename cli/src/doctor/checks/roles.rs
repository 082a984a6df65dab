//! Managed roles: holders, candidates and changes; and the room of all roles.

use std::time::Duration;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::format_duration;
use rolecast_common::wire::{ManagedRole, NodeHealth, RoleStatus, RolesView, Status};

use crate::doctor::area::Area;
use crate::doctor::catalogue::work::{
    CAPACITY_SHORT, ROLE_CHANGE_STUCK, ROLE_UNUSED, ROLE_VACANT, ROLE_WITHOUT_SUCCESSOR,
};
use crate::doctor::facts::{Facts, Part};
use crate::doctor::finding::{Finding, Report};
use crate::quantity::{cores, counted};
use crate::style::one_line;

/// Time within which a change is over: a lease of 10 s, and a hook for the old and the new
/// holder, which may be given half a minute.
const CHANGE_MAX: Duration = Duration::from_secs(60);
const TEXT_CHARS_MAX: usize = 200;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let Some(status) = facts.status() else {
        return report.not_checked(Area::Roles, facts.why_no_status());
    };
    report.find_all(status.roles.iter().filter_map(short));
    let view = match &facts.roles {
        Part::Known(view) => view,
        Part::Unknown(why) => return report.not_checked(Area::Roles, why),
    };
    let count = u64::try_from(view.roles.len()).unwrap_or(u64::MAX);
    report.checked(Area::Roles, counted(count, "managed role"));
    report.find_all(
        view.roles
            .iter()
            .filter_map(|(name, role)| vacant(status, view, name, role)),
    );
    report.find_all(
        view.roles
            .iter()
            .filter_map(|(name, role)| alone(status, name, role)),
    );
    report.find_all(stuck(status, view));
}

fn vacant(status: &Status, view: &RolesView, name: &Role, role: &ManagedRole) -> Option<Finding> {
    // A holder that is gone is listed until its lease is over.
    let is_live = |name: &&NodeId| is_live(status, name);
    let acting = role.acting.iter().filter(is_live).count()
        + usize::try_from(role.acting_left_out).unwrap_or(usize::MAX);
    let wanted = usize::try_from(role.holders_wanted).unwrap_or(usize::MAX);
    if acting >= wanted {
        return None;
    }
    let offers = role.offered_by.iter().filter(is_live).count();
    let mut history = view.document.history.iter().rev();
    let last = history.find(|change| change.role == *name);
    let is_named = status.categories.iter().any(|c| c.roles.contains(name));
    if offers == 0 && last.is_none() && !is_named {
        let what = format!("role {name} is declared and no node offers it");
        return Some(Finding::new(&ROLE_UNUSED, what));
    }
    let candidates = match offers {
        0 => "no live node offers it".to_owned(),
        _ => format!(
            "{} may be given it",
            counted(u64::try_from(offers).ok()?, "node")
        ),
    };
    let trouble = last.and_then(|change| change.trouble.as_deref());
    let trouble =
        trouble.map(|text| format!("; the last change: {}", one_line(text, TEXT_CHARS_MAX)));
    let what = format!(
        "role {name} has {acting} of {}, {candidates}{}",
        counted(u64::from(role.holders_wanted), "holder"),
        trouble.unwrap_or_default()
    );
    let since = status.vacant.iter().find(|vacant| vacant.role == *name);
    let since = since.map(|vacant| vacant.since_ms);
    Some(Finding {
        since,
        ..Finding::new(&ROLE_VACANT, what)
    })
}

fn is_live(status: &Status, name: &NodeId) -> bool {
    let mut nodes = status.nodes.iter();
    nodes.any(|node| node.node == *name && node.health != NodeHealth::Gone)
}

fn alone(status: &Status, name: &Role, role: &ManagedRole) -> Option<Finding> {
    // One that is gone is a vacancy.
    let is_held = role.acting.iter().any(|node| is_live(status, node));
    let mut offers = role.offered_by.iter();
    let has_other = offers.any(|node| !role.acting.contains(node)) || role.offered_left_out > 0;
    (is_held && !has_other).then(|| {
        let holders: Vec<&str> = role.acting.iter().map(|node| node.as_str()).collect();
        let what = format!(
            "role {name} is held by {}, and no other node offers it",
            one_line(&holders.join(", "), TEXT_CHARS_MAX)
        );
        Finding::new(&ROLE_WITHOUT_SUCCESSOR, what)
    })
}

fn stuck<'a>(status: &'a Status, view: &'a RolesView) -> impl Iterator<Item = Finding> + 'a {
    let changes = view.document.changes.values();
    let slow = changes.filter(|change| status.at_ms.since(change.began_ms) > CHANGE_MAX);
    slow.map(|change| {
        let trouble = change.trouble.as_deref().unwrap_or("no trouble is known");
        let what = format!(
            "the change of role {} has taken {}: {}",
            change.role,
            format_duration(status.at_ms.since(change.began_ms)),
            one_line(trouble, TEXT_CHARS_MAX)
        );
        Finding::new(&ROLE_CHANGE_STUCK, what).since(change.began_ms)
    })
}

fn short(role: &RoleStatus) -> Option<Finding> {
    let seconds = role.at_horizon_s?;
    let ahead = format_duration(Duration::from_secs(u64::from(seconds)));
    let (cpu, memory) = (role.shortage.cpu, role.shortage.memory);
    let what = format!(
        "role {}: {} cores and {memory} of memory will be missing within {ahead}",
        role.role,
        cores(cpu)
    );
    Some(Finding::new(&CAPACITY_SHORT, what))
}
