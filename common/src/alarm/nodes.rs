//! Alarms about nodes.

use std::time::Duration;

use super::{Alarm, Gravity, REASON_CHARS_MAX};
use crate::time::format_duration;
use crate::wire::{Distrust, DistrustKind, NodeHealth, NodeStatus, Status};
use crate::words::{counted, length, one_line, seconds};

/// A node whose jobs take so many times as long as predicted is slow.
pub const FEEDBACK_HIGH: f64 = 2.0;
/// A round trip that delays jobs noticeably.
pub const ROUND_TRIP_HIGH: Duration = Duration::from_millis(250);
/// A clock that differs less does no harm.
const SKEW_MIN_MS: u64 = 2000;
/// Alarms about nodes that are shown; the others are counted. As many fit a screen.
const SHOWN_MAX: usize = 12;
/// Gone nodes with an alarm of their own; more share one.
const GONE_MAX: usize = 5;

/// The need of a node for attention, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    Gone,
    Bad,
    Warning,
    Draining,
    None,
}

/// Returns how urgently a node needs attention.
pub fn urgency(node: &NodeStatus) -> Urgency {
    let gravest = of_node(node).iter().map(|alarm| alarm.gravity).min();
    match (node.health, gravest) {
        (NodeHealth::Gone, _) => Urgency::Gone,
        (NodeHealth::Ready | NodeHealth::Draining, Some(Gravity::Bad)) => Urgency::Bad,
        (NodeHealth::Ready | NodeHealth::Draining, Some(Gravity::Warning)) => Urgency::Warning,
        (NodeHealth::Draining, None) => Urgency::Draining,
        (NodeHealth::Ready, None) => Urgency::None,
    }
}

pub(super) fn of_nodes(status: &Status, is_all: bool) -> Vec<Alarm> {
    let is_gone = |node: &&NodeStatus| node.health == NodeHealth::Gone;
    let gone: Vec<&NodeStatus> = status.nodes.iter().filter(is_gone).collect();
    let is_many = !is_all && gone.len() > GONE_MAX;
    let named = status.nodes.iter();
    let named = named.filter(|node| !is_many || !is_gone(node));
    let mut alarms: Vec<Alarm> = named.flat_map(of_node).collect();
    alarms.sort_by_key(|alarm| alarm.gravity);
    if !is_all && alarms.len() > SHOWN_MAX {
        let rest = counted(count(alarms.len() - SHOWN_MAX), "more alarm");
        alarms.truncate(SHOWN_MAX);
        let alarm = Alarm::new(Gravity::Warning, "other nodes", rest);
        alarms.push(alarm.command("rolecast status --all"));
    }
    if is_many {
        let names = gone.iter().take(GONE_MAX).map(|node| node.node.as_str());
        let names: Vec<&str> = names.collect();
        let rest = gone.len() - names.len();
        let why = format!("gone: {} and {rest} more", names.join(", "));
        let alarm = Alarm::new(Gravity::Bad, counted(count(gone.len()), "node"), why);
        alarms.push(alarm.command("rolecast node ls --health gone"));
    }
    alarms
}

/// Returns the alarms about one node.
pub fn of_node(node: &NodeStatus) -> Vec<Alarm> {
    let name = node.node.as_str();
    let warning = |why: String| Alarm::new(Gravity::Warning, name, why);
    if node.health == NodeHealth::Gone {
        let age = seconds(Duration::from_millis(node.heartbeat_age_ms));
        let alarm = Alarm::new(
            Gravity::Bad,
            name,
            format!("gone, last heartbeat {age} ago"),
        );
        return vec![alarm.advice("see its worker's log and start it again")];
    }
    let doubts = node.distrusted.iter();
    let mut alarms: Vec<Alarm> = doubts.map(|doubt| distrust(name, doubt)).collect();
    if let Some(skew) = node.clock_skew_ms
        && skew.unsigned_abs() > SKEW_MIN_MS
    {
        let direction = if skew > 0 { "ahead of" } else { "behind" };
        let size = format_duration(Duration::from_millis(skew.unsigned_abs()));
        let alarm = warning(format!("its clock is {size} {direction} the dispatcher's"));
        alarms.push(alarm.advice("set it, for instance by NTP"));
    }
    if node.feedback >= FEEDBACK_HIGH {
        let times = node.feedback;
        let alarm = warning(format!(
            "its jobs take {times:.1} times as long as predicted"
        ));
        alarms.push(alarm.command(format!("rolecast node show {name}")));
    }
    let trip = node.round_trip_us.map(Duration::from_micros);
    if let Some(trip) = trip.filter(|trip| *trip >= ROUND_TRIP_HIGH) {
        let trip = length(trip);
        let alarm = warning(format!("a message to it and its answer take {trip}"));
        alarms.push(alarm.advice("check its load and its network"));
    }
    if node.is_cut {
        let why = "its roles, labels, categories and doubts do not fit one message";
        let advice = "name fewer in its worker.toml";
        alarms.push(warning(why.to_owned()).advice(advice));
    }
    alarms
}

/// Returns the alarm about a node that is kept out of a category.
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
    let alarm = Alarm::new(Gravity::Bad, node, why).since(doubt.since_ms);
    alarm.command(format!("rolecast node show {node}"))
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
