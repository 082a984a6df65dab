//! Faults of NATS: dispatchers stay alive, detect losses soon, and continue at once when
//! NATS is back.

#![allow(
    clippy::disallowed_methods,
    reason = "end-to-end tests live in real time and a real environment"
)]

use std::time::{Duration, Instant};

use async_nats::jetstream;
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, Status};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::jobs::headers;
use rolecast_tests::leads::Group;
use rolecast_tests::logins::DISPATCHER;
use rolecast_tests::process::{Process, program};
use rolecast_tests::server::Server;
use rolecast_tests::servers::{Options, Servers};
use rolecast_tests::wait::{wait_for, wait_until};
use tokio::time::sleep;

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 2
[capacity]
cpu = 4
memory = "4GiB"
[categories.wait]
command = ["xargs", "sleep"]
"#;

const ONE: &str = "[categories.wait]\n";
const THREE: &str = "[streams]\nreplicas = 3\n[categories.wait]\n";

/// Three servers, dispatchers and a worker that may use each of them.
struct Trio {
    dispatchers: Vec<Process>,
    _worker: Process,
    client: async_nats::Client,
    servers: Servers,
}

impl Trio {
    async fn start(dispatchers: usize) -> Self {
        let servers = Servers::start(&Options::replicas(3)).await;
        let client = servers.client().await;
        let directory = servers.directory();
        directory.write("rolecast.toml", THREE);
        let worker = format!("node = \"n1\"\nstate_directory = \"state\"\n{WORKER}");
        directory.write("worker.toml", &worker);
        let spawn = |name: &str, program_name: &str, config: &str| {
            let program = program(program_name);
            let url = servers.url_as(if name == "n1" { name } else { DISPATCHER });
            let arguments = ["--config", config, "--nats-url", url.as_str()];
            Process::spawn(name, directory.path(), &program, arguments)
        };
        let dispatchers = (1..=dispatchers)
            .map(|i| {
                spawn(
                    &format!("dispatcher-{i}"),
                    "rolecast-dispatcher",
                    "rolecast.toml",
                )
            })
            .collect();
        Self {
            dispatchers,
            _worker: spawn("n1", "rolecast-worker", "worker.toml"),
            client,
            servers,
        }
    }

    /// Publishes until the job is stored, then waits for its record.
    async fn run_job(&self, id: &str, priority: &str, limit: Duration) -> Duration {
        let mut jetstream = jetstream::new(self.client.clone());
        jetstream.set_timeout(Duration::from_secs(1));
        let begun = Instant::now();
        wait_until(&format!("job {id} is stored"), limit, async || {
            let subject = format!("rolecast.jobs.wait{priority}");
            let id = headers([("Nats-Msg-Id", id)]);
            let sent = jetstream
                .publish_with_headers(subject, id, "0".into())
                .await;
            match sent {
                Ok(ack) => ack.await.is_ok(),
                Err(_) => false,
            }
        })
        .await;
        wait_until(&format!("job {id} is done"), limit, async || {
            let record = jetstream
                .get_stream_no_info(subjects::STREAM_RESULTS)
                .await
                .expect("it needs no answer")
                .direct_get_last_for_subject(format!("rolecast.results.{id}"))
                .await;
            record.is_ok()
        })
        .await;
        begun.elapsed()
    }

    async fn leader(&self, group: Group) -> usize {
        wait_for("a leader", LIMIT, async || {
            self.servers.leader(&group).await
        })
        .await
    }

    async fn epoch(&self) -> Option<u64> {
        status(&self.client).await.map(|status| status.epoch.get())
    }

    /// Returns the dispatcher that leads, by the logs: the one that took the lead last.
    fn active(&self) -> usize {
        let epoch = |dispatcher: &Process| {
            let log = dispatcher.log();
            let mut taken = log.lines().filter(|line| line.contains("lease_taken"));
            taken.next_back().map(ToOwned::to_owned)
        };
        let taken: Vec<Option<String>> = self.dispatchers.iter().map(epoch).collect();
        let last = taken
            .iter()
            .enumerate()
            .max_by_key(|(_, line)| (*line).clone());
        last.expect("there are dispatchers").0
    }

    fn assert_all_run(&mut self) {
        for dispatcher in &mut self.dispatchers {
            let status = dispatcher.exit_status();
            assert!(status.is_none(), "{} ended: {status:?}", dispatcher.name());
        }
    }
}

async fn status(client: &async_nats::Client) -> Option<Status> {
    let asked = client.request(subjects::API_STATUS, "".into());
    let answer = tokio::time::timeout(Duration::from_secs(2), asked).await;
    wire::decode(Encoding::Json, &answer.ok()?.ok()?.payload).ok()
}

#[tokio::test]
async fn two_dispatchers_that_start_at_once_on_three_empty_servers_are_soon_at_work() {
    let begun = Instant::now();
    let mut trio = Trio::start(2).await;
    let started = begun.elapsed();
    let begun = Instant::now();
    trio.run_job("first", "", LIMIT).await;
    let taken = begun.elapsed();
    // It takes some 3 s; on a busy machine longer.
    assert!(
        taken < Duration::from_secs(12),
        "{taken:?} after {started:?}"
    );
    trio.assert_all_run();
}

#[tokio::test]
async fn a_server_and_the_active_dispatcher_killed_together_leave_the_other_at_work() {
    let mut trio = Trio::start(2).await;
    trio.run_job("first", "", LIMIT).await;
    let meta = trio.leader(Group::Meta).await;
    let active = trio.active();
    trio.servers.kill(meta);
    trio.dispatchers[active].kill();
    let mut gone = trio.dispatchers.remove(active);
    gone.kill();
    // Every stream that this server led elects its leader, in 4 to 9 s.
    trio.run_job("second", "", LIMIT).await;
    assert!(trio.epoch().await >= Some(2));
    trio.assert_all_run();
}

#[tokio::test]
async fn without_a_quorum_nobody_exits_and_with_it_jobs_flow_again() {
    let mut trio = Trio::start(2).await;
    trio.run_job("first", "", LIMIT).await;
    trio.servers.kill(0);
    trio.servers.kill(1);
    sleep(Duration::from_secs(8)).await;
    trio.assert_all_run();
    trio.servers.start_again(0);
    trio.servers.start_again(1);
    trio.run_job("second", "", LIMIT).await;
    trio.assert_all_run();
}

#[tokio::test]
async fn the_loss_of_one_priority_s_leader_holds_up_no_other() {
    let mut trio = Trio::start(1).await;
    trio.run_job("first", "", LIMIT).await;
    let stream = subjects::STREAM_JOBS.to_owned();
    let leader = trio.leader(Group::Stream(stream.clone())).await;
    let mut of_priority = Vec::new();
    for priority in ["high", "normal", "low"] {
        let consumer = Group::Consumer(stream.clone(), format!("{priority}-wait"));
        of_priority.push((priority, trio.leader(consumer).await));
    }
    // Kills a server that leads some of the consumers, of any priority.
    let (_, killed) = of_priority[0];
    trio.servers.kill(killed);
    let expected = Duration::from_secs(20);
    for (priority, at) in of_priority {
        let suffix = match priority {
            "normal" => String::new(),
            other => format!(".{other}"),
        };
        let taken = trio
            .run_job(&format!("after-{priority}"), &suffix, LIMIT)
            .await;
        assert!(
            taken < expected,
            "{priority}: {taken:?}; led by {at}, the stream by {leader}, {killed} was killed"
        );
    }
    trio.assert_all_run();
}

#[tokio::test]
async fn after_a_server_was_frozen_jobs_flow_within_two_seconds() {
    let mut cluster = Cluster::start(ONE, &[("n1", WORKER)]).await;
    cluster.submit("wait", "before", "0").await;
    cluster.wait_record("before").await;
    cluster.server().stop();
    sleep(Duration::from_secs(7)).await;
    cluster.server().cont();
    let begun = Instant::now();
    cluster.submit("wait", "after", "0").await;
    cluster.wait_record("after").await;
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(4), "{taken:?}");
    assert!(cluster.dispatcher().is_running());
}

#[tokio::test]
async fn a_stream_that_is_deleted_is_created_again_and_reported() {
    let mut cluster = Cluster::start(ONE, &[("n1", WORKER)]).await;
    cluster.submit("wait", "before", "0").await;
    cluster.wait_record("before").await;
    let jetstream = cluster.jetstream();
    jetstream
        .delete_stream(subjects::STREAM_RESULTS)
        .await
        .unwrap();
    let taken = wait_until("it is there again", LIMIT, async || {
        jetstream.get_stream(subjects::STREAM_RESULTS).await.is_ok()
    })
    .await;
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    cluster.submit("wait", "after", "0").await;
    cluster.wait_record("after").await;
    let is_shown = |status: &Status| {
        let mut troubles = status.troubles.iter();
        troubles.any(|trouble| trouble.what.contains(subjects::STREAM_RESULTS))
    };
    cluster.wait_status("it is shown", is_shown).await;
    let (page, code) = cluster.rolecast(&["status"]).await;
    assert!(
        page.contains("stream ROLECAST_RESULTS: it is missing"),
        "{page}"
    );
    assert_eq!(code, 0);
    assert!(cluster.dispatcher().log().contains("asset_missing"));
}

#[tokio::test]
async fn a_server_that_comes_back_on_an_empty_store_works_again() {
    let mut cluster = Cluster::start(ONE, &[("n1", WORKER)]).await;
    cluster
        .submit_many("wait", 6, |i| (format!("old-{i}"), "2".into()))
        .await;
    cluster.wait_running(2).await;
    cluster.server().kill();
    std::fs::remove_dir_all(cluster.directory().join("store")).unwrap();
    cluster.server().restart().await;
    wait_until("the stream is there again", LIMIT, async || {
        let stream = cluster.jetstream().get_stream(subjects::STREAM_JOBS).await;
        stream.is_ok()
    })
    .await;
    // Their sequences are those of the old jobs.
    cluster
        .submit_many("wait", 6, |i| (format!("new-{i}"), "0".into()))
        .await;
    for i in 0..6 {
        cluster.wait_record(&format!("new-{i}")).await;
    }
    cluster.wait_no_jobs(LIMIT).await;
    // The jobs that ran have ended meanwhile, and are recorded; the waiting ones are
    // gone.
    let old = wait_for("the old ones that ran", LIMIT, async || {
        let records = cluster.records().await;
        let old = records
            .iter()
            .filter(|r| r.job.as_str().starts_with("old-"));
        Some(old.count()).filter(|count| *count == 2)
    });
    assert_eq!(old.await, 2);
    assert!(cluster.dispatcher().log().contains("jobs_gone"));
    assert!(cluster.dispatcher().is_running());
}

#[tokio::test]
async fn one_category_s_error_harms_no_other() {
    // Three consumers for the declared category, and three more.
    let server = Server::start_with_limits("{ max_consumers: 7 }").await;
    let mut cluster = Cluster::on(server, "[categories.wait]\n[undeclared]\n").await;
    let worker = format!(
        "{WORKER}[categories.alpha]\ncommand = [\"true\"]\n[categories.beta]\ncommand = [\"true\"]\n"
    );
    cluster.add_worker("n1", &worker);
    cluster.wait_ready(&["n1"]).await;
    for category in ["alpha", "beta"] {
        cluster
            .submit(category, &format!("job-{category}"), "")
            .await;
    }
    // There is no room for all their consumers: what has one runs, and the rest is reported.
    wait_until("one of them is served", LIMIT, async || {
        !cluster.records().await.is_empty()
    })
    .await;
    let is_shown = |status: &Status| {
        let mut troubles = status.troubles.iter();
        troubles.any(|trouble| ["alpha", "beta"].iter().any(|c| trouble.what.contains(c)))
    };
    cluster
        .wait_status("what is missing is reported", is_shown)
        .await;
    // Declared categories continue.
    cluster.submit("wait", "declared", "0").await;
    cluster.wait_record("declared").await;
}
