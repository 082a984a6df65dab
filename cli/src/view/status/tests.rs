//! Tests of the status page.

use std::collections::BTreeMap;

use rolecast_common::id::{Category, Epoch, NodeId, Role};
use rolecast_common::label::Labels;
use rolecast_common::time::WallTime;
use rolecast_common::unit::{Bytes, Cores, Resources, Speed};
use rolecast_common::wire::{
    Counters, DispatcherState, DispatcherStatus, Distrust, DistrustKind, ForecastMode, NatsStatus,
    NodeHealth, ProfileView, RefusedSender, RoleStatus, StreamStatus, Totals, Trouble, Usage,
    VERSION,
};

use super::*;

#[test]
fn a_healthy_system_needs_no_attention() {
    let status = status();
    assert_eq!(lines_of(&status), Vec::<String>::new());
    let text = page(&status, false, Palette::PLAIN);
    let expected = "\
dispatcher main, epoch 3, forecasts advisory, 1970-01-01T00:00:09.000Z; standing by: d2
nats 2.11.4 answers in 0.41 ms, 1 stream, 3 copies
1 node: 1 ready; 1 of 4 slots taken, cpu 0.50/2.00, memory 1.0 MiB/2.0 MiB
all is well

NODE  ROLES          HEALTH        CPU           MEMORY  JOBS  ROUND TRIP  FEEDBACK  HEARTBEAT  FAILED
oak   leader,backup  ready   0.50/2.00  1.0 MiB/2.0 MiB   1/4     0.25 ms      1.00  0.3 s ago       0

CATEGORY  ROLES   BACKLOG  WAITING  RUNNING  EXPECTED  NODES  OLDEST  COMPLETED
ocr       leader        3        2        1   2.5/min      1   1.5 s         12
";
    assert_eq!(text, expected);
}

#[test]
fn what_needs_attention_is_shown() {
    let mut status = status();
    let mut gone = status.nodes[0].clone();
    gone.node = NodeId::new("ash").unwrap();
    gone.health = NodeHealth::Gone;
    status.nodes.push(gone);
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
    let lines = text_of(&status);
    for part in [
        "ocr: 3 jobs and no ready node that may run them (roles: leader)",
        "role leader: 1.50 cores short within 15m for the jobs expected, on 1 node",
        "ash: gone, last heartbeat 0.3 s ago; see its worker's log and start it again",
        "oak: its clock is 10m behind the dispatcher's",
        "oak: fails jobs of ocr that others complete; one is tried every 4.00 s; the last: exit \
             code 1 (since 1970-01-01T00:00:02.000Z); see rolecast node show oak",
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
    let lines = lines_of(&status);
    assert_eq!(
        lines[0],
        "stream ROLECAST_RESULTS: it is missing (since 1970-01-01T00:00:08.000Z); it is created again"
    );
    status.categories[0].nodes_eligible = 1;
    status.categories[0].late = true;
    let lines = text_of(&status);
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
    let lines = text_of(&status);
    assert!(
        lines.starts_with("ocr: 3 jobs and no node runs ocr; "),
        "{lines}"
    );
    let gone = ("gone".to_owned(), 2);
    status.categories[0].obstacles.extend([gone]);
    let lines = text_of(&status);
    assert!(
        lines.contains("(roles: any): 2 gone, 1 not running it; see rolecast explain --dry-run"),
        "{lines}"
    );
    status.nodes.clear();
    let lines = text_of(&status);
    let expected = "ocr: 3 jobs and no node is known; start rolecast-worker";
    assert_eq!(lines, expected);
}

#[test]
fn dead_letters_are_those_in_the_stream() {
    let mut status = status();
    // Since it leads, this dispatcher dead-lettered some that were purged, or none.
    status.categories[0].dead = 7;
    assert_eq!(lines_of(&status), Vec::<String>::new());
    status.categories[0].dead = 0;
    status.categories[0].dead_letters = Some(1);
    status.dead_letters = Some(3);
    let expected = [
        "ocr: 1 dead letter; see rolecast dead ls --category ocr",
        "other categories: 2 dead letters; see rolecast dead ls",
    ];
    assert_eq!(lines_of(&status), expected);
    assert!(page(&status, false, Palette::PLAIN).contains("RETRIED  EXPIRED  DEAD LETTERS"));
    status.categories[0].dead_letters = None;
    assert_eq!(
        lines_of(&status),
        ["all categories: 3 dead letters; see rolecast dead ls"]
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
        "other senders: 1 message refused; the dispatcher's log has the reasons",
    ];
    assert_eq!(lines_of(&status), expected);
    status.refused.clear();
    let expected = ["senders: 10 messages refused; the dispatcher's log has the reasons"];
    assert_eq!(lines_of(&status), expected);
}

#[test]
fn a_dispatcher_that_cannot_do_its_work_reports_it_first() {
    let mut status = status();
    assert!(is_in_order(&status));
    status.is_lapsed = true;
    assert!(!is_in_order(&status));
    let lines = lines_of(&status);
    assert!(lines[0].contains("cannot renew its lease"), "{lines:?}");
    status.is_lapsed = false;
    status.unread = Some("no answer within 2s".to_owned());
    assert!(!is_in_order(&status));
    let lines = lines_of(&status);
    assert!(
        lines[0].ends_with("missing: no answer within 2s; see nats stream report"),
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
fn of_a_large_fleet_each_role_and_the_nodes_with_trouble_have_a_line() {
    let mut status = status();
    let usual = status.nodes[0].clone();
    let named = |n: u32| NodeStatus {
        node: NodeId::new(&format!("n{n:05}")).unwrap(),
        ..usual.clone()
    };
    status.nodes = (0..10_000).map(named).collect();
    let text = page(&status, false, Palette::PLAIN);
    let row = "leader  10000         0     0  5000.00/20000.00  9.8 GiB/19.5 GiB  10000/40000";
    assert!(text.contains(row), "{text}");
    assert!(text.contains("\nall is well\n"), "{text}");
    assert!(text.lines().count() < 15, "{text}");
    for node in &mut status.nodes[2500..2580] {
        node.health = NodeHealth::Gone;
    }
    status.nodes[9999].health = NodeHealth::Draining;
    status.nodes[7].feedback = 2.5;
    let text = page(&status, false, Palette::PLAIN);
    for part in [
        "10000 nodes: 9919 ready, 1 draining, 80 gone; ",
        "! n00007: its jobs take 2.5 times as long as predicted; see rolecast node show n00007",
        "! 80 nodes: gone: n02500, n02501, n02502, n02503, n02504 and 75 more; see rolecast node ls",
        "\nn02500  ",
        "\nn02509  ",
        "10 of 82 nodes with trouble; --all shows all nodes",
    ] {
        assert!(text.contains(part), "{part:?} not in {text}");
    }
    assert!(text.lines().count() < 50, "{text}");
    let text = page(&status, true, Palette::PLAIN);
    assert!(text.contains("\nn01500") && text.contains("! n02579: gone"));
    assert!(!text.contains("--all") && !text.contains("n02500, "));
    // A fleet that is small enough to read is listed by name.
    status.nodes.truncate(20);
    status.nodes[19].health = NodeHealth::Gone;
    let text = page(&status, false, Palette::PLAIN);
    assert!(text.find("\nn00000") < text.find("\nn00019"));
    assert!(!text.contains("with trouble"));
}

#[test]
fn a_calm_status_of_five_nodes_fits_a_screen() {
    let mut status = status();
    status.nodes = vec![status.nodes[0].clone(); 5];
    status.categories = vec![category(); 5];
    let text = page(&status, false, Palette::PLAIN);
    assert!(text.lines().count() <= 24, "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 110),
        "{text}"
    );
}

#[test]
fn of_many_categories_those_with_jobs_are_shown() {
    let mut status = status();
    let named = |n: u32| CategoryStatus {
        category: Category::new(&format!("c{n:03}")).unwrap(),
        backlog: u64::from(n == 77),
        ..category()
    };
    status.categories = (0..100).map(named).collect();
    let text = page(&status, false, Palette::PLAIN);
    assert!(
        text.contains("\nc077") && !text.contains("\nc050"),
        "{text}"
    );
    assert!(text.contains("80 more, without jobs"), "{text}");
    assert!(page(&status, true, Palette::PLAIN).contains("\nc050"));
}

/// Returns the lines above the lists.
fn lines_of(status: &Status) -> Vec<String> {
    let alarms = of_status(status, false);
    alarms.iter().map(Alarm::line).collect()
}

fn text_of(status: &Status) -> String {
    lines_of(status).join("\n")
}

pub(in crate::view) fn status() -> Status {
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
        dispatchers: vec![DispatcherStatus {
            name: "d2".to_owned(),
            incarnation: "i2".to_owned(),
            state: DispatcherState::StandsBy,
            age_ms: 300,
            version: "0.1.0".to_owned(),
            page: String::new(),
        }],
        nats: Some(nats()),
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
        cancelled: 0,
        profile: ProfileView::default(),
        expected_per_minute: Some(2.5),
        obstacles: BTreeMap::new(),
        required: BTreeMap::new(),
        dead_letters: Some(0),
        is_cut: false,
    }
}

fn nats() -> NatsStatus {
    NatsStatus {
        version: "2.11.4".to_owned(),
        server: "s1".to_owned(),
        checked_ms: WallTime::from_millis(8000),
        round_trip_us: Some(410),
        streams: vec![stream("ROLECAST_JOBS")],
    }
}

fn stream(name: &str) -> StreamStatus {
    StreamStatus {
        stream: name.to_owned(),
        leader: Some("s1".to_owned()),
        messages: 7,
        bytes: 10,
        bytes_max: 1000,
        replicas: 3,
        behind: Vec::new(),
        answer_us: Some(500),
        why: String::new(),
    }
}
