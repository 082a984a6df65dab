//! Alarms about nodes.

use std::time::Duration;

use rolecast_common::time::format_duration;
use rolecast_common::wire::{Distrust, DistrustKind, NodeHealth, NodeStatus, Status};
use rolecast_common::words::{counted, length, one_line};

use super::{Alarm, Gravity, REASON_CHARS_MAX};
use crate::words::count;

/// Alarms about nodes that are shown; the others are counted.
const NODES_MAX: usize = 12;
/// Gone nodes with an alarm of their own; more share one.
const GONE_MAX: usize = 5;
/// A clock that differs less does no harm.
const SKEW_MIN_MS: u64 = 2000;
/// Jobs that take this many times as long as predicted.
const FEEDBACK_MAX: f64 = 2.0;

pub(super) fn of_nodes(status: &Status) -> Vec<Alarm> {
    let is_gone = |node: &&NodeStatus| node.health == NodeHealth::Gone;
    let gone: Vec<&NodeStatus> = status.nodes.iter().filter(is_gone).collect();
    let is_many = gone.len() > GONE_MAX;
    let named = status
        .nodes
        .iter()
        .filter(|node| !is_many || !is_gone(node));
    let mut alarms: Vec<Alarm> = named.flat_map(of_node).collect();
    alarms.sort_by_key(|alarm| alarm.gravity);
    let rest = alarms.len().saturating_sub(NODES_MAX);
    if rest > 0 {
        alarms.truncate(NODES_MAX);
        let alarm = Alarm::new(
            Gravity::Warning,
            "other nodes",
            counted(count(rest), "more alarm"),
        );
        alarms.push(alarm.command("rolecast status --all"));
    }
    if is_many {
        let names: Vec<&str> = gone
            .iter()
            .take(GONE_MAX)
            .map(|node| node.node.as_str())
            .collect();
        let (names, rest) = (names.join(", "), gone.len() - names.len());
        let why = format!("gone: {names} and {rest} more");
        let what = counted(count(gone.len()), "node");
        alarms.push(Alarm::new(Gravity::Bad, &what, why).command("rolecast status --all"));
    }
    alarms
}

/// Returns the alarms about one node.
pub(crate) fn of_node(node: &NodeStatus) -> Vec<Alarm> {
    let name = node.node.as_str();
    let mut alarms = Vec::new();
    match node.health {
        NodeHealth::Gone => {
            let age = length(Duration::from_millis(node.heartbeat_age_ms));
            let alarm = Alarm::new(
                Gravity::Bad,
                name,
                format!("gone, last heartbeat {age} ago"),
            );
            alarms.push(alarm.advice(format!("start rolecast-worker on {name} again")));
        }
        // Drained on purpose: no alarm.
        NodeHealth::Draining | NodeHealth::Ready => {}
    }
    alarms.extend(node.distrusted.iter().map(|doubt| distrust(name, doubt)));
    alarms.extend(skew(node));
    if node.health == NodeHealth::Ready && node.feedback > FEEDBACK_MAX {
        let why = format!(
            "jobs there take {:.1} times as long as predicted",
            node.feedback
        );
        alarms.push(
            Alarm::new(Gravity::Warning, name, why).command(format!("rolecast forecast {name}")),
        );
    }
    alarms
}

fn distrust(node: &str, doubt: &Distrust) -> Alarm {
    let pause = length(Duration::from_millis(doubt.pause_ms));
    let (fault, others) = match doubt.kind {
        DistrustKind::Unable => ("cannot start jobs", ""),
        DistrustKind::Failing => ("fails jobs", " that others complete"),
    };
    let category = &doubt.category;
    let why = format!(
        "{fault} of {category}{others}; one is tried every {pause}; the last: {}",
        one_line(&doubt.reason, REASON_CHARS_MAX)
    );
    Alarm::new(Gravity::Bad, node, why)
        .since(doubt.since_ms)
        .command(format!("rolecast node drain {node}"))
}

fn skew(node: &NodeStatus) -> Option<Alarm> {
    let skew = node
        .clock_skew_ms
        .filter(|skew| skew.unsigned_abs() > SKEW_MIN_MS)?;
    let direction = if skew > 0 { "ahead of" } else { "behind" };
    let size = format_duration(Duration::from_millis(skew.unsigned_abs()));
    let why = format!("its clock is {size} {direction} the dispatcher's");
    Some(Alarm::new(Gravity::Warning, node.node.as_str(), why).advice("synchronize its clock"))
}
