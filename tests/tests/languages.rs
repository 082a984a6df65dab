//! Messages as other languages write them: numbers, absent values, and headers.

use std::time::Duration;

use async_nats::HeaderMap;
use futures_util::StreamExt as _;
use rolecast_common::options::{HEADER_JOB_ID, HEADER_MSG_ID};
use rolecast_common::wire::{Encoding, HEADER_CONTENT_TYPE, RecordStatus};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::wait::wait_for;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

const DISPATCHER: &str = "[categories.echo]\n";

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
[capacity]
cpu = 2
memory = "1GiB"
[labels]
zone = "eu"
gpu = "a100"
[categories.echo]
command = ["sh", "-c", "echo $ROLECAST_DEADLINE; cat"]
"#;

#[tokio::test]
async fn a_worker_whose_language_has_floats_only_is_understood() {
    let cluster = Cluster::start(DISPATCHER, &[]).await;
    let mut messages = cluster
        .client()
        .subscribe("rolecast.node.js.>")
        .await
        .unwrap();
    let beats = beat(cluster.client().clone());
    cluster.wait_ready(&["js"]).await;
    cluster.submit("echo", "job-1", "x").await;
    let reply = loop {
        let next = tokio::time::timeout(LIMIT, messages.next()).await;
        let message = next.expect("a job comes").expect("the subscription lasts");
        if message.subject.ends_with(".jobs") {
            break message.reply.expect("a job has a reply subject");
        }
    };
    let outcome = json!({"v": 1.0, "status": "completed", "reason": null, "output": "done",
        "output_truncated": null, "started_ms": 1_769_860_800_000.0, "run_us": 5e9,
        "usage": {"cpu_us": 1e6, "memory_max": null}});
    publish(cluster.client(), reply.to_string(), &outcome).await;
    let record = cluster.wait_record("job-1").await;
    assert_eq!(record.status, RecordStatus::Completed);
    assert_eq!(record.run_us, 5_000_000_000);
    assert_eq!(record.started_ms.unwrap().as_millis(), 1_769_860_800_000);
    let counters = cluster.status().await.unwrap().counters;
    assert_eq!(
        (counters.heartbeats_refused, counters.outcomes_malformed),
        (0, 0)
    );
    beats.abort();
}

/// Sends heartbeats until it is aborted.
fn beat(client: async_nats::Client) -> AbortHandle {
    let task = tokio::spawn(async move {
        for sequence in 1_u32.. {
            let usage = json!({"total": {"cpu": 0.0, "memory": 0.0}, "jobs": null});
            let heartbeat = json!({"v": 1.0, "node": "js", "boot": "b1",
                "seq": f64::from(sequence), "epoch": null, "interval_ms": 1000.0,
                "roles": ["follower"], "labels": null, "role_failure": null, "usage": usage,
                "capacity": {"cpu": 2.0, "memory": 1e9, "network": null},
                "jobs_max": 4.0, "categories": {"echo": 4.0}});
            publish(&client, "rolecast.heartbeat.js".to_owned(), &heartbeat).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    task.abort_handle()
}

async fn publish(client: &async_nats::Client, subject: String, message: &Value) {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_CONTENT_TYPE, Encoding::Json.content_type());
    let payload = message.to_string().into_bytes().into();
    let sent =
        client.publish_with_reply_and_headers(subject, "rolecast.node.js.ok", headers, payload);
    sent.await.expect("a message can be sent");
}

#[tokio::test]
async fn headers_count_in_any_case_and_with_all_their_lines() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    submit(
        &cluster,
        &[
            ("rolecast-job-id", "lower"),
            ("rolecast-deadline", "9999-12-31T23:59:59Z"),
            ("rolecast-require", "zone=eu"),
            ("Rolecast-Require", "gpu"),
        ],
    )
    .await;
    let record = cluster.wait_record("lower").await;
    assert_eq!(record.status, RecordStatus::Completed, "{record:?}");
    for (job, headers, reason) in [
        (
            "two-ids",
            [(HEADER_JOB_ID, "one"), ("rolecast-job-id", "two")],
            "header Rolecast-Job-Id has two lines that differ",
        ),
        (
            "misspelt",
            [(HEADER_MSG_ID, "misspelt"), ("Rolecast-Dedline", "5m")],
            "unknown header \"Rolecast-Dedline\"",
        ),
        (
            "no-id",
            [(HEADER_MSG_ID, "no-id"), (HEADER_JOB_ID, "order 7")],
            "header Rolecast-Job-Id: \"order 7\" is not a job id",
        ),
        (
            "early",
            [("Rolecast-Deadline", "1m"), ("Rolecast-Delay", "2m")],
            "Rolecast-Delay \"2m\" is not shorter than Rolecast-Deadline \"1m\"",
        ),
        (
            "roles",
            [("rolecast-roles", "leader"), ("Accept", "x")],
            "header Rolecast-Roles is set by the dispatcher",
        ),
    ] {
        let sequence = submit(&cluster, &headers).await;
        let found = wait_for(job, LIMIT, async || {
            let records = cluster.records().await.into_iter();
            records
                .rev()
                .find(|record| record.sequence.get() == sequence)
        });
        let record = found.await;
        assert_eq!(record.status, RecordStatus::Dead, "{job}");
        assert!(record.reason.starts_with(reason), "{}", record.reason);
    }
    cluster.wait_no_jobs(LIMIT).await;
}

/// Publishes a job with exactly these header lines; returns its sequence.
async fn submit(cluster: &Cluster, lines: &[(&str, &str)]) -> u64 {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, *value);
    }
    cluster
        .submit_to("rolecast.jobs.echo", headers, "x")
        .await
        .sequence
}
