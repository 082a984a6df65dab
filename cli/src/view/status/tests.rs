//! Tests of the status page.

use std::collections::BTreeMap;

use rolecast_common::id::{Category, Epoch, NodeId};
use rolecast_common::label::Labels;
use rolecast_common::time::WallTime;
use rolecast_common::unit::{Bytes, Cores, Resources, Speed};
use rolecast_common::wire::{
    Counters, Distrust, DistrustKind, ForecastMode, ProfileView, RefusedSender, RoleStatus, Totals,
    Trouble, Usage, VERSION,
};

use super::*;

#[test]
fn a_healthy_system_needs_no_attention() {
    let status = status();
    assert_eq!(attention(&status, false), Vec::<String>::new());
    let text = page(&status, false, Palette::PLAIN);
    let expected = "\
dispatcher main, epoch 3, forecasts advisory, 1970-01-01T00:00:09.000Z

NODE  ROLES          HEALTH        CPU           MEMORY  JOBS  RESERVED CPU  RESERVED MEMORY  HEARTBEAT  COMPLETED  FAILED
oak   leader,backup  ready   0.50/2.00  1.0 MiB/2.0 MiB   1/4          1.00              0 B  0.3 s ago         12       0

CATEGORY  ROLES   BACKLOG  WAITING  RUNNING  EXPECTED  NODES  OLDEST  COMPLETED  RETRIED  EXPIRED  DEAD LETTERS
ocr       leader        3        2        1   2.5/min      1   1.5 s         12        0        0             0
";
    assert_eq!(text, expected);
}

#[test]
fn what_needs_attention_is_shown() {
    let mut status = status();
    status.nodes[0].health = NodeHealth::Gone;
    status.nodes[0].clock_skew_ms = Some(-600_000);
    status.categories[0].nodes_eligible = 0;
    status.roles[0].shortage.cpu = Cores::clamped(1.5);
    status.roles[0].at_horizon_s = Some(900);
    status.nodes[0].distrusted.push(Distrust {
        category: Category::new("ocr").unwrap(),
        kind: DistrustKind::Failing,
        since_ms: WallTime::from_millis(2000),
        reason: "exit code 1".to_owned(),
        failed_in_row: 5,
        pause_ms: 4000,
    });
    let lines = attention(&status, false).join("\n");
    for part in [
        "ocr: 3 jobs and no ready node that may run them (roles: leader)",
        "role leader (1 node): 1.50 cores short within 15m for the jobs expected",
        "oak: gone, last heartbeat 0.3 s ago",
        "oak: its clock is 10m behind the dispatcher's",
        "oak fails jobs of ocr that others complete, since 1970-01-01T00:00:02.000Z; one is \
             tried every 4.00 s; the last: exit code 1",
    ] {
        assert!(lines.contains(part), "{part:?} not in {lines}");
    }
    status.troubles.push(Trouble {
        what: "stream ROLECAST_RESULTS".to_owned(),
        why: "it is missing".to_owned(),
        remedy: "it is created again".to_owned(),
        since_ms: WallTime::from_millis(8000),
        count: 2,
    });
    let lines = attention(&status, false);
    assert_eq!(
        lines[0],
        "stream ROLECAST_RESULTS: it is missing (since 1970-01-01T00:00:08.000Z); it is created again"
    );
    status.categories[0].nodes_eligible = 1;
    status.categories[0].late = true;
    let lines = attention(&status, false).join("\n");
    assert!(lines.contains("ocr: jobs wait long"), "{lines}");
    assert!(page(&status, false, Palette::new(true)).contains("\x1b["));
    assert!(!page(&status, false, Palette::PLAIN).contains('\x1b'));
}

#[test]
fn why_nobody_runs_a_category_is_shown() {
    let mut status = status();
    let category = &mut status.categories[0];
    category.nodes_eligible = 0;
    category.roles = Vec::new();
    category.obstacles = [("not running it".to_owned(), 1)].into();
    let lines = attention(&status, false).join("\n");
    assert!(
        lines.starts_with("ocr: 3 jobs and no node runs ocr; "),
        "{lines}"
    );
    let gone = ("gone".to_owned(), 2);
    status.categories[0].obstacles.extend([gone]);
    let lines = attention(&status, false).join("\n");
    assert!(
        lines.ends_with("(roles: any): 2 gone, 1 not running it"),
        "{lines}"
    );
    status.nodes.clear();
    let lines = attention(&status, false).join("\n");
    assert_eq!(lines, "ocr: 3 jobs and no node is known");
}

#[test]
fn dead_letters_are_those_in_the_stream() {
    let mut status = status();
    // Since it leads, this dispatcher dead-lettered some that were purged, or none.
    status.categories[0].dead = 7;
    assert_eq!(attention(&status, false), Vec::<String>::new());
    status.categories[0].dead = 0;
    status.categories[0].dead_letters = Some(1);
    status.dead_letters = Some(3);
    let expected = [
        "ocr: 1 dead letter; see rolecast dead ls --category ocr",
        "2 dead letters of other categories; see rolecast dead ls",
    ];
    assert_eq!(attention(&status, false), expected);
    assert!(page(&status, false, Palette::PLAIN).contains("EXPIRED  DEAD LETTERS"));
    status.categories[0].dead_letters = None;
    assert_eq!(
        attention(&status, false),
        ["3 dead letters; see rolecast dead ls"]
    );
}

#[test]
fn whose_messages_were_refused_is_shown_with_the_reason() {
    let mut status = status();
    let sender = |from: &str, count, why: &str| RefusedSender {
        from: from.to_owned(),
        count,
        why: why.to_owned(),
        at_ms: WallTime::from_millis(8000),
    };
    status.refused = vec![
        sender("oak", 6, "its sequence is\nnot above the last accepted one"),
        sender("rolecast.heartbeat.elm", 1, "message ends too early"),
        sender("rolecast.done.elm.batch", 2, "message is not a map"),
    ];
    status.counters.heartbeats_refused = 7;
    status.counters.outcomes_malformed = 3;
    let expected = [
        "oak: 6 heartbeats refused, the last 1.0 s ago: its sequence is not above the last \
             accepted one",
        "elm: 1 heartbeat refused, the last 1.0 s ago: message ends too early",
        "rolecast.done.elm.batch: 2 outcomes refused, the last 1.0 s ago: message is not a \
             map",
        "1 more message refused; the dispatcher's log has the reasons",
    ];
    assert_eq!(attention(&status, false), expected);
    status.refused.clear();
    let expected = ["10 messages refused; the dispatcher's log has the reasons"];
    assert_eq!(attention(&status, false), expected);
}

#[test]
fn a_dispatcher_that_cannot_do_its_work_reports_it_first() {
    let mut status = status();
    assert!(is_in_order(&status));
    status.is_lapsed = true;
    assert!(!is_in_order(&status));
    let lines = attention(&status, false);
    assert!(lines[0].contains("cannot renew its lease"), "{lines:?}");
    status.is_lapsed = false;
    status.unread = Some("no answer within 2s".to_owned());
    assert!(!is_in_order(&status));
    let lines = attention(&status, false);
    assert!(
        lines[0].ends_with("missing: no answer within 2s"),
        "{lines:?}"
    );
}

#[test]
fn a_node_without_a_role_has_none() {
    let mut status = status();
    status.nodes[0].roles.clear();
    let text = page(&status, false, Palette::PLAIN);
    assert!(text.contains("oak   none   ready"), "{text}");
    assert!(!text.contains("any"), "{text}");
}

#[test]
fn of_a_large_fleet_those_with_trouble_are_shown_and_the_rest_is_counted() {
    let mut status = status();
    let usual = status.nodes[0].clone();
    let named = |n: u32| NodeStatus {
        node: NodeId::new(&format!("n{n:04}")).unwrap(),
        ..usual.clone()
    };
    status.nodes = (0..3000).map(named).collect();
    for node in &mut status.nodes[2500..2580] {
        node.health = NodeHealth::Gone;
    }
    status.nodes[2999].health = NodeHealth::Draining;
    let text = page(&status, false, Palette::PLAIN);
    for part in [
        "\nn2500",
        "\nn2579",
        "\nn2999",
        "\nn0018",
        "3000 nodes, 2919 ready, 1 draining, 80 gone; 100 are shown, those with trouble first",
        "! n2549: gone",
        "! 30 more lines about nodes; --nodes shows all",
    ] {
        assert!(text.contains(part), "{part:?} not in {text}");
    }
    assert!(
        !text.contains("n0019") && !text.contains("n2550: gone"),
        "{text}"
    );
    let text = page(&status, true, Palette::PLAIN);
    assert!(text.contains("\nn1500") && text.contains("! n2579: gone"));
    assert!(!text.contains("--nodes"));
    // A fleet that is small enough to read keeps its order.
    status.nodes.truncate(100);
    status.nodes[99].health = NodeHealth::Gone;
    let text = page(&status, false, Palette::PLAIN);
    assert!(text.find("\nn0000") < text.find("\nn0099"));
    assert!(!text.contains("are shown"));
}

fn status() -> Status {
    let resources = |cpu: f64, mib: u64| Resources {
        cpu: Cores::clamped(cpu),
        memory: Bytes::from_mib(mib),
        ..Resources::default()
    };
    let role = |name: &str| Role::new(name).unwrap();
    Status {
        v: VERSION,
        dispatcher: "main".to_owned(),
        epoch: Epoch::new(3),
        at_ms: WallTime::from_millis(9000),
        forecast_mode: ForecastMode::Advisory,
        totals: Totals::default(),
        roles: vec![RoleStatus {
            role: role("leader"),
            nodes: 1,
            shortage: Resources::default(),
            at_horizon_s: None,
        }],
        nodes: vec![NodeStatus {
            node: NodeId::new("oak").unwrap(),
            roles: vec![role("leader"), role("backup")],
            health: NodeHealth::Ready,
            heartbeat_age_ms: 300,
            round_trip_us: Some(250),
            clock_skew_ms: None,
            labels: Labels::default(),
            categories: Vec::new(),
            speed: Speed::default(),
            learned_speed: 1.0,
            feedback: 1.0,
            capacity: resources(2.0, 2),
            usage: Usage {
                total: resources(0.5, 1),
                ..Usage::default()
            },
            reserved: resources(1.0, 0),
            jobs: 1,
            jobs_max: 4,
            sent: 0,
            advised: 0,
            diverted: 0,
            completed: 12,
            failed: 0,
            distrusted: Vec::new(),
            is_cut: false,
        }],
        categories: vec![category()],
        counters: Counters::default(),
        dispatchers: Vec::new(),
        nats: None,
        vacant: Vec::new(),
        troubles: Vec::new(),
        is_lapsed: false,
        unread: None,
        dead_letters: Some(0),
        refused: Vec::new(),
        next: None,
    }
}

pub(in crate::view) fn category() -> CategoryStatus {
    CategoryStatus {
        category: Category::new("ocr").unwrap(),
        declared: true,
        roles: vec![Role::new("leader").unwrap()],
        backlog: 3,
        waiting: 2,
        running: 1,
        nodes_eligible: 1,
        oldest_ms: Some(1500),
        late: false,
        completed: 12,
        retried: 0,
        dead: 0,
        expired: 0,
        profile: ProfileView::default(),
        expected_per_minute: Some(2.5),
        obstacles: BTreeMap::new(),
        required: BTreeMap::new(),
        dead_letters: Some(0),
        is_cut: false,
    }
}
