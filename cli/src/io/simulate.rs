//! `rolecast simulate`: reads a scenario, runs its worlds on all cores, prints the
//! results.

use std::fs;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, anyhow, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::backtest::files;
use super::failure::Failure;
use super::terminal::Terminal;
use crate::args::simulate::Simulate;
use crate::exit::Exit;
use crate::simulate::report::{Report, Run};
use crate::simulate::scenario::arrivals::read_rows;
use crate::simulate::scenario::build::{Cell, Files, build};
use crate::simulate::scenario::others::Signal;
use crate::simulate::scenario::{Scenario, extends};
use crate::simulate::world::World;
use crate::simulate::{engine, peers, plot};
use crate::view::simulate::page;

/// The longest chain of scenarios; a longer one is a cycle.
const CHAIN_MAX: usize = 8;
/// The most updates of the bar in a second.
const BARS_PER_SECOND: u8 = 10;

pub(crate) fn run(simulate: &Simulate, terminal: &Terminal) -> Result<Exit, Failure> {
    let Some(path) = &simulate.scenario else {
        let text = "name a scenario, or use --from-cluster";
        return Err(Failure::new(Exit::Usage, text));
    };
    let mut scenario = read(path).map_err(Failure::usage)?;
    change(&mut scenario, simulate).map_err(Failure::usage)?;
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    let files = read_files(&scenario, directory)?;
    let cells = scenario.cells(simulate.seed);
    let make = |cell: &Cell| -> anyhow::Result<World> { Ok(build(&scenario, cell, &files)?) };
    let report = Report {
        scenario: stem(path),
        kinds: scenario.kinds.keys().cloned().collect(),
        runs: run_all(cells, &make, simulate, terminal)?,
        notes: Vec::new(),
    };
    show(&report, simulate, terminal)
}

/// Prints the results, in the requested form.
pub(super) fn show(
    report: &Report,
    simulate: &Simulate,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    if let Some(plot) = &simulate.plot {
        write(plot, &plot::svg(report))?;
    }
    if terminal.json {
        terminal.print_document(&report.json())?;
    } else if simulate.csv {
        let text = report.csv().context("cannot write the table")?;
        terminal.print(&text)?;
    } else {
        terminal.print(&page(report, terminal.palette))?;
    }
    Ok(Exit::Fine)
}

/// Reads a scenario and those it extends.
fn read(path: &Path) -> anyhow::Result<Scenario> {
    let mut chain: Vec<(PathBuf, String)> = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        if chain.len() == CHAIN_MAX {
            bail!("{} extends itself, or too many others", path.display());
        }
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        next = extends(&text).map(|name| path.with_file_name(name));
        chain.push((path, text));
    }
    let mut scenario = Scenario::default();
    for (path, text) in chain.iter().rev() {
        let read = Scenario::read(text, &scenario);
        scenario = read.map_err(|mistakes| anyhow!("{}: {mistakes}", path.display()))?;
    }
    Ok(scenario)
}

/// Replaces values of the file by those of the command line.
fn change(scenario: &mut Scenario, simulate: &Simulate) -> anyhow::Result<()> {
    if !simulate.loads.is_empty() {
        if scenario.arrivals.file.is_some() {
            bail!("a file says when jobs arrive, and so how many: leave out --load");
        }
        scenario.loads.clone_from(&simulate.loads);
    }
    if !simulate.sharings.is_empty() {
        scenario.sharings.clone_from(&simulate.sharings);
    }
    scenario.fleet.hosts = simulate.hosts.unwrap_or(scenario.fleet.hosts);
    scenario.seeds = simulate.seeds.unwrap_or(scenario.seeds);
    Ok(())
}

/// Reads the files that the scenario names, relative to its directory.
fn read_files(scenario: &Scenario, directory: &Path) -> anyhow::Result<Files> {
    let mut read = Files::default();
    for component in scenario.others.values() {
        if let Signal::Series { file, .. } = &component.signal {
            let table = files::read(&directory.join(file))?;
            read.series.insert(file.clone(), table);
        }
    }
    if let Some(file) = &scenario.arrivals.file {
        let path = directory.join(file);
        let name = path.display();
        let text = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
        let rows = read_rows(&text).map_err(|error| anyhow!("{name}: {error}"))?;
        read.arrivals.insert(file.clone(), rows);
    }
    Ok(read)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().display().to_string()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Makes the world of a cell.
pub(super) type Make<'a> = dyn Fn(&Cell) -> anyhow::Result<World> + Sync + 'a;

/// Runs every world under every policy; those of one world follow each other.
pub(super) fn run_all(
    cells: Vec<Cell>,
    make: &Make<'_>,
    simulate: &Simulate,
    terminal: &Terminal,
) -> anyhow::Result<Vec<Run>> {
    if let Some(plot) = &simulate.plot {
        // A file that cannot be written should be reported before the run.
        write(plot, "")?;
    }
    let policies = simulate.policies();
    let plans: Vec<Plan<'_>> = cells
        .into_iter()
        .map(|cell| Plan::new(make, cell, policies.len()))
        .collect();
    let count = plans.len() * policies.len();
    let bar = bar(count, terminal);
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<Vec<(usize, Run)>> {
        let mut runs = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(runs);
            }
            let plan = &plans[index / policies.len()];
            runs.push((index, plan.run(policies[index % policies.len()])?));
            bar.inc(1);
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut runs = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores.min(count)).map(|_| scope.spawn(work)).collect();
        let mut runs = Vec::new();
        for thread in threads {
            // A panic is a bug, and continues as one.
            let result = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            runs.extend(result?);
        }
        Ok::<_, anyhow::Error>(runs)
    })?;
    bar.finish_and_clear();
    // The result does not depend on which core was faster.
    runs.sort_by_key(|(index, _)| *index);
    Ok(runs.into_iter().map(|(_, run)| run).collect())
}

fn bar(count: usize, terminal: &Terminal) -> ProgressBar {
    if !terminal.has_live_notes {
        return ProgressBar::hidden();
    }
    let target = ProgressDrawTarget::stderr_with_hz(BARS_PER_SECOND);
    let bar = ProgressBar::with_draw_target(Some(count as u64), target);
    let style = ProgressStyle::with_template("{bar:32} {pos} of {len} runs  {eta} left")
        .expect("the template is valid");
    bar.set_style(style);
    bar
}

/// A world that is built when the first policy needs it and dropped after the last.
struct Plan<'a> {
    make: &'a Make<'a>,
    cell: Cell,
    shared: Mutex<Shared>,
}

struct Shared {
    world: Option<Arc<World>>,
    /// The number of policies that have not begun.
    left: usize,
}

impl<'a> Plan<'a> {
    fn new(make: &'a Make<'a>, cell: Cell, left: usize) -> Self {
        let world = None;
        Self {
            make,
            cell,
            shared: Mutex::new(Shared { world, left }),
        }
    }

    fn run(&self, policy: &str) -> anyhow::Result<Run> {
        let world = self.world()?;
        let chosen = peers::create(policy, &world);
        let mut chosen = chosen.with_context(|| format!("there is no policy {policy}"))?;
        Ok(Run {
            policy: policy.to_owned(),
            cell: self.cell,
            metrics: engine::run(&world, chosen.as_mut()),
        })
    }

    fn world(&self) -> anyhow::Result<Arc<World>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let world = match shared.world.take() {
            Some(world) => world,
            None => Arc::new((self.make)(&self.cell)?),
        };
        shared.left -= 1;
        if shared.left > 0 {
            shared.world = Some(Arc::clone(&world));
        }
        Ok(world)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};
    use crate::config::Environment;

    #[test]
    fn every_scenario_in_the_repository_has_a_world() {
        let directory = scenarios();
        let mut count = 0;
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let mut scenario = read(&path).unwrap();
            scenario.history_s = 60.0;
            scenario.length_s = 125.0;
            scenario.fleet.hosts = 10;
            let files = read_files(&scenario, &directory).unwrap();
            for cell in scenario.cells(1) {
                let world = build(&scenario, &cell, &files);
                assert!(world.is_ok(), "{}: {world:?}", path.display());
            }
            count += 1;
        }
        assert!(count >= 20, "{count}");
    }

    #[test]
    fn runs_are_told_in_one_order_and_with_one_result() {
        let (simulate, terminal) = parse("spikes.toml --policy p2c,random --load 0.5 --hosts 4");
        let run = || {
            let mut scenario = read(simulate.scenario.as_ref().unwrap()).unwrap();
            change(&mut scenario, &simulate).unwrap();
            scenario.length_s = 200.0;
            scenario.history_s = 0.0;
            let make = |cell: &Cell| -> anyhow::Result<World> {
                Ok(build(&scenario, cell, &Files::default())?)
            };
            run_all(scenario.cells(1), &make, &simulate, &terminal).unwrap()
        };
        let runs = run();
        let told: Vec<_> = runs
            .iter()
            .map(|run| (run.policy.as_str(), run.cell.seed))
            .collect();
        assert_eq!(told, [("p2c", 1), ("random", 1), ("p2c", 2), ("random", 2)]);
        assert!(runs.iter().all(|run| run.metrics.kinds[0].jobs > 10));
        assert_eq!(format!("{runs:?}"), format!("{:?}", run()));
    }

    #[test]
    fn a_file_of_arrivals_knows_the_load() {
        let (simulate, _) = parse("calm.toml --load 0.5");
        let mut scenario = read(simulate.scenario.as_ref().unwrap()).unwrap();
        scenario.arrivals.file = Some("jobs.csv".to_owned());
        assert_eq!(scenario.cells(1)[0].load, None);
        let error = change(&mut scenario, &simulate).unwrap_err();
        assert!(error.to_string().contains("leave out --load"), "{error}");
    }

    #[test]
    fn a_scenario_that_extends_itself_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        fs::write(&path, "extends = \"a.toml\"\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("extends itself"), "{error}");
    }

    fn scenarios() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios")
    }

    fn parse(line: &str) -> (Simulate, Terminal) {
        let line = format!("rolecast simulate {}/{line}", scenarios().display());
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let terminal = Terminal::new(&arguments.global, &Environment::read());
        let Command::Simulate(simulate) = arguments.command else {
            panic!("{line} is another command");
        };
        (simulate, terminal)
    }
}
