//! `rolecast status`, `node ls`, `node show` and `job ls` on a running system: troubles are
//! named with their cause, and every node and job is found.

use nix::sys::signal::Signal;
use rolecast_common::options::{HEADER_DELAY, HEADER_JOB_ID};
use rolecast_common::wire::NodeHealth;
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::jobs::headers;
use rolecast_tests::logins;
use rolecast_tests::process::{Process, program, run};
use rolecast_tests::servers::{Options, Servers};
use rolecast_tests::wait::wait_until;
use serde_json::Value;

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 2
[labels]
zone = "eu"
[capacity]
cpu = 2
memory = "1GiB"
[categories.echo]
command = ["cat"]
[categories.poison]
command = ["sh", "-c", "exit 65"]
[categories.wait]
command = ["xargs", "sleep"]
"#;

const DISPATCHER: &str = r#"
[categories.echo]
[categories.poison]
[categories.wait]
[categories.nowhere]
roles = ["leader"]
"#;

async fn shown(cluster: &Cluster, line: &str) -> String {
    let arguments: Vec<&str> = line.split(' ').collect();
    let (output, code) = cluster.rolecast(&arguments).await;
    assert_eq!(code, 0, "{line}: {output}");
    output
}

/// Returns the ids of the jobs of a list, and the place after which it continues.
async fn listed(cluster: &Cluster, flags: &str) -> (Vec<String>, Option<u64>) {
    let line = format!("job ls --json {flags}");
    let list: Value = serde_json::from_str(&shown(cluster, line.trim()).await).expect("it is JSON");
    let jobs = list["jobs"].as_array().expect("it has jobs").iter();
    let ids = jobs.map(|job| job["job"].as_str().expect("it has an id").to_owned());
    (ids.collect(), list["next"].as_u64())
}

#[tokio::test]
async fn jobs_are_listed_by_state_category_node_and_age_wherever_they_are() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.submit("echo", "done", "x").await;
    cluster.wait_record("done").await;
    cluster.submit("poison", "bad", "x").await;
    cluster.wait_record("bad").await;
    for id in ["r1", "r2"] {
        cluster.submit("wait", id, "60").await;
    }
    let later = headers([(HEADER_JOB_ID, "later"), (HEADER_DELAY, "1h")]);
    cluster
        .submit_to("rolecast.jobs.echo.low", later, "x")
        .await;
    // More than a dispatcher fetches ahead of nodes, of which none can run these jobs.
    cluster
        .submit_many("nowhere", 300, |i| (format!("w{i}"), "x".into()))
        .await;
    cluster.wait_running(2).await;
    wait_until("the delayed job is known", LIMIT, async || {
        listed(&cluster, "--state delayed").await.0 == ["later"]
    })
    .await;
    assert_eq!(listed(&cluster, "--node n1").await.0, ["r1", "r2"]);
    assert_eq!(
        listed(&cluster, "--state running --first newest").await.0,
        ["r2", "r1"]
    );
    let text = shown(&cluster, "job ls --state delayed").await;
    assert!(text.contains("echo") && text.contains("until 20"), "{text}");
    let expected: Vec<String> = (0..300).map(|i| format!("w{i}")).collect();
    let mut all = Vec::new();
    let mut flags = "--state waiting --limit 120".to_owned();
    loop {
        let (jobs, next) = listed(&cluster, &flags).await;
        assert!(jobs.len() <= 120 && !jobs.is_empty(), "{flags}");
        all.extend(jobs);
        let Some(next) = next else { break };
        flags = format!("--state waiting --limit 120 --after {next}");
    }
    assert_eq!(all, expected);
    let newest = listed(&cluster, "--state waiting --first newest --limit 2").await;
    assert_eq!(newest.0, ["w299", "w298"]);
    let of_category = listed(&cluster, "--category nowhere --limit 1").await;
    assert_eq!(of_category.0, ["w0"]);
    assert!(listed(&cluster, "--older 1h").await.0.is_empty());
    assert_eq!(listed(&cluster, "--younger 1h --limit 1").await.0, ["r1"]);
    assert_eq!(
        listed(&cluster, "--state completed,dead").await.0,
        ["bad", "done"]
    );
    assert_eq!(listed(&cluster, "--state dead").await.0, ["bad"]);
    assert_eq!(
        listed(&cluster, "--state completed,dead --first oldest --limit 1")
            .await
            .0,
        ["done"]
    );
    let text = shown(&cluster, "job ls --state dead").await;
    assert!(
        text.contains("exit code 65") && text.contains("poison"),
        "{text}"
    );
    let mixed = ["job", "ls", "--state", "dead,running"];
    cluster.assert_output(&mixed, 2, "two calls").await;
}

#[tokio::test]
async fn a_viewer_sees_the_jobs_that_the_dispatcher_holds_and_is_informed_of_the_rest() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.intrude();
    cluster.submit("wait", "r1", "60").await;
    cluster.wait_running(1).await;
    let (text, code) = cluster.rolecast_as("viewer", &["job", "ls"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("r1") && text.contains("may not read ROLECAST_JOBS"),
        "{text}"
    );
    let (text, code) = cluster.rolecast_as("viewer", &["node", "show", "n1"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("r1"), "{text}");
}

#[tokio::test]
async fn nodes_are_listed_by_what_they_are_and_one_is_shown_with_its_jobs() {
    let other = WORKER
        .replace("follower", "backup")
        .replace("[categories.wait]", "[categories.nap]");
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER), ("n2", &other)]).await;
    cluster.submit("wait", "r1", "60").await;
    cluster.wait_running(1).await;
    shown(&cluster, "node drain n2").await;
    cluster.wait_health("n2", NodeHealth::Draining).await;
    for (flags, n1, n2) in [
        ("", true, true),
        (" --role backup", false, true),
        (" --health ready", true, false),
        (" --health draining", false, true),
        (" --category wait", true, false),
        (" --label zone=eu --sort jobs --limit 1", true, false),
        (" --label zone=us", false, false),
    ] {
        let text = shown(&cluster, &format!("node ls{flags}")).await;
        assert_eq!(
            (text.contains("\nn1 "), text.contains("\nn2 ")),
            (n1, n2),
            "{flags}: {text}"
        );
    }
    let text = shown(&cluster, "node show n1").await;
    for part in [
        "n1  ready since 20",
        "roles     follower",
        "labels    zone=eu",
        "runs      echo (2 at once), poison (2 at once), wait (2 at once)",
        "capacity  2.00 cores, 1.0 GiB",
        "; 1 slot of 2 taken",
        "its jobs take 1.00 times as long as predicted",
        "\nr1   wait ",
    ] {
        assert!(text.contains(part), "{part:?} not in {text}");
    }
    let text = shown(&cluster, "node show n2").await;
    assert!(
        text.contains("n2  draining, drained by an operator since"),
        "{text}"
    );
    assert!(text.contains("no job in hand"), "{text}");
    let view: Value =
        serde_json::from_str(&shown(&cluster, "node show n1 --json").await).expect("it is JSON");
    assert_eq!(view["jobs"][0]["job"], "r1");
    let missing = ["node", "show", "nosuch"];
    cluster
        .assert_output(&missing, 1, "no node nosuch is known here")
        .await;
}

#[tokio::test]
async fn a_job_that_a_node_refuses_is_shown_there() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let broken = WORKER.replace("[\"cat\"]", "[\"./tool\"]");
    let tool = cluster.directory().join("tool");
    std::fs::copy("/bin/cat", &tool).expect("a program can be copied");
    let mut cluster = cluster;
    cluster.add_worker("n2", &broken);
    cluster.wait_ready(&["n1", "n2"]).await;
    std::fs::remove_file(&tool).expect("it is there");
    wait_until("n2 refuses a job", LIMIT, async || {
        let id = rolecast_tests::jobs::headers([]);
        cluster.submit_to("rolecast.jobs.echo", id, "x").await;
        let text = shown(&cluster, "node show n2").await;
        text.contains("\nrefused   20") && text.contains("of echo: unable: ")
    })
    .await;
}

#[tokio::test]
async fn a_vacant_role_is_shown_with_its_cause() {
    let dispatcher = format!("{DISPATCHER}[roles.leader]\nholders = 1\n");
    let worker = WORKER.replace("roles = [\"follower\"]", "roles = []");
    let cluster = Cluster::start(&dispatcher, &[("n1", &worker)]).await;
    let remedy = "; start a worker with offers = [\"leader\"]";
    wait_until("the vacancy is shown", LIMIT, async || {
        let text = shown(&cluster, "status").await;
        text.contains("! role leader: nobody acts in it: no live node offers it (since 20")
            && text.contains(remedy)
    })
    .await;
}

#[tokio::test]
async fn a_dispatcher_that_goes_silent_is_shown_until_another_one_takes_its_place() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let has = async |cluster: &Cluster, part: &str| shown(cluster, "status").await.contains(part);
    wait_until("it is alone", LIMIT, async || {
        has(&cluster, "; no standby").await
    })
    .await;
    let mut second = cluster.second_dispatcher();
    wait_until("the second one is seen", LIMIT, async || {
        has(&cluster, "; standing by: ").await
    })
    .await;
    second.kill();
    wait_until("it is missed", LIMIT, async || {
        has(&cluster, "it stood by and did not announce its end").await
    })
    .await;
    let third = cluster.second_dispatcher();
    wait_until("it is replaced", LIMIT, async || {
        let text = shown(&cluster, "status").await;
        text.contains("; standing by: ") && text.contains("all is well")
    })
    .await;
    // Of the leader, who led is known to the next one.
    cluster.dispatcher().kill();
    wait_until("the former leader is missed", LIMIT, async || {
        let (text, _) = cluster.rolecast(&["status"]).await;
        text.contains("it led and did not announce its end")
    })
    .await;
    third.terminate();
}

#[tokio::test]
async fn a_dispatcher_that_is_asked_to_stop_is_not_missed() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let mut second = cluster.second_dispatcher();
        wait_until("the second one is seen", LIMIT, async || {
            shown(&cluster, "status").await.contains("; standing by: ")
        })
        .await;
        second.signal(signal);
        assert!(second.wait(LIMIT).await.success(), "{signal}");
        wait_until("it is gone", LIMIT, async || {
            let text = shown(&cluster, "status").await;
            text.contains("; no standby") && !text.contains("no sign of life")
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_named_while_the_others_go_on() {
    let mut servers = Servers::start(&Options::replicas(3)).await;
    let dispatcher = "[streams]\nreplicas = 3\n[categories.echo]\n";
    servers.directory().write("rolecast.toml", dispatcher);
    let url = servers.url_as(logins::DISPATCHER);
    let _dispatcher = Process::spawn(
        "dispatcher",
        servers.directory().path(),
        &program("rolecast-dispatcher"),
        ["--config", "rolecast.toml", "--nats-url", &url],
    );
    let mut count = 0;
    let url = servers.url_of(0, logins::OPERATOR);
    let directory = servers.directory().path().to_owned();
    let mut status = async || {
        count += 1;
        let process = Process::spawn_with(
            &format!("status-{count}"),
            &directory,
            &program("rolecast"),
            ["status"],
            &[("NATS_URL", url.as_str())],
        );
        run(process, LIMIT).await.0
    };
    wait_until("all is well", LIMIT, async || {
        let text = status().await;
        text.contains("11 streams, 3 copies") && text.contains("all is well")
    })
    .await;
    servers.kill(2);
    wait_until("its copies are missed", LIMIT, async || {
        let text = status().await;
        text.contains("! NATS server ") && text.contains("are offline or behind")
    })
    .await;
}
