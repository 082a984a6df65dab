//! Processes that die, freeze and return: nothing is lost, nothing recorded twice.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::Subscriber;
use futures_util::StreamExt as _;
use rolecast_common::id::NodeId;
use rolecast_common::subjects::STREAM_RESULTS;
use rolecast_common::wire::{self, Encoding, Heartbeat, NodeHealth, RecordStatus};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::starts::{WORKER, starts, submit_waits};
use rolecast_tests::wait::wait_until;

const DISPATCHER: &str = "[categories.wait]\n";

/// Waits for all jobs and checks that each has one outcome: completed.
async fn all_complete(cluster: &Cluster, count: usize, limit: Duration) {
    cluster.wait_no_jobs(limit).await;
    let records = cluster.records().await;
    let jobs: BTreeSet<String> = records
        .iter()
        .map(|record| record.job.to_string())
        .collect();
    assert_eq!((jobs.len(), records.len()), (count, count));
    // The stream keeps one record a job; a second one would raise its sequence.
    let stored = cluster.stored_count(STREAM_RESULTS).await;
    assert_eq!(stored, u64::try_from(count).ok());
    let completed = records
        .iter()
        .filter(|r| r.status == RecordStatus::Completed);
    assert_eq!(
        completed.count(),
        count,
        "{:?}",
        cluster.outcome_counts().await
    );
}

#[tokio::test]
async fn the_jobs_of_a_killed_worker_restart_elsewhere_within_two_seconds() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    submit_waits(&cluster, 3, "6").await;
    cluster.wait_running(3).await;
    cluster.add_worker("n2", WORKER);
    cluster.wait_ready(&["n2"]).await;
    cluster.worker("n1").kill();
    let taken = wait_until("all jobs run on n2", LIMIT, async || {
        starts(cluster.directory())
            .iter()
            .filter(|(_, node)| node == "n2")
            .count()
            == 3
    })
    .await;
    // It takes 1.5 s at most; the rest is for a busy machine.
    assert!(taken < Duration::from_secs(2), "{taken:?}");
    all_complete(&cluster, 3, LIMIT).await;
    for record in cluster.records().await {
        assert_eq!(record.node, NodeId::new("n2").ok());
        let lost = &record.losses[0];
        assert_eq!(
            (Some(&lost.node), lost.companions),
            (NodeId::new("n1").ok().as_ref(), Some(2))
        );
        assert!(record.failures.is_empty(), "{record:?}");
    }
}

#[tokio::test]
async fn a_killed_dispatcher_loses_nothing_and_records_nothing_twice() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER), ("n2", WORKER)]).await;
    submit_waits(&cluster, 40, "0.5").await;
    cluster.wait_running(8).await;
    cluster.restart_dispatcher();
    wait_until("half of the jobs are done", LIMIT, async || {
        cluster.records().await.len() > 20
    })
    .await;
    cluster.restart_dispatcher();
    all_complete(&cluster, 40, Duration::from_secs(60)).await;
    assert!(cluster.dispatcher().log().contains("epoch=3"));
}

#[tokio::test]
async fn a_job_that_outlives_its_dispatcher_is_adopted_and_not_run_again() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    submit_waits(&cluster, 2, "20").await;
    cluster.wait_running(2).await;
    cluster.restart_dispatcher();
    cluster.wait_running(2).await;
    assert!(cluster.dispatcher().log().contains("job_adopted"));
    // Longer than the server waits for a sign of life.
    all_complete(&cluster, 2, Duration::from_secs(40)).await;
    assert_eq!(starts(cluster.directory()).len(), 2);
}

#[tokio::test]
async fn a_killed_server_loses_nothing() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER), ("n2", WORKER)]).await;
    submit_waits(&cluster, 40, "0.5").await;
    cluster.wait_running(8).await;
    cluster.server().kill();
    cluster.server().restart().await;
    all_complete(&cluster, 40, Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_frozen_worker_that_comes_back_late_changes_nothing() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    submit_waits(&cluster, 2, "1").await;
    cluster.wait_running(2).await;
    cluster.worker("n1").stop();
    cluster.add_worker("n2", WORKER);
    cluster.wait_health("n1", NodeHealth::Gone).await;
    all_complete(&cluster, 2, LIMIT).await;
    let before = cluster.records().await;
    let mut beats = cluster
        .client()
        .subscribe("rolecast.heartbeat.n1")
        .await
        .unwrap();
    cluster.client().flush().await.unwrap();
    cluster.worker("n1").cont();
    cluster.wait_ready(&["n1"]).await;
    while in_hand(&mut beats).await > 0 {}
    assert_eq!(cluster.records().await, before);
    for record in before {
        assert_eq!(record.node, NodeId::new("n2").ok());
    }
    // The node works as before.
    cluster.worker("n2").kill();
    cluster.wait_health("n2", NodeHealth::Gone).await;
    cluster.submit("wait", "afterwards", "0").await;
    let record = cluster.wait_record("afterwards").await;
    assert_eq!(record.node, NodeId::new("n1").ok());
}

/// Returns the number of jobs in the next heartbeat: those whose outcome is not
/// confirmed.
async fn in_hand(beats: &mut Subscriber) -> usize {
    let beat = tokio::time::timeout(LIMIT, beats.next()).await;
    let beat = beat
        .expect("heartbeats come")
        .expect("the connection lives");
    let beat: Heartbeat =
        wire::decode(Encoding::MessagePack, &beat.payload).expect("it is a heartbeat");
    beat.jobs.len()
}

#[tokio::test]
async fn a_dispatcher_that_is_stopped_ends_cleanly_and_loses_nothing() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    submit_waits(&cluster, 12, "0.5").await;
    cluster.wait_running(4).await;
    cluster.dispatcher().terminate();
    let status = cluster.dispatcher().wait(LIMIT).await;
    assert!(status.success(), "{status}");
    cluster.restart_dispatcher();
    all_complete(&cluster, 12, LIMIT).await;
}
