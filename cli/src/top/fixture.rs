//! Small fleet for the tests of the live view.

use rolecast_common::wire::{CapacityMap, Decision, ForecastView, JobList, RolesView, Status};
use serde_json::{Value, from_value, json};

/// Two nodes, one of them gone, and two categories.
pub(super) fn status() -> Status {
    from_value(json!({
        "v": 1,
        "dispatcher": "main",
        "epoch": 3,
        "at_ms": 9000,
        "forecast_mode": "on",
        "totals": { "nodes": 2, "ready": 1, "gone": 1, "categories": 2, "roles": 1, "jobs": 1 },
        "nodes": [
            node("elm", "gone", 0.0),
            node("oak", "ready", 1.0),
        ],
        "roles": [{ "role": "leader", "nodes": 1 }],
        "categories": [category("ocr", 3, 1), category("scale", 0, 2)],
        "counters": {},
        "dead_letters": 0,
    }))
    .unwrap()
}

pub(super) fn node(name: &str, health: &str, cpu: f64) -> Value {
    json!({
        "node": name,
        "roles": ["leader"],
        "health": health,
        "heartbeat_age_ms": 300,
        "labels": { "zone": "eu" },
        "capacity": { "cpu": 2.0, "memory": 2 << 20 },
        "usage": { "total": { "cpu": cpu, "memory": 1 << 20 } },
        "reserved": { "cpu": 0.5 },
        "jobs": 1,
        "jobs_max": 4,
        "completed": 12,
        "failed": 0,
    })
}

fn category(name: &str, backlog: u64, nodes: u32) -> Value {
    json!({
        "category": name,
        "declared": true,
        "roles": ["leader"],
        "backlog": backlog,
        "waiting": 2,
        "running": 1,
        "nodes_eligible": nodes,
        "oldest_ms": 1500,
        "completed": 12,
        "retried": 0,
        "dead": 0,
        "expired": 0,
        "expected_per_minute": 2.5,
    })
}

pub(super) fn capacity() -> CapacityMap {
    let free = json!({ "cpu": 1.25 });
    from_value(json!({
        "v": 1,
        "at_ms": 9000,
        "epoch": 3,
        "mode": "on",
        "quantile": 0.9,
        "roles": { "leader": { "nodes": 1, "horizons": [{
            "seconds": 60,
            "available": { "likely": free, "safe": free },
            "nodes": [{ "node": "oak", "available": free }],
            "demand": { "cpu": 2.0 },
            "shortage": { "cpu": 0.75 },
        }] } },
    }))
    .unwrap()
}

pub(super) fn roles() -> RolesView {
    from_value(json!({
        "v": 1,
        "epoch": 3,
        "roles": { "leader": {
            "group": "pair",
            "holders_wanted": 1,
            "acting": ["oak"],
            "offered_by": ["elm", "oak"],
        } },
        "document": { "v": 1, "epoch": 3, "generation": 7, "roles": { "leader": ["oak"] } },
    }))
    .unwrap()
}

pub(super) fn forecast() -> ForecastView {
    let cpu = json!({
        "capacity": 2.0,
        "step_s": 60,
        "history": [0.5, 0.5, 1.0],
        "history_5m": [],
        "horizons": [
            { "seconds": 60, "p50": 1.0, "p90": 1.5, "p99": 1.75, "peak_p90": 1.6 },
            { "seconds": 3600, "p50": 1.0, "p90": 1.5, "p99": 1.75, "peak_p90": 1.6 },
        ],
        "weights": [],
        "accuracy": [],
    });
    from_value(json!({
        "v": 1,
        "node": "oak",
        "at_ms": 9000,
        "mode": "on",
        "health": "ready",
        "resources": { "cpu": cpu },
    }))
    .unwrap()
}

/// A job that waits, and one that runs.
pub(super) fn jobs() -> JobList {
    from_value(json!({
        "v": 1,
        "at_ms": 9000,
        "jobs": [
            {
                "job": "j9",
                "sequence": 9,
                "category": "ocr",
                "state": "waiting",
                "submitted_ms": 7000,
                "since_ms": 2000,
                "reason": "no room",
            },
            {
                "job": "j2",
                "sequence": 7,
                "category": "ocr",
                "state": "running",
                "node": "oak",
                "submitted_ms": 7000,
                "since_ms": 1500,
                "failed": 1,
                "progress": { "done": 0.4, "text": "page 3 of 8", "since_ms": 8000 },
            },
        ],
        "totals": { "waiting": 1, "running": 1 },
    }))
    .unwrap()
}

pub(super) fn decision(job: &str, at_ms: u64) -> Decision {
    let figures = json!([0.5, 0.0, 0.0, 0.0]);
    from_value(json!({
        "v": 1,
        "job": job,
        "category": "ocr",
        "at_ms": at_ms,
        "epoch": 3,
        "waited_ms": 120,
        "is_forecast": true,
        "priority_share": 0.5,
        "needs": { "average": [1.0, 0.0, 0.0, 0.0], "duration_s": 0.5 },
        "verdict": "sent",
        "node": "oak",
        "considered": 2,
        "refusals": { "gone": 1 },
        "best": [{
            "node": "oak",
            "cost": 1.2,
            "slow_down": 1.1,
            "chance": 7,
            "role_rank": 0,
            "heartbeat_age_ms": 300,
            "capacity": [2.0, 0.0, 0.0, 0.0],
            "present": figures,
            "ahead": [figures, figures, figures, figures, figures, figures],
            "reserved": figures,
            "speed": 1.0,
            "feedback": 1.0,
            "round_trip_s": 0.001,
        }],
    }))
    .unwrap()
}
