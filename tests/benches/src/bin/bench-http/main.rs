//! `bench-http`: the time and the size of a scrape of the dispatcher's metrics.
//!
//! A real dispatcher observes the heartbeats of many simulated nodes over a real nats-server.
//! Its metrics are read again and again, and its loop's own histogram of turns shows how
//! busy it is with and without readers. The last line printed is one JSON object.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark lives in real time and prints its result"
)]

mod nodes;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use rolecast_tests::cluster::Cluster;
use rolecast_tests::http::{Answer, get, port_of};
use rolecast_tests::server::Server;
use serde_json::json;

use nodes::Nodes;

const DISPATCHER: &str = r#"
[http]
listen = "127.0.0.1:0"
[categories.echo]
roles = ["follower"]
"#;
/// Time limit for all nodes to be known.
const JOIN_LIMIT: Duration = Duration::from_secs(120);
/// Pause between two scrapes, so that the heartbeats of many seconds lie between them.
const PAUSE: Duration = Duration::from_millis(500);

/// Measures a scrape of the metrics of a dispatcher with many nodes.
#[derive(Debug, Parser)]
struct Arguments {
    /// Number of simulated nodes
    #[arg(long, default_value_t = 10_000)]
    nodes: u32,
    /// Seconds between two heartbeats of a node
    #[arg(long, default_value_t = 1)]
    interval: u64,
    /// Number of scrapes
    #[arg(long, default_value_t = 100)]
    scrapes: u32,
    /// Seconds without readers, to compare the loop's time with
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut cluster = Cluster::on(Server::start().await, DISPATCHER).await;
    let port = port_of(cluster.dispatcher()).await;
    let interval = Duration::from_secs(arguments.interval);
    let nodes = Nodes::start(cluster.client().clone(), arguments.nodes, interval).await?;
    wait_known(port, arguments.nodes, &nodes).await?;

    let first = Turns::read(port).await?;
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    let quiet = Turns::read(port).await?;
    let mut times_ms = Vec::new();
    let mut bytes = 0;
    for _ in 0..arguments.scrapes {
        let begun = Instant::now();
        let answer = scrape(port).await?;
        times_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        bytes = bytes.max(answer.body.len());
        tokio::time::sleep(PAUSE).await;
    }
    let read = Turns::read(port).await?;
    times_ms.sort_by(f64::total_cmp);
    let at = |share: f64| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "an index among hundreds"
        )]
        let index = (share * (times_ms.len() - 1) as f64).round() as usize;
        times_ms[index]
    };
    let figures = json!({
        "nodes": arguments.nodes,
        "scrapes": arguments.scrapes,
        "heartbeats_per_second": nodes.sent_per_second(),
        "scrape_ms_median": at(0.5),
        "scrape_ms_p99": at(0.99),
        "scrape_ms_max": at(1.0),
        "scrape_bytes": bytes,
        "loop_busy_without_readers": quiet.busy_since(&first),
        "loop_busy_with_a_scrape_each_500ms": read.busy_since(&quiet),
    });
    println!("{figures}");
    Ok(())
}

/// Waits until the dispatcher knows all nodes; few scrapes leave it the time to.
async fn wait_known(port: u16, count: u32, nodes: &Nodes) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let answer = scrape(port).await?;
        let of = |health: &str| {
            let sample = answer.sample(&format!("rolecast_nodes{{health=\"{health}\"}}"));
            sample.unwrap_or(0.0)
        };
        let (ready, gone) = (of("ready"), of("gone"));
        if ready >= f64::from(count) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < JOIN_LIMIT,
            "after {JOIN_LIMIT:?} the dispatcher knows {ready} of {count} nodes, and {gone} are \
             gone, at {:.0} heartbeats a second: this build or machine is too slow for them; use \
             --release, fewer --nodes or a longer --interval",
            nodes.sent_per_second()
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn scrape(port: u16) -> anyhow::Result<Answer> {
    let answer = get(port, "/metrics").await.context("no answer")?;
    ensure!(answer.code == 200, "{}", answer.head);
    ensure!(answer.body.ends_with("# EOF\n"), "the answer is cut");
    Ok(answer)
}

/// The time that the loop has been busy, at one moment.
struct Turns {
    at: Instant,
    busy_s: f64,
}

impl Turns {
    async fn read(port: u16) -> anyhow::Result<Self> {
        let answer = scrape(port).await?;
        let busy_s = answer.sample("rolecast_loop_turn_seconds_sum");
        Ok(Self {
            at: Instant::now(),
            busy_s: busy_s.context("the dispatcher does not lead")?,
        })
    }

    /// Returns the share of the time since then in which the loop was busy.
    fn busy_since(&self, earlier: &Turns) -> f64 {
        let passed = self.at.duration_since(earlier.at).as_secs_f64();
        (self.busy_s - earlier.busy_s) / passed
    }
}
