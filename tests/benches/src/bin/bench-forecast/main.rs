//! `bench-forecast`: cost of forecasts, in CPU time of one core.
//!
//! - *fleet*: heartbeats of many nodes, encoded as workers do, are read and passed to the
//!   dispatcher's own machine as fast as it takes them, each simulated second at its own
//!   time; the network is left out;
//! - *series*: one sample and a read of all horizons, for each model; rounds are
//!   interleaved, and a figure is the median of its rounds;
//! - *memory*: memory of a series, and a check that no sample allocates.
//!
//! Usage is made up with a seed: autocorrelated noise, a daily wave, bursts. The last
//! line printed is one JSON object.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its result"
)]

mod fleet;
mod heartbeats;
mod report;
mod series;

use cap::Cap;
use clap::Parser;
use mimalloc::MiMalloc;

use fleet::Fleet;
use report::Report;
use series::Rounds;

/// The allocator of the programs, counting what it gives.
#[global_allocator]
static ALLOCATOR: Cap<MiMalloc> = Cap::new(MiMalloc, usize::MAX);

/// Measures what forecasts cost.
#[derive(Debug, Parser)]
struct Arguments {
    /// Nodes of the fleet
    #[arg(long, default_value_t = 10_000)]
    nodes: u32,
    /// Seconds simulated before the fleet is measured
    #[arg(long, default_value_t = 660)]
    warm_up: u32,
    /// Seconds simulated while it is measured
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Interleaved rounds over the models
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // The fleet is first, so that memory freed by others does not count as its own.
    let plan = Fleet {
        nodes: arguments.nodes,
        warm_up: arguments.warm_up,
        seconds: arguments.seconds,
        seed: arguments.seed,
    };
    let report = Report {
        fleet: plan.run()?,
        memory: series::memory(arguments.seed)?,
        models: Rounds::run(arguments.rounds, arguments.seed),
    };
    report.print()
}
