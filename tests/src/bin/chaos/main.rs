//! `chaos`: the fault matrix on real clusters; see `docs/faults.md`.
//!
//! Runs each row on a cluster of its own, prints its result, then a table of all, and as
//! the last line one JSON object. Ends with status 1 if a promise was broken.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the program lives in real time and prints its result"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use rolecast_tests::chaos::{Report, Row, Settings, Verdict, rows, run, takeovers};
use serde_json::json;

/// Injects faults into real clusters, and checks the outcome of every job.
#[derive(Debug, Parser)]
struct Arguments {
    /// List the rows and end
    #[arg(long)]
    list: bool,
    /// Run rows whose name contains one of these
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Decides when what happens
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Short jobs a second
    #[arg(long, default_value_t = 80)]
    rate: u64,
    /// Shorter times before and after the fault
    #[arg(long)]
    quick: bool,
    /// Print the last line only
    #[arg(long)]
    json: bool,
    /// Run the programs of this directory
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Start the second dispatcher only when the first one leads
    #[arg(long)]
    start_apart: bool,
    /// Keep the logs of each row in this directory
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// Seconds that jobs may take to be recorded after the load
    #[arg(long, default_value_t = 45)]
    settle: u64,
    /// Kill the active dispatcher this many times, and measure the take-overs instead
    #[arg(long, value_name = "COUNT")]
    takeovers: Option<usize>,
    /// Servers of the cluster on which take-overs are measured
    #[arg(long, default_value_t = 1)]
    replicas: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_asked = |row: &Row| {
        arguments.only.is_empty() || arguments.only.iter().any(|part| row.name.contains(part))
    };
    let rows: Vec<Row> = rows().into_iter().filter(is_asked).collect();
    if arguments.list {
        for row in rows {
            println!("{}", row.name);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(count) = arguments.takeovers {
        return measure(count, &arguments).await;
    }
    let report = matrix(&rows, &arguments).await;
    if !arguments.json {
        println!("{}", report.table());
        for remark in report.remarks() {
            println!("{remark}");
        }
    }
    println!("{}", report.json());
    if report.is_kept() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn matrix(rows: &[Row], arguments: &Arguments) -> Report {
    let settings = Settings {
        seed: arguments.seed,
        rate: arguments.rate,
        is_quick: arguments.quick,
        binaries: arguments.binaries.clone(),
        starts_apart: arguments.start_apart,
        logs: arguments.logs.clone(),
        settle_limit: Duration::from_secs(arguments.settle),
    };
    let mut report = Report::default();
    for row in rows {
        let start = Instant::now();
        match run(row, &settings).await {
            Ok(verdict) => {
                eprintln!(
                    "{} ({:.0} s)",
                    line(&verdict),
                    start.elapsed().as_secs_f64()
                );
                report.verdicts.push(verdict);
            }
            Err(why) => {
                eprintln!("{}: skipped, {why}", row.name);
                report.skipped.push((row.name, why));
            }
        }
    }
    report
}

fn line(verdict: &Verdict) -> String {
    format!(
        "{:<24} {} acked {} recorded {} lost {} left {} dead {} duplicates, stall {:.1} s, \
         after healthy {}, {} exits{}",
        verdict.row.name,
        verdict.jobs.acked,
        verdict.jobs.recorded,
        verdict.jobs.lost,
        verdict.jobs.unsettled,
        verdict.jobs.false_dead,
        verdict.jobs.duplicate_runs,
        verdict.times.longest_stall_s,
        verdict
            .times
            .after_healthy_s
            .map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s")),
        verdict.exits,
        if verdict.is_kept() { "" } else { " BROKEN" },
    )
}

async fn measure(count: usize, arguments: &Arguments) -> ExitCode {
    let binaries = arguments.binaries.clone();
    match takeovers(count, arguments.replicas, binaries).await {
        Ok(takeovers) => {
            let figures = json!({
                "takeovers": takeovers.0.len(),
                "replicas": arguments.replicas,
                "p50_s": takeovers.quantile(0.5).as_secs_f64(),
                "p90_s": takeovers.quantile(0.9).as_secs_f64(),
                "max_s": takeovers.quantile(1.0).as_secs_f64(),
            });
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
