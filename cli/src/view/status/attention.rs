//! Conditions that an operator should look at, one line each, the gravest first.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::time::format_duration;
use rolecast_common::unit::Resources;
use rolecast_common::wire::{
    CategoryStatus, Distrust, DistrustKind, NodeHealth, NodeStatus, RefusedSender, RoleStatus,
    Status, Trouble,
};
use rolecast_common::words::{ahead, amounts};

use super::selection::shorten;
use super::{around, is_stuck};
use crate::quantity::{counted, length, seconds};
use crate::style::one_line;
use crate::view::nodes::{FEEDBACK_HIGH, ROUND_TRIP_HIGH, role_list};

/// Senders of refused messages that are named.
const SENDERS_SHOWN: usize = 5;
/// The characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 200;
/// A clock that differs less does no harm.
const SKEW_MIN_MS: u64 = 2000;

/// Returns the lines; all about each node if `is_all`.
pub(crate) fn attention(status: &Status, is_all: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if status.is_lapsed {
        lines.push(
            "the dispatcher cannot renew its lease: NATS does not answer, or has no quorum; \
             no job is sent until it can; see nats server report jetstream"
                .to_owned(),
        );
    }
    if let Some(why) = &status.unread {
        lines.push(format!(
            "the streams cannot be read, so backlogs and dead letters are missing: {}",
            one_line(why, REASON_CHARS_MAX),
        ));
    }
    lines.extend(status.troubles.iter().map(trouble));
    lines.extend(around::attention(status));
    for category in &status.categories {
        lines.extend(waits(status, category));
        lines.extend(died(category));
    }
    lines.extend(died_elsewhere(status));
    lines.extend(status.roles.iter().filter_map(shortage));
    lines.extend(of_nodes(status, is_all));
    lines.extend(refused(status));
    lines
}

fn of_nodes(status: &Status, is_all: bool) -> Vec<String> {
    let mut lines: Vec<String> = status.nodes.iter().flat_map(attention_to_node).collect();
    shorten(&mut lines, is_all);
    lines
}

/// Returns the lines about one node.
pub(crate) fn attention_to_node(node: &NodeStatus) -> Vec<String> {
    let name = &node.node;
    let mut lines = Vec::new();
    if node.health == NodeHealth::Gone {
        let age = seconds(Duration::from_millis(node.heartbeat_age_ms));
        lines.push(format!(
            "{name}: gone, last heartbeat {age} ago; see its worker's log and start it again"
        ));
        return lines;
    }
    lines.extend(skew(node));
    lines.extend(node.distrusted.iter().map(|doubt| distrust(node, doubt)));
    if node.feedback >= FEEDBACK_HIGH {
        lines.push(format!(
            "{name}: its jobs take {:.1} times as long as predicted; see rolecast node show {name}",
            node.feedback,
        ));
    }
    let trip = node.round_trip_us.map(Duration::from_micros);
    if let Some(trip) = trip.filter(|trip| *trip >= ROUND_TRIP_HIGH) {
        let trip = length(trip);
        lines.push(format!(
            "{name}: a message to it and its answer take {trip}; see its load and its network"
        ));
    }
    if node.is_cut {
        lines.push(format!(
            "{name}: its roles, labels, categories and doubts do not fit one message"
        ));
    }
    lines
}

/// Returns the line about a node that is kept out of a category.
fn distrust(node: &NodeStatus, doubt: &Distrust) -> String {
    let pause = length(Duration::from_millis(doubt.pause_ms));
    let (fault, others) = match doubt.kind {
        DistrustKind::Unable => ("cannot start jobs", ""),
        DistrustKind::Failing => ("fails jobs", " that others complete"),
    };
    format!(
        "{} {fault} of {}{others}, since {}; one is tried every {pause}; the last: {}; see \
         rolecast node show {}",
        node.node,
        doubt.category,
        doubt.since_ms,
        one_line(&doubt.reason, REASON_CHARS_MAX),
        node.node,
    )
}

fn trouble(trouble: &Trouble) -> String {
    let Trouble {
        what,
        why,
        remedy,
        since_ms,
        count: _,
    } = trouble;
    format!("{what}: {why} (since {since_ms}); {remedy}")
}

/// Returns why jobs of the category wait.
fn waits(status: &Status, category: &CategoryStatus) -> Option<String> {
    let name = &category.category;
    if is_stuck(category) {
        let jobs = counted(category.backlog, "job");
        return Some(match why_nowhere(&category.obstacles) {
            _ if status.nodes.is_empty() => {
                format!("{name}: {jobs} and no node is known; start rolecast-worker")
            }
            Some(Nowhere::NotOffered) => format!(
                "{name}: {jobs} and no node runs {name}; add [categories.{name}] to a worker.toml"
            ),
            Some(Nowhere::Mixed(why)) => format!(
                "{name}: {jobs} and no ready node that may run them (roles: {}): {why}; see \
                 rolecast explain --dry-run {name}",
                role_list(&category.roles),
            ),
            None => format!(
                "{name}: {jobs} and no ready node that may run them (roles: {}); see rolecast \
                 explain --dry-run {name}",
                role_list(&category.roles),
            ),
        });
    }
    category.late.then(|| {
        format!("{name}: jobs wait long; rolecast explain --dry-run {name} shows the reason")
    })
}

/// The reason why no node can run a category.
enum Nowhere {
    /// No node offers it, even if other obstacles keep jobs from some.
    NotOffered,
    /// Each for its own reason, in the words of the dispatcher.
    Mixed(String),
}

fn why_nowhere(obstacles: &BTreeMap<String, u32>) -> Option<Nowhere> {
    let is_only = |name: &str| obstacles.len() == 1 && obstacles.contains_key(name);
    if obstacles.is_empty() {
        return None;
    }
    if is_only("not running it") {
        return Some(Nowhere::NotOffered);
    }
    let parts = obstacles
        .iter()
        .map(|(what, count)| format!("{count} {what}"));
    Some(Nowhere::Mixed(parts.collect::<Vec<_>>().join(", ")))
}

fn died(category: &CategoryStatus) -> Option<String> {
    let count = category.dead_letters.filter(|count| *count > 0)?;
    let name = &category.category;
    let letters = counted(count, "dead letter");
    Some(format!(
        "{name}: {letters}; see rolecast dead ls --category {name}"
    ))
}

/// Counts the dead letters that no category's line reports.
fn died_elsewhere(status: &Status) -> Option<String> {
    let counted_already = status.categories.iter().filter_map(|c| c.dead_letters);
    let rest = status.dead_letters?.saturating_sub(counted_already.sum());
    let is_all = status.dead_letters == Some(rest);
    let of = if is_all { "" } else { " of other categories" };
    (rest > 0).then(|| format!("{}{of}; see rolecast dead ls", counted(rest, "dead letter")))
}

fn skew(node: &NodeStatus) -> Option<String> {
    let skew = node.clock_skew_ms?;
    let size = skew.unsigned_abs();
    let direction = if skew > 0 { "ahead of" } else { "behind" };
    (size > SKEW_MIN_MS).then(|| {
        let size = format_duration(Duration::from_millis(size));
        format!(
            "{}: its clock is {size} {direction} the dispatcher's; set it, for instance by NTP",
            node.node
        )
    })
}

/// Returns the senders of refused messages with the reasons, and the number of others.
fn refused(status: &Status) -> Vec<String> {
    let counters = &status.counters;
    let total =
        counters.heartbeats_refused + counters.outcomes_malformed + counters.requests_refused;
    let shown = status.refused.iter().take(SENDERS_SHOWN);
    let mut lines: Vec<String> = shown
        .clone()
        .map(|sender| of_sender(status, sender))
        .collect();
    let counted_shown: u64 = shown.map(|sender| sender.count).sum();
    let rest = total.saturating_sub(counted_shown);
    if rest > 0 {
        let what = if lines.is_empty() {
            "message"
        } else {
            "more message"
        };
        let messages = counted(rest, what);
        lines.push(format!(
            "{messages} refused; the dispatcher's log has the reasons"
        ));
    }
    lines
}

fn of_sender(status: &Status, sender: &RefusedSender) -> String {
    let from = one_line(&sender.from, REASON_CHARS_MAX);
    let (name, what) = match from.strip_prefix("rolecast.heartbeat.") {
        Some(node) => (node, "heartbeat"),
        None if from.starts_with("rolecast.done.") => (from.as_str(), "outcome"),
        None if from.starts_with("rolecast.api.") => (from.as_str(), "request"),
        None => (from.as_str(), "heartbeat"),
    };
    let age = seconds(status.at_ms.since(sender.at_ms));
    format!(
        "{name}: {} refused, the last {age} ago: {}",
        counted(sender.count, what),
        one_line(&sender.why, REASON_CHARS_MAX),
    )
}

/// Returns the resources that jobs expected on nodes of a role will lack.
fn shortage(role: &RoleStatus) -> Option<String> {
    if role.shortage == Resources::default() {
        return None;
    }
    let lack = amounts(&role.shortage);
    let within = role
        .at_horizon_s
        .map(|seconds| format!(" within {}", ahead(seconds)));
    let nodes = counted(u64::from(role.nodes), "node");
    Some(format!(
        "role {} ({nodes}): {lack} short{} for the jobs expected; see rolecast capacity",
        role.role,
        within.unwrap_or_default(),
    ))
}
