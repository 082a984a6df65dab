//! Published events: each kind that can be made to happen, their form, and their bounds.
//!
//! The kinds of placement (`placement.diverted`, `placement.advised`) need minutes of load
//! that is foreseen, `role.limited` and `role.overloaded` a fleet under load, `node.epoch_ahead`
//! and `role.claimed` a worker that breaks the protocol, `node.distrusted`, `node.unable` and
//! `node.trusted` a history of failures, `trouble.lasts` and `trouble.over` a long outage: the
//! unit tests beside the catalogue make these.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::stream::DiscardPolicy;
use rolecast_common::subjects::{self, STREAM_EVENTS, STREAM_JOBS};
use rolecast_common::time::WallTime;
use rolecast_common::wire::Status;
use rolecast_dispatcher::events::catalogue;
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::jobs::headers;
use rolecast_tests::process::{Process, program, repository};
use rolecast_tests::server::Server;
use rolecast_tests::wait::{wait_for, wait_until};
use serde_json::Value;

const DISPATCHER: &str = r#"
[roles.leader]
holders = 1
[roles.follower]
[roles.gpu]
[categories.wait]
cpu = 0.01
[categories.fail]
cpu = 0.01
max_attempts = 1
[categories.gpu]
cpu = 0.01
roles = ["gpu"]
"#;

const WORKER: &str = r#"
roles = ["follower"]
offers = ["leader"]
usage_scope = "process"
max_jobs = 4
on_role_change = ["true"]
[capacity]
cpu = 4
memory = "4GiB"
[categories.wait]
command = ["xargs", "sleep"]
[categories.fail]
command = ["false"]
[categories.gpu]
command = ["true"]
"#;

/// Returns the events as a viewer sees them; `None` if nobody answers.
async fn events(cluster: &Cluster, more: &[&str]) -> Option<Vec<Value>> {
    let arguments = [&["events", "--since", "1d", "--json"], more].concat();
    let (output, code) = cluster.rolecast_as("viewer", &arguments).await;
    let read = |line: &str| serde_json::from_str(line).expect("each line is an event");
    (code == 0).then(|| output.lines().map(read).collect())
}

/// Waits until there are events of all these kinds.
async fn wait_kinds(cluster: &Cluster, kinds: &[&str]) -> Vec<Value> {
    let what = format!("events of {kinds:?}");
    wait_for(&what, LIMIT, async || {
        let events = events(cluster, &[]).await?;
        let found: BTreeSet<&str> = events.iter().filter_map(kind).collect();
        kinds
            .iter()
            .all(|kind| found.contains(kind))
            .then_some(events)
    })
    .await
}

fn kind(event: &Value) -> Option<&str> {
    event["type"].as_str()?.strip_prefix("rolecast.")
}

/// Returns the only or first event of this kind.
fn first<'a>(events: &'a [Value], of: &str) -> &'a Value {
    let found = events.iter().find(|event| kind(event) == Some(of));
    found.expect("there is one")
}

/// Checks the attributes that CloudEvents 1.0 requires, and ours.
fn check(events: &[Value]) {
    let mut ids = BTreeSet::new();
    for event in events {
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["datacontenttype"], "application/json");
        let text = |name: &str| event[name].as_str().filter(|text| !text.is_empty());
        for name in ["id", "source", "type", "subject", "time", "severity"] {
            assert!(text(name).is_some(), "{name} of {event}");
        }
        assert!(ids.insert((text("source"), text("id"))), "twice: {event}");
        assert!(event["data"]["message"].is_string(), "{event}");
        let time = text("time").expect("it has one");
        assert!(WallTime::parse(time).is_some(), "{event}");
        let shown = catalogue().contains(&format!("### {}\n", kind(event).expect("a kind")));
        assert!(shown, "{event}");
    }
}

#[test]
fn the_document_has_the_catalogue_of_the_code() {
    let path = repository().join("docs/events.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (_, shown) = document.split_once("## Catalogue\n\n").unwrap();
    let made = catalogue();
    for (shown, made) in shown.lines().zip(made.lines()) {
        assert_eq!(shown, made, "docs/events.md is not:\n{made}");
    }
    assert_eq!(shown, made);
}

#[tokio::test]
async fn nodes_roles_jobs_troubles_and_the_lease_are_published() {
    let mut cluster = Cluster::on(Server::start().await, DISPATCHER).await;
    // The first is published although its stream is created after it.
    wait_kinds(&cluster, &["lease.taken", "role.vacant"]).await;
    for node in ["n1", "n2"] {
        cluster.add_worker(node, WORKER);
    }
    cluster.wait_ready(&["n1", "n2"]).await;
    let begun = [
        "node.joined",
        "role.changing",
        "role.changed",
        "role.filled",
    ];
    let events = wait_kinds(&cluster, &begun).await;
    assert_eq!(first(&events, "lease.taken")["data"]["epoch"], 1);
    assert_eq!(first(&events, "role.changed")["subject"], "leader");
    cluster.submit("gpu", "nowhere", "").await;
    cluster.submit("fail", "fails", "").await;
    cluster.submit("unheard-of", "stray", "").await;
    let garbage = cluster
        .client()
        .publish("rolecast.heartbeat.n1", "x".into());
    garbage.await.unwrap();
    let jetstream = cluster.jetstream();
    jetstream
        .delete_stream("ROLECAST_ADVISORIES")
        .await
        .unwrap();
    let now = [
        "category.unplaceable",
        "job.dead",
        "category.found",
        "message.refused",
        "trouble.began",
    ];
    let events = wait_kinds(&cluster, &now).await;
    let dead = first(&events, "job.dead");
    assert_eq!(
        (&dead["subject"], &dead["data"]["status"]),
        (&"fails".into(), &"dead".into())
    );
    let trouble = first(&events, "trouble.began");
    assert_eq!(trouble["subject"], "stream ROLECAST_ADVISORIES");
    cluster.submit("wait", "long", "60").await;
    cluster.wait_running(1).await;
    for node in ["n1", "n2"] {
        cluster.worker(node).kill();
    }
    let gone = ["node.many_missing", "node.gone", "job.lost"];
    wait_kinds(&cluster, &gone).await;
    cluster.add_skewed_worker("n3", WORKER, 600);
    let gpu = WORKER.replace("\"follower\"", "\"gpu\"");
    cluster.add_worker("n4", &gpu);
    let better = ["category.placeable", "node.clock_skewed"];
    wait_kinds(&cluster, &better).await;
    cluster.submit("wait", "last", "60").await;
    cluster.wait_running(1).await;
    cluster.worker("n3").terminate();
    let events = wait_kinds(&cluster, &["node.draining"]).await;
    check(&events);
}

#[tokio::test]
async fn the_lease_is_published_and_nothing_of_a_standby() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    wait_kinds(&cluster, &["node.joined"]).await;
    let second = cluster.second_dispatcher();
    wait_until("the second stands by", LIMIT, async || {
        let log = second.log();
        log.contains("standing_by") && log.contains("node_joined")
    })
    .await;
    cluster.dispatcher().terminate();
    let events = wait_kinds(&cluster, &["lease.lost"]).await;
    check(&events);
    let lost = first(&events, "lease.lost");
    assert_eq!(lost["data"]["epoch"], 1);
    let taken = wait_for("the second has published", LIMIT, async || {
        let taken = self::events(&cluster, &["--kind", "lease.taken"]).await?;
        (taken.len() == 2).then_some(taken)
    })
    .await;
    assert_eq!(taken[1]["data"]["epoch"], 2);
    // It has seen the node too, while it stood by.
    let joined = self::events(&cluster, &["--kind", "node.joined"]).await;
    let joined = joined.unwrap_or_default();
    assert_eq!(joined.len(), 1, "{joined:#?}");
}

#[tokio::test]
async fn a_late_category_and_a_queue_that_was_created_again_are_published() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.submit("gpu", "nowhere", "").await;
    let events = wait_kinds(&cluster, &["category.late"]).await;
    let late = first(&events, "category.late");
    assert_eq!(late["severity"], "warning");
    assert!(late["data"]["waited_s"].as_u64() >= Some(10), "{late}");
    cluster
        .jetstream()
        .delete_stream(STREAM_JOBS)
        .await
        .unwrap();
    let events = wait_kinds(&cluster, &["queue.recreated"]).await;
    check(&events);
    assert_eq!(first(&events, "queue.recreated")["data"]["waiting"], 1);
}

#[tokio::test]
async fn a_viewer_follows_in_words_over_a_take_over_and_filters_by_kind() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    wait_kinds(&cluster, &["node.joined"]).await;
    let url = cluster.server().url_as("viewer");
    let arguments = ["events", "--follow", "--since", "1d", "--kind", "node"];
    let directory = cluster.directory().to_owned();
    let rolecast = program("rolecast");
    let environment = [("NATS_URL", url.as_str())];
    let mut follower =
        Process::spawn_with("follower", &directory, &rolecast, arguments, &environment);
    wait_until("it shows the past", LIMIT, async || {
        follower.log().contains("node n1 joined")
    })
    .await;
    cluster.restart_dispatcher();
    let leads = |status: &Status| status.epoch.get() == 2;
    cluster.wait_status("it leads again", leads).await;
    cluster.add_worker("n2", WORKER);
    cluster.wait_ready(&["n1", "n2"]).await;
    cluster.worker("n2").kill();
    wait_until("it shows what happens", LIMIT, async || {
        follower.log().contains("node n2 is gone")
    })
    .await;
    let log = follower.log();
    assert_eq!(log.matches("node n2 joined").count(), 1, "{log}");
    assert!(!log.contains("lease.taken"), "{log}");
    assert!(!log.contains('\x1b'), "{log}");
    follower.kill();
    let none = cluster.rolecast_as("viewer", &["events", "--kind", "lease.lost"]);
    assert_eq!(none.await, ("no events\n".to_owned(), 0));
    let (output, code) = cluster
        .rolecast_as("viewer", &["events", "--kind", "nodes"])
        .await;
    assert!(
        code != 0 && output.contains("node, role, category"),
        "{output}"
    );
    let of_node = events(&cluster, &["--kind", "node"]).await.unwrap();
    let all = events(&cluster, &[]).await.unwrap();
    assert!(!of_node.is_empty() && of_node.len() < all.len());
    let is_of_node = |event: &Value| kind(event).is_some_and(|kind| kind.starts_with("node."));
    assert!(of_node.iter().all(is_of_node));
}

#[tokio::test]
async fn a_flood_is_bounded_and_what_was_left_out_is_counted() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let stream = cluster.stream(STREAM_EVENTS).await;
    let config = &stream.cached_info().config;
    assert_eq!(config.discard, DiscardPolicy::Old);
    assert_eq!(config.max_age, Duration::from_secs(24 * 3600));
    assert!((1..=64 << 20).contains(&config.max_bytes), "{config:?}");
    // Each is dead-lettered at once.
    let invalid = headers([("Rolecast-Unknown", "x")]);
    let jetstream = cluster.jetstream();
    let submit = async |count: usize| {
        for _ in 0..count {
            let subject = "rolecast.jobs.wait";
            let sent = jetstream.publish_with_headers(subject, invalid.clone(), "".into());
            sent.await.unwrap().await.unwrap();
        }
    };
    submit(1_000).await;
    cluster.wait_no_jobs(LIMIT).await;
    let dead = async || events(&cluster, &["--kind", "job.dead"]).await;
    let flood = dead().await.unwrap().len();
    assert!((1..=500).contains(&flood), "{flood} events");
    // The limit is one of ten seconds.
    let counted = wait_for("the others are counted", LIMIT, async || {
        submit(1).await;
        let found = dead().await?;
        let suppressed = found
            .iter()
            .filter_map(|e| e["data"]["suppressed"].as_u64());
        Some(suppressed.sum::<u64>()).filter(|count| *count > 0)
    })
    .await;
    let stored = cluster.message_count(subjects::STREAM_DEAD).await.unwrap();
    let shown = u64::try_from(dead().await.unwrap().len()).unwrap();
    assert!(
        shown + counted <= stored,
        "{shown} and {counted} of {stored}"
    );
    assert!(counted >= 400, "{counted}");
}
