//! Views of a node for people: a line of the status, and all that is known about it.

use std::time::Duration;

use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire::{NodeHealth, NodeStatus, NodeView, VERSION};
use rolecast_forecast::Ahead;

use super::{Fleet, Node};

/// Horizon of the use by others that is expected.
const EXPECTED_WITHIN: Duration = Duration::from_secs(600);

/// Returns the node as a status lists it.
pub(super) fn status(fleet: &Fleet, now: Time, node: &Node) -> NodeStatus {
    let counters = &node.counters;
    NodeStatus {
        node: node.id().clone(),
        roles: node.roles().to_vec(),
        labels: node.labels().clone(),
        categories: node.categories().keys().cloned().collect(),
        health: node.health(),
        heartbeat_age_ms: u64::try_from(node.age(now).as_millis()).unwrap_or(u64::MAX),
        capacity: node.capacity(),
        usage: node.usage(),
        reserved: fleet.reserved(node),
        jobs: node.jobs(),
        jobs_max: node.jobs_max(),
        speed: node.pace.declared(),
        learned_speed: f64::from(node.speed()),
        feedback: f64::from(fleet.factor(now, node)),
        clock_skew_ms: node.clock_skew_ms(),
        round_trip_us: node
            .round_trip()
            .map(|trip| u64::try_from(trip.as_micros()).unwrap_or(u64::MAX)),
        sent: counters.sent,
        advised: counters.advised,
        diverted: counters.diverted,
        completed: counters.completed,
        failed: counters.failed,
        distrusted: node
            .trust
            .distrust(|category| &fleet.policy(category).category),
        is_cut: false,
    }
}

/// Returns all that is known about the node here.
pub(super) fn node(fleet: &Fleet, now: Now, node: &Node) -> NodeView {
    let health = node.health();
    // A node that is gone changes without a heartbeat, after its last one.
    let last = now.wall.as_millis();
    let last = WallTime::from_millis(last.saturating_sub(millis(node.age(now.time))));
    let since = match health {
        NodeHealth::Gone => last,
        NodeHealth::Ready | NodeHealth::Draining => node.journal.since(health).unwrap_or(last),
    };
    let ahead = Ahead::covering(EXPECTED_WITHIN);
    NodeView {
        v: VERSION,
        at_ms: now.wall,
        status: status(fleet, now.time, node),
        since_ms: since,
        boot: node.boot().clone(),
        interval_ms: millis(node.interval()),
        is_drained: false,
        offers: Vec::new(),
        categories: node.categories().clone(),
        others: node.load.exogenous(),
        likely: node.likely_exogenous(ahead),
        safe: node.safe_exogenous(ahead),
        refusals: node.journal.refusals(),
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
