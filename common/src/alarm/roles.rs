//! Alarms about roles: vacancies, changes that do not go as planned, and too little room.

use std::time::Duration;

use super::{Alarm, Gravity, REASON_CHARS_MAX};
use crate::id::{NodeId, Role};
use crate::unit::Resources;
use crate::wire::{RoleStatus, RolesView, Status, VacantRole};
use crate::words::{ahead, amounts, counted, one_line};

/// A vacancy that lasts no longer is a change of holders, which takes some seconds.
const VACANT_MIN: Duration = Duration::from_secs(10);

/// Returns the vacancies that last.
pub(super) fn of_vacancies(status: &Status) -> impl Iterator<Item = Alarm> {
    let vacant = status.vacant.iter();
    let vacant = vacant.filter(|role| status.at_ms.since(role.since_ms) >= VACANT_MIN);
    vacant.map(vacancy)
}

fn vacancy(vacant: &VacantRole) -> Alarm {
    let (wanted, acting) = (vacant.wanted, vacant.acting);
    let (gravity, what) = match acting {
        0 => (Gravity::Bad, "nobody acts in it".to_owned()),
        _ => {
            let what = format!("{acting} of {wanted} holders act in it");
            (Gravity::Warning, what)
        }
    };
    let why = format!("{what}: {}", cause(vacant));
    let alarm = Alarm::new(gravity, format!("role {}", vacant.role), why);
    remedy(vacant, alarm.since(vacant.since_ms))
}

/// Returns the cause of a vacancy.
fn cause(vacant: &VacantRole) -> String {
    if vacant.offered == 0 {
        return "no live node offers it".to_owned();
    }
    if let Some(node) = &vacant.failed {
        let reason = one_line(&vacant.reason, REASON_CHARS_MAX);
        return format!("{node} could not take it on: {reason}");
    }
    if vacant.is_changing {
        return "a change is under way in its group".to_owned();
    }
    if !vacant.assigned.is_empty() {
        let nodes: Vec<&str> = vacant.assigned.iter().map(NodeId::as_str).collect();
        return format!("{} should, and do not report to", nodes.join(", "));
    }
    let nodes = counted(u64::from(vacant.offered), "live node");
    format!("none of {nodes} that offer it can be given it now")
}

fn remedy(vacant: &VacantRole, alarm: Alarm) -> Alarm {
    let role = &vacant.role;
    match &vacant.failed {
        _ if vacant.offered == 0 => alarm.advice(format!(
            "start a worker with offers = [\"{role}\"] in its worker.toml"
        )),
        Some(node) => alarm.advice(format!("see the log of on_role_change on {node}")),
        None => alarm.command("rolecast role ls --verbose"),
    }
}

/// Returns the changes under way that do not go as planned, and the roles with fewer
/// holders assigned than wanted.
pub fn of_roles(view: &RolesView) -> Vec<Alarm> {
    let mut alarms = of_changes(view);
    for (role, managed) in &view.roles {
        let mut changes = view.document.changes.values();
        let count = view.document.roles.get(role).map_or(0, Vec::len);
        let wanted = managed.holders_wanted;
        if changes.any(|change| change.role == *role) || count >= wanted as usize {
            continue;
        }
        let gravity = match count {
            0 => Gravity::Bad,
            _ => Gravity::Warning,
        };
        let what = format!("role {role}");
        let alarm = Alarm::new(gravity, what, format!("{count} of {wanted} holders"));
        let offered = managed.offered_by.len() + managed.offered_left_out as usize;
        alarms.push(match offered > count {
            true => alarm.command(format!("rolecast role history --role {role}")),
            false => alarm.advice(format!(
                "more nodes must offer it: offers = [\"{role}\"] in worker.toml"
            )),
        });
    }
    alarms
}

/// Returns the changes under way that do not go as planned.
pub fn of_changes(view: &RolesView) -> Vec<Alarm> {
    let changes = view.document.changes.values();
    let troubled = changes.filter_map(|change| Some((change, change.trouble.as_deref()?)));
    let alarm = |(role, since, trouble): (&Role, _, &str)| {
        let why = one_line(trouble, REASON_CHARS_MAX);
        let alarm = Alarm::new(Gravity::Warning, format!("role {role}"), why);
        alarm.since(since).command("rolecast role ls --verbose")
    };
    let troubled = troubled.map(|(change, trouble)| (&change.role, change.since_ms, trouble));
    troubled.map(alarm).collect()
}

/// Returns the resources that jobs expected on nodes of a role will lack.
pub(super) fn shortage(role: &RoleStatus) -> Option<Alarm> {
    if role.shortage == Resources::default() {
        return None;
    }
    let within = role.at_horizon_s;
    let within = within.map_or_else(String::new, |s| format!(" within {}", ahead(s)));
    let why = format!(
        "{} short{within} for the jobs expected, on {}",
        amounts(&role.shortage),
        counted(u64::from(role.nodes), "node")
    );
    let alarm = Alarm::new(Gravity::Warning, format!("role {}", role.role), why);
    Some(alarm.command("rolecast capacity"))
}
