//! Blame for jobs that take their node down, and for hosts that fail their jobs.

use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::wire::{DistrustKind, RecordStatus};
use rolecast_tests::cluster::Cluster;
use rolecast_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(90);

const DISPATCHER: &str = r#"
[categories.wait]
cpu = 0.01
max_attempts = 3
[categories.other]
cpu = 0.01
max_attempts = 3
"#;

/// Returns the config of a worker that runs this for every job.
fn worker(wait: &str, other: &str) -> String {
    format!(
        r#"
usage_scope = "process"
max_jobs = 3
[capacity]
cpu = 4
memory = "4GiB"
[categories.wait]
command = ["sh", "-c", "{wait}"]
[categories.other]
command = ["sh", "-c", "{other}"]
"#
    )
}

#[tokio::test]
async fn a_job_that_kills_its_worker_is_found_and_the_one_beside_it_completes() {
    let config = worker("exec xargs sleep", "sleep 0.5; kill -9 $PPID");
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", &config)]).await;
    cluster.submit("wait", "long", "8").await;
    cluster.wait_running(1).await;
    cluster.submit("other", "pill", "").await;
    // A service manager starts it again whenever it dies.
    wait_until("both jobs have ended", LIMIT, async || {
        if !cluster.worker("n1").is_running() {
            cluster.restart_worker("n1");
        }
        cluster.records().await.len() == 2
    })
    .await;
    let long = cluster.wait_record("long").await;
    assert_eq!(long.status, RecordStatus::Completed, "{long:?}");
    assert!(
        long.failures.is_empty() && !long.losses.is_empty(),
        "{long:?}"
    );
    let pill = cluster.wait_record("pill").await;
    assert_eq!(pill.status, RecordStatus::Dead, "{pill:?}");
    let reason = "alone on it the last 3 times";
    assert!(pill.reason.ends_with(reason), "{}", pill.reason);
    assert!(pill.failures.is_empty(), "{pill:?}");
    let (shown, _) = cluster.rolecast(&["job", "get", "pill"]).await;
    assert!(shown.contains("went down with it"), "{shown}");
}

#[tokio::test]
async fn a_host_that_fails_all_it_gets_spoils_nothing() {
    let good = worker("sleep 1", "sleep 1");
    let bad = worker("exit 1", "exit 64");
    let nodes = [("n1", &*bad), ("n2", &*good), ("n3", &*good)];
    let cluster = Cluster::start(DISPATCHER, &nodes).await;
    for category in ["wait", "other"] {
        let job = |number: usize| (format!("{category}-{number}"), "".into());
        cluster.submit_many(category, 24, job).await;
    }
    let n1 = NodeId::new("n1").unwrap();
    cluster
        .wait_status("n1 is distrusted", |status| {
            let node = status.nodes.iter().find(|node| node.node == n1);
            let doubts = node.map_or(&[][..], |node| &node.distrusted);
            doubts
                .iter()
                .any(|doubt| doubt.kind == DistrustKind::Failing)
        })
        .await;
    let (shown, _) = cluster.rolecast(&["status"]).await;
    assert!(shown.contains("n1: fails jobs of"), "{shown}");
    cluster.wait_no_jobs(LIMIT).await;
    let records = cluster.records().await;
    assert_eq!(records.len(), 48);
    for record in records {
        assert_eq!(record.status, RecordStatus::Completed, "{record:?}");
        let on_n1 = record.failures.iter().filter(|failed| failed.node == n1);
        assert!(on_n1.count() <= 1, "{record:?}");
    }
}
