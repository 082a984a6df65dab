//! Pictures for the tests of this crate.

use std::collections::BTreeMap;
use std::sync::Arc;

use rolecast_common::id::{Epoch, NodeId};
use rolecast_common::time::WallTime;
use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::{
    AccuracyAt, CategoryStatus, Decision, ForecastAt, ForecastMode, ForecastView, NodeHealth,
    NodeStatus, PastForecast, PastForecasts, ResourceForecast, RolesView, Status, VERSION,
};
use serde_json::json;

use crate::{Choice, Picture, Standing};

/// A picture of so many nodes in order, with the status alone.
pub(crate) fn picture(count: usize) -> Picture {
    let standing = Standing::Leading {
        epoch: Epoch::new(3),
    };
    let mut picture = Picture::new("main", WallTime::from_millis(90_000), standing);
    picture.status = Some(Arc::new(status(count)));
    picture
}

/// A picture with all its parts.
pub(crate) fn full(count: usize) -> Picture {
    let mut picture = picture(count);
    let status = status(count);
    for second in 0..60 {
        let mut status = status.clone();
        status.at_ms = WallTime::from_millis(second * 1000);
        status.nodes.clear();
        picture.flow.observe(&status);
    }
    for (index, node) in status.nodes.iter().enumerate() {
        let free = [1.0, 0.8, 0.6, 0.3, 0.1][index % 5];
        let cpu = Cores::clamped(node.capacity.cpu.get() * free);
        picture.rooms.insert(
            node.node.clone(),
            Resources {
                cpu,
                ..node.capacity
            },
        );
    }
    for node in status.nodes.iter().take(50) {
        let view = ForecastView {
            node: node.node.clone(),
            ..forecast()
        };
        picture.forecasts.insert(node.node.clone(), Arc::new(view));
    }
    picture.roles = Some(Arc::new(roles()));
    let decision = decision();
    let replayed = decision.node.clone();
    picture.course.decisions = vec![Arc::new(Choice { decision, replayed })];
    picture
}

pub(crate) fn status(count: usize) -> Status {
    let status = json!({"v": VERSION, "dispatcher": "main", "epoch": 3, "at_ms": 90_000,
        "nodes": [], "categories": [], "counters": {}, "roles": [{"role": "web", "nodes": count}],
        "totals": {"nodes": count, "ready": count}});
    let mut status: Status = serde_json::from_value(status).unwrap();
    status.categories = vec![category("ocr")];
    status.nodes = (0..count)
        .map(|index| node(&format!("node-{index:04}")))
        .collect();
    status
}

pub(crate) fn category(name: &str) -> CategoryStatus {
    let category = json!({"category": name, "declared": true, "roles": ["web"], "backlog": 4,
        "waiting": 0, "running": 2, "nodes_eligible": 3, "oldest_ms": 1500, "completed": 12,
        "retried": 1, "dead": 0, "expired": 0, "expected_per_minute": 2.5});
    serde_json::from_value(category).unwrap()
}

pub(crate) fn node(name: &str) -> NodeStatus {
    let capacity = Resources {
        cpu: Cores::clamped(4.0),
        memory: Bytes::from_mib(8192),
        ..Resources::default()
    };
    let number: usize = name.rsplit('-').next().unwrap().parse().unwrap_or(0);
    let node = json!({"node": name, "roles": ["web"], "health": "ready",
        "heartbeat_age_ms": 200, "capacity": capacity, "reserved": {}, "jobs": 1, "jobs_max": 4,
        "labels": {"zone": format!("z{}", number % 3)}, "feedback": 1.0, "completed": 7,
        "failed": 0, "usage": {"total": {"cpu": 1.0, "memory": 1_000_000_000}}});
    serde_json::from_value(node).unwrap()
}

pub(crate) fn forecast() -> ForecastView {
    let at = |seconds, p50: f64| ForecastAt {
        seconds,
        p50,
        p90: p50 + 0.5,
        p99: p50 + 1.0,
        peak_p90: p50 + 0.75,
    };
    let past = |minutes: u32| PastForecast {
        ago_s: minutes * 60,
        p50: 2.0,
        p90: 3.5,
    };
    let accuracy = |seconds| AccuracyAt {
        seconds,
        error: 0.1,
        naive_error: 0.2,
        coverage: 0.91,
        scored: 120,
    };
    let cpu = ResourceForecast {
        capacity: 4.0,
        step_s: 60,
        history: (0..60)
            .map(|minute| 1.0 + 0.5 * f64::from(minute % 7))
            .collect(),
        history_5m: Vec::new(),
        past: Some(PastForecasts {
            ahead_s: 300,
            values: (0..55).rev().map(past).collect(),
        }),
        horizons: vec![
            at(10, 1.5),
            at(60, 1.5),
            at(300, 1.6),
            at(900, 1.7),
            at(1800, 1.7),
            at(3600, 1.8),
        ],
        weights: Vec::new(),
        accuracy: vec![
            accuracy(10),
            accuracy(60),
            accuracy(300),
            accuracy(900),
            accuracy(3600),
        ],
    };
    ForecastView {
        v: VERSION,
        node: NodeId::new("oak").unwrap(),
        at_ms: WallTime::from_millis(9000),
        mode: ForecastMode::On,
        health: Some(NodeHealth::Ready),
        resources: BTreeMap::from([("cpu".to_owned(), cpu)]),
    }
}

pub(crate) fn roles() -> RolesView {
    let past = |from: &str, to: Option<&str>, why: serde_json::Value, at: u64| {
        json!({"group": "default", "role": "leader", "from": from, "to": to, "why": why,
            "result": if to.is_some() { "done" } else { "vacated" }, "began_ms": at,
            "ended_ms": at + 1500, "epoch": 3, "generation": 12})
    };
    let figures = json!({"bottleneck": {"figures": {"benefit_core_s": 41.0}}});
    let view = json!({"v": VERSION, "epoch": 3,
        "roles": {"leader": {"group": "default", "holders_wanted": 1, "acting": [],
            "offered_by": ["node-0000"]}},
        "document": {"v": VERSION, "epoch": 3, "generation": 12, "roles": {"leader": []},
            "history": [past("node-0000", Some("node-0001"), figures, 10_000),
                past("node-0001", None, json!("holder_gone"), 60_000)]}});
    serde_json::from_value(view).unwrap()
}

pub(crate) fn decision() -> Decision {
    let best = json!({"node": "node-0001", "cost": 1.2, "slow_down": 1.1, "chance": 7,
        "role_rank": 0, "heartbeat_age_ms": 300, "capacity": [4.0, 8e9, 0.0, 0.0],
        "present": [0.5, 0.0, 0.0, 0.0], "ahead": vec![[0.0; 4]; 6], "reserved": [1.0, 0.0, 0.0, 0.0],
        "speed": 1.0, "feedback": 1.0, "round_trip_s": 0.0});
    let decision = json!({"v": VERSION, "job": "j1", "category": "ocr", "at_ms": 9000, "epoch": 3,
        "waited_ms": 120, "key": 42, "is_forecast": true, "priority_share": 0.5, "needs": {},
        "verdict": "sent", "node": "node-0001", "considered": 3, "refusals": {}, "best": [best]});
    serde_json::from_value(decision).unwrap()
}
