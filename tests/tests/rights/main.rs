//! Rights: each party does its work with those that `rolecast permissions` prints, and is
//! refused what another party's rights would allow.

mod document;
mod intruder;

use std::process::Command;
use std::time::Duration;

use rolecast_common::rights::{Login, Party, authorization, own_rights_request};
use rolecast_common::subjects::{self, STREAM_DEAD, STREAM_JOBS};
use rolecast_common::wire::Status;
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::logins;
use rolecast_tests::process::{Process, program};
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_until;

use crate::intruder::Intruder;

const DISPATCHER: &str = "[categories.echo]\nmax_attempts = 1\n[categories.other]\n";
const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
[categories.echo]
command = ["cat"]
"#;
/// The producer of the category `echo`, beside the usual logins.
const PRODUCER: &str = "producer";

async fn start(workers: &[(&str, &str)]) -> Cluster {
    let party = Party::Producer {
        categories: vec!["echo".parse().expect("it is a category")],
        reads_outcomes: true,
    };
    let users = logins::entries(&[Login::new(&party, PRODUCER)]);
    let server = Server::start_with_users(&users).await;
    let mut cluster = Cluster::on(server, DISPATCHER).await;
    for (node, config) in workers {
        cluster.add_worker(node, config);
    }
    let nodes: Vec<&str> = workers.iter().map(|(node, _)| *node).collect();
    cluster.wait_ready(&nodes).await;
    cluster
}

#[tokio::test]
async fn a_worker_publishes_and_subscribes_for_its_own_node_only() {
    let mut cluster = start(&[("n1", WORKER)]).await;
    let mut intruder = Intruder::new(&mut cluster, "n2").await;
    for subject in [
        "rolecast.heartbeat.n1",
        "rolecast.done.n1.batch",
        "rolecast.done.n1.3.echo.job-1.1.$JS.ACK.ROLECAST_JOBS.normal-echo.1.1.1.1.0",
        "rolecast.results.job-1",
        "rolecast.jobs.echo",
        "rolecast.node.n2.jobs",
        "rolecast.api.status",
        "$SRV.PING.rolecast",
        "$JS.API.INFO",
        "$JS.ACK.ROLECAST_JOBS.normal-echo.1.1.1.1.0",
        "$KV.ROLECAST_CONTROL.dispatcher",
    ] {
        intruder.may_not_publish(subject).await;
    }
    for subject in [
        "rolecast.node.n1.>",
        "rolecast.node.*.jobs",
        "rolecast.done.n1.>",
        "rolecast.results.*",
        "rolecast.jobs.*",
        "_INBOX.>",
    ] {
        intruder.may_not_subscribe(subject).await;
    }
    cluster.submit("echo", "unharmed", "x").await;
    let record = cluster.wait_record("unharmed").await;
    assert_eq!(record.node.unwrap().as_str(), "n1");
}

#[tokio::test]
async fn a_producer_submits_its_category_and_reads_records_by_job_only() {
    let mut cluster = start(&[("n1", WORKER)]).await;
    let arguments = ["submit", "echo", "--data", "hi", "--id", "mine", "--wait"];
    let (output, code) = cluster.rolecast_as(PRODUCER, &arguments).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("job mine completed on n1"), "{output}");
    let mut intruder = Intruder::new(&mut cluster, PRODUCER).await;
    for subject in [
        "rolecast.jobs.other",
        "rolecast.jobs.other.high",
        "rolecast.results.mine",
        "rolecast.api.roles.order",
        "rolecast.api.job",
        "$SRV.INFO.rolecast",
    ] {
        intruder.may_not_publish(subject).await;
    }
    for subject in [
        "_INBOX.>",
        "_INBOX.operator.>",
        "rolecast.jobs.>",
        "rolecast.dead.>",
    ] {
        intruder.may_not_subscribe(subject).await;
    }
    // The record of one job, but not records one after another.
    let one = "$JS.API.DIRECT.GET.ROLECAST_RESULTS.rolecast.results.job-1";
    intruder.may_touch_only(&[one]).await;
}

#[tokio::test]
async fn a_viewer_can_only_look() {
    let mut cluster = start(&[("n1", WORKER)]).await;
    cluster.submit("echo", "job-1", "x").await;
    cluster.wait_record("job-1").await;
    // Without an id it is found by its sequence even when it has ended.
    let jetstream = cluster.jetstream();
    let unnamed = jetstream.publish("rolecast.jobs.echo", "x".into()).await;
    unnamed.unwrap().await.unwrap();
    wait_until("it has ended too", LIMIT, async || {
        cluster.records().await.len() == 2
    })
    .await;
    cluster.wait_decisions(2).await;
    for (line, shown) in [
        ("status", "n1"),
        ("job get job-1", "completed"),
        ("category ls", "echo"),
        ("capacity", "follower"),
        ("explain --dry-run echo", "n1"),
        ("explain job-1", "n1"),
        ("events", "node n1 joined"),
        ("job get #2", "completed"),
        ("job logs job-1", "job job-1 has no logs"),
        ("job watch job-1", "completed"),
        ("category show echo", "echo"),
        ("role ls", ""),
        ("forecast n1", "n1"),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (output, code) = cluster.rolecast_as("viewer", &arguments).await;
        assert!(code == 0 && output.contains(shown), "{line}: {output}");
    }
    for line in ["explain job-9", "job get job-9"] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (output, code) = cluster.rolecast_as("viewer", &arguments).await;
        assert_eq!(code, 4, "{line}: {output}");
    }
    // These have a producer's own data, or read all records.
    for line in ["dead ls", "dead show job-1", "simulate --from-cluster"] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (output, code) = cluster.rolecast_as("viewer", &arguments).await;
        assert!(
            code == 1 && output.contains("lacks a permission"),
            "{line}: {output}"
        );
    }
    let mut intruder = Intruder::new(&mut cluster, "viewer").await;
    for subject in [
        "rolecast.jobs.echo",
        "rolecast.api.roles.order",
        "rolecast.heartbeat.n1",
        "$SRV.PING",
    ] {
        intruder.may_not_publish(subject).await;
    }
    // A client of JetStream chooses the subject to which the message is sent.
    intruder.may_touch_only(&[]).await;
    intruder.may_not_subscribe("_INBOX.operator.>").await;
    let before = cluster.message_count(STREAM_JOBS).await;
    let (output, code) = cluster
        .rolecast_as(
            "viewer",
            &["submit", "echo", "--data", "x", "--timeout", "2s"],
        )
        .await;
    assert_ne!(code, 0, "{output}");
    assert!(output.contains("lacks a permission"), "{output}");
    assert_eq!(cluster.message_count(STREAM_JOBS).await, before);
}

#[tokio::test]
async fn a_producer_is_notified_that_nothing_stores_its_jobs_and_what_it_may_not_submit() {
    let party = |category: &str| Party::Producer {
        categories: vec![category.parse().expect("it is a category")],
        reads_outcomes: false,
    };
    let users = logins::entries(&[Login::new(&party("echo"), PRODUCER)]);
    // No dispatcher has ever run here.
    let server = Server::start_with_users(&users).await;
    for (category, expected) in [
        (
            "echo",
            "nothing stores rolecast.jobs.echo here: no dispatcher",
        ),
        ("other", "lacks a permission"),
    ] {
        let output = Command::new(program("rolecast"))
            .args(["submit", category, "--data", "x", "--timeout", "3s"])
            .args(["--nats-url", server.url_as(PRODUCER).as_str()])
            .output()
            .expect("it can be started");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && text.contains(expected),
            "{text}"
        );
        assert_eq!(text.contains("permission"), category == "other", "{text}");
    }
}

#[tokio::test]
async fn an_operator_does_all_that_the_command_can() {
    // It fails without an x in the payload.
    let failing = WORKER.replace("\"cat\"", "\"grep\", \"x\"");
    let cluster = start(&[("n1", &failing)]).await;
    let fine = |i| (format!("fine-{i}"), "x".into());
    cluster.submit_many("echo", 15, fine).await;
    cluster.submit("echo", "job-1", "y").await;
    cluster.submit("echo", "job-2", "y").await;
    wait_until("both are dead", Duration::from_secs(60), async || {
        cluster.message_count(STREAM_DEAD).await == Some(2)
    })
    .await;
    // Decisions are recorded a little later than jobs are sent.
    let simulate = ["simulate", "--from-cluster", "--jobs", "10", "--seeds", "1"];
    wait_until("enough is recorded for a simulation", LIMIT, async || {
        let (output, code) = cluster.rolecast(&simulate).await;
        assert!(!output.contains("ermission"), "{output}");
        code == 0
    })
    .await;
    for line in [
        "status",
        "job get job-1",
        "job get #1",
        "job ls",
        "job ls --state completed,dead",
        "node ls",
        "node show n1",
        "job logs job-1",
        "job cancel never",
        "explain job-1",
        "events",
        "explain --dry-run echo",
        "category show echo",
        "capacity",
        "forecast n1",
        "role ls",
        "dead ls",
        "dead show job-1",
        "dead retry job-1",
        "dead purge job-2 --yes",
        "dead purge --all --yes",
        "node drain n1",
        "submit echo --data x",
        "node undrain n1",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (output, code) = cluster.rolecast(&arguments).await;
        // A dead job is no success, and not found by its sequence.
        let is_of_dead = line.starts_with("job get");
        assert!(code == 0 || is_of_dead, "{line}: {code} {output}");
        assert!(!output.contains("ermission"), "{line}: {output}");
    }
}

#[tokio::test]
async fn a_dispatcher_that_lacks_rights_names_each_at_its_start() {
    let mut login = Login::new(&Party::dispatcher(), "weak");
    let lost = [
        "rolecast.results.*",
        "$JS.API.STREAM.UPDATE.ROLECAST_DEAD",
        "rolecast.done.>",
    ];
    login
        .rights
        .retain(|right| !lost.contains(&right.subject.as_str()));
    let (log, code) = start_weak(login).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("3 in all"), "{log}");
    for subject in lost {
        assert!(log.contains(&format!("to {subject} (")), "{subject}: {log}");
    }
}

#[tokio::test]
async fn a_dispatcher_that_may_not_use_its_inboxes_names_the_setting_that_does_it() {
    let mut login = Login::new(&Party::dispatcher(), "weak");
    for right in &mut login.rights {
        right.subject = right.subject.replace("_INBOX.weak.>", "_INBOX.strong.>");
    }
    let (log, code) = start_weak(login).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("subscribe to _INBOX.weak.>"), "{log}");
    assert!(log.contains("set inbox_prefix"), "{log}");
}

/// Starts a dispatcher with this login, which must end; returns its log and exit code.
async fn start_weak(login: Login) -> (String, Option<i32>) {
    let block = authorization(&[login, Login::admin()]);
    let server = Server::start_with_authorization(&logins::fill(&block, "")).await;
    server.directory().write("rolecast.toml", DISPATCHER);
    let url = server.url_as("weak");
    let arguments = ["--config", "rolecast.toml", "--nats-url", url.as_str()];
    let mut process = Process::spawn(
        "weak",
        server.directory().path(),
        &program("rolecast-dispatcher"),
        arguments,
    );
    let status = process.wait(LIMIT).await;
    (process.log(), status.code())
}

#[tokio::test]
async fn what_is_refused_at_run_time_is_logged_once_and_shown_as_a_trouble() {
    let mut login = Login::new(&Party::dispatcher(), "dispatcher");
    // Without the first one the start does not detect that the other is missing.
    let lost = [own_rights_request(), subjects::DECISIONS];
    login
        .rights
        .retain(|right| !lost.contains(&right.subject.as_str()));
    let node = Party::Worker("n1".parse().unwrap());
    let logins = [
        login,
        Login::new(&node, "n1"),
        Login::new(&Party::Operator, "operator"),
        Login::admin(),
    ];
    let block = logins::fill(&authorization(&logins), "");
    let server = Server::start_with_authorization(&block).await;
    let mut cluster = Cluster::on(server, DISPATCHER).await;
    cluster.intrude();
    cluster.add_worker("n1", WORKER);
    cluster.wait_ready(&["n1"]).await;
    for job in ["job-1", "job-2", "job-1-again"] {
        cluster.submit("echo", job, "x").await;
        cluster.wait_record(job).await;
    }
    let is_shown = |status: &Status| {
        let troubles = status.troubles.iter();
        troubles
            .filter(|trouble| {
                trouble
                    .what
                    .contains("the right to publish to rolecast.decisions.echo")
            })
            .count()
            == 3
    };
    cluster
        .wait_status("the troubles are shown", is_shown)
        .await;
    let log = cluster.dispatcher().log();
    for job in ["job-1", "job-2"] {
        let subject = format!("subject=\"rolecast.decisions.echo.{job}\"");
        assert_eq!(log.matches(&subject).count(), 1, "{log}");
    }
    assert!(log.contains("party=\"rolecast-dispatcher"), "{log}");
}
