//! Wrong clocks: lengths are counted on one clock, the server's.
#![cfg(target_os = "linux")]

use std::time::Duration;

use rolecast_common::wire::{Record, RecordStatus};
use rolecast_tests::cluster::Cluster;
use rolecast_tests::jobs::headers;
use rolecast_tests::server::Server;

const DISPATCHER: &str = "[categories.echo]\n";
const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
[capacity]
cpu = 2
memory = "1GiB"
[categories.echo]
command = ["cat"]
"#;

#[tokio::test]
async fn a_worker_ten_minutes_ahead_refuses_nothing_and_is_shown() {
    let mut cluster = Cluster::on(Server::start().await, DISPATCHER).await;
    cluster.add_skewed_worker("n1", WORKER, 600);
    cluster.wait_ready(&["n1"]).await;
    let record = run(&cluster, "soon", [("Rolecast-Deadline", "5m")]).await;
    assert_eq!(record.status, RecordStatus::Completed, "{}", record.reason);
    let started = record.started_ms.unwrap();
    let ahead = started.since(record.finished_ms);
    assert!(
        ahead > Duration::from_secs(500),
        "its clock is right: {ahead:?}"
    );
    let status = cluster.wait_status("its clock is known", |status| {
        status.nodes[0].clock_skew_ms.is_some()
    });
    let skew = status.await.nodes[0].clock_skew_ms.unwrap();
    assert!((595_000..601_000).contains(&skew), "{skew}");
    let log = cluster.dispatcher().log();
    assert_eq!(log.matches("clock_skewed").count(), 1, "{log}");
    assert!(!cluster.worker("n1").log().contains("job_refused"));
}

#[tokio::test]
async fn a_dispatcher_whose_clock_is_wrong_neither_expires_nor_delays_jobs() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    for (name, seconds) in [("ahead", 600), ("behind", -600)] {
        cluster.restart_skewed_dispatcher(seconds);
        cluster.wait_status("it leads", |_| true).await;
        cluster.wait_ready(&["n1"]).await;
        let job = format!("deadline-{name}");
        let record = run(&cluster, &job, [("Rolecast-Deadline", "5m")]).await;
        assert_eq!(record.status, RecordStatus::Completed, "{}", record.reason);
        let job = format!("delay-{name}");
        let record = run(&cluster, &job, [("Rolecast-Delay", "2s")]).await;
        // The worker's clock and the server's are this host's.
        let started = record.started_ms.unwrap();
        let waited = started.since(record.submitted_ms);
        assert!(waited >= Duration::from_millis(1990), "{name}: {waited:?}");
        assert!(waited < Duration::from_secs(20), "{name}: {waited:?}");
        let finished = record.finished_ms.since(record.submitted_ms);
        assert!(finished < Duration::from_secs(30), "{name}: {finished:?}");
    }
}

async fn run<'a>(
    cluster: &Cluster,
    job: &'a str,
    options: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Record {
    let id = [("Rolecast-Job-Id", job)];
    let headers = headers(id.into_iter().chain(options));
    cluster.submit_to("rolecast.jobs.echo", headers, "x").await;
    cluster.wait_record(job).await
}
