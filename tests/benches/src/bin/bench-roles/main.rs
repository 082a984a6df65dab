//! `bench-roles`: benefit and number of role changes when a holder is overloaded by
//! surprise.
//!
//! A role that may be on five nodes meets bottlenecks of five kinds, in a fluid world
//! (`world`) and at three prices of a change, under six rules: *off* leaves the role
//! where it is; *naive* moves it at one heartbeat over a threshold; *ours* is the
//! dispatcher's judge on the dispatcher's forecasts; *clairvoyant* knows how long each
//! bottleneck lasts once it is there (from the first quarter of a second in which
//! operations missed, at whose end a heartbeat reports it); *foreseeing* knows it two
//! seconds before; *planned* follows the best plan for a future known to the end, a
//! bound. Changes cost all of them the same, and jobs are shed from loaded nodes under
//! all of them. Measured are *bad seconds* (the time, weighed by the share of the role's
//! operations that miss, changes included) and changes.
//!
//! Seeds are fixed: the same program prints the same, byte for byte. The run time goes to
//! stderr. The last line printed is one JSON object.

#![allow(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark prints its result, and beside it how long it took"
)]

mod ours;
mod report;
mod rules;
mod takeover;
mod trace;
mod world;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Parser;

use ours::{Handicap, Ours};
use rules::{Clairvoyant, Naive, Off, Planned};
use trace::{Kind, Trace};
use world::{Outcome, Rule, Truth, run};

/// Bad seconds that one change costs.
const COSTS_S: [f64; 3] = [2.5, 10.0, 40.0];
/// Seconds before anything is counted: forecasts have begun by then, and the judge has
/// seen some thirty episodes.
const WARM_UP_S: usize = 3600;

/// Compares rules that move a role away from bottlenecks.
#[derive(Debug, Parser)]
struct Arguments {
    /// Worlds of each kind
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first world's seed: from 1 to report, from 1001 to tune
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Hours of each world
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=24))]
    hours: u16,
    /// Only this kind of bottlenecks
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How many dispatchers are killed, for real, to see how long jobs wait
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// Leave out the table of misjudged worlds
    #[arg(long)]
    quick: bool,
}

/// One kind of world, with its true properties and the handicap of the judge.
#[derive(Clone, Copy, Debug)]
struct Cell {
    name: &'static str,
    kind: Kind,
    truth: Truth,
    handicap: Handicap,
}

/// Results of a cell under each rule.
#[derive(Clone, Debug, Default)]
struct Measured {
    off: Vec<Outcome>,
    naive: Vec<Outcome>,
    ours: Vec<Outcome>,
    clairvoyant: Vec<Outcome>,
    foreseeing: Vec<Outcome>,
    planned: Vec<Outcome>,
    restored: u32,
    alerts: u32,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    let mut cells = plain();
    if !arguments.quick {
        cells.extend(misjudged());
    }
    if let Some(only) = &arguments.only {
        cells.retain(|cell| cell.kind.name() == only);
        anyhow::ensure!(!cells.is_empty(), "no bottlenecks are called {only}");
    }
    let measured = measure(&cells, &arguments)?;
    eprintln!("{} s", begun.elapsed().as_secs());
    report::print(&cells, &measured, arguments.kills)
}

const TRUTH: Truth = Truth {
    half: 1.0,
    spread: 0.15,
    cost_s: 10.0,
};

fn plain() -> Vec<Cell> {
    let kinds = Kind::ALL.into_iter();
    let cells = kinds.flat_map(|kind| {
        COSTS_S.map(|cost_s| Cell {
            name: "",
            kind,
            truth: Truth { cost_s, ..TRUTH },
            handicap: Handicap::NONE,
        })
    });
    cells.collect()
}

/// Mixed bottlenecks, about which the judge is wrong or knows less.
fn misjudged() -> Vec<Cell> {
    let cell = |name, truth, handicap| Cell {
        name,
        kind: Kind::Mixed,
        truth,
        handicap,
    };
    let none = Handicap::NONE;
    vec![
        cell(
            "cost taken for a quarter",
            TRUTH,
            Handicap { cost: 0.25, ..none },
        ),
        cell("cost taken fourfold", TRUTH, Handicap { cost: 4.0, ..none }),
        cell(
            "no pressure reported",
            TRUTH,
            Handicap {
                has_pressure: false,
                ..none
            },
        ),
        cell(
            "neither pressure nor run times",
            TRUTH,
            Handicap {
                has_pressure: false,
                has_slow_down: false,
                ..none
            },
        ),
        cell(
            "misses from 85 % on",
            Truth {
                half: 0.85,
                ..TRUTH
            },
            none,
        ),
        cell(
            "misses from 115 % on",
            Truth {
                half: 1.15,
                ..TRUTH
            },
            none,
        ),
    ]
}

/// Runs all worlds on all cores; the result does not depend on the cores.
fn measure(cells: &[Cell], arguments: &Arguments) -> anyhow::Result<Vec<Measured>> {
    let seeds = usize::try_from(arguments.seeds)?;
    let count = cells.len() * seeds;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(done);
            }
            let seed = arguments.first_seed + (index % seeds) as u64;
            let seconds = WARM_UP_S + usize::from(arguments.hours) * 3600;
            done.push((index, world(&cells[index / seeds], seed, seconds)?));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<(usize, Measured)> = Vec::new();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in running {
            let done: anyhow::Result<Vec<_>> = thread.join().expect("a panic ends the program");
            all.extend(done?);
        }
        anyhow::Ok(())
    })?;
    all.sort_by_key(|(index, _)| *index);
    let mut measured = vec![Measured::default(); cells.len()];
    for (index, one) in all {
        measured[index / seeds].add(one);
    }
    Ok(measured)
}

/// Runs one world under all rules.
fn world(cell: &Cell, seed: u64, seconds: usize) -> anyhow::Result<Measured> {
    let trace = Trace::draw(cell.kind, seed, seconds);
    let under = |rule: &mut dyn Rule| vec![run(&trace, cell.truth, WARM_UP_S, seed, rule)];
    let mut ours = Ours::new(cell.truth.cost_s, cell.handicap)?;
    Ok(Measured {
        off: under(&mut Off),
        naive: under(&mut Naive::default()),
        ours: under(&mut ours),
        clairvoyant: under(&mut Clairvoyant::new(&trace, cell.truth, false)),
        foreseeing: under(&mut Clairvoyant::new(&trace, cell.truth, true)),
        planned: under(&mut Planned::new(&trace, cell.truth)),
        restored: ours.restored,
        alerts: ours.alerts,
    })
}

impl Measured {
    fn add(&mut self, other: Measured) {
        self.off.extend(other.off);
        self.naive.extend(other.naive);
        self.ours.extend(other.ours);
        self.clairvoyant.extend(other.clairvoyant);
        self.foreseeing.extend(other.foreseeing);
        self.planned.extend(other.planned);
        self.restored += other.restored;
        self.alerts += other.alerts;
    }
}
