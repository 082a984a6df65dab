//! `rolecast backtest`: replays recordings and scores the forecasts made on the way.

pub(super) mod files;
mod replay;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::failure::Failure;
use super::terminal::Terminal;
use crate::args::backtest::Backtest;
use crate::backtest::report::Report;
use crate::backtest::{Protocol, dump};
use crate::exit::Exit;
use crate::view::backtest::page;
use replay::{Outcome, Replay, replay_all};

pub(crate) fn run(backtest: &Backtest, terminal: &Terminal) -> Result<Exit, Failure> {
    let recordings = files::read_all(&backtest.paths)?;
    let dump = backtest.dump.as_deref();
    // A file that cannot be written should be reported before the run.
    let mut dump = dump.map(Dump::create).transpose()?;
    let protocol = Protocol::new(usize::from(backtest.stride), backtest.horizons.clone());
    let replay = Replay {
        model: backtest.model,
        protocol: &protocol,
        has_dump: dump.is_some(),
    };
    let outcomes = replay_all(&recordings, &replay, terminal)?;
    if let Some(dump) = &mut dump {
        dump.write(&outcomes)?;
    }
    let report = report(backtest.model.name(), outcomes);
    if report.overall().is_empty() {
        let text = "nothing to score: no sample was measured at the time of a forecast";
        return Err(Failure::new(Exit::Failed, text));
    }
    if terminal.json {
        terminal.print_document(&report.json())?;
    } else {
        terminal.print(&page(&report, terminal.palette))?;
    }
    Ok(Exit::Fine)
}

fn report(model: &'static str, outcomes: Vec<Outcome>) -> Report {
    let samples = outcomes.iter().map(|outcome| outcome.samples).sum();
    let spent: Duration = outcomes.iter().map(|outcome| outcome.spent).sum();
    let series: BTreeMap<_, _> = outcomes
        .into_iter()
        .map(|outcome| (outcome.name, outcome.scores))
        .collect();
    Report {
        model,
        series,
        samples,
        spent,
    }
}

/// The file that receives every forecast.
struct Dump {
    name: String,
    file: BufWriter<File>,
}

impl Dump {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let file = File::create(path).with_context(|| format!("cannot write {name}"))?;
        let file = BufWriter::new(file);
        Ok(Self { name, file })
    }

    fn write(&mut self, outcomes: &[Outcome]) -> anyhow::Result<()> {
        let mut write = || {
            self.file.write_all(dump::HEADER.as_bytes())?;
            for outcome in outcomes {
                self.file.write_all(&outcome.dump)?;
            }
            self.file.flush()
        };
        if let Err(error) = write() {
            bail!("cannot write {}: {error}", self.name);
        }
        Ok(())
    }
}
