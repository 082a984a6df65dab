//! Nodes: their health, names, capacity and trust.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::{WallTime, format_duration};
use rolecast_common::unit::Bytes;
use rolecast_common::wire::{DistrustKind, NodeHealth, NodeStatus, RefusedSender, Status};

use super::account::percent;
use crate::doctor::area::Area;
use crate::doctor::catalogue::work::{
    MESSAGES_REFUSED, NODE_CAPACITY, NODE_DISTRUSTED, NODE_DRAINING, NODE_GONE, NODE_MEMORY,
    NODE_NAME_PASSING, NODE_NAME_SHARED, NODE_SLOTS, NODES_NONE,
};
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Report};
use crate::quantity::counted;
use crate::style::one_line;

/// Use of memory above which a system is about to end processes; guessed.
const MEMORY_PERCENT: u64 = 95;
/// More cores than hosts have; thousandths of cores would be as many.
const CORES_MAX: f64 = 2048.0;
/// Less memory than a system with a worker needs. Both are guessed; the dispatcher refuses
/// a node without any.
const MEMORY_MIN: Bytes = Bytes::new(16 << 20);
/// Jobs for each core above which nobody meant it, even for jobs that mostly wait; guessed.
const JOBS_PER_CORE_MAX: f64 = 64.0;
/// Digits of the name that a container has from its id.
const CONTAINER_ID_LEN: usize = 12;
const TEXT_CHARS_MAX: usize = 200;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let Some(status) = facts.status() else {
        let why = facts.why_no_status();
        report.not_checked(Area::Categories, why);
        return report.not_checked(Area::Nodes, why);
    };
    let ready = of_health(status, NodeHealth::Ready).count();
    let ready_count = u64::try_from(ready).unwrap_or(u64::MAX);
    report.checked(
        Area::Nodes,
        format!("{} ready", counted(ready_count, "node")),
    );
    if ready == 0 {
        let known = u64::try_from(status.nodes.len()).unwrap_or(u64::MAX);
        let what = format!("no node is ready; {} known", counted(known, "node"));
        report.find(Finding::new(&NODES_NONE, what));
    }
    let at = status.at_ms;
    report.find_all(of_health(status, NodeHealth::Gone).map(|node| {
        let age = Duration::from_millis(node.heartbeat_age_ms);
        let name = &node.node;
        let what = format!(
            "{name} is gone, last heartbeat {} ago",
            format_duration(age)
        );
        let finding = Finding::new(&NODE_GONE, what);
        let since = at.as_millis().saturating_sub(node.heartbeat_age_ms);
        finding
            .by(format!("ssh {name} systemctl status rolecast-worker"))
            .since(WallTime::from_millis(since))
    }));
    let drained = drained(facts);
    report.find_all(of_health(status, NodeHealth::Draining).map(|node| draining(node, &drained)));
    let present = || {
        status
            .nodes
            .iter()
            .filter(|node| node.health != NodeHealth::Gone)
    };
    report.find_all(present().filter_map(capacity));
    report.find_all(present().filter_map(memory));
    report.find_all(present().filter_map(slots));
    report.find_all(present().filter_map(name));
    report.find_all(status.nodes.iter().flat_map(distrust));
    report.find_all(status.refused.iter().map(refused));
}

fn of_health(status: &Status, health: NodeHealth) -> impl Iterator<Item = &NodeStatus> {
    status
        .nodes
        .iter()
        .filter(move |node| node.health == health)
}

/// Returns the nodes that an operator drained.
fn drained(facts: &Facts) -> BTreeSet<&NodeId> {
    let roles = facts.roles.known().into_iter();
    roles.flat_map(|view| &view.document.drained).collect()
}

fn draining(node: &NodeStatus, drained: &BTreeSet<&NodeId>) -> Finding {
    let name = &node.node;
    let jobs = counted(u64::from(node.jobs), "job");
    match drained.contains(name) {
        true => {
            let what = format!("{name} was drained by an operator, {jobs} in hand");
            Finding::new(&NODE_DRAINING, what).by(format!("rolecast node undrain {name}"))
        }
        false => {
            let what = format!("{name}: its worker ends when its jobs have, {jobs} in hand");
            let command = format!("ssh {name} systemctl status rolecast-worker");
            Finding::new(&NODE_DRAINING, what).by(command)
        }
    }
}

fn capacity(node: &NodeStatus) -> Option<Finding> {
    let (name, cores, memory) = (&node.node, node.capacity.cpu.get(), node.capacity.memory);
    if cores <= CORES_MAX && memory >= MEMORY_MIN {
        return None;
    }
    let what = format!(
        "{name} reports a capacity of {cores:.2} cores and {memory}; a host has {CORES_MAX} cores \
         at most, and {MEMORY_MIN} at least"
    );
    let command = format!("ssh {name} rolecast worker-init");
    Some(Finding::new(&NODE_CAPACITY, what).by(command))
}

fn memory(node: &NodeStatus) -> Option<Finding> {
    let (used, all) = (node.usage.total.memory, node.capacity.memory);
    if all == Bytes::ZERO || percent(used.get(), all.get()) < MEMORY_PERCENT {
        return None;
    }
    let name = &node.node;
    let what = format!("{name} uses {used} of {all} of memory");
    Some(Finding::new(&NODE_MEMORY, what).by(format!("ssh {name} free -h")))
}

fn slots(node: &NodeStatus) -> Option<Finding> {
    let cores = node.capacity.cpu.get();
    let jobs = node.jobs_max;
    let is_much = cores > 0.0 && f64::from(jobs) > cores * JOBS_PER_CORE_MAX;
    (jobs == 0 || is_much).then(|| {
        let what = format!(
            "{} takes {jobs} jobs at once on {cores:.2} cores",
            node.node
        );
        Finding::new(&NODE_SLOTS, what)
    })
}

fn name(node: &NodeStatus) -> Option<Finding> {
    let name = node.node.as_str();
    let is_id = name.len() == CONTAINER_ID_LEN && name.chars().all(|c| c.is_ascii_hexdigit());
    let has_digit = name.chars().any(|c| c.is_ascii_digit());
    let is_nobody = name == "localhost" || name.starts_with("localhost-");
    ((is_id && has_digit) || is_nobody).then(|| {
        let what = format!(
            "{name} seems to be {}",
            match is_nobody {
                true => "no name of a host",
                false => "the id of a container",
            }
        );
        Finding::new(&NODE_NAME_PASSING, what)
    })
}

fn distrust(node: &NodeStatus) -> impl Iterator<Item = Finding> {
    node.distrusted.iter().map(|doubt| {
        let name = &node.node;
        let fault = match doubt.kind {
            DistrustKind::Unable => "cannot start",
            DistrustKind::Failing => "fails",
        };
        let others = match doubt.kind {
            DistrustKind::Unable => "",
            DistrustKind::Failing => " that others complete",
        };
        let reason = one_line(&doubt.reason, TEXT_CHARS_MAX);
        let what = format!(
            "{name} {fault} jobs of {}{others}; the last: {reason}",
            doubt.category
        );
        let finding = Finding::new(&NODE_DISTRUSTED, what).since(doubt.since_ms);
        finding.by(format!("rolecast node drain {name}"))
    })
}

fn refused(sender: &RefusedSender) -> Finding {
    let from = one_line(&sender.from, TEXT_CHARS_MAX);
    let why = one_line(&sender.why, TEXT_CHARS_MAX);
    let what = format!(
        "{} from {from} refused: {why}",
        counted(sender.count, "message")
    );
    // The words of the dispatcher for two workers of one name.
    let is_shared = ["share this node id", "had its name"];
    let finding = match is_shared.iter().any(|words| why.contains(words)) {
        true => Finding::new(&NODE_NAME_SHARED, what),
        false => Finding::new(&MESSAGES_REFUSED, what),
    };
    finding.since(sender.at_ms)
}
