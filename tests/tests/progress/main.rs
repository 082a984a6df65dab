//! Progress of jobs: reported by commands, handlers and workers in other languages, shown
//! while the job runs, and gone with it.

#![allow(
    clippy::disallowed_methods,
    reason = "end-to-end tests live in a real environment"
)]

mod logs;
mod watch;

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::StreamExt as _;
use rolecast_common::wire::{
    Encoding, HEADER_CONTENT_TYPE, Heartbeat, JobView, ProgressView, RecordStatus, decode,
};
use rolecast_nats::{Settings, nats_settings};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::wait::{wait_for, wait_until};
use rolecast_worker::config::Capacity;
use rolecast_worker::{Job, JobError, Scope, Worker};
use serde_json::{Value, json};

const DISPATCHER: &str = r#"
[categories.pages]
[categories.flood]
[categories.foreign]
[categories.handled]
[categories.open]
"#;

/// Jobs run until the file that their payload names is there.
const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 4
[capacity]
cpu = 4
memory = "4GiB"
[categories.pages]
command = ["sh", "-c", """
end=$(cat)
echo "0.4 page 3 of 8" >&$ROLECAST_PROGRESS_FD
while [ ! -e $end ]; do sleep 0.05; done
"""]
[categories.flood]
command = ["sh", "-c", """
end=$(cat)
yes "0.5 again and again" >&3 &
while [ ! -e $end ]; do sleep 0.05; done
"""]
[categories.open]
command = ["sh", "-c", "readlink /proc/$$/fd/$ROLECAST_PROGRESS_FD; true"]
"#;

/// Returns the state of a job as the command shows it.
async fn view(cluster: &Cluster, job: &str) -> Option<JobView> {
    let (output, _) = cluster.rolecast(&["job", "get", job, "--json"]).await;
    decode(Encoding::Json, output.as_bytes()).ok()
}

/// Waits until a running job has this progress.
async fn wait_progress(cluster: &Cluster, job: &str, done: f64, text: &str) -> JobView {
    let is_it = |progress: &ProgressView| progress.done.get() == done && progress.text == text;
    wait_for(&format!("{job} is at {done} {text}"), LIMIT, async || {
        let view = view(cluster, job).await?;
        view.progress.as_ref().is_some_and(is_it).then_some(view)
    })
    .await
}

/// Lets the jobs end that wait for this file.
fn end(cluster: &Cluster, file: &str) {
    std::fs::write(cluster.directory().join(file), "").expect("the file can be written");
}

#[tokio::test]
async fn the_progress_of_a_command_is_shown_and_gone_with_the_job() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.submit("pages", "job-1", "end").await;
    let view = wait_progress(&cluster, "job-1", 0.4, "page 3 of 8").await;
    assert_eq!(view.node.unwrap().as_str(), "n1");
    let part = "progress  40 %  page 3 of 8, since 2";
    cluster
        .assert_output(&["job", "get", "job-1"], 0, part)
        .await;
    end(&cluster, "end");
    let record = cluster.wait_record("job-1").await;
    assert_eq!(record.status, RecordStatus::Completed);
    let (output, _) = cluster.rolecast(&["job", "get", "job-1"]).await;
    assert!(!output.contains("page 3"), "{output}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_command_inherits_the_pipe_of_its_progress() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.submit("open", "job-1", "").await;
    let record = cluster.wait_record("job-1").await;
    let output = String::from_utf8_lossy(&record.output.0);
    assert!(output.starts_with("pipe:"), "{output:?}: {}", record.reason);
}

#[tokio::test]
async fn a_job_that_floods_the_descriptor_is_held_up_by_nothing_and_holds_up_nothing() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.submit("flood", "flood", "end").await;
    wait_progress(&cluster, "flood", 0.5, "again and again").await;
    let heartbeats = cluster.status().await.unwrap().counters.heartbeats;
    let begun = std::time::Instant::now();
    cluster.submit("pages", "beside", "now").await;
    end(&cluster, "now");
    cluster.wait_record("beside").await;
    let status = cluster.status().await.unwrap();
    let count = (status.counters.heartbeats - heartbeats) as f64;
    // One a second, and up to four more when the use of the host changes.
    assert!(
        count <= 6.0 * (begun.elapsed().as_secs_f64() + 1.0),
        "{count}"
    );
    end(&cluster, "end");
    let record = cluster.wait_record("flood").await;
    assert_eq!(record.status, RecordStatus::Completed, "{}", record.reason);
    assert_eq!(record.failures, []);
}

#[tokio::test]
async fn a_handler_reports_progress_at_any_rate() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let nats = Settings {
        url: Some(cluster.server().url_as("n2")),
        ..Settings::default()
    };
    let nats = nats_settings(nats, Settings::default()).unwrap();
    let (goes_on, waits) = tokio::sync::watch::channel(false);
    let handler = move |job: Job| {
        let mut waits = waits.clone();
        async move {
            for page in 0..8_000 {
                job.progress(f64::from(page) / 8000.0, &format!("page {page}"));
            }
            job.progress(f64::NAN, "\u{1b}[2Jnot a number");
            job.progress(0.75, "page 6 of 8");
            waits.wait_for(|goes_on| *goes_on).await?;
            Ok::<Bytes, JobError>(Bytes::new())
        }
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
        cluster.submit("handled", "job-1", "").await;
        wait_progress(&cluster, "job-1", 0.75, "page 6 of 8").await;
        goes_on.send(true).unwrap();
        cluster.wait_record("job-1").await
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = async {
        let served = worker.run(async { drop(stopped.await) }).await;
        served.expect("the worker serves until it is stopped");
    };
    let test = async {
        let record = test.await;
        drop(stop);
        record
    };
    let ((), record) = tokio::join!(run, test);
    assert_eq!(record.status, RecordStatus::Completed);
}

#[tokio::test]
async fn a_worker_in_another_language_reports_progress_in_its_heartbeats() {
    let cluster = Cluster::start(DISPATCHER, &[]).await;
    let client = cluster.client();
    let mut jobs = client.subscribe("rolecast.node.n5.jobs").await.unwrap();
    let mut sequence = 0;
    let mut assignment: Option<String> = None;
    let is_shown = async |assignment: &Option<String>| {
        assignment.as_ref()?;
        view(&cluster, "job-1").await?.progress
    };
    cluster.submit("foreign", "job-1", "x").await;
    // A part above 1 becomes 1, a long or dangerous text a short and plain one.
    let text = format!("\u{1b}[2J{}", "é".repeat(200));
    let progress = wait_for("its progress is shown", LIMIT, async || {
        sequence += 1;
        let in_hand: Vec<&String> = assignment.iter().collect();
        let progress = match in_hand.is_empty() {
            true => json!(null),
            false => json!([{"job": 0.0, "done": 1.5, "text": text}, {"job": 7, "done": 0}]),
        };
        beat(&cluster, "n5", sequence, json!(in_hand), progress).await;
        let next = tokio::time::timeout(Duration::from_millis(200), jobs.next()).await;
        if let Ok(Some(job)) = next {
            let reply = job.reply.unwrap();
            assignment = Some(reply.strip_prefix("rolecast.done.n5.").unwrap().to_owned());
        }
        is_shown(&assignment).await
    })
    .await;
    assert_eq!(progress.done.get(), 1.0);
    assert_eq!(progress.text, format!(" [2J{}", "é".repeat(96)));
    assert_eq!(
        cluster.status().await.unwrap().counters.heartbeats_refused,
        0
    );
}

/// Publishes a heartbeat as a worker in another language.
async fn beat(cluster: &Cluster, node: &str, sequence: u64, jobs: Value, progress: Value) {
    let heartbeat = json!({"v": 1, "node": node, "boot": "b1", "seq": sequence,
        "interval_ms": 1000, "roles": ["follower"], "capacity": {"cpu": 2, "memory": 1e9},
        "usage": {"total": {"cpu": 0, "memory": 0}}, "jobs_max": 4,
        "categories": {"foreign": 4}, "jobs": jobs, "progress": progress});
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_CONTENT_TYPE, Encoding::Json.content_type());
    let subject = format!("rolecast.heartbeat.{node}");
    let payload = heartbeat.to_string().into();
    let client = cluster.client();
    client
        .publish_with_headers(subject, headers, payload)
        .await
        .expect("the test can publish");
    client.flush().await.expect("the test can publish");
}

#[tokio::test]
async fn another_node_cannot_claim_the_progress_of_a_job() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.intrude();
    let client = cluster.client();
    let mut beats = client.subscribe("rolecast.heartbeat.n1").await.unwrap();
    cluster.submit("pages", "job-1", "end").await;
    wait_progress(&cluster, "job-1", 0.4, "page 3 of 8").await;
    let listed = async {
        loop {
            let message = beats.next().await.unwrap();
            let beat: Heartbeat = decode(Encoding::MessagePack, &message.payload).unwrap();
            if let [assignment] = &beat.jobs[..] {
                return assignment.to_string();
            }
        }
    };
    let assignment = tokio::time::timeout(LIMIT, listed).await.unwrap();
    for sequence in 1..4 {
        let claim = json!([{"job": 0, "done": 0.9, "text": "mine"}]);
        beat(&cluster, "n9", sequence, json!([assignment]), claim).await;
    }
    cluster.wait_ready(&["n9"]).await;
    let view = view(&cluster, "job-1").await.unwrap();
    let progress = view.progress.unwrap();
    assert_eq!(progress.text, "page 3 of 8");
    assert_eq!(view.node.unwrap().as_str(), "n1");
    end(&cluster, "end");
    cluster.wait_record("job-1").await;
}

#[tokio::test]
async fn a_dispatcher_that_takes_over_shows_the_progress_again() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let second = cluster.second_dispatcher();
    wait_until("the second stands by", LIMIT, async || {
        second.log().contains("standing_by")
    })
    .await;
    cluster.submit("pages", "job-1", "end").await;
    wait_progress(&cluster, "job-1", 0.4, "page 3 of 8").await;
    cluster.dispatcher().kill();
    let is_second = |status: &rolecast_common::wire::Status| status.epoch.get() == 2;
    cluster.wait_status("the second leads", is_second).await;
    let view = wait_progress(&cluster, "job-1", 0.4, "page 3 of 8").await;
    assert_eq!(view.attempt.map(|attempt| attempt.get()), Some(1));
    end(&cluster, "end");
    assert_eq!(
        cluster.wait_record("job-1").await.status,
        RecordStatus::Completed
    );
    drop(second);
}
