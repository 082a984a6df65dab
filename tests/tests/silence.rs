//! Silence that is not the nodes': NATS away, servers restarted, a dispatcher that stood
//! still, connections that break. Jobs run on, and no node is judged.

use std::path::Path;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream;
use rolecast_common::subjects::{API_STATUS, STREAM_JOBS, STREAM_RESULTS};
use rolecast_common::wire::{self, Encoding, RecordStatus, Status};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::process::{Process, program};
use rolecast_tests::proxy::Proxy;
use rolecast_tests::servers::{Options, Servers};
use rolecast_tests::starts::{WORKER, starts, submit_waits};
use rolecast_tests::wait::wait_until;
use tokio::time::sleep;

/// A job that is lost once is dead, so a false judgement shows.
const DISPATCHER: &str = "[categories.wait]\nmax_attempts = 1\n";

/// The length of the outage in which finished jobs were once dead-lettered.
const OUTAGE: Duration = Duration::from_secs(4);

/// Waits for all jobs, and checks that each ran once and is completed, and that no node
/// was considered gone.
async fn all_ran_once(cluster: &mut Cluster, count: usize) {
    cluster.wait_no_jobs(LIMIT).await;
    let records = cluster.records().await;
    let is_completed = |status: RecordStatus| status == RecordStatus::Completed;
    assert!(records.iter().all(|record| is_completed(record.status)));
    assert_eq!(records.len(), count, "{records:?}");
    assert!(records.iter().all(|record| record.failures.is_empty()));
    assert_eq!(starts(cluster.directory()).len(), count);
    let log = cluster.dispatcher().log();
    assert!(!log.contains("node_gone"), "{log}");
}

#[tokio::test]
async fn jobs_that_run_while_nats_is_away_are_completed() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER), ("n2", WORKER)]).await;
    submit_waits(&cluster, 6, "7").await;
    cluster.wait_running(6).await;
    cluster.server().kill();
    sleep(OUTAGE).await;
    cluster.server().restart().await;
    all_ran_once(&mut cluster, 6).await;
}

#[tokio::test]
async fn a_dispatcher_that_stood_still_judges_nobody() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER), ("n2", WORKER)]).await;
    submit_waits(&cluster, 6, "8").await;
    cluster.wait_running(6).await;
    cluster.dispatcher().stop();
    sleep(Duration::from_secs(5)).await;
    cluster.dispatcher().cont();
    all_ran_once(&mut cluster, 6).await;
}

#[tokio::test]
async fn a_worker_whose_connection_breaks_keeps_its_jobs() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let proxy = Proxy::start(cluster.server().port()).await;
    cluster.add_worker_as("n1", WORKER, &proxy.url_as("n1"));
    cluster.wait_ready(&["n1"]).await;
    submit_waits(&cluster, 3, "6").await;
    cluster.wait_running(3).await;
    // The time to reconnect is shorter than the one that proves that a worker is gone.
    for (cut, pause) in [100, 200, 300].into_iter().enumerate() {
        proxy.cut(true);
        sleep(Duration::from_millis(pause)).await;
        // The server sees the connection end, and so does the worker.
        proxy.cut(false);
        wait_until("the worker is back", LIMIT, async || {
            let log = cluster.worker("n1").log();
            log.matches("nats_connected").count() == cut + 2
        })
        .await;
    }
    all_ran_once(&mut cluster, 3).await;
}

#[tokio::test]
async fn the_jobs_of_a_killed_worker_go_before_later_ones() {
    let worker = WORKER.replace("max_jobs = 4", "max_jobs = 2");
    let dispatcher = "[categories.wait]\nmax_attempts = 3\n";
    let nodes = [("n1", worker.as_str()), ("n2", worker.as_str())];
    let mut cluster = Cluster::start(dispatcher, &nodes).await;
    submit_waits(&cluster, 20, "1.5").await;
    let directory = cluster.directory().to_owned();
    wait_until("four have begun", LIMIT, async || {
        starts(&directory).len() >= 4
    })
    .await;
    cluster.worker("n1").kill();
    let begun = starts(&directory);
    let of_n1 = begun.iter().filter(|(_, node)| node == "n1");
    // Those that n1 ran when it died are the last two it began.
    let mut lost: Vec<String> = of_n1.map(|(job, _)| job.clone()).collect();
    lost.drain(..lost.len() - 2);
    let again = wait_until("both start again", LIMIT, async || {
        lost.iter().all(|job| times(&directory, job) == 2)
    })
    .await;
    let began = starts(&directory).len() - begun.len();
    assert!(
        began <= 6,
        "{began} jobs began within {again:?}, with {lost:?} among the last"
    );
    cluster.wait_no_jobs(LIMIT).await;
}

fn times(directory: &Path, job: &str) -> usize {
    let starts = starts(directory);
    starts.iter().filter(|(started, _)| started == job).count()
}

/// A dispatcher and workers on three servers.
struct System {
    servers: Servers,
    client: Client,
    dispatcher: Process,
    _workers: Vec<Process>,
}

impl System {
    async fn start() -> Self {
        let servers = Servers::start(&Options::replicas(3)).await;
        let config = format!("[streams]\nreplicas = 3\n{DISPATCHER}");
        servers.directory().write("rolecast.toml", &config);
        let spawn = |name: &str, binary: &str, config: &str| {
            let url = servers.url_as(name);
            let arguments = ["--config", config, "--nats-url", &url].map(str::to_owned);
            Process::spawn(
                name,
                servers.directory().path(),
                &program(binary),
                arguments,
            )
        };
        let dispatcher = spawn("dispatcher", "rolecast-dispatcher", "rolecast.toml");
        let workers = ["n1", "n2"].map(|node| {
            let config = format!("node = \"{node}\"\nstate_directory = \"state\"\n{WORKER}");
            servers.directory().write(&format!("{node}.toml"), &config);
            spawn(node, "rolecast-worker", &format!("{node}.toml"))
        });
        let client = servers.client().await;
        Self {
            servers,
            client,
            dispatcher,
            _workers: workers.into(),
        }
    }

    async fn status(&self) -> Option<Status> {
        let asked = self.client.request(API_STATUS, "".into());
        let answer = tokio::time::timeout(Duration::from_secs(2), asked).await;
        wire::decode(Encoding::Json, &answer.ok()?.ok()?.payload).ok()
    }

    async fn count(&self, stream: &str) -> Option<u64> {
        let jetstream = jetstream::new(self.client.clone());
        let stream = jetstream.get_stream(stream).await.ok()?;
        Some(stream.cached_info().state.messages)
    }
}

#[tokio::test]
async fn after_a_restart_of_all_servers_jobs_that_run_on_are_not_run_again() {
    let mut system = System::start().await;
    wait_until("both nodes are there", LIMIT, async || {
        let status = system.status().await;
        status.is_some_and(|status| status.nodes.len() == 2)
    })
    .await;
    let jetstream = jetstream::new(system.client.clone());
    for _ in 0..6 {
        let sent = jetstream.publish("rolecast.jobs.wait", "20".into()).await;
        sent.unwrap().await.unwrap();
    }
    let directory = system.servers.directory().path().to_owned();
    wait_until("all run", LIMIT, async || starts(&directory).len() == 6).await;
    for server in 0..3 {
        system.servers.kill(server);
    }
    sleep(OUTAGE).await;
    for server in 0..3 {
        system.servers.start_again(server);
    }
    wait_until("all are recorded", Duration::from_secs(40), async || {
        system.count(STREAM_RESULTS).await == Some(6) && system.count(STREAM_JOBS).await == Some(0)
    })
    .await;
    assert_eq!(starts(&directory).len(), 6);
    let log = system.dispatcher.log();
    assert!(
        !log.contains("job_lost") && !log.contains("job_buried"),
        "{log}"
    );
}
