//! Dispatchers beside the leader: those that stand by, and any that claim to lead as well.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::time::{WallTime, format_duration};
use rolecast_common::wire::{DispatcherState, DispatcherStatus, Status};

use crate::doctor::area::Area;
use crate::doctor::catalogue::lead::{
    DISPATCHER_VERSIONS, LEADERS_MANY, STANDBY_LOST, STANDBY_NONE,
};
use crate::doctor::facts::{Facts, Instance, Part};
use crate::doctor::finding::{Finding, Report};
use crate::style::one_line;

pub(super) const NAME_CHARS_MAX: usize = 64;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let Some(status) = facts.status() else {
        return;
    };
    let instances = match &facts.dispatchers {
        Part::Known(instances) => instances.as_slice(),
        Part::Unknown(why) => {
            report.not_checked(Area::Dispatcher, why);
            &[]
        }
    };
    let silent: Vec<Finding> = status
        .dispatchers
        .iter()
        .filter_map(|dispatcher| silent(status, dispatcher))
        .chain(unanswered(facts))
        .collect();
    let is_alone = silent.is_empty() && standbys(status, instances).is_empty();
    report.find_all(silent);
    let cluster = facts.server().and_then(|server| server.cluster.as_ref());
    if let Some(cluster) = cluster.filter(|_| is_alone) {
        let leader = one_line(&status.dispatcher, NAME_CHARS_MAX);
        let cluster = one_line(cluster, NAME_CHARS_MAX);
        let what = format!("cluster {cluster} has one dispatcher, {leader}, and none stands by");
        report.find(Finding::new(&STANDBY_NONE, what));
    }
    report.find_all(leaders(instances));
    report.find_all(versions(status, instances));
}

/// Returns the names of the dispatchers that stand by.
pub(super) fn standbys<'a>(status: &'a Status, instances: &'a [Instance]) -> BTreeSet<&'a str> {
    let signs = status.dispatchers.iter();
    let signs = signs.filter(|dispatcher| dispatcher.state == DispatcherState::StandsBy);
    let answers = instances.iter().filter(|instance| !instance.is_leader);
    let names = signs.map(|dispatcher| dispatcher.name.as_str());
    names
        .chain(answers.map(|instance| instance.name.as_str()))
        .collect()
}

/// Reports a dispatcher whose signs of life stopped.
fn silent(status: &Status, dispatcher: &DispatcherStatus) -> Option<Finding> {
    let before = match dispatcher.state {
        DispatcherState::Leads | DispatcherState::StandsBy => return None,
        DispatcherState::Silent => "stood by",
        DispatcherState::SilentLeader => "led before",
    };
    let name = one_line(&dispatcher.name, NAME_CHARS_MAX);
    let age = format_duration(Duration::from_millis(dispatcher.age_ms));
    let what = format!(
        "dispatcher {name} {before}, its last sign of life was {age} ago and it did not announce \
         its end"
    );
    let since = status.at_ms.as_millis().saturating_sub(dispatcher.age_ms);
    let finding = Finding::new(&STANDBY_LOST, what).by(see(&name));
    Some(finding.since(WallTime::from_millis(since)))
}

/// Reports the dispatchers that give signs of life and do not answer.
fn unanswered(facts: &Facts) -> impl Iterator<Item = Finding> {
    facts.unanswered().into_iter().map(|name| {
        let name = one_line(name, NAME_CHARS_MAX);
        let what = format!(
            "dispatcher {name} gives signs of life and does not answer requests; it may still start"
        );
        Finding::new(&STANDBY_LOST, what).by(see(&name))
    })
}

fn see(name: &str) -> String {
    format!("ssh {name} systemctl status rolecast-dispatcher")
}

fn leaders(instances: &[Instance]) -> Option<Finding> {
    let leaders: Vec<&Instance> = instances.iter().filter(|i| i.is_leader).collect();
    if leaders.len() < 2 {
        return None;
    }
    let names = leaders.iter().map(|leader| {
        let name = one_line(&leader.name, NAME_CHARS_MAX);
        let epoch = leader.epoch.map(|epoch| format!(" under epoch {epoch}"));
        format!("{name}{}", epoch.unwrap_or_default())
    });
    let names: Vec<String> = names.collect();
    let what = format!("{} dispatchers lead: {}", leaders.len(), names.join(", "));
    Some(Finding::new(&LEADERS_MANY, what))
}

fn versions(status: &Status, instances: &[Instance]) -> Option<Finding> {
    let signs = status.dispatchers.iter();
    let signs = signs.filter(|sign| match sign.state {
        DispatcherState::Leads | DispatcherState::StandsBy => true,
        DispatcherState::Silent | DispatcherState::SilentLeader => false,
    });
    let signs = signs.map(|sign| (sign.version.as_str(), sign.name.as_str()));
    let answers = instances
        .iter()
        .map(|instance| (instance.version.as_str(), instance.name.as_str()));
    let found: BTreeSet<(&str, &str)> = signs
        .chain(answers)
        .filter(|(version, _)| !version.is_empty())
        .collect();
    let versions: BTreeSet<&str> = found.iter().map(|(version, _)| *version).collect();
    if versions.len() < 2 {
        return None;
    }
    let each = found.iter().map(|(version, name)| {
        let (version, name) = (one_line(version, 32), one_line(name, NAME_CHARS_MAX));
        format!("{name} has {version}")
    });
    let each: Vec<String> = each.collect();
    Some(Finding::new(&DISPATCHER_VERSIONS, each.join(", ")))
}
