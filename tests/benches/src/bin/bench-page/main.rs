//! `bench-page`: the weight of each view of the page, and the CPU time that viewers take
//! from the dispatcher's loop.
//!
//! A real dispatcher observes the heartbeats of many simulated nodes, one a second each.
//! Spans without and with viewers of the live page alternate; the loop's time is that of
//! the dispatcher's main thread, in shares of a core. The last line printed is one JSON
//! object.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time and prints its result"
)]

mod fleet;

use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use rolecast_benches::viewer::Viewer;
use rolecast_tests::cluster::Cluster;
use rolecast_tests::figures::{align, median, rounded, table};
use rolecast_tests::http::{get, port_of};
use rolecast_tests::server::Server;
use serde_json::{Value, json};
use tokio::time::sleep;

use fleet::Fleet;

const DISPATCHER: &str = "[http]\nlisten = \"127.0.0.1:0\"\n[categories.echo]\n";
/// Views whose weight is measured; the viewers look at the first ones.
const VIEWS: [&str; 11] = [
    "/",
    "/nodes",
    "/map",
    "/map?by=zone",
    "/node/node-00001",
    "/roles",
    "/categories",
    "/forecasts",
    "/decisions",
    "/keys",
    "/dispatchers",
];
/// The ticks of a second in which the system counts CPU time.
const TICKS: f64 = 100.0;

/// Measures what the page costs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Nodes of each fleet
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    nodes: Vec<u32>,
    /// Viewers of the live page
    #[arg(long, default_value_t = 5)]
    viewers: usize,
    /// Seconds of a span with or without viewers
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Spans of each kind
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut results = Vec::new();
    for nodes in &arguments.nodes {
        results.push(measure(*nodes, &arguments).await?);
    }
    print(&results);
    Ok(())
}

/// The figures of one fleet.
struct Figures {
    nodes: u32,
    /// Bytes of each view.
    weights: Vec<(&'static str, usize)>,
    /// Shares of a core that the loop takes.
    alone: f64,
    viewed: f64,
    /// Updates that a viewer got in a second.
    updates: f64,
}

async fn measure(nodes: u32, arguments: &Arguments) -> anyhow::Result<Figures> {
    let mut cluster = Cluster::on(Server::start().await, DISPATCHER).await;
    let fleet = Fleet::start(cluster.client().clone(), nodes).await?;
    let all = |status: &rolecast_common::wire::Status| status.totals.ready == nodes;
    cluster.wait_status("all nodes are known", all).await;
    let port = port_of(cluster.dispatcher()).await;
    let pid = cluster.dispatcher().pid();
    eprintln!("{nodes} nodes, page at port {port}");
    let (mut alone, mut viewed, mut updates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        alone.push(span(pid, arguments.seconds).await?);
        let viewers = (0..arguments.viewers).map(|index| Viewer::open(port, VIEWS[index % 5]));
        let viewers: Vec<Viewer> = viewers.collect();
        viewed.push(span(pid, arguments.seconds).await?);
        #[allow(
            clippy::cast_precision_loss,
            reason = "updates are counted in hundreds"
        )]
        let count = viewers.iter().map(Viewer::updates).sum::<usize>() as f64;
        #[allow(clippy::cast_precision_loss, reason = "a few viewers")]
        updates.push(count / arguments.viewers.max(1) as f64);
    }
    let mut weights = Vec::new();
    for view in VIEWS {
        let answer = get(port, view)
            .await
            .with_context(|| format!("{view}: no answer"))?;
        anyhow::ensure!(answer.code == 200, "{view}: {}", answer.code);
        weights.push((view, answer.body.len()));
    }
    drop(fleet);
    #[allow(clippy::cast_precision_loss, reason = "a span has some seconds")]
    let seconds = arguments.seconds as f64;
    Ok(Figures {
        nodes,
        weights,
        alone: median(alone.into_iter()),
        viewed: median(viewed.into_iter()),
        updates: median(updates.into_iter()) / seconds,
    })
}

/// Returns the share of a core that the main thread of a process takes for a while.
async fn span(pid: i32, seconds: u64) -> anyhow::Result<f64> {
    let (begun, before) = (std::time::Instant::now(), ticks(pid)?);
    sleep(Duration::from_secs(seconds)).await;
    Ok((ticks(pid)? - before) / TICKS / begun.elapsed().as_secs_f64())
}

/// Reads the CPU time of the main thread.
fn ticks(pid: i32) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/stat"))?;
    let (_, fields) = text.rsplit_once(") ").unwrap_or_default();
    // User and system time are the 14th and 15th field, and the name is the second.
    let times = fields.split(' ').skip(11).take(2).map(str::parse::<f64>);
    Ok(times.sum::<Result<f64, _>>()?)
}

fn print(results: &[Figures]) {
    let mut shown = table(&["view", "nodes", "KiB"]);
    for figures in results {
        for (view, bytes) in &figures.weights {
            #[allow(clippy::cast_precision_loss, reason = "kibibytes")]
            let kib = *bytes as f64 / 1024.0;
            shown.add_row([
                (*view).to_owned(),
                figures.nodes.to_string(),
                format!("{kib:.1}"),
            ]);
        }
    }
    println!("{}\n", align(shown));
    let mut shown = table(&["loop", "alone", "viewed", "lost", "updates/s"]);
    for figures in results {
        shown.add_row([
            format!("{} nodes", figures.nodes),
            format!("{:.1} %", 100.0 * figures.alone),
            format!("{:.1} %", 100.0 * figures.viewed),
            format!("{:.1} %", 100.0 * (figures.viewed - figures.alone)),
            format!("{:.2}", figures.updates),
        ]);
    }
    println!("{}\n", align(shown));
    let results = results.iter().map(|figures| {
        let weights = figures
            .weights
            .iter()
            .map(|(view, bytes)| ((*view).to_owned(), json!(bytes)));
        json!({
            "nodes": figures.nodes,
            "weights": weights.collect::<serde_json::Map<String, Value>>(),
            "loop_alone": rounded(figures.alone),
            "loop_viewed": rounded(figures.viewed),
            "updates_per_second": rounded(figures.updates),
        })
    });
    println!(
        "{}",
        json!({"bench": "page", "fleets": results.collect::<Vec<_>>()})
    );
}
