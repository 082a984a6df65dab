//! `rolecast simulate`: reads a scenario, runs its worlds on all cores, prints the
//! results.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rolecast_simulator::io::compare::{Make, compare};
use rolecast_simulator::io::files::{read_files, read_scenario};
use rolecast_simulator::report::{Report, Run};
use rolecast_simulator::scenario::Scenario;
use rolecast_simulator::scenario::build::{Cell, build};

use super::failure::Failure;
use super::terminal::Terminal;
use crate::args::simulate::Simulate;
use crate::exit::Exit;
use crate::view::plot;
use crate::view::simulate::page;

/// The most updates of the bar in a second.
const BARS_PER_SECOND: u8 = 10;

pub(crate) fn run(simulate: &Simulate, terminal: &Terminal) -> Result<Exit, Failure> {
    let Some(path) = &simulate.scenario else {
        let text = "give a scenario, or use --from-cluster";
        return Err(Failure::new(Exit::Usage, text));
    };
    let mut scenario = read_scenario(path).map_err(Failure::usage)?;
    change(&mut scenario, simulate).map_err(Failure::usage)?;
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    let files = read_files(&scenario, directory)?;
    let make = |cell: &Cell| Ok(build(&scenario, cell, &files)?);
    let report = Report {
        scenario: stem(path),
        kinds: scenario.kind_names(),
        runs: run_all(&scenario.cells(simulate.seed), &make, simulate, terminal)?,
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

/// Replaces values of the file by those of the command line.
fn change(scenario: &mut Scenario, simulate: &Simulate) -> anyhow::Result<()> {
    if !simulate.loads.is_empty() {
        if !scenario.has_loads() {
            bail!("a file determines the arrivals, and so the load: leave out --load");
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

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().display().to_string()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Runs every world under every policy, beside a bar.
pub(super) fn run_all(
    cells: &[Cell],
    make: &Make<'_>,
    simulate: &Simulate,
    terminal: &Terminal,
) -> anyhow::Result<Vec<Run>> {
    if let Some(plot) = &simulate.plot {
        // A file that cannot be written should be reported before the run.
        write(plot, "")?;
    }
    let policies = simulate.policies();
    let bar = bar(cells.len() * policies.len(), terminal);
    let runs = compare(cells, &policies, make, &|| bar.inc(1))?;
    bar.finish_and_clear();
    Ok(runs)
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    #[test]
    fn a_file_of_arrivals_decides_the_load() {
        let simulate = parse("a.toml --load 0.5");
        let text = "[arrivals]\nfile = \"jobs.csv\"\n\
                    [kinds.a]\nwork = { mean = \"1s\" }\nmemory = { mean = \"1MB\" }\n";
        let mut scenario = Scenario::read(text, &Scenario::default()).unwrap();
        assert_eq!(scenario.cells(1)[0].load, None);
        let error = change(&mut scenario, &simulate).unwrap_err();
        assert!(error.to_string().contains("leave out --load"), "{error}");
    }

    #[test]
    fn arguments_replace_values_of_the_file() {
        let simulate = parse("a.toml --load 0.5,0.6 --hosts 4 --seeds 3 --sharing fair");
        let mut scenario = Scenario::default();
        change(&mut scenario, &simulate).unwrap();
        assert_eq!(scenario.cells(1).len(), 6);
        assert_eq!(scenario.cells(1)[0].hosts, 4);
    }

    fn parse(line: &str) -> Simulate {
        let line = format!("rolecast simulate {line}");
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Simulate(simulate) = arguments.command else {
            panic!("{line} is another command");
        };
        simulate
    }
}
