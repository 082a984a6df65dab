//! Jobs on a healthy system: a producer gets what it asks for.

use std::time::Duration;

use rolecast_common::options::{HEADER_DEADLINE, HEADER_DELAY, HEADER_MSG_ID, HEADER_REASON};
use rolecast_common::wire::{JobState, JobView, NodeHealth, RecordStatus};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::jobs::headers;
use rolecast_tests::wait::wait_until;

/// Categories of the tests; `runs` records each execution in a file.
const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 4
grace = "5s"
[capacity]
cpu = 4
memory = "4GiB"
[categories.echo]
command = ["cat"]
[categories.wait]
command = ["xargs", "sleep"]
[categories.runs]
command = ["sh", "-c", "echo $ROLECAST_JOB_ID $ROLECAST_ATTEMPT $ROLECAST_NODE >> runs.txt; cat"]
[categories.poison]
command = ["sh", "-c", "echo broken payload >&2; exit 64"]
[categories.flaky]
command = ["sh", "-c", "[ $ROLECAST_ATTEMPT -ge 3 ] || exit 75"]
"#;

const DISPATCHER: &str = r#"
[categories.echo]
[categories.wait]
[categories.runs]
[categories.poison]
[categories.flaky]
retry_min = "100ms"
"#;

async fn cluster() -> Cluster {
    Cluster::start(DISPATCHER, &[("n1", WORKER)]).await
}

#[tokio::test]
async fn a_job_is_run_on_an_eligible_role_and_its_outcome_recorded() {
    let config = "[categories.echo]\nroles = [\"backup\"]\n";
    let backup = WORKER.replace("follower", "backup");
    let cluster = Cluster::start(config, &[("n1", WORKER), ("n2", &backup)]).await;
    cluster.submit("echo", "job-1", "hello").await;
    let record = cluster.wait_record("job-1").await;
    assert_eq!(record.status, RecordStatus::Completed);
    assert_eq!(record.output.0, "hello");
    assert_eq!(record.node.unwrap().as_str(), "n2");
    assert_eq!(record.attempt.unwrap().get(), 1);
    assert!(record.started_ms.is_some() && record.run_us > 0);
    assert!(record.usage.memory_max > 0, "{:?}", record.usage);
    cluster.wait_no_jobs(LIMIT).await;
}

#[tokio::test]
async fn a_plain_publish_without_headers_is_a_complete_job() {
    let cluster = cluster().await;
    let ack = cluster
        .submit_to("rolecast.jobs.echo", headers([]), "plain")
        .await;
    cluster.wait_no_jobs(LIMIT).await;
    let request = format!("#{}", ack.sequence);
    let answer = cluster
        .client()
        .request("rolecast.api.job", request.into())
        .await
        .unwrap();
    let view: JobView = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(view.state, JobState::Completed);
    assert_eq!(view.record.unwrap().output.0, "plain");
}

#[tokio::test]
async fn a_second_submission_with_the_same_key_is_no_second_job() {
    let cluster = cluster().await;
    let first = cluster.submit("runs", "once", "x").await;
    let second = cluster.submit("runs", "once", "x").await;
    assert!(!first.duplicate && second.duplicate);
    cluster.wait_record("once").await;
    cluster.submit("runs", "once", "x").await;
    cluster.submit("runs", "other", "x").await;
    cluster.wait_record("other").await;
    assert_eq!(cluster.records().await.len(), 2);
    assert_eq!(runs(&cluster, "once"), 1);
}

/// Counts the executions of a job in category `runs`.
fn runs(cluster: &Cluster, job: &str) -> usize {
    let path = cluster.directory().join("runs.txt");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter(|line| line.starts_with(&format!("{job} ")))
        .count()
}

#[tokio::test]
async fn a_poisoned_job_goes_to_the_dead_letters_and_can_be_retried() {
    let mut cluster = cluster().await;
    cluster.submit("poison", "bad", "the payload").await;
    let record = cluster.wait_record("bad").await;
    assert_eq!(record.status, RecordStatus::Dead);
    assert!(
        record.reason.contains("broken payload"),
        "{}",
        record.reason
    );
    let letter = cluster.dead_letters().await.remove(0);
    assert_eq!(letter.payload, "the payload");
    assert_eq!(letter.subject, "rolecast.dead.poison.bad");
    assert_eq!(letter.attempts().len(), 1);
    let (listed, code) = cluster.rolecast(&["dead", "ls", "--json"]).await;
    assert!(code == 0 && listed.contains("\"bad\""), "{code}: {listed}");

    // With a corrected category, the same job succeeds.
    let mended = WORKER.replace("echo broken payload >&2; exit 64", "cat");
    cluster.worker("n1").terminate();
    cluster.worker("n1").wait(LIMIT).await;
    cluster.add_worker("n1", &mended);
    cluster.wait_ready(&["n1"]).await;
    let (output, code) = cluster.rolecast(&["dead", "retry", "bad"]).await;
    assert_eq!(code, 0, "{output}");
    let record = cluster.wait_record("bad").await;
    assert_eq!(
        (record.status, &record.output.0[..]),
        (RecordStatus::Completed, &b"the payload"[..])
    );
    assert!(cluster.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_failing_job_is_tried_again_and_keeps_its_failures() {
    let cluster = cluster().await;
    cluster.submit("flaky", "third-time", "").await;
    let record = cluster.wait_record("third-time").await;
    assert_eq!(record.status, RecordStatus::Completed);
    assert_eq!(
        (record.attempt.unwrap().get(), record.failures.len()),
        (3, 2)
    );
}

#[tokio::test]
async fn a_delayed_job_waits_and_a_late_one_expires() {
    let cluster = cluster().await;
    let delayed = headers([(HEADER_MSG_ID, "delayed"), (HEADER_DELAY, "1500ms")]);
    cluster.submit_to("rolecast.jobs.echo", delayed, "").await;
    let late = headers([
        (HEADER_MSG_ID, "late"),
        (HEADER_DEADLINE, "2020-01-01T00:00:00Z"),
    ]);
    cluster.submit_to("rolecast.jobs.echo", late, "").await;
    let record = cluster.wait_record("late").await;
    assert_eq!(record.status, RecordStatus::Expired);
    let record = cluster.wait_record("delayed").await;
    let waited = record.started_ms.unwrap().since(record.submitted_ms);
    assert!(waited >= Duration::from_millis(1490), "{waited:?}");
    assert!(waited < Duration::from_secs(4), "{waited:?}");
}

#[tokio::test]
async fn a_deadline_ends_a_running_job() {
    let cluster = cluster().await;
    let headers = headers([(HEADER_MSG_ID, "slow"), (HEADER_DEADLINE, "2s")]);
    cluster.submit_to("rolecast.jobs.wait", headers, "30").await;
    let record = cluster.wait_record("slow").await;
    assert_eq!(record.status, RecordStatus::Expired, "{}", record.reason);
    let lived = record.finished_ms.since(record.submitted_ms);
    assert!(lived < Duration::from_secs(6), "{lived:?}");
}

#[tokio::test]
async fn urgent_jobs_overtake_waiting_ones() {
    let worker = WORKER.replace("max_jobs = 4", "max_jobs = 1");
    let cluster = Cluster::start(DISPATCHER, &[("n1", &worker)]).await;
    cluster.submit("wait", "first", "1").await;
    cluster.wait_running(1).await;
    for (subject, id) in [
        ("rolecast.jobs.wait.low", "low"),
        ("rolecast.jobs.wait", "normal"),
        ("rolecast.jobs.wait.high", "high"),
    ] {
        cluster
            .submit_to(subject, headers([(HEADER_MSG_ID, id)]), "0.1")
            .await;
    }
    cluster.wait_no_jobs(LIMIT).await;
    let order: Vec<String> = cluster
        .records()
        .await
        .iter()
        .map(|r| r.job.to_string())
        .collect();
    assert_eq!(order, ["first", "high", "normal", "low"]);
}

#[tokio::test]
async fn an_undeclared_category_is_served_by_default_or_dead_lettered_by_policy() {
    let cluster = Cluster::start("", &[("n1", WORKER)]).await;
    cluster.submit("echo", "undeclared", "x").await;
    assert_eq!(
        cluster.wait_record("undeclared").await.status,
        RecordStatus::Completed
    );
    drop(cluster);
    let cluster = Cluster::start("[undeclared]\npolicy = \"dead-letter\"\n", &[]).await;
    cluster.submit("echo", "undeclared", "x").await;
    cluster.submit("SHOUTED", "shouted", "x").await;
    for job in ["undeclared", "shouted"] {
        let record = cluster.wait_record(job).await;
        assert_eq!(record.status, RecordStatus::Dead);
    }
    let reasons: Vec<String> = cluster
        .dead_letters()
        .await
        .iter()
        .map(|letter| letter.header(HEADER_REASON).to_owned())
        .collect();
    assert!(
        reasons.iter().any(|reason| reason.contains("not declared")),
        "{reasons:?}"
    );
    assert!(
        reasons.iter().any(|reason| reason.contains("SHOUTED")),
        "{reasons:?}"
    );
    cluster.wait_no_jobs(LIMIT).await;
}

#[tokio::test]
async fn undecodable_options_and_the_largest_payload_lose_nothing() {
    let cluster = cluster().await;
    let bad = headers([(HEADER_MSG_ID, "bad-delay"), (HEADER_DELAY, "soon")]);
    cluster.submit_to("rolecast.jobs.echo", bad, "x").await;
    let record = cluster.wait_record("bad-delay").await;
    assert!(
        record.reason.contains("Rolecast-Delay"),
        "{}",
        record.reason
    );
    // One byte less than the server takes, headers included, in a poisoned job.
    let frame = "NATS/1.0\r\nNats-Msg-Id: large\r\n\r\n".len();
    let largest = vec![b'x'; 1024 * 1024 - frame];
    cluster.submit("poison", "large", largest.clone()).await;
    let record = cluster.wait_record("large").await;
    assert_eq!(record.status, RecordStatus::Dead);
    let letters = cluster.dead_letters().await;
    let large = letters
        .iter()
        .find(|letter| letter.subject.ends_with(".large"))
        .unwrap();
    assert!(
        large.payload.len() == largest.len(),
        "{}",
        large.payload.len()
    );
}

#[tokio::test]
async fn a_full_category_never_blocks_another() {
    let worker = WORKER.replace("[categories.wait]", "[categories.wait]\nmax_jobs = 2");
    let cluster = Cluster::start(DISPATCHER, &[("n1", &worker)]).await;
    cluster
        .submit_many("wait", 200, |i| (format!("wait-{i}"), "60".into()))
        .await;
    cluster.wait_running(2).await;
    cluster.submit("echo", "quick", "x").await;
    let taken = wait_until("the other category's job is done", LIMIT, async || {
        cluster.record("quick").await.is_some()
    })
    .await;
    assert!(taken < Duration::from_secs(2), "{taken:?}");
}

#[tokio::test]
async fn without_an_eligible_node_jobs_wait_and_the_need_is_shown() {
    let config = "[categories.echo]\nroles = [\"leader\"]\n";
    let mut cluster = Cluster::start(config, &[("n1", WORKER)]).await;
    cluster.submit("echo", "patient", "x").await;
    let is_shown = |status: &rolecast_common::wire::Status| {
        let category = &status.categories[0];
        category.backlog == 1 && category.nodes_eligible == 0 && category.oldest_ms.is_some()
    };
    cluster.wait_status("the need is shown", is_shown).await;
    wait_until("the need is in the log", LIMIT, async || {
        cluster.dispatcher().log().contains("no_eligible_node")
    })
    .await;
    cluster.add_worker("n2", &WORKER.replace("follower", "leader"));
    assert_eq!(
        cluster.wait_record("patient").await.node.unwrap().as_str(),
        "n2"
    );
}

#[tokio::test]
async fn a_draining_worker_finishes_or_hands_back_what_it_has() {
    let worker = WORKER.replace("grace = \"5s\"", "grace = \"2s\"");
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", &worker)]).await;
    cluster.submit("wait", "short", "1").await;
    cluster.submit("wait", "long", "4").await;
    cluster.wait_running(2).await;
    cluster.worker("n1").terminate();
    cluster.wait_health("n1", NodeHealth::Draining).await;
    cluster.add_worker("n2", WORKER);
    let status = cluster.worker("n1").wait(LIMIT).await;
    assert!(status.success(), "{status}");
    let short = cluster.wait_record("short").await;
    assert_eq!(short.node.unwrap().as_str(), "n1");
    let long = cluster.wait_record("long").await;
    assert_eq!(long.node.unwrap().as_str(), "n2");
    assert!(
        long.failures.is_empty(),
        "handing back is no failure: {:?}",
        long.failures
    );
}
