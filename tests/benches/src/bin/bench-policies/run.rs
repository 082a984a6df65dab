//! Runs of the comparisons by the simulator.

use std::path::Path;

use rolecast_simulator::io::compare::compare;
use rolecast_simulator::io::files::{read_files, read_scenario};
use rolecast_simulator::metrics::Metrics;
use rolecast_simulator::scenario::Scenario;
use rolecast_simulator::scenario::build::{Cell, build};
use rolecast_simulator::world::Sharing;
use rolecast_tests::process::repository;

use super::plan::{Comparison, Times};

/// The first seed of each comparison.
const SEED: u64 = 1;

/// One world under one policy.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// The file of the scenario.
    pub(crate) scenario: &'static str,
    pub(crate) policy: String,
    pub(crate) load: f64,
    pub(crate) sharing: Sharing,
    /// The names of the kinds, in the order of the metrics'.
    pub(crate) kinds: Vec<String>,
    pub(crate) metrics: Metrics,
}

/// Runs all worlds of a comparison under all its policies, on all cores.
pub(crate) fn run(comparison: &Comparison) -> anyhow::Result<Vec<Run>> {
    let directory = repository().join("tests/scenarios");
    let scenario = read(comparison, &directory)?;
    let files = read_files(&scenario, &directory)?;
    let make = |cell: &Cell| Ok(build(&scenario, cell, &files)?);
    let runs = compare(&scenario.cells(SEED), &comparison.policies, &make, &|| {})?;
    let runs = runs.into_iter().map(|run| Run {
        scenario: comparison.scenario,
        policy: run.policy,
        load: run.cell.load.expect("no scenario here reads its arrivals"),
        sharing: run.cell.sharing,
        kinds: scenario.kind_names(),
        metrics: run.metrics,
    });
    Ok(runs.collect())
}

/// Reads the scenario, with the settings of the comparison.
fn read(comparison: &Comparison, directory: &Path) -> anyhow::Result<Scenario> {
    let mut scenario = read_scenario(&directory.join(format!("{}.toml", comparison.scenario)))?;
    if !comparison.loads.is_empty() {
        scenario.loads.clone_from(&comparison.loads);
    }
    scenario.sharings = comparison.sharings.to_vec();
    scenario.seeds = comparison.seeds;
    if let Some(Times {
        history_s,
        length_s,
    }) = comparison.times
    {
        scenario.times.history_s = history_s;
        scenario.times.length_s = length_s;
    }
    Ok(scenario)
}
