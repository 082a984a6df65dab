//! Many short jobs while workers are killed at random: lost = 0.
//!
//! `ROLECAST_SOAK_JOBS` sets how many; executions beyond the first of a job are counted
//! and printed, because a job may run twice when its worker dies.

#![allow(
    clippy::disallowed_methods,
    reason = "end-to-end tests live in real time and a real environment"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use rolecast_tests::cluster::Cluster;
use rolecast_tests::process::Process;
use rolecast_tests::process::program;
use rolecast_tests::wait::wait_until;

const WORKERS: usize = 4;
const KILL_INTERVAL: Duration = Duration::from_millis(400);
const DISPATCHER: &str =
    "[categories.soak]\nmax_attempts = 100\ncpu = 0.01\nretry_min = \"10ms\"\n";

fn spawn(cluster: &mut Cluster, index: usize) -> Process {
    let node = format!("n{index}");
    let url = cluster.server().url_as(&node);
    let counted_url = cluster.server().url();
    Process::spawn(
        &node,
        cluster.directory(),
        &program("soak-worker"),
        [url.as_str(), node.as_str(), counted_url.as_str()],
    )
}

#[tokio::test]
async fn no_job_is_lost_while_workers_are_killed() {
    let jobs: usize = std::env::var("ROLECAST_SOAK_JOBS").map_or(20_000, |text| {
        text.parse().expect("ROLECAST_SOAK_JOBS is a number")
    });
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let mut started = cluster.client().subscribe("soak.started").await.unwrap();
    let counting = tokio::spawn(async move {
        let mut executions: BTreeMap<String, u32> = BTreeMap::new();
        while let Some(message) = started.next().await {
            if message.payload.is_empty() {
                break;
            }
            let job = String::from_utf8_lossy(&message.payload).into_owned();
            *executions.entry(job).or_default() += 1;
        }
        executions
    });
    let mut workers: Vec<Process> = (0..WORKERS).map(|i| spawn(&mut cluster, i)).collect();
    cluster.wait_ready(&["n0", "n1", "n2", "n3"]).await;
    cluster
        .submit_many("soak", jobs, |i| (format!("soak-{i}"), "".into()))
        .await;

    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    let begun = Instant::now();
    let limit = Duration::from_secs(60) + Duration::from_millis(5 * jobs as u64);
    let mut kills = 0;
    let mut killed_at = Instant::now();
    wait_until(
        &format!("all jobs are done (seed {seed})"),
        limit,
        async || {
            if killed_at.elapsed() >= KILL_INTERVAL {
                let index = rng.usize(..WORKERS);
                workers[index].kill();
                workers[index] = spawn(&mut cluster, index);
                kills += 1;
                killed_at = Instant::now();
            }
            cluster.message_count("ROLECAST_JOBS").await == Some(0)
        },
    )
    .await;
    let seconds = begun.elapsed().as_secs_f64();

    cluster
        .client()
        .publish("soak.started", "".into())
        .await
        .unwrap();
    let executions = counting.await.unwrap();
    let counts = cluster.outcome_counts().await;
    let completed = counts.get("completed").copied().unwrap_or(0);
    let lost = jobs - completed;
    let total: u32 = executions.values().sum();
    let duplicates = total as usize - executions.len();
    // Not by println, whose output is hidden if the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "\nsoak: jobs = {jobs}, kills = {kills}, lost = {lost}, duplicate executions = {duplicates}, \
         seconds = {seconds:.1}, seed = {seed}"
    );
    assert_eq!(lost, 0, "{counts:?}");
    assert!(
        kills > 0 && executions.len() == jobs,
        "{} jobs started",
        executions.len()
    );
}
