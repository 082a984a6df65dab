//! Facts about a system in which all is well.

use std::collections::BTreeMap;

use rolecast_common::time::WallTime;
use rolecast_common::wire::{ForecastView, RolesView, Status};
use serde_json::json;

use crate::doctor::facts::{
    Answer, Consumer, Decided, Facts, Found, Instance, JetStream, Lead, Login, Part, Reach, Server,
    Stream, Tier, Times,
};

/// The present, by the server's clock.
pub(super) const NOW: u64 = 1_800_000_000_000;

const STREAMS: [&str; 11] = [
    "ROLECAST_JOBS",
    "ROLECAST_RESULTS",
    "ROLECAST_DEAD",
    "ROLECAST_DECISIONS",
    "ROLECAST_ADVISORIES",
    "KV_ROLECAST_CONTROL",
    "KV_ROLECAST_ATTEMPTS",
    "KV_ROLECAST_CANCELS",
    "KV_ROLECAST_CAPACITY",
    "KV_ROLECAST_ROLES",
    "KV_ROLECAST_FORECASTS",
];

pub(super) fn healthy() -> Facts {
    let streams = STREAMS.map(|name| {
        let stream = Part::Known(Found::Stream(Box::new(stream())));
        (name.to_owned(), stream)
    });
    let consumers = ["high-ocr", "normal-ocr", "low-ocr"];
    Facts {
        reach: Reach::Connected(Box::new(server())),
        login: Part::Known(Login {
            lacks_of_viewer: Vec::new(),
            lacks_of_operator: Vec::new(),
            is_operator: true,
        }),
        account: Part::Known(JetStream::On(vec![tier()])),
        streams: BTreeMap::from(streams),
        consumers: Part::Known(consumers.map(consumer).to_vec()),
        fleet: Part::Known(Answer::Status {
            status: Box::new(status()),
            lead: LEAD,
        }),
        dispatchers: Part::Known(vec![instance("d1", true), instance("d2", false)]),
        roles: Part::Known(roles()),
        forecasts: Part::Known(vec![forecast()]),
        decided: Part::Known(Some(Decided {
            at: WallTime::from_millis(NOW - 3_600_000),
            epoch: serde_json::from_value(json!(7)).unwrap(),
        })),
        letters: Part::Known(BTreeMap::new()),
        config: Some(
            rolecast_dispatcher::config::parse(
                "[categories.ocr]\n[roles.leader]\nholders = 1\n[nodes.\"o*\"]\n",
                "h",
            )
            .unwrap(),
        ),
    }
}

pub(super) const LEAD: Lead = Lead {
    millis: 3,
    unsure_millis: 2,
};

fn server() -> Server {
    Server {
        url: "nats://127.0.0.1:4222".to_owned(),
        name: "s1".to_owned(),
        version: "2.15.1".to_owned(),
        cluster: None,
        max_payload: 1 << 20,
        is_leaving: false,
        lead: Some(LEAD),
    }
}

fn instance(name: &str, is_leader: bool) -> Instance {
    Instance {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        is_leader,
        epoch: is_leader.then(|| serde_json::from_value(json!(7)).unwrap()),
        lead: Some(LEAD),
    }
}

fn tier() -> Tier {
    Tier {
        name: String::new(),
        storage: 1 << 20,
        reserved: 1 << 30,
        streams: 10,
        consumers: 3,
        storage_max: Some(1 << 30),
        streams_max: Some(20),
        consumers_max: Some(100),
    }
}

pub(super) fn stream() -> Stream {
    Stream {
        at: WallTime::from_millis(NOW),
        bytes: 1 << 20,
        max_bytes: Some(1 << 30),
        replicas: 1,
        times: Times {
            created: WallTime::from_millis(NOW - 86_400_000),
            first_write: WallTime::from_millis(NOW - 60_000),
            last_write: WallTime::from_millis(NOW - 200),
        },
        leader: None,
        peers: Vec::new(),
        lead: LEAD,
        changed: Vec::new(),
        hazards: Vec::new(),
        held: BTreeMap::from([("rolecast.jobs.ocr".to_owned(), 2)]),
    }
}

pub(super) fn consumer(name: &str) -> Consumer {
    Consumer {
        name: name.to_owned(),
        source: rolecast_common::subjects::Source::from_consumer(name),
        stranger: None,
        change: None,
        created: WallTime::from_millis(NOW - 60_000),
        pending: 0,
        ack_pending: 1,
        ack_pending_max: 100_000,
        pulls: 1,
        paused: None,
    }
}

fn status() -> Status {
    let gib = 1_u64 << 30;
    let resources =
        |cpu: f64, memory: u64| json!({"cpu": cpu, "memory": memory, "network": 0.0, "disk": 0.0});
    let node = |name: &str| {
        json!({
            "node": name, "roles": ["leader"], "health": "ready", "heartbeat_age_ms": 300,
            "clock_skew_ms": 4, "capacity": resources(4.0, 8 * gib),
            "usage": {"total": resources(1.0, 2 * gib)}, "reserved": resources(0.0, 0),
            "jobs": 1, "jobs_max": 8, "completed": 5, "failed": 0, "labels": {"zone": "eu"}
        })
    };
    let text = json!({
        "v": 1, "dispatcher": "d1", "epoch": 7, "at_ms": NOW, "forecast_mode": "on",
        "dispatchers": [
            {"name": "d1", "incarnation": "i1", "state": "leads", "age_ms": 900, "version": "0.1.0"},
            {"name": "d2", "incarnation": "i2", "state": "stands-by", "age_ms": 1900,
                "version": "0.1.0"}
        ],
        "nodes": [node("oak"), node("orm")],
        "roles": [{"role": "leader", "nodes": 1}],
        "categories": [{
            "category": "ocr", "declared": true, "roles": [], "backlog": 2, "waiting": 1,
            "running": 1, "nodes_eligible": 2, "oldest_ms": 1500, "completed": 5, "retried": 0,
            "dead": 0, "expired": 0, "required": {"zone=eu": 1},
            "profile": {"peak": resources(1.0, gib)}
        }],
        "counters": {}, "dead_letters": 0
    });
    serde_json::from_value(text).unwrap()
}

fn roles() -> RolesView {
    let text = json!({
        "v": 1, "epoch": 7,
        "roles": {"leader": {
            "group": "leader", "holders_wanted": 1, "acting": ["oak"],
            "offered_by": ["oak", "orm"]
        }},
        "document": {"v": 1, "epoch": 7, "generation": 3, "roles": {"leader": ["oak"]}}
    });
    serde_json::from_value(text).unwrap()
}

fn forecast() -> ForecastView {
    let text = json!({
        "v": 1, "node": "oak", "at_ms": NOW, "mode": "on",
        "resources": {"cpu": {
            "capacity": 4.0, "step_s": 10, "history": [], "history_5m": [], "horizons": [],
            "weights": [],
            "accuracy": [{"seconds": 60, "error": 0.2, "naive_error": 0.4, "coverage": 0.9,
                "scored": 5000}]
        }}
    });
    serde_json::from_value(text).unwrap()
}

pub(super) fn change_status(facts: &mut Facts, change: impl FnOnce(&mut Status)) {
    let Part::Known(Answer::Status { status, .. }) = &mut facts.fleet else {
        panic!("a healthy system has a dispatcher");
    };
    change(status);
}

pub(super) fn change_stream(facts: &mut Facts, name: &str, change: impl FnOnce(&mut Stream)) {
    let Some(Part::Known(Found::Stream(stream))) = facts.streams.get_mut(name) else {
        panic!("a healthy system has stream {name}");
    };
    change(stream);
}

pub(super) fn change_consumer(facts: &mut Facts, change: impl FnOnce(&mut Vec<Consumer>)) {
    let Part::Known(consumers) = &mut facts.consumers else {
        panic!("a healthy system has consumers");
    };
    change(consumers);
}

pub(super) fn change_roles(facts: &mut Facts, change: impl FnOnce(&mut RolesView)) {
    let Part::Known(view) = &mut facts.roles else {
        panic!("a healthy system reports its roles");
    };
    change(view);
}

pub(super) fn change_server(facts: &mut Facts, change: impl FnOnce(&mut Server)) {
    let Reach::Connected(server) = &mut facts.reach else {
        panic!("a healthy system is connected");
    };
    change(server);
}

pub(super) fn change_tier(facts: &mut Facts, change: impl FnOnce(&mut Tier)) {
    let Part::Known(JetStream::On(tiers)) = &mut facts.account else {
        panic!("a healthy system has JetStream");
    };
    change(&mut tiers[0]);
}

pub(super) fn change_dispatchers(facts: &mut Facts, change: impl FnOnce(&mut Vec<Instance>)) {
    let Part::Known(dispatchers) = &mut facts.dispatchers else {
        panic!("the dispatchers of a healthy system answer");
    };
    change(dispatchers);
}
