//! `rolecast job logs`: the end of what the attempts at a job wrote to stderr.

use rolecast_common::subjects::STREAM_LOGS;
use rolecast_common::wire::{LOG_LEN_MAX, RecordStatus};
use rolecast_tests::cluster::Cluster;
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_until;
use serde_json::Value;

use rolecast_tests::cluster::LIMIT;

const DISPATCHER: &str = r#"
[categories.fails]
max_attempts = 3
retry_min = "100ms"
retry_max = "100ms"
[categories.large]
max_attempts = 1
[categories.kept]
[categories.dropped]
max_attempts = 1
[categories.dangerous]
max_attempts = 1
"#;

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 4
[capacity]
cpu = 4
memory = "4GiB"
[categories.fails]
command = ["sh", "-c", "echo this is attempt $ROLECAST_ATTEMPT >&2; exit 3"]
[categories.large]
command = ["sh", "-c", "seq 100000 >&2; exit 3"]
[categories.kept]
command = ["sh", "-c", "echo all is well >&2"]
keep_stderr = "always"
[categories.dropped]
command = ["sh", "-c", "echo a secret >&2; exit 3"]
keep_stderr = "never"
[categories.dangerous]
command = ["sh", "-c", "printf '\\033[2Jred\\377\\n' >&2; exit 3"]
"#;

/// Runs `rolecast job logs`, and expects that it succeeds.
async fn logs(cluster: &Cluster, arguments: &[&str]) -> String {
    let line: Vec<&str> = ["job", "logs"].iter().chain(arguments).copied().collect();
    let (output, code) = cluster.rolecast(&line).await;
    assert_eq!(code, 0, "{output}");
    output
}

async fn stored(cluster: &Cluster, count: u64) {
    wait_until("the logs are stored", LIMIT, async || {
        cluster.message_count(STREAM_LOGS).await == Some(count)
    })
    .await;
}

#[tokio::test]
async fn the_logs_of_all_failed_attempts_are_shown_in_their_order() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.stream(STREAM_LOGS).await;
    cluster.submit("fails", "job-1", "").await;
    assert_eq!(
        cluster.wait_record("job-1").await.status,
        RecordStatus::Dead
    );
    stored(&cluster, 3).await;
    let output = logs(&cluster, &["job-1"]).await;
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), 6, "{output}");
    for attempt in 1..=3 {
        let (heading, text) = (lines[2 * attempt - 2], lines[2 * attempt - 1]);
        let start = format!("==> attempt {attempt} on n1 failed 2");
        assert!(heading.starts_with(&start), "{heading}");
        let end = format!(", 18 B: exit code 3: this is attempt {attempt}");
        assert!(heading.ends_with(&end), "{heading}");
        assert_eq!(text, format!("this is attempt {attempt}"));
    }
    let one = logs(&cluster, &["job-1", "--attempt", "2"]).await;
    assert_eq!(one, "this is attempt 2\n");
    let json: Value = serde_json::from_str(&logs(&cluster, &["job-1", "--json"]).await).unwrap();
    assert_eq!(json["logs"][2]["log"], "this is attempt 3\n");
    assert_eq!(json["logs"].as_array().unwrap().len(), 3);
    let line = ["job", "logs", "job-1", "--attempt", "4"];
    cluster.assert_output(&line, 1, "has no log").await;
    let line = ["job", "logs", "nothing"];
    cluster.assert_output(&line, 4, "is not known").await;
    // A viewer may not read records itself, so its command asks the dispatcher.
    cluster.intrude();
    let (viewed, code) = cluster
        .rolecast_as("viewer", &["job", "logs", "job-1"])
        .await;
    assert_eq!(
        (viewed.contains("this is attempt 3"), code),
        (true, 0),
        "{viewed}"
    );
    // A dead job that is retried begins again: its former logs are not those of this one.
    let (_, code) = cluster.rolecast(&["dead", "retry", "job-1"]).await;
    assert_eq!(code, 0);
    let follow = logs(&cluster, &["job-1", "--follow"]).await;
    let headings: Vec<&str> = follow
        .lines()
        .filter(|line| line.starts_with("==>"))
        .collect();
    assert!(headings.len() >= 3, "{follow}");
    assert!(follow.trim_end().ends_with("this is attempt 3"), "{follow}");
}

#[tokio::test]
async fn the_last_bytes_are_kept_as_the_category_wants_it() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.stream(STREAM_LOGS).await;
    for category in ["large", "kept", "dropped", "dangerous"] {
        cluster.submit(category, category, "").await;
    }
    for job in ["large", "kept", "dropped", "dangerous"] {
        cluster.wait_record(job).await;
    }
    stored(&cluster, 3).await;
    let whole: String = (1..=100_000).map(|n| format!("{n}\n")).collect();
    let log = logs(&cluster, &["large", "--attempt", "1"]).await;
    assert!(
        log == whole[whole.len() - LOG_LEN_MAX..],
        "{} bytes",
        log.len()
    );
    let output = logs(&cluster, &["large"]).await;
    let (heading, _) = output.split_once('\n').unwrap();
    assert!(
        heading.contains(", the last 64.0 KiB: exit code 3"),
        "{heading}"
    );
    let output = logs(&cluster, &["kept"]).await;
    assert!(
        output.contains("==> attempt 1 on n1 completed 2"),
        "{output}"
    );
    assert!(output.ends_with("\nall is well\n"), "{output}");
    let output = logs(&cluster, &["dropped"]).await;
    assert!(output.contains("its log was not kept"), "{output}");
    let json = logs(&cluster, &["dangerous", "--json"]).await;
    assert!(!json.contains('\u{1b}'), "{json:?}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["logs"][0]["log"]["hex"], "1b5b324a726564ff0a");
}

#[tokio::test]
async fn a_log_is_cut_to_what_the_server_takes() {
    let server = Server::start_with_config("max_payload: 65536\n").await;
    let mut cluster = Cluster::on(server, DISPATCHER).await;
    cluster.add_worker("n1", WORKER);
    cluster.wait_ready(&["n1"]).await;
    cluster.stream(STREAM_LOGS).await;
    cluster.submit("large", "large", "").await;
    assert_eq!(
        cluster.wait_record("large").await.status,
        RecordStatus::Dead
    );
    stored(&cluster, 1).await;
    let whole: String = (1..=100_000).map(|n| format!("{n}\n")).collect();
    let log = logs(&cluster, &["large", "--attempt", "1"]).await;
    assert!(whole.ends_with(&log));
    assert!((60_000..65_536).contains(&log.len()), "{}", log.len());
    let output = logs(&cluster, &["large"]).await;
    assert!(output.contains(", the last 6"), "{}", &output[..200]);
}

#[tokio::test]
async fn a_log_that_cannot_be_stored_costs_no_job_anything() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let stream = cluster.stream(STREAM_LOGS).await;
    let mut config = stream.cached_info().config.clone();
    config.max_bytes = 1000;
    config.discard = async_nats::jetstream::stream::DiscardPolicy::New;
    cluster.jetstream().update_stream(config).await.unwrap();
    for n in 0..10 {
        cluster.submit("large", &format!("large-{n}"), "").await;
        cluster.submit("kept", &format!("kept-{n}"), "").await;
    }
    cluster.wait_no_jobs(LIMIT).await;
    let counts = cluster.outcome_counts().await;
    assert_eq!((counts["dead"], counts["completed"]), (10, 10));
    assert!(cluster.message_count(STREAM_LOGS).await < Some(10));
    let output = logs(&cluster, &["large-0"]).await;
    assert!(output.contains("attempt 1 on n1: exit code 3"), "{output}");
    let gone = cluster.jetstream().delete_stream(STREAM_LOGS).await;
    gone.unwrap();
    cluster.submit("large", "after", "").await;
    assert_eq!(
        cluster.wait_record("after").await.status,
        RecordStatus::Dead
    );
}
