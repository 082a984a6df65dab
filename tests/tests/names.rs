//! Two workers with the same name: the first continues, the second ends with the reason.

#![allow(
    clippy::disallowed_methods,
    reason = "end-to-end tests live in real time and a real environment"
)]

use std::time::Duration;

use futures_util::StreamExt as _;
use rolecast_common::wire::{self, Encoding, Heartbeat, RecordStatus};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::wait::wait_until;

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 1
[capacity]
cpu = 2
memory = "1GiB"
[categories.long]
command = ["sh", "-c", "echo $ROLECAST_ATTEMPT >> $0; sleep 4", "runs"]
env = ["PATH"]
[categories.echo]
command = ["cat"]
"#;

#[tokio::test]
async fn a_worker_whose_name_is_in_use_ends_and_the_first_goes_on() {
    let dispatcher = "[categories.long]\nmax_attempts = 1\n[categories.echo]\n";
    let mut cluster = Cluster::start(dispatcher, &[("n1", WORKER)]).await;
    cluster.submit("long", "job-1", "").await;
    cluster.wait_running(1).await;
    let mut double = cluster.double_worker("n1");
    let status = double.wait(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(1));
    let log = double.log();
    for part in [
        "the name of node n1 is in use: boot ",
        "set another one with node = ",
    ] {
        assert!(log.contains(part), "{part:?} not in {log}");
    }
    // A second one gets the same answer as long as the first one lives.
    let mut another = cluster.double_worker("n1");
    let status = another.wait(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(1));
    let record = cluster.wait_record("job-1").await;
    assert_eq!(record.status, RecordStatus::Completed, "{}", record.reason);
    let runs = std::fs::read_to_string(cluster.directory().join("runs")).unwrap();
    assert_eq!(runs, "1\n", "it ran once");
    cluster.submit("echo", "job-2", "x").await;
    cluster.wait_record("job-2").await;
    assert!(cluster.worker("n1").is_running());
}

#[tokio::test]
async fn a_worker_that_was_killed_and_started_again_is_admitted_within_seconds() {
    let mut cluster = Cluster::start("[categories.echo]\n", &[("n1", WORKER)]).await;
    let begin = std::time::Instant::now();
    cluster.restart_worker("n1");
    wait_until("it takes jobs again", LIMIT, async || {
        let log = cluster.dispatcher().log();
        log.lines()
            .any(|line| line.contains("node_joined") && line.contains("rebooted=true"))
    })
    .await;
    cluster.submit("echo", "job-1", "x").await;
    cluster.wait_record("job-1").await;
    let taken = begin.elapsed();
    assert!(taken < Duration::from_secs(8), "{taken:?}");
}

#[tokio::test]
async fn a_heartbeat_far_ahead_in_its_own_name_locks_no_worker_out() {
    let cluster = Cluster::start("[categories.echo]\n", &[("n1", WORKER)]).await;
    let client = cluster.client();
    let mut heartbeats = client.subscribe("rolecast.heartbeat.n1").await.unwrap();
    let message = heartbeats.next().await.expect("a heartbeat comes");
    let mut forged: Heartbeat = wire::decode(Encoding::MessagePack, &message.payload).unwrap();
    forged.sequence = u64::MAX;
    let payload = wire::encode(Encoding::MessagePack, &forged);
    let subject = "rolecast.heartbeat.n1";
    client.publish(subject, payload.into()).await.unwrap();
    let age = |status: &wire::Status| status.nodes[0].heartbeat_age_ms;
    cluster
        .wait_status("its own are refused", |status| age(status) > 1_500)
        .await;
    let status = cluster
        .wait_status("they count again", |status| age(status) < 1_000)
        .await;
    assert_eq!(status.refused[0].from, "n1");
    cluster.submit("echo", "job-1", "x").await;
    cluster.wait_record("job-1").await;
}
