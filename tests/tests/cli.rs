//! What `rolecast` tells a script: exit codes, and an answer instead of a wait without end.

use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::jobs::headers;
use rolecast_tests::wait::wait_until;

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
[capacity]
cpu = 2
memory = "1GiB"
[categories.echo]
command = ["cat"]
[categories.quiet]
command = ["cat"]
[categories.poison]
command = ["sh", "-c", "exit 65"]
"#;

const DISPATCHER: &str = r#"
[categories.echo]
[categories.quiet]
record_outcomes = false
[categories.poison]
[categories.nowhere]
roles = ["leader"]
"#;

#[tokio::test]
async fn exit_codes_say_how_a_job_ended() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    for (line, code, part) in [
        ("submit echo --data hello --wait", 0, "hello"),
        ("submit poison --id bad --wait", 1, "exit code 65"),
        (
            "submit echo --deadline 2020-01-01T00:00:00Z --wait",
            5,
            "expired",
        ),
        (
            "submit nowhere --id stuck --wait --timeout 1s",
            5,
            "has not ended",
        ),
        ("submit echo --delay soon", 2, "Rolecast-Delay"),
        ("job get bad", 1, "exit code 65"),
        ("job get never", 4, "is not known"),
        ("job get stuck", 0, "waiting"),
        ("dead show never", 4, "not among the dead"),
        ("dead purge bad", 2, "--yes"),
        ("dead purge bad --yes --json", 0, "\"deleted\": 1"),
        (
            "status --json --nats-url nats://127.0.0.1:9",
            3,
            "\"exit\":3",
        ),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (output, found) = cluster.rolecast(&arguments).await;
        assert_eq!(found, code, "{line}: {output}");
        assert!(output.contains(part), "{line}: {output}");
    }
}

#[tokio::test]
async fn what_is_expected_is_shown() {
    let dispatcher = format!("{DISPATCHER}[forecast]\nstep = \"1s\"\n");
    let cluster = Cluster::start(&dispatcher, &[("n1", WORKER)]).await;
    wait_until("there are forecasts", LIMIT, async || {
        let (output, _) = cluster.rolecast(&["forecast", "n1", "--csv"]).await;
        output.contains("disk,3600,")
    })
    .await;
    for (line, code, part) in [
        ("forecast n1", 0, "▒ up to p90"),
        ("forecast n1 --resource memory --json", 0, "\"memory\": {"),
        ("forecast n1 --resource gpu", 2, "possible values: cpu"),
        ("forecast nobody", 1, "no node nobody; known are n1"),
        ("capacity", 0, "in 90 of 100 cases"),
        ("capacity --nodes", 0, "follower      1s  n1"),
        ("capacity --json", 0, "\"safe\": {"),
        ("status", 0, "forecasts on"),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (output, found) = cluster.rolecast(&arguments).await;
        assert_eq!(found, code, "{line}: {output}");
        assert!(output.contains(part), "{line}: {output}");
    }
}

#[tokio::test]
async fn waiting_for_a_job_that_is_not_recorded_ends_and_says_why() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let (output, code) = cluster.rolecast(&["submit", "quiet", "--wait"]).await;
    assert_eq!(code, 1, "{output}");
    assert!(
        output.contains("does not record completed jobs"),
        "{output}"
    );
}

#[tokio::test]
async fn a_number_is_the_sequence_of_a_job_or_its_id() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let stored = cluster.submit_to("rolecast.jobs.nowhere", headers([]), "");
    let sequence = stored.await.sequence.to_string();
    let (output, code) = cluster.rolecast(&["job", "get", &sequence]).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("waiting"), "{output}");
    cluster.submit("echo", "4711", "x").await;
    cluster.wait_record("4711").await;
    for command in ["get", "watch"] {
        let (output, code) = cluster.rolecast(&["job", command, "4711"]).await;
        assert_eq!(code, 0, "{output}");
        assert!(output.contains("completed"), "{output}");
    }
}
