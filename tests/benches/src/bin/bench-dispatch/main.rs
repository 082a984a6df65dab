//! `bench-dispatch`: Rolecast against workers that pull directly from JetStream.
//!
//! Four contenders, each with four worker processes whose jobs do nothing:
//!
//! - *direct*: the workers share one durable pull consumer and acknowledge;
//! - *rolecast*: a dispatcher and workers of the Rust library, outcomes not recorded;
//! - *recorded*: the same with every outcome recorded;
//! - *seen*: the same again, while the metrics are read each second and the live page is
//!   open. The others have `[http] listen = "off"`.
//!
//! Every run has a fresh nats-server and store; rounds are interleaved and their
//! order alternates; a ratio is the median of the rounds' ratios to *direct*, and for
//! *seen* also to *recorded*.
//! The last line printed is one JSON object.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark lives in real time and prints its result"
)]

mod contender;
mod publisher;
mod report;
mod run;
mod worker;

use clap::{Parser, Subcommand};

use contender::Contender;
use report::Report;
use run::{latency, throughput};

/// The allocator: most of our own cost of a job is small allocations, at which this one
/// is fast.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares the throughput and latency of Rolecast with direct pull.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// Interleaved rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Jobs of one throughput run
    #[arg(long, default_value_t = 100_000)]
    jobs: u64,
    /// Seconds of one latency run
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Jobs a second in a latency run
    #[arg(long, default_value_t = 2000)]
    rate: u64,
}

/// What a child process of the benchmark does.
#[derive(Debug, Subcommand)]
enum Role {
    /// A worker that pulls from JetStream
    DirectWorker { url: String, name: String },
    /// A worker of the Rust library
    LibraryWorker { url: String, name: String },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::DirectWorker { url, name }) => worker::direct(&url, &name).await,
        Some(Role::LibraryWorker { url, name }) => worker::library(&url, &name).await,
        None => compare(&arguments).await,
    }
}

async fn compare(arguments: &Arguments) -> anyhow::Result<()> {
    let mut report = Report::default();
    for round in 0..arguments.rounds {
        let mut order = Contender::ALL;
        if round % 2 == 1 {
            order.reverse();
        }
        for payload_len in [128, 1024] {
            for contender in order {
                let result = throughput(contender, payload_len, arguments.jobs).await?;
                eprintln!(
                    "round {}: {contender:<9} {payload_len:>4} B  {:>7.0} jobs/s",
                    round + 1,
                    result.jobs_per_second
                );
                report.throughput.push((contender, payload_len, result));
            }
        }
        for contender in order {
            let result = latency(contender, arguments.rate, arguments.seconds).await?;
            eprintln!(
                "round {}: {contender:<9} at {} jobs/s  p50 {:>5} us  p99 {:>5} us",
                round + 1,
                arguments.rate,
                result.p50_us,
                result.p99_us
            );
            report.latency.push((contender, result));
        }
    }
    report.print(arguments.rate)
}
