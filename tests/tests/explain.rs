//! Reasons for placements and learned needs of jobs, as a person asks for them.

use std::time::Duration;

use rolecast_common::options::{HEADER_JOB_ID, HEADER_KEY, HEADER_REQUIRE};
use rolecast_common::wire::{Decision, Encoding, RecordStatus, Verdict, decode};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::jobs::headers;
use rolecast_tests::wait::{wait_for, wait_until};

const WORKER: &str = r#"
usage_scope = "process"
[capacity]
cpu = 2.25
memory = "1GiB"
[categories.echo]
command = ["cat"]
"#;

const DISPATCHER: &str = r#"
[categories.echo]
wait_max = "2s"
duration = "10s"
memory = "64MiB"
"#;

fn with_gpu() -> String {
    WORKER.replace("[capacity]", "[labels]\ngpu = \"a100\"\n[capacity]")
}

async fn submit(cluster: &Cluster, job: &str, wish: (&str, &str)) {
    let headers = headers([(HEADER_JOB_ID, job), wish]);
    cluster.submit_to("rolecast.jobs.echo", headers, "x").await;
}

#[tokio::test]
async fn a_choice_is_explained_and_one_that_would_be_made() {
    let gpu = with_gpu();
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER), ("n2", &gpu)]).await;
    submit(&cluster, "choosy", (HEADER_REQUIRE, "gpu=a100")).await;
    let record = cluster.wait_record("choosy").await;
    cluster.wait_decisions(1).await;
    assert_eq!(record.node.unwrap().as_str(), "n2");
    let sent = "job choosy of echo that requires gpu=a100 was sent to n2, the only one";
    for (line, code, part) in [
        ("explain choosy", 0, sent),
        ("explain choosy", 0, "refused   1 without the labels\n"),
        ("explain choosy", 0, "lead to the same choice"),
        ("explain --dry-run echo", 0, "of 2 that could take it"),
        (
            "explain --dry-run echo --require gpu=h100",
            0,
            "would wait: none of 2 nodes known could take it",
        ),
        (
            "explain --dry-run other",
            1,
            "category other is not declared and no job of it has arrived; its first",
        ),
        (
            "explain --dry-run echo --require GPU",
            2,
            "Rolecast-Require",
        ),
        ("explain never", 4, "job never is not known"),
        ("category show other", 1, "known are echo"),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        cluster.assert_output(&arguments, code, part).await;
    }
    let (json, _) = cluster.rolecast(&["explain", "choosy", "--json"]).await;
    let decision: Decision = decode(Encoding::Json, json.as_bytes()).unwrap();
    assert_eq!((decision.verdict, decision.considered), (Verdict::Sent, 2));
}

#[tokio::test]
async fn what_is_learned_of_jobs_is_shown_beside_what_is_declared() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let (output, _) = cluster.rolecast(&["category", "show", "echo"]).await;
    assert!(output.contains("from 0 jobs\n"), "{output}");
    let job = |i| (format!("job-{i}"), "hello".into());
    cluster.submit_many("echo", 40, job).await;
    cluster.wait_no_jobs(LIMIT).await;
    let (output, code) = cluster.rolecast(&["category", "show", "echo"]).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("from 40 jobs"), "{output}");
    let status = cluster.status().await.unwrap();
    let profile = &status.categories[0].profile;
    // The weight of ten executions of the declared 10 s, and forty of some milliseconds.
    let learned = &profile.learned;
    assert_eq!(profile.duration_s, 10.0);
    assert!((2.0..3.0).contains(&learned.duration_s), "{learned:?}");
    assert!(learned.duration_p95_s < 1.0, "{learned:?}");
    let (output, _) = cluster.rolecast(&["category", "ls"]).await;
    assert!(output.contains("40 jobs"), "{output}");
}

#[tokio::test]
async fn a_job_that_no_node_can_ever_take_is_dead_after_a_while() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    submit(&cluster, "lost", (HEADER_REQUIRE, "gpu")).await;
    wait_until("the reason for its wait is shown", LIMIT, async || {
        let (output, _) = cluster.rolecast(&["explain", "lost"]).await;
        output.contains("had to wait: none of 1 node known could take it")
    })
    .await;
    let record = cluster.wait_record("lost").await;
    let waited = record.finished_ms.since(record.submitted_ms);
    assert!(waited > Duration::from_secs(2), "{waited:?}");
    assert_eq!(record.status, RecordStatus::Dead);
    let reason = "no node known can ever take it";
    assert!(record.reason.starts_with(reason), "{}", record.reason);
    let why = "1 without the labels";
    assert!(record.reason.ends_with(why), "{}", record.reason);
}

#[tokio::test]
async fn jobs_of_one_key_go_to_one_idle_node() {
    let workers = [("n1", WORKER), ("n2", WORKER), ("n3", WORKER)];
    // On a busy machine one slow job would make its node look slow.
    let dispatcher = format!("{DISPATCHER}\n[placement]\nfeedback = false\n");
    let cluster = Cluster::start(&dispatcher, &workers).await;
    let mut nodes = std::collections::BTreeSet::new();
    for job in 0..8 {
        let job = format!("keyed-{job}");
        submit(&cluster, &job, (HEADER_KEY, "customer-17")).await;
        nodes.extend(cluster.wait_record(&job).await.node);
    }
    assert_eq!(nodes.len(), 1, "{nodes:?}");
    let key = ["explain", "--dry-run", "echo", "--key", "customer-17"];
    let (output, _) = cluster.rolecast(&key).await;
    let node = nodes.first().unwrap();
    let sent = format!("would be sent to {node}, which its key prefers of 3");
    assert!(output.contains(&sent), "{output}");
}

#[tokio::test]
async fn what_is_recorded_is_run_again_under_other_policies() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER), ("n2", WORKER)]).await;
    let again = [
        "simulate",
        "--from-cluster",
        "--json",
        "--policy",
        "rolecast,round-robin",
    ];
    let (output, code) = cluster.rolecast(&again).await;
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("no job arrived in the last 1h"), "{output}");
    let job = |i| (format!("job-{i}"), "hello".into());
    cluster.submit_many("echo", 30, job).await;
    cluster.wait_no_jobs(LIMIT).await;
    // Decisions are recorded a little later than jobs are sent.
    let output = wait_for("ten decisions are written down", LIMIT, async || {
        let (output, code) = cluster.rolecast(&again).await;
        (code == 0).then_some(output)
    })
    .await;
    let report: serde_json::Value = serde_json::from_str(&output).unwrap();
    let cells = report["cells"].as_array().unwrap();
    // Two ways of sharing, two seeds, two policies.
    assert_eq!(
        (cells.len(), &cells[1]["policy"]),
        (8, &"round-robin".into())
    );
    for cell in cells {
        let jobs = cell["kinds"]["echo"]["jobs"].as_u64().unwrap();
        assert!((10..=30).contains(&jobs), "{cell}");
        assert_eq!(
            (&cell["hosts"], &cell["unfinished"]),
            (&2.into(), &0.into())
        );
    }
    assert_eq!(
        report["scenario"],
        cluster.status().await.unwrap().dispatcher
    );
    let notes = report["notes"].to_string();
    assert!(notes.contains("there is no history yet"), "{notes}");
}
