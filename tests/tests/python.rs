//! Python examples against the real system, each with the rights that docs/protocol.md
//! gives it and no more.

use std::time::Duration;

use rolecast_common::subjects::{STREAM_DEAD, STREAM_RESULTS};
use rolecast_common::wire::{NodeHealth, RecordStatus};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::document::blocks;
use rolecast_tests::logins::fill;
use rolecast_tests::process::{Process, run, spawn_python};
use rolecast_tests::server::Server;

const DISPATCHER: &str = r#"
    name = "test"
    [categories.shout]
    memory = "1MiB"
"#;

/// Starts a dispatcher and the worker `one`, each with its own rights only.
async fn start() -> (Cluster, Process) {
    let shown = &blocks("docs/protocol.md", "nats")[0];
    let admin = "{ user: admin, password: admin }";
    let server = Server::start_with_authorization(&fill(shown, admin)).await;
    let mut cluster = Cluster::on(server, DISPATCHER).await;
    let worker = spawn_worker(&mut cluster);
    cluster.wait_ready(&["one"]).await;
    (cluster, worker)
}

fn spawn_worker(cluster: &mut Cluster) -> Process {
    let url = cluster.server().url_as("one");
    let directory = cluster.directory();
    let script = "docs/examples/worker.py";
    spawn_python("worker-py", directory, script, &["one"], &url)
}

/// Runs the producer; returns its output and its exit code.
async fn produce(cluster: &mut Cluster, name: &str, arguments: &[&str]) -> (String, Option<i32>) {
    let url = cluster.server().url_as("producer");
    let directory = cluster.directory();
    let script = "docs/examples/producer.py";
    let producer = spawn_python(name, directory, script, arguments, &url);
    let (output, status) = run(producer, LIMIT).await;
    (output, status.code())
}

#[tokio::test]
async fn a_job_goes_from_producer_to_worker_and_back() {
    let (mut cluster, _worker) = start().await;
    let arguments = ["shout", "hello", "--id", "greeting", "--deadline", "1h"];
    let (output, code) = produce(&mut cluster, "first", &arguments).await;
    assert_eq!(output, "completed on one: \nHELLO\n");
    assert_eq!(code, Some(0));
    // The same id again: no second job, and the same recorded outcome.
    let again = [
        "shout",
        "hello again",
        "--id",
        "greeting",
        "--priority",
        "high",
    ];
    let (output, _) = produce(&mut cluster, "second", &again).await;
    assert_eq!(output, "completed on one: \nHELLO\n");
    assert_eq!(cluster.message_count(STREAM_RESULTS).await, Some(1));
    let record = cluster.wait_record("greeting").await;
    assert_eq!(record.node.unwrap().as_str(), "one");
    assert!(record.started_ms.is_some() && record.run_us > 0);
    let is_pinged = "the worker answers pings";
    cluster
        .wait_status(is_pinged, |status| status.nodes[0].round_trip_us.is_some())
        .await;
}

#[tokio::test]
async fn jobs_that_fail_or_come_too_late_are_dead_letters() {
    let (mut cluster, mut worker) = start().await;
    cluster.submit("shout", "garbled", &b"\xff"[..]).await;
    let record = cluster.wait_record("garbled").await;
    assert_eq!(record.status, RecordStatus::Dead);
    assert!(
        record.reason.contains("can't decode byte 0xff"),
        "{}",
        record.reason
    );
    worker.terminate();
    assert!(worker.wait(Duration::from_secs(10)).await.success());
    let late = ["shout", "x", "--deadline", "1s"];
    let (output, code) = produce(&mut cluster, "late", &late).await;
    assert!(
        output.starts_with("expired on no node: its deadline passed"),
        "{output}"
    );
    assert_eq!(code, Some(1));
    assert_eq!(cluster.message_count(STREAM_DEAD).await, Some(2));
}

#[tokio::test]
async fn more_jobs_than_the_worker_takes_at_once_all_complete() {
    let (cluster, _worker) = start().await;
    let job = |i: usize| (format!("job-{i}"), format!("text {i}").into());
    cluster.submit_many("shout", 200, job).await;
    cluster.wait_no_jobs(LIMIT).await;
    let counts = cluster.outcome_counts().await;
    assert_eq!(counts.get("completed"), Some(&200));
}

#[tokio::test]
async fn the_worker_drains_and_another_start_takes_its_place() {
    let (mut cluster, mut worker) = start().await;
    worker.terminate();
    assert!(worker.wait(Duration::from_secs(10)).await.success());
    cluster.submit("shout", "after", "anyone there").await;
    cluster.wait_health("one", NodeHealth::Gone).await;
    let _worker = spawn_worker(&mut cluster);
    let record = cluster.wait_record("after").await;
    assert_eq!(&record.output.0[..], b"ANYONE THERE");
}

#[tokio::test]
async fn the_worker_outlives_server_and_dispatcher() {
    let (mut cluster, mut worker) = start().await;
    cluster.submit("shout", "before", "one").await;
    cluster.wait_record("before").await;
    cluster.server().restart().await;
    cluster.restart_dispatcher();
    cluster.submit("shout", "after", "two").await;
    let record = cluster.wait_record("after").await;
    assert_eq!(&record.output.0[..], b"TWO");
    assert!(worker.is_running());
}
