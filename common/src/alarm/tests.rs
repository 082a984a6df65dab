//! Tests of alarms.

use serde_json::{Value, json};

use super::*;
use crate::wire::{NodeStatus, RolesView, VERSION};

#[test]
fn a_system_in_order_has_no_alarm() {
    assert_eq!(of_status(&status(&json!({})), false), Vec::<Alarm>::new());
}

#[test]
fn the_gravest_alarm_is_the_first_and_a_line_has_all_its_parts() {
    let trouble = json!({"what": "stream ROLECAST_RESULTS", "why": "it is missing",
        "remedy": "it is created again", "since_ms": 8000});
    let found = of_status(
        &status(&json!({"troubles": [trouble], "dead_letters": 3, "is_lapsed": true})),
        false,
    );
    let gravities: Vec<Gravity> = found.iter().map(|alarm| alarm.gravity).collect();
    assert_eq!(
        gravities,
        [Gravity::Bad, Gravity::Bad, Gravity::Warning],
        "{found:#?}"
    );
    assert_lines(
        &found,
        &[
            "dispatcher main: it cannot renew its lease: NATS does not answer",
            "stream ROLECAST_RESULTS: it is missing (since 1970-01-01T00:00:08.000Z); it is \
             created again",
            "all categories: 3 dead letters; see rolecast dead ls",
        ],
    );
}

#[test]
fn a_vacant_role_shows_its_cause_once_it_lasts() {
    for (part, why, next) in [
        (
            json!({"offered": 0}),
            "no live node offers it",
            "; start a worker with offers = [\"leader\"]",
        ),
        (
            json!({"failed": "oak", "reason": "hook ended with 3"}),
            "oak could not take it on: hook ended with 3",
            "; see the log of on_role_change on oak",
        ),
        (
            json!({"is_changing": true}),
            "a change is under way in its group",
            "; see rolecast role ls --verbose",
        ),
        (
            json!({"assigned": ["oak"]}),
            "oak should, and do not report to",
            "; see rolecast role ls --verbose",
        ),
        (
            json!({}),
            "none of 2 live nodes that offer it can be given it now",
            "; see rolecast role ls --verbose",
        ),
    ] {
        let vacant = json!({"role": "leader", "wanted": 1, "acting": 0, "since_ms": 1000,
            "offered": 2});
        let vacant = merged(vacant, &part);
        let at =
            |at_ms: u64| of_status(&status(&json!({"at_ms": at_ms, "vacant": [vacant]})), false);
        assert!(at(9_000).is_empty(), "a change takes that long");
        let line =
            format!("role leader: nobody acts in it: {why} (since 1970-01-01T00:00:01.000Z){next}");
        assert_lines(&at(61_000), &[&line]);
    }
}

#[test]
fn a_silent_dispatcher_is_named_with_what_it_did() {
    let found = |state: &str| {
        let other = json!({"name": "d2", "incarnation": "i2", "state": state, "age_ms": 90_000});
        of_status(&status(&json!({"dispatchers": [other]})), false)
    };
    let line = "dispatcher d2: no sign of life for 1m 30s, it led and did not announce its end";
    assert_lines(&found("silent-leader"), &[line]);
    assert!(found("stands-by").is_empty());
}

#[test]
fn trouble_with_nats_is_named_with_the_stream_and_the_server() {
    let stream = |name: &str, part: Value| {
        let stream = json!({"stream": name, "leader": "s1", "messages": 7, "bytes": 10,
            "bytes_max": 1000, "replicas": 3, "answer_us": 500});
        merged(stream, &part)
    };
    let nats = json!({"version": "2.11.4", "server": "s1", "checked_ms": 8000, "streams": [
        stream("ROLECAST_JOBS", json!({"why": "no answer within 2 s"})),
        stream("KV_ROLECAST_CONTROL", json!({"leader": null})),
        stream("ROLECAST_DEAD", json!({"bytes": 95, "bytes_max": 100})),
        stream("ROLECAST_RESULTS", json!({"behind": ["n2"], "answer_us": 700_000})),
        stream("ROLECAST_DECISIONS", json!({"bytes": 99, "bytes_max": 100})),
    ]});
    assert_lines(
        &of_status(&status(&json!({"nats": nats})), false),
        &[
            "NATS: JetStream does not answer; see nats server report jetstream",
            "stream KV_ROLECAST_CONTROL: it has no leader, so nothing is stored",
            "stream ROLECAST_JOBS: no answer within 2 s; its servers may be away",
            "stream ROLECAST_DEAD: it is 95 % full; make room with rolecast dead",
            "NATS server n2: its copies of 1 stream are offline or behind",
            "NATS: it answers slowly: ROLECAST_RESULTS took 700 ms",
        ],
    );
}

#[test]
fn streams_without_a_leader_share_an_alarm_and_their_copies_are_not_judged() {
    let stream = |name: &str, leader: Option<&str>, behind: &[&str]| {
        json!({"stream": name, "leader": leader, "behind": behind, "messages": 7, "bytes": 10,
            "bytes_max": 1000, "replicas": 3, "answer_us": 500})
    };
    let nats = json!({"version": "2.11.4", "server": "s1", "checked_ms": 8000, "round_trip_us": 9,
    "streams": [
        stream("A", None, &["n2"]),
        stream("B", None, &["n2"]),
        stream("C", Some("s1"), &[]),
    ]});
    assert_lines(
        &of_status(&status(&json!({"nats": nats})), false),
        &["2 of 3 streams: without a leader, so nothing is stored: A, B; start its servers"],
    );
}

#[test]
fn each_trouble_of_a_node_has_an_alarm_unless_it_is_gone() {
    let far = json!({"clock_skew_ms": -600_000, "feedback": 2.5, "round_trip_us": 300_000,
        "is_cut": true});
    let found = of_node(&node("oak", &far));
    assert_lines(
        &found,
        &[
            "oak: its clock is 10m behind the dispatcher's; set it",
            "oak: its jobs take 2.5 times as long as predicted; see rolecast node show oak",
            "oak: a message to it and its answer take 300 ms; check",
            "oak: its roles, labels, categories and doubts do not fit one message; name fewer",
        ],
    );
    let gone = node("oak", &merged(far, &json!({"health": "gone"})));
    let line = "oak: gone, last heartbeat 0.3 s ago; see its worker's log and start it again";
    assert_lines(&of_node(&gone), &[line]);
    // At the limits.
    let near = json!({"clock_skew_ms": 2000, "feedback": 1.99, "round_trip_us": 249_000});
    assert_eq!(of_node(&node("oak", &near)), Vec::<Alarm>::new());
}

#[test]
fn nodes_are_ordered_by_their_urgency() {
    let doubt = json!({"category": "ocr", "kind": "unable", "since_ms": 5, "reason": "",
        "failed_in_row": 1, "pause_ms": 1000});
    let parts = [
        json!({"health": "gone"}),
        json!({"health": "draining", "distrusted": [doubt]}),
        json!({"health": "draining", "feedback": 3.0}),
        json!({"health": "draining"}),
        json!({}),
    ];
    let found: Vec<Urgency> = parts
        .iter()
        .map(|part| urgency(&node("oak", part)))
        .collect();
    let expected = [
        Urgency::Gone,
        Urgency::Bad,
        Urgency::Warning,
        Urgency::Draining,
        Urgency::None,
    ];
    assert_eq!(found, expected);
    assert!(found.is_sorted());
}

#[test]
fn many_nodes_share_alarms_unless_all_are_wanted() {
    let mut status = status(&json!({}));
    let gone = (0..40).map(|n| node(&format!("g{n:02}"), &json!({"health": "gone"})));
    let slow = (0..30).map(|n| node(&format!("s{n:02}"), &json!({"feedback": 3.0})));
    status.nodes = gone.chain(slow).collect();
    let found = of_status(&status, false);
    assert_eq!(found.len(), 14, "{found:#?}");
    let line = "40 nodes: gone: g00, g01, g02, g03, g04 and 35 more; see rolecast node ls";
    assert_lines(&found[..1], &[line]);
    let line = "other nodes: 18 more alarms; see rolecast status --all";
    assert_lines(&found[13..], &[line]);
    assert_eq!(of_status(&status, true).len(), 70);
}

#[test]
fn a_change_of_a_role_that_does_not_go_as_planned_is_shown() {
    let change = json!({"role": "leader", "phase": {"promoting": {"node": "oak"}},
        "generation": 7, "why": "election", "began_ms": 1000, "since_ms": 2000,
        "trouble": "oak does not answer"});
    let managed = |offers: &[&str]| json!({"group": "default", "holders_wanted": 1, "acting": [], "offered_by": offers});
    let view = json!({"v": VERSION, "epoch": 3, "roles": {"backup": managed(&[]),
        "leader": managed(&["oak"]), "third": managed(&["oak"])},
        "document": {"v": VERSION, "epoch": 3, "generation": 7, "roles": {"leader": []},
            "changes": {"default": change}}});
    let view: RolesView = serde_json::from_value(view).unwrap();
    let trouble = "role leader: oak does not answer (since 1970-01-01T00:00:02.000Z)";
    assert_lines(&of_changes(&view), &[trouble]);
    assert_lines(
        &of_roles(&view),
        &[
            trouble,
            "role backup: 0 of 1 holders; more nodes must offer it",
            "role third: 0 of 1 holders; see rolecast role history --role third",
        ],
    );
}

/// Compares the start of each line.
fn assert_lines(found: &[Alarm], starts: &[&str]) {
    let lines: Vec<String> = found.iter().map(Alarm::line).collect();
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

fn status(part: &Value) -> Status {
    let status = json!({"v": VERSION, "dispatcher": "main", "epoch": 3, "at_ms": 9000,
        "nodes": [], "roles": [], "categories": [], "counters": {}});
    serde_json::from_value(merged(status, part)).expect("it is a status")
}

fn node(name: &str, part: &Value) -> NodeStatus {
    let node = json!({"node": name, "roles": [], "health": "ready", "heartbeat_age_ms": 300,
        "capacity": {}, "usage": {"total": {}}, "reserved": {}, "jobs": 0, "jobs_max": 4, "feedback": 1.0,
        "completed": 0, "failed": 0});
    serde_json::from_value(merged(node, part)).expect("it is a node")
}

fn merged(mut whole: Value, part: &Value) -> Value {
    for (name, value) in part.as_object().into_iter().flatten() {
        whole[name] = value.clone();
    }
    whole
}
