//! `bench-placement`: cost of the placement of a job, in CPU time of one core.
//!
//! - *board*: the index alone: the best node is looked up, a job is reserved there and
//!   another released;
//! - *fleet*: the whole path: choose, send and complete, with ledger, feedback and the
//!   learned profile of the category; and heartbeats, with and without forecasts, until
//!   each index is up to date.
//!
//! Nodes and jobs are drawn with a seed. Rounds are interleaved; a figure is the median
//! of its rounds. The last line printed is one JSON object.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its result"
)]

mod board;
mod fleet;
mod hosts;
mod report;

use cap::Cap;
use clap::Parser;
use mimalloc::MiMalloc;
use rolecast_common::wire::ForecastMode;

use hosts::Mix;
use report::{Report, Size};

/// The allocator of the programs, counting what it gives.
#[global_allocator]
static ALLOCATOR: Cap<MiMalloc> = Cap::new(MiMalloc, usize::MAX);

/// Measures what placing a job costs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Nodes of each fleet
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000],
          value_parser = clap::value_parser!(u32).range(10..))]
    nodes: Vec<u32>,
    /// Seconds of heartbeats before anything is measured: forecasts have begun by then
    #[arg(long, default_value_t = 660)]
    warm_up: u32,
    /// Seconds of heartbeats and decisions in a round
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Interleaved rounds over the fleets
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// All measurements on fleets of one size.
struct Group {
    board: board::Measured,
    ahead: fleet::Measured,
    present: fleet::Measured,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut groups = Vec::new();
    for nodes in &arguments.nodes {
        groups.push((Size::new(*nodes), group(*nodes, &arguments)?));
        eprintln!("{nodes} nodes are ready");
    }
    for round in 0..arguments.rounds {
        for (size, group) in &mut groups {
            size.board_even.push(group.board.decide(Mix::Even)?);
            size.board_arriving.push(group.board.decide(Mix::Arriving)?);
            size.board_update.push(group.board.update());
            size.ahead.push(group.ahead.run(arguments.seconds)?);
            size.present.push(group.present.run(arguments.seconds)?);
        }
        eprintln!("round {} of {}", round + 1, arguments.rounds);
    }
    let mut sizes = Vec::new();
    for (mut size, mut group) in groups {
        size.allocated = group.ahead.allocated()?;
        sizes.push(size);
    }
    Report { sizes }.print()
}

fn group(nodes: u32, arguments: &Arguments) -> anyhow::Result<Group> {
    let seed = arguments.seed;
    let mut group = Group {
        board: board::Measured::new(nodes, seed)?,
        ahead: fleet::Measured::new(nodes, ForecastMode::On, seed)?,
        present: fleet::Measured::new(nodes, ForecastMode::Off, seed)?,
    };
    group.ahead.warm_up(arguments.warm_up)?;
    Ok(group)
}
