//! `bench-policies`: placement by Rolecast and by other policies, in simulated fleets.
//!
//! Compared is how much later jobs end under Rolecast's placement than under others.
//!
//! Runs the simulator on the scenarios of `tests/scenarios` with fixed seeds: the same
//! program prints the same, byte for byte. The run time goes to stderr. The last
//! line printed is one JSON object; what was not run is null.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its result, and beside it how long it took"
)]

mod plan;
mod report;
mod run;
mod summary;

use std::time::Instant;

use anyhow::ensure;
use clap::Parser;

use run::run;
use summary::Summary;

/// Compares placement policies in simulated fleets.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only a few cells, with one seed and short runs
    #[arg(long)]
    quick: bool,
    /// Only this scenario
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Worlds of each kind
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut plan = if arguments.quick {
        plan::quick()
    } else {
        plan::full(arguments.seeds)
    };
    if let Some(only) = &arguments.only {
        plan.retain(|comparison| comparison.scenario == only);
        ensure!(!plan.is_empty(), "{only} is none of the scenarios compared");
    }
    let begun = Instant::now();
    let mut runs = Vec::new();
    for (number, comparison) in (1..).zip(&plan) {
        runs.extend(run(comparison)?);
        eprintln!(
            "{number} of {}: {} ({} runs so far, {} s)",
            plan.len(),
            comparison.scenario,
            runs.len(),
            begun.elapsed().as_secs(),
        );
    }
    report::print(&Summary { runs })
}
