//! Cancelled jobs: waiting, delayed, running and completing, over take-overs and deaths.

#![allow(
    clippy::disallowed_methods,
    reason = "end-to-end tests live in a real environment"
)]

use std::time::Duration;

use bytes::Bytes;
use rolecast_common::options::{HEADER_DELAY, HEADER_MSG_ID};
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_common::wire::{CategoryStatus, Record, RecordStatus};
use rolecast_nats::{Settings, nats_settings};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::jobs::headers;
use rolecast_tests::wait::wait_until;
use rolecast_worker::config::Capacity;
use rolecast_worker::{Job, JobError, Scope, Worker};
use serde_json::Value;

const DISPATCHER: &str = r#"
[categories.polite]
[categories.stubborn]
[categories.quick]
[categories.handled]
"#;

/// Jobs write what happens to them to a file of their name.
const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 2
[capacity]
cpu = 4
memory = "4GiB"
[categories.polite]
command = ["sh", "-c", """
trap 'echo asked >> $ROLECAST_JOB_ID; exit 0' TERM
echo started >> $ROLECAST_JOB_ID
while :; do sleep 0.05; done
"""]
[categories.stubborn]
command = ["sh", "-c", """
trap '' TERM
echo started >> $ROLECAST_JOB_ID
while :; do sleep 0.05; done
"""]
[categories.quick]
command = ["sh", "-c", "echo started > $ROLECAST_JOB_ID; sleep 0.2; echo ended >> $ROLECAST_JOB_ID"]
"#;

async fn start() -> Cluster {
    Cluster::start(DISPATCHER, &[("n1", WORKER)]).await
}

/// Returns what a job wrote.
fn written(cluster: &Cluster, job: &str) -> String {
    std::fs::read_to_string(cluster.directory().join(job)).unwrap_or_default()
}

async fn wait_started(cluster: &Cluster, job: &str) {
    wait_until(&format!("{job} runs"), LIMIT, async || {
        written(cluster, job).contains("started")
    })
    .await;
}

/// Submits a job, and waits until it runs.
async fn run(cluster: &Cluster, category: &str, job: &str) {
    cluster.submit(category, job, "").await;
    wait_started(cluster, job).await;
}

/// Cancels a job, and returns the last of what the command prints, and its exit code.
async fn cancel(cluster: &Cluster, job: &str) -> (String, i32) {
    let arguments = ["job", "cancel", job, "--reason", "twice"];
    cluster.rolecast(&arguments).await
}

async fn assert_cancelled(cluster: &Cluster, job: &str) -> Record {
    let record = cluster.wait_record(job).await;
    assert_eq!(record.status, RecordStatus::Cancelled, "{record:?}");
    assert_eq!(record.reason, "cancelled by operator: twice");
    record
}

/// Waits until the stream and the bucket are empty.
async fn assert_forgotten(cluster: &Cluster) {
    cluster.wait_no_jobs(LIMIT).await;
    wait_until("the cancels are deleted", LIMIT, async || {
        cluster.message_count("KV_ROLECAST_CANCELS").await == Some(0)
    })
    .await;
}

#[tokio::test]
async fn a_running_command_is_asked_to_end_and_what_it_exits_with_does_not_count() {
    let cluster = start().await;
    run(&cluster, "polite", "job-1").await;
    let (output, code) = cancel(&cluster, "job-1").await;
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("job job-1 cancelled on n1, attempt 1"),
        "{output}"
    );
    let record = assert_cancelled(&cluster, "job-1").await;
    assert!(record.run_us > 0 && record.failures.is_empty());
    assert_eq!(written(&cluster, "job-1"), "started\nasked\n");
    assert_forgotten(&cluster).await;
    let is_counted = |category: &CategoryStatus| {
        category.category.as_str() == "polite" && (category.cancelled, category.dead) == (1, 0)
    };
    let status = cluster.status().await.unwrap();
    assert!(status.categories.iter().any(is_counted));
    cluster
        .assert_output(&["job", "get", "job-1"], 1, "cancelled by operator: twice")
        .await;
    cluster
        .assert_output(&["job", "ls", "--state", "cancelled"], 0, "job-1")
        .await;
    cluster
        .assert_output(&["events"], 0, "job job-1 was cancelled by operator")
        .await;
    // Once more: it has ended, as the record shows.
    let (output, code) = cancel(&cluster, "job-1").await;
    assert_eq!((code, output.contains("cancelled")), (0, true), "{output}");
    assert_forgotten(&cluster).await;
}

#[tokio::test]
async fn a_command_that_ignores_the_request_is_killed() {
    let cluster = start().await;
    run(&cluster, "stubborn", "job-1").await;
    let begun = std::time::Instant::now();
    let (output, code) = cancel(&cluster, "job-1").await;
    assert_eq!(code, 0, "{output}");
    assert!(
        begun.elapsed() >= Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_cancelled(&cluster, "job-1").await;
}

#[tokio::test]
async fn waiting_delayed_and_unknown_jobs_are_cancelled() {
    let cluster = Cluster::start(DISPATCHER, &[]).await;
    cluster.submit("polite", "waiting", "").await;
    let delayed = headers([(HEADER_MSG_ID, "delayed"), (HEADER_DELAY, "1h")]);
    cluster.submit_to("rolecast.jobs.polite", delayed, "").await;
    for (job, state) in [("waiting", "waiting"), ("delayed", "delayed")] {
        let listed = ["job", "ls", "--state", state];
        wait_until(&format!("{job} is held"), LIMIT, async || {
            cluster.rolecast(&listed).await.0.contains(job)
        })
        .await;
    }
    let all = [
        "job", "cancel", "waiting", "delayed", "never", "--reason", "twice", "--json",
    ];
    let (output, code) = cluster.rolecast(&all).await;
    assert_eq!(code, 0, "{output}");
    let document: Value = serde_json::from_str(&output).unwrap();
    let fates: Vec<(&str, &str)> = document["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["job"].as_str().unwrap(), row["fate"].as_str().unwrap()))
        .collect();
    let expected = [
        ("waiting", "ended"),
        ("delayed", "ended"),
        ("never", "pending"),
    ];
    assert_eq!(fates, expected);
    let record = assert_cancelled(&cluster, "waiting").await;
    assert_eq!(record.node, None);
    assert_cancelled(&cluster, "delayed").await;
    cluster.wait_no_jobs(LIMIT).await;
    assert_eq!(cluster.dead_letters().await.len(), 0);
}

#[tokio::test]
async fn a_handler_is_notified_and_aborted_if_it_goes_on() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let nats = Settings {
        url: Some(cluster.server().url_as("n2")),
        ..Settings::default()
    };
    let nats = nats_settings(nats, Settings::default()).unwrap();
    let handler = |job: Job| async move {
        assert!(!job.is_cancelled());
        match &job.payload()[..] {
            b"ends" => job.cancelled().await,
            b"completes" => {
                job.cancelled().await;
                return Ok(Bytes::from_static(b"done"));
            }
            _ => std::future::pending().await,
        }
        assert!(job.is_cancelled());
        Err::<Bytes, JobError>(JobError::give_up("as it was asked"))
    };
    let worker = Worker::builder()
        .node("n2")
        .role("follower")
        .usage_scope(Scope::Process)
        .capacity(Capacity::default())
        .handle("handled", handler)
        .nats(nats)
        .build()
        .unwrap();
    let test = async {
        cluster.wait_ready(&["n2"]).await;
        for payload in ["ends", "completes", "goes-on"] {
            cluster.submit("handled", payload, payload).await;
        }
        cluster.wait_running(3).await;
        let (output, code) = cancel(&cluster, "completes").await;
        assert_eq!(code, 1, "{output}");
        assert!(output.contains("job completes completed on n2"), "{output}");
        for job in ["ends", "goes-on"] {
            let (output, code) = cancel(&cluster, job).await;
            assert_eq!(code, 0, "{output}");
            assert_cancelled(&cluster, job).await;
        }
        assert_forgotten(&cluster).await;
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serve = async {
        let served = worker.run(async { drop(stopped.await) }).await;
        served.expect("the worker serves until it is stopped");
    };
    let test = async {
        test.await;
        drop(stop);
    };
    tokio::join!(serve, test);
}

#[tokio::test]
async fn a_cancel_outlives_the_leader_that_took_it() {
    let mut cluster = start().await;
    let second = cluster.second_dispatcher();
    wait_until("the second stands by", LIMIT, async || {
        second.log().contains("standing_by")
    })
    .await;
    run(&cluster, "stubborn", "running").await;
    cluster
        .submit_many("polite", 3_000, |i| (format!("job-{i}"), Bytes::new()))
        .await;
    cluster.wait_running(2).await;
    let one = ["job", "cancel", "running", "--reason", "twice"];
    let one: Vec<&str> = one.into_iter().chain(["--timeout", "500ms"]).collect();
    let (output, code) = cluster.rolecast(&one).await;
    assert_eq!(code, 5, "{output}");
    let all = ["job", "cancel", "--category", "polite", "--reason", "twice"];
    let all: Vec<&str> = all.into_iter().chain(["--yes"]).collect();
    cluster.assert_output(&all, 0, "category polite:").await;
    cluster.dispatcher().kill();
    assert_cancelled(&cluster, "running").await;
    assert!(second.log().contains("epoch=2"), "{}", second.log());
    assert_eq!(written(&cluster, "running"), "started\n", "it ran once");
    cluster.wait_no_jobs(LIMIT).await;
    let counts = cluster.outcome_counts().await;
    assert_eq!(counts.get("cancelled"), Some(&3_001), "{counts:?}");
}

#[tokio::test]
async fn a_cancelled_job_whose_worker_dies_does_not_run_elsewhere() {
    let mut cluster = start().await;
    run(&cluster, "stubborn", "job-1").await;
    cluster.add_worker("n2", WORKER);
    cluster.wait_ready(&["n1", "n2"]).await;
    let arguments = [
        "job",
        "cancel",
        "job-1",
        "--reason",
        "twice",
        "--timeout",
        "500ms",
    ];
    let (output, code) = cluster.rolecast(&arguments).await;
    assert_eq!(code, 5, "{output}");
    cluster.worker("n1").kill();
    let record = assert_cancelled(&cluster, "job-1").await;
    assert_eq!(record.losses.len(), 1);
    assert_forgotten(&cluster).await;
    assert_eq!(written(&cluster, "job-1"), "started\n");
}

#[tokio::test]
async fn a_category_is_cancelled_with_what_is_behind_in_the_stream() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    cluster
        .submit_many("polite", 300, |i| (format!("job-{i}"), Bytes::new()))
        .await;
    cluster.submit("quick", "other", "").await;
    let order = ["job", "cancel", "--category", "polite", "--reason", "twice"];
    cluster.assert_output(&order, 2, "add --yes to do it").await;
    let old: Vec<&str> = order
        .into_iter()
        .chain(["--older", "1h", "--yes"])
        .collect();
    cluster
        .assert_output(&old, 0, "category polite: 0 waiting")
        .await;
    let all: Vec<&str> = order.into_iter().chain(["--yes"]).collect();
    cluster.assert_output(&all, 0, "category polite:").await;
    wait_until("all are recorded", LIMIT, async || {
        cluster.records().await.len() == 300
    })
    .await;
    let counts = cluster.outcome_counts().await;
    assert_eq!(counts.get("cancelled"), Some(&300), "{counts:?}");
    assert_eq!(cluster.message_count(STREAM_JOBS).await, Some(1));
    // Jobs submitted later are not meant.
    cluster.submit("polite", "later", "").await;
    cluster.add_worker("n1", WORKER);
    wait_started(&cluster, "later").await;
    cancel(&cluster, "later").await;
    assert_cancelled(&cluster, "later").await;
}

#[tokio::test]
async fn of_cancel_and_completion_each_job_has_one_record_which_the_command_shows() {
    let cluster = start().await;
    let mut seen = Vec::new();
    for number in 0..24 {
        let job = format!("job-{number}");
        cluster.submit("quick", &job, "").await;
        // Cancels arrive while it is sent, while it runs, and while its end is recorded.
        let until = ["", "started", "ended"][number % 3];
        wait_until(&format!("{job}: {until}"), LIMIT, async || {
            written(&cluster, &job).contains(until)
        })
        .await;
        let (output, code) = cancel(&cluster, &job).await;
        let record = cluster.wait_record(&job).await;
        let shown = format!("job {job} {}", record.status.as_str());
        assert!(output.starts_with(&shown), "{output}, and {record:?}");
        assert_eq!(code == 0, record.status == RecordStatus::Cancelled);
        seen.push(record.status);
    }
    assert!(seen.contains(&RecordStatus::Cancelled), "{seen:?}");
    assert!(seen.contains(&RecordStatus::Completed), "{seen:?}");
    assert_eq!(cluster.records().await.len(), seen.len());
    assert_forgotten(&cluster).await;
}

#[tokio::test]
async fn only_operators_may_cancel() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    cluster.intrude();
    let (output, code) = cluster
        .rolecast_as("viewer", &["job", "cancel", "job-1"])
        .await;
    assert_eq!(code, 3, "{output}");
    assert!(output.contains("rolecast.api.cancel"), "{output}");
}
