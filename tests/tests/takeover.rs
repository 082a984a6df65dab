//! Two dispatchers: one leads, the other is a warm standby, and takes over when the first
//! dies, freezes or leaves.

use std::time::Duration;

use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::wait::wait_until;

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 4
[capacity]
cpu = 4
memory = "4GiB"
[categories.wait]
command = ["xargs", "sleep"]
"#;

const DISPATCHER: &str = "[categories.wait]\n";

/// Returns the epoch of the dispatcher that answers.
async fn epoch(cluster: &Cluster) -> u64 {
    let status = cluster.wait_status("a dispatcher answers", |_| true).await;
    status.epoch.get()
}

async fn two() -> (Cluster, rolecast_tests::process::Process) {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let second = cluster.second_dispatcher();
    wait_until("the second stands by", LIMIT, async || {
        second.log().contains("standing_by")
    })
    .await;
    assert_eq!(epoch(&cluster).await, 1);
    (cluster, second)
}

#[tokio::test]
async fn after_a_kill_the_standby_runs_the_next_job_soon() {
    let (mut cluster, second) = two().await;
    cluster.submit("wait", "before", "0").await;
    cluster.wait_record("before").await;
    cluster.dispatcher().kill();
    cluster.submit("wait", "after", "0").await;
    let taken = wait_until("the job is done", LIMIT, async || {
        cluster.records().await.len() == 2
    })
    .await;
    assert!(taken < Duration::from_secs(4), "{taken:?}");
    assert_eq!(epoch(&cluster).await, 2);
    drop(second);
}

#[tokio::test]
async fn jobs_delivered_to_the_dead_leader_come_back_with_the_next_one_and_none_runs_twice() {
    let worker = WORKER.replace(
        r#"["xargs", "sleep"]"#,
        r#"["sh", "-c", "echo $ROLECAST_JOB_ID >> starts.txt; exec xargs sleep"]"#,
    );
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", &worker)]).await;
    let second = cluster.second_dispatcher();
    wait_until("the second stands by", LIMIT, async || {
        second.log().contains("standing_by")
    })
    .await;
    // Four run; the dispatcher holds the others.
    cluster
        .submit_many("wait", 8, |i| (format!("job-{i}"), "3".into()))
        .await;
    cluster.wait_running(4).await;
    cluster.dispatcher().kill();
    let taken = cluster.wait_no_jobs(LIMIT).await;
    // Twice 3 s, and not the 15 s after which the server redelivers by itself.
    assert!(taken < Duration::from_secs(12), "{taken:?}");
    assert_eq!(cluster.records().await.len(), 8);
    let starts = std::fs::read_to_string(cluster.directory().join("starts.txt")).unwrap();
    assert_eq!(starts.lines().count(), 8, "{starts}");
    assert!(second.log().contains("jobs_recovered"));
}

#[tokio::test]
async fn a_frozen_leader_that_wakes_up_stands_by_and_changes_nothing() {
    let (mut cluster, mut second) = two().await;
    cluster
        .submit_many("wait", 8, |i| (format!("job-{i}"), "3".into()))
        .await;
    cluster.wait_running(4).await;
    cluster.dispatcher().stop();
    wait_until("the second leads", LIMIT, async || {
        second.log().contains("epoch=2")
    })
    .await;
    cluster.wait_no_jobs(LIMIT).await;
    let before = cluster.records().await;
    assert_eq!(before.len(), 8);
    cluster.dispatcher().cont();
    wait_until("the first stands by", LIMIT, async || {
        cluster.dispatcher().log().contains("standing_by")
    })
    .await;
    assert_eq!(cluster.records().await, before);
    assert_eq!(epoch(&cluster).await, 2);
    // It works as before: it leads when the other is gone.
    second.kill();
    cluster.submit("wait", "last", "0").await;
    cluster.wait_record("last").await;
    assert_eq!(epoch(&cluster).await, 3);
}

#[tokio::test]
async fn a_leader_that_leaves_is_followed_at_once() {
    let (mut cluster, second) = two().await;
    cluster.dispatcher().terminate();
    assert!(cluster.dispatcher().wait(LIMIT).await.success());
    let taken = wait_until("the second leads", LIMIT, async || {
        second.log().contains("epoch=2")
    })
    .await;
    assert!(taken < Duration::from_secs(1), "{taken:?}");
}

#[tokio::test]
async fn a_lease_that_was_rolled_back_is_noticed_and_epochs_go_on() {
    let log = log_after_a_rollback(&[]).await;
    // The document of the roles and the nodes show it; either may be first.
    let of_roles = log.contains("the roles are kept under epoch 2");
    assert!(of_roles || log.contains("follow an epoch above 1"), "{log}");
}

#[tokio::test]
async fn a_store_that_was_rolled_back_is_noticed_by_the_nodes_and_epochs_go_on() {
    let log = log_after_a_rollback(&[("ROLECAST_ROLES", "assignments")]).await;
    assert!(log.contains("follow an epoch above 1"), "{log}");
}

/// Sets the lease back to before epoch 1, purges the keys, and returns the log of the
/// dispatcher that starts then.
async fn log_after_a_rollback(purged: &[(&str, &str)]) -> String {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.restart_dispatcher();
    wait_until("the second leads", LIMIT, async || {
        cluster.dispatcher().log().contains("epoch=2")
    })
    .await;
    cluster.submit("wait", "first", "0").await;
    cluster.wait_record("first").await;
    let bucket = cluster.jetstream().get_key_value("ROLECAST_CONTROL").await;
    cluster.dispatcher().kill();
    let old = r#"{"epoch": 0, "name": "long ago", "is_resigned": true}"#;
    let bucket = bucket.expect("the bucket is there");
    let put = bucket.put("dispatcher", old.into()).await;
    put.expect("the bucket takes it");
    for (bucket, key) in purged {
        let bucket = cluster.jetstream().get_key_value(*bucket).await;
        let purged = bucket.expect("the bucket is there").purge(*key).await;
        purged.expect("the key is purged");
    }
    cluster.restart_dispatcher();
    cluster.submit("wait", "second", "0").await;
    cluster.wait_record("second").await;
    assert!(epoch(&cluster).await > 2);
    cluster.dispatcher().log()
}

#[tokio::test]
async fn a_key_that_is_deleted_or_damaged_is_written_again_and_the_leader_goes_on() {
    let (mut cluster, second) = two().await;
    let bucket = cluster.jetstream().get_key_value("ROLECAST_CONTROL").await;
    let bucket = bucket.unwrap();
    bucket.delete("dispatcher").await.unwrap();
    wait_until("the loss is reported", LIMIT, async || {
        cluster.dispatcher().log().contains("lease_key_lost")
    })
    .await;
    bucket.put("dispatcher", "???".into()).await.unwrap();
    wait_until("the damage is reported", LIMIT, async || {
        cluster.dispatcher().log().contains("lease_key_unreadable")
    })
    .await;
    bucket.purge("dispatcher").await.unwrap();
    let is_back = async || bucket.get("dispatcher").await.unwrap().is_some();
    wait_until("the key is written again", LIMIT, is_back).await;
    cluster.submit("wait", "after", "0").await;
    cluster.wait_record("after").await;
    assert_eq!(epoch(&cluster).await, 1);
    assert!(!second.log().contains("lease_taken"));
}

#[tokio::test]
async fn a_node_that_kept_a_false_epoch_is_notified_and_the_leader_goes_on() {
    let workers = [("n1", WORKER), ("n2", WORKER)];
    let mut cluster = Cluster::start(DISPATCHER, &workers).await;
    let state = cluster.directory().join("state");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("n3.epoch"), "1000\n").unwrap();
    cluster.add_worker("n3", &format!("offers = [\"leader\"]\n{WORKER}"));
    wait_until("it is refuted", LIMIT, async || {
        cluster.worker("n3").log().contains("epoch_refuted")
    })
    .await;
    let log = cluster.worker("n3").log();
    for part in ["kept=1000", "led=1", "run rolecast-worker forget-epoch"] {
        assert!(log.contains(part), "{part:?} not in {log}");
    }
    let status = cluster
        .wait_status("it is shown", |status| !status.troubles.is_empty())
        .await;
    assert_eq!(status.troubles[0].what, "the epochs of workers");
    let why = &status.troubles[0].why;
    assert!(why.contains("such as n3, follow epoch 1000"), "{why}");
    // It is ignored, and continues to follow the epoch that it keeps.
    cluster.submit("wait", "after", "0").await;
    cluster.wait_record("after").await;
    assert_eq!(epoch(&cluster).await, 1);
    let kept = std::fs::read_to_string(state.join("n3.epoch")).unwrap();
    assert_eq!(kept.trim(), "1000");
}
