//! Waiting time of jobs over a take-over, with real processes on a real nats-server.
//!
//! The active dispatcher is killed while another one stands by. Measured is the time from
//! the SIGKILL until one of the jobs that are submitted after it is done.
//!
//! A job is submitted every quarter of a second. The first ones may be delivered to the
//! killed dispatcher, before the server sees that its connection is gone; they are
//! redelivered when they are not acknowledged in time. The time of the slowest job is
//! printed beside.

use std::time::{Duration, Instant};

use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::wait::wait_until;
use serde_json::{Value, json};
use tokio::time::sleep;

const DISPATCHER: &str = "[categories.touch]\n";
const WORKER: &str = "\
roles = [\"follower\"]
usage_scope = \"process\"
[categories.touch]
command = [\"true\"]
";

/// Time between two submitted jobs.
const PACE: Duration = Duration::from_millis(250);

/// Kills this many dispatchers, one after the other, and prints the times; returns the
/// median and the largest time in seconds.
pub(crate) fn seconds(kills: u32) -> anyhow::Result<Value> {
    if kills == 0 {
        return Ok(Value::Null);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let taken = runtime.block_on(kill_all(kills));
    let (min, p50, max) = spread(taken.iter().map(|taken| taken.first));
    println!(
        "\ntake-over after kill -9, {kills} times: {min:.2} s at least, {p50:.2} s median, {max:.2} s at most"
    );
    let (_, slow_p50, slow_max) = spread(taken.iter().map(|taken| taken.slowest));
    println!(
        "the slowest job submitted meanwhile: {slow_p50:.2} s median, {slow_max:.2} s at most"
    );
    let round = |seconds: f64| (seconds * 100.0).round() / 100.0;
    Ok(json!({"p50": round(p50), "max": round(max)}))
}

/// Returns the least, the median and the largest, in seconds.
fn spread(times: impl Iterator<Item = Duration>) -> (f64, f64, f64) {
    let mut times: Vec<f64> = times.map(|time| time.as_secs_f64()).collect();
    times.sort_unstable_by(f64::total_cmp);
    (times[0], times[times.len() / 2], times[times.len() - 1])
}

/// Result of one kill.
struct Taken {
    /// Time from the kill until the first of the jobs was done.
    first: Duration,
    /// Time of the slowest of them.
    slowest: Duration,
}

/// Submits jobs until one is done, and waits for all.
async fn submit_until_done(cluster: &Cluster, kill: u32) -> Taken {
    let began = Instant::now();
    let mut submitted = Vec::new();
    let mut first = None;
    let mut slowest = Duration::ZERO;
    while first.is_none() || !submitted.is_empty() {
        if first.is_none() {
            let job = format!("job-{kill}-{}", submitted.len());
            cluster.submit("touch", &job, "").await;
            submitted.push((job, Instant::now()));
        }
        let next = Instant::now() + PACE;
        while Instant::now() < next {
            let records = cluster.records().await;
            submitted.retain(|(job, at)| {
                let is_done = records.iter().any(|record| record.job.as_str() == job);
                if is_done {
                    first.get_or_insert_with(|| began.elapsed());
                    slowest = slowest.max(at.elapsed());
                }
                !is_done
            });
            sleep(PACE / 10).await;
        }
    }
    let first = first.expect("one job was done");
    Taken { first, slowest }
}

async fn kill_all(kills: u32) -> Vec<Taken> {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let mut second = cluster.second_dispatcher();
    let mut taken = Vec::new();
    for kill in 0..kills {
        let is_first = kill % 2 == 0;
        // Each start of a process adds to its log.
        let starts = (kill / 2 + 1) as usize;
        wait_until("the other one stands by", LIMIT, async || {
            let standby = if is_first {
                &second
            } else {
                cluster.dispatcher()
            };
            standby.log().matches("standing_by").count() >= starts
        })
        .await;
        if is_first {
            cluster.dispatcher().kill();
        } else {
            second.kill();
        }
        taken.push(submit_until_done(&cluster, kill).await);
        if is_first {
            cluster.restart_dispatcher();
        } else {
            second = cluster.second_dispatcher();
        }
    }
    taken
}
