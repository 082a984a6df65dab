//! `rolecast` in scripts: exit codes, and an answer instead of a wait without end.

use rolecast_common::wire::{JobState, JobView};
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
async fn exit_codes_show_how_a_job_ended() {
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
        ("dead show never", 4, "has no dead letter"),
        ("dead purge bad", 2, "--yes"),
        ("dead purge bad --yes --json", 0, "\"deleted\": 1"),
        (
            "status --json --nats-url nats://127.0.0.1:9",
            3,
            "\"exit\":3",
        ),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        cluster.assert_output(&arguments, code, part).await;
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
        ("capacity", 0, "with a probability of 90 %"),
        ("capacity --nodes", 0, "follower      1s  n1"),
        ("capacity --json", 0, "\"safe\": {"),
        ("status", 0, "forecasts on"),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        cluster.assert_output(&arguments, code, part).await;
    }
}

#[tokio::test]
async fn waiting_for_a_job_that_is_not_recorded_ends_with_the_reason() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let part = "does not record completed jobs";
    let submit = ["submit", "quiet", "--wait"];
    cluster.assert_output(&submit, 1, part).await;
}

#[tokio::test]
async fn a_number_is_an_id_and_one_behind_a_sign_a_sequence() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let (output, code) = cluster.rolecast(&["submit", "nowhere", "--id", "7"]).await;
    assert_eq!(code, 0, "{output}");
    let (output, code) = cluster.rolecast(&["submit", "echo", "--id", "1"]).await;
    assert_eq!(code, 0, "{output}");
    cluster.wait_record("1").await;
    for (name, code, part) in [
        ("7", 0, "7  waiting"),
        ("#1", 0, "7  waiting"),
        ("1", 0, "1  completed"),
        ("2", 4, "the job at sequence 2 is '#2'"),
        ("#2", 4, "only if it got no id"),
    ] {
        let arguments = ["job", "get", name];
        cluster.assert_output(&arguments, code, part).await;
    }
    for (name, state) in [("7", JobState::Waiting), ("#1", JobState::Waiting)] {
        let asked = cluster.client().request("rolecast.api.job", name.into());
        let answer = asked.await.expect("the dispatcher answers");
        let view: JobView = serde_json::from_slice(&answer.payload).expect("it is a view");
        assert_eq!((view.job.as_str(), view.state), ("7", state), "{name}");
    }
    let stored = cluster.submit_to("rolecast.jobs.echo", headers([]), "x");
    let sequence = format!("#{}", stored.await.sequence);
    let (output, code) = cluster.rolecast(&["job", "watch", &sequence]).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("completed"), "{output}");
}

#[tokio::test]
async fn a_job_that_only_the_stream_holds_waits() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    // More than a dispatcher fetches ahead of nodes, of which none can run these jobs.
    cluster
        .submit_many("nowhere", 300, |i| (format!("job-{i}"), "x".into()))
        .await;
    let (output, code) = cluster.rolecast(&["job", "get", "job-299"]).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("waiting"), "{output}");
    assert!(output.contains("behind 299 others"), "{output}");
    cluster
        .assert_output(&["explain", "job-299"], 1, "behind 299 others")
        .await;
    let (output, code) = cluster.rolecast(&["job", "get", "job-300"]).await;
    assert_eq!(code, 4, "{output}");
    assert!(output.contains("never accepted"), "{output}");
}

#[tokio::test]
async fn waiting_for_a_job_that_nobody_runs_shows_why() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let line = "submit nowhere --wait --timeout 5s --id stuck";
    let arguments: Vec<&str> = line.split(' ').collect();
    let (output, code) = cluster.rolecast(&arguments).await;
    assert_eq!(code, 5, "{output}");
    let why = "job stuck is waiting: no node can take it: 1 without a role for it";
    assert_eq!(output.matches(why).count(), 1, "{output}");
    let (output, _) = cluster.rolecast(&["status"]).await;
    assert!(
        output.contains("(roles: leader): 1 without a role for it"),
        "{output}"
    );
}

#[tokio::test]
async fn orders_that_change_nothing_are_answered_at_once() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    for (line, part) in [
        ("node drain n1", "n1 gets no more jobs"),
        ("node drain n1", "n1 was drained already"),
        (
            "node undrain nosuch",
            "nosuch was not drained: nothing changes",
        ),
        ("node undrain n1", "n1 may have jobs"),
    ] {
        let arguments: Vec<&str> = line.split(' ').chain(["--timeout", "10s"]).collect();
        let (output, code) = cluster.rolecast(&arguments).await;
        assert_eq!(code, 0, "{line}: {output}");
        assert!(output.contains(part), "{line}: {output}");
    }
}

#[tokio::test]
async fn dead_letters_are_counted_in_the_stream_and_large_ones_report_why() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    // As large as the server takes: the letter has no room for the reason.
    let frame = "NATS/1.0\r\nNats-Msg-Id: large\r\n\r\n".len();
    cluster
        .submit("poison", "large", vec![b'x'; 1024 * 1024 - frame])
        .await;
    cluster.wait_record("large").await;
    let (output, code) = cluster.rolecast(&["dead", "ls"]).await;
    assert_eq!(code, 0, "{output}");
    let line = output.lines().find(|line| line.starts_with("large"));
    let line = line.expect("the letter is listed");
    assert!(
        line.contains(" 1 ") && line.contains("exit code 65"),
        "{output}"
    );
    let (output, _) = cluster.rolecast(&["dead", "show", "large"]).await;
    assert!(output.contains("attempt 1 on n1"), "{output}");
    assert!(!output.contains("Nats-Msg-Id"), "{output}");
    let counted = "poison: 1 dead letter; see rolecast dead ls --category poison";
    let (output, _) = cluster.rolecast(&["status"]).await;
    assert!(output.contains(counted), "{output}");
    // A dispatcher that has dead-lettered none counts it anyway.
    cluster.restart_dispatcher();
    wait_until("the next dispatcher counts it", LIMIT, async || {
        let (output, code) = cluster.rolecast(&["status"]).await;
        code == 0 && output.contains(counted)
    })
    .await;
    let purge = ["dead", "purge", "--all", "--yes"];
    assert_eq!(cluster.rolecast(&purge).await.1, 0);
    let (output, _) = cluster.rolecast(&["status"]).await;
    assert!(!output.contains("dead letter;"), "{output}");
}
