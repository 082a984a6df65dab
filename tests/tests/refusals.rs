//! Refusals that name the fault: configs, servers, permissions, and hostile messages.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use rolecast_common::wire::{
    Counters, Encoding, NodeHealth, OutcomeBatch, Status, VERSION, encode,
};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::directory::Directory;
use rolecast_tests::process::{Process, program, run};
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_until;

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
[capacity]
cpu = 2
memory = "1GiB"
[categories.echo]
command = ["cat"]
"#;

/// Runs a program to its end and returns its log and exit code.
async fn fails(name: &str, directory: &Directory, arguments: &[&str]) -> (String, Option<i32>) {
    let process = Process::spawn(name, directory.path(), &program(name), arguments);
    let (log, status) = run(process, LIMIT).await;
    (log, status.code())
}

#[tokio::test]
async fn every_mistake_in_a_config_is_reported_at_once_with_its_line() {
    let directory = Directory::new();
    directory.write(
        "rolecast.toml",
        "[streams]\nreplicas = 2\n[categories.a]\ncpu = -1\nxyz = 0\n",
    );
    directory.write(
        "worker.toml",
        "max_jobs = 0\n[categories.a]\ncommand = [\"no-such-program\"]\n",
    );
    let (log, code) = fails(
        "rolecast-dispatcher",
        &directory,
        &["--config", "rolecast.toml"],
    )
    .await;
    assert_eq!(code, Some(2), "{log}");
    for part in [
        "line 2: streams.replicas",
        "line 4: categories.a.cpu",
        "line 5: categories.a.xyz",
    ] {
        assert!(log.contains(part), "{part:?} not in {log}");
    }
    let (log, code) = fails("rolecast-worker", &directory, &["--config", "worker.toml"]).await;
    assert_eq!(code, Some(2), "{log}");
    for part in ["line 1: max_jobs", "line 3: categories.a.command"] {
        assert!(log.contains(part), "{part:?} not in {log}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_and_given_up_after_the_limit() {
    let directory = Directory::new();
    directory.write("rolecast.toml", "");
    directory.write("worker.toml", WORKER);
    for (name, config) in [
        ("rolecast-dispatcher", "rolecast.toml"),
        ("rolecast-worker", "worker.toml"),
    ] {
        let url = "nats://127.0.0.1:9";
        let arguments = [
            "--config",
            config,
            "--nats-url",
            url,
            "--connect-timeout",
            "1s",
        ];
        let (log, code) = fails(name, &directory, &arguments).await;
        assert_eq!(code, Some(1), "{log}");
        assert!(
            log.contains("cannot connect to NATS at nats://127.0.0.1:9"),
            "{log}"
        );
        assert!(log.contains("start nats-server"), "{log}");
    }
}

#[tokio::test]
async fn a_server_without_jetstream_is_named() {
    let server = Server::start_with_config("jetstream: disabled\n").await;
    server.directory().write("rolecast.toml", "");
    let url = server.url();
    let arguments = [
        "--config",
        "rolecast.toml",
        "--nats-url",
        url.as_str(),
        "--connect-timeout",
        "1s",
    ];
    let (log, code) = fails("rolecast-dispatcher", server.directory(), &arguments).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("JetStream is off on this NATS server"),
        "{log}"
    );
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let users = "{ user: weak, password: weak, permissions: { publish: [\"foo\"], subscribe: [\"_INBOX.>\"] } }";
    let server = Server::start_with_users(users).await;
    server.directory().write("rolecast.toml", "");
    let url = server.url_as("weak");
    let arguments = ["--config", "rolecast.toml", "--nats-url", url.as_str()];
    let (log, code) = fails("rolecast-dispatcher", server.directory(), &arguments).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("lacks a permission"), "{log}");
    assert!(log.contains("$JS.API.INFO"), "{log}");
}

#[tokio::test]
async fn a_worker_needs_three_rights_and_no_more() {
    let mut cluster = Cluster::start("[categories.echo]\n", &[("n1", WORKER)]).await;
    cluster
        .submit_many("echo", 20, |i| (format!("job-{i}"), "x".into()))
        .await;
    cluster.wait_no_jobs(LIMIT).await;
    assert_eq!(cluster.outcome_counts().await["completed"], 20);
    let log = cluster.worker("n1").log();
    assert!(!log.contains("ermission"), "{log}");
}

#[tokio::test]
async fn malformed_and_hostile_messages_are_counted_and_change_nothing() {
    let mut cluster = Cluster::start("[categories.echo]\n", &[("n1", WORKER)]).await;
    let client = cluster.client().clone();
    let bomb = [0x81, 0xa1, b'x'].repeat(30_000);
    let nan = b"\x82\xa1v\x01\xa8capacity\x81\xa3cpu\xcb\x7f\xf8\0\0\0\0\0\0".to_vec();
    let hostile: [(&str, Vec<u8>); 7] = [
        ("rolecast.heartbeat.n1", b"garbage".to_vec()),
        ("rolecast.heartbeat.n1", bomb),
        ("rolecast.heartbeat.n1", nan),
        ("rolecast.heartbeat.n1", vec![0x80; 300_000]),
        ("rolecast.heartbeat.UPPER", b"\x80".to_vec()),
        ("rolecast.done.n1.nonsense", b"\x80".to_vec()),
        ("rolecast.done.n1.batch", b"{}".to_vec()),
    ];
    for (subject, payload) in hostile {
        client.publish(subject, payload.into()).await.unwrap();
    }
    // A heartbeat recorded on the wire and sent again.
    let mut beats = client.subscribe("rolecast.heartbeat.n1").await.unwrap();
    let beat = beats.next().await.unwrap();
    for _ in 0..3 {
        client
            .publish(beat.subject.clone(), beat.payload.clone())
            .await
            .unwrap();
    }
    // The answers to both would go where the sender may not publish.
    let mut elsewhere = client.subscribe("elsewhere.>").await.unwrap();
    let batch = OutcomeBatch {
        v: VERSION,
        outcomes: Vec::new(),
    };
    for (subject, reply, payload) in [
        ("rolecast.api.status", "elsewhere.status", Vec::new()),
        (
            "rolecast.done.n1.batch",
            "elsewhere.confirm",
            encode(Encoding::MessagePack, &batch),
        ),
    ] {
        let sent = client.publish_with_reply(subject, reply, payload.into());
        sent.await.unwrap();
    }
    let is_counted = |status: &Status| {
        let Counters {
            heartbeats_refused,
            outcomes_malformed,
            requests_refused,
            ..
        } = status.counters;
        heartbeats_refused == 8 && outcomes_malformed == 3 && requests_refused == 1
    };
    cluster.wait_status("all are counted", is_counted).await;
    client.flush().await.unwrap();
    let answer = elsewhere.next().now_or_never();
    assert!(answer.is_none(), "{answer:?}");
    cluster.submit("echo", "unharmed", "x").await;
    cluster.wait_record("unharmed").await;
    let lines = cluster.dispatcher().log();
    let reported = lines
        .lines()
        .filter(|line| line.contains("heartbeats_refused"))
        .count();
    assert!((1..=4).contains(&reported), "{reported} lines: {lines}");
}

#[tokio::test]
async fn two_workers_with_one_node_id_are_noticed() {
    let mut cluster = Cluster::start("", &[("n1", WORKER)]).await;
    let double = cluster.double_worker("n1");
    wait_until("the dispatcher logs it", LIMIT, async || {
        cluster
            .dispatcher()
            .log()
            .contains("do two workers share this node id")
    })
    .await;
    drop(double);
}

#[tokio::test]
async fn a_worker_without_a_listener_on_its_subject_is_gone_at_once() {
    let mut cluster =
        Cluster::start("[categories.echo]\n", &[("n1", WORKER), ("n2", WORKER)]).await;
    // Killed between two heartbeats: the next job has no listener.
    cluster.worker("n1").kill();
    cluster
        .submit_many("echo", 50, |i| (format!("job-{i}"), "x".into()))
        .await;
    let taken = cluster.wait_no_jobs(LIMIT).await;
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    let status = cluster.wait_status("n1 is gone", |status| {
        status
            .nodes
            .iter()
            .any(|node| node.health == NodeHealth::Gone)
    });
    assert!(status.await.counters.jobs_bounced > 0);
}
