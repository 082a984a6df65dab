//! Alarms about categories: jobs that wait, and dead letters.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Alarm, Gravity, REASON_CHARS_MAX};
use crate::id::Role;
use crate::wire::{CategoryStatus, Status};
use crate::words::{counted, one_line, seconds};

pub(super) fn of_jobs(status: &Status) -> Vec<Alarm> {
    let categories = || status.categories.iter();
    let mut alarms: Vec<Alarm> = categories().filter_map(|c| waits(status, c)).collect();
    alarms.extend(categories().filter_map(dead));
    alarms.extend(dead_elsewhere(status));
    alarms.extend(categories().filter(|c| c.is_cut).map(cut));
    alarms
}

/// Returns why jobs of a category wait, if they wait long or no node can run them.
fn waits(status: &Status, category: &CategoryStatus) -> Option<Alarm> {
    let name = category.category.as_str();
    let jobs = counted(category.backlog, "job");
    if category.backlog > 0 && category.nodes_eligible == 0 {
        let alarm = |why: String| Alarm::new(Gravity::Bad, name, why);
        if status.nodes.is_empty() && status.totals.nodes == 0 {
            let alarm = alarm(format!("{jobs} and no node is known"));
            return Some(alarm.advice("start rolecast-worker"));
        }
        let is_offered = category.obstacles.keys().any(|why| why != "not running it");
        if !is_offered && !category.obstacles.is_empty() {
            let alarm = alarm(format!("{jobs} and no node runs {name}"));
            return Some(alarm.advice(format!("add [categories.{name}] to a worker.toml")));
        }
        let why = match category.obstacles.is_empty() {
            true => String::new(),
            false => format!(": {}", obstacles(&category.obstacles)),
        };
        let roles = match category.roles.as_slice() {
            [] => "any".to_owned(),
            roles => roles.iter().map(Role::as_str).collect::<Vec<_>>().join(","),
        };
        let alarm = alarm(format!(
            "{jobs} and no ready node that may run them (roles: {roles}){why}"
        ));
        return Some(alarm.command(format!("rolecast explain --dry-run {name}")));
    }
    category.late.then(|| {
        let oldest = category.oldest_ms.map_or_else(String::new, |age| {
            format!(", the oldest for {}", seconds(Duration::from_millis(age)))
        });
        let alarm = Alarm::new(
            Gravity::Warning,
            name,
            format!("jobs wait long: {jobs}{oldest}"),
        );
        alarm.command(format!("rolecast explain --dry-run {name}"))
    })
}

/// Writes the number of nodes that cannot run a category, by reason.
pub fn obstacles(obstacles: &BTreeMap<String, u32>) -> String {
    let parts = obstacles
        .iter()
        .map(|(why, count)| format!("{count} {}", one_line(why, REASON_CHARS_MAX)));
    parts.collect::<Vec<_>>().join(", ")
}

fn dead(category: &CategoryStatus) -> Option<Alarm> {
    let count = category.dead_letters.filter(|count| *count > 0)?;
    let name = category.category.as_str();
    let alarm = Alarm::new(Gravity::Warning, name, counted(count, "dead letter"));
    Some(alarm.command(format!("rolecast dead ls --category {name}")))
}

/// Counts the dead letters that no category's alarm reports.
fn dead_elsewhere(status: &Status) -> Option<Alarm> {
    let counted_already = status.categories.iter().filter_map(|c| c.dead_letters);
    let rest = status.dead_letters?.saturating_sub(counted_already.sum());
    let what = match status.dead_letters == Some(rest) {
        true => "all categories",
        false => "other categories",
    };
    let alarm = || Alarm::new(Gravity::Warning, what, counted(rest, "dead letter"));
    (rest > 0).then(|| alarm().command("rolecast dead ls"))
}

fn cut(category: &CategoryStatus) -> Alarm {
    let why = "its roles, and the reasons why its jobs wait, do not fit one message";
    let name = category.category.as_str();
    Alarm::new(Gravity::Warning, name, why).command(format!("rolecast explain --dry-run {name}"))
}
