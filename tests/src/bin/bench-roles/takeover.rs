//! How long jobs wait when the dispatcher at work is killed and another stands by:
//! real processes on a real nats-server, from the SIGKILL until a job that was
//! submitted then is done.

use std::time::{Duration, Instant};

use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::wait::wait_until;
use serde_json::{Value, json};

const DISPATCHER: &str = "[categories.touch]\n";
const WORKER: &str = "\
roles = [\"follower\"]
usage_scope = \"process\"
[categories.touch]
command = [\"true\"]
";

/// Kills so many dispatchers, one after the other, and prints how long it took;
/// returns the median and the largest time in seconds.
pub(crate) fn seconds(kills: u32) -> anyhow::Result<Value> {
    if kills == 0 {
        return Ok(Value::Null);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut taken = runtime.block_on(kill_all(kills));
    taken.sort_unstable();
    let at = |index: usize| taken[index].as_secs_f64();
    let (min, p50, max) = (at(0), at(taken.len() / 2), at(taken.len() - 1));
    println!(
        "\ntake-over after kill -9, {kills} times: {min:.2} s at least, {p50:.2} s median, {max:.2} s at most"
    );
    let round = |seconds: f64| (seconds * 100.0).round() / 100.0;
    Ok(json!({"p50": round(p50), "max": round(max)}))
}

async fn kill_all(kills: u32) -> Vec<Duration> {
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
        let began = Instant::now();
        let job = format!("job-{kill}");
        cluster.submit("touch", &job, "").await;
        cluster.wait_record(&job).await;
        taken.push(began.elapsed());
        if is_first {
            cluster.restart_dispatcher();
        } else {
            second = cluster.second_dispatcher();
        }
    }
    taken
}
