//! `rolecast train-lstm`: learns the LSTM's weights from recordings.

use std::fs;

use anyhow::Context as _;
use rolecast_forecast::HORIZONS;
use rolecast_forecast::lstm::training::{Progress, SAMPLES_MIN, Trainer};
use serde_json::json;

use super::backtest::files;
use super::failure::Failure;
use super::terminal::Terminal;
use crate::args::backtest::TrainLstm;
use crate::exit::Exit;
use crate::training::first_half;

/// The horizons that a line reports, in steps.
const SHOWN: [u32; 4] = [1, 5, 15, 60];

pub(crate) fn run(train: &TrainLstm, terminal: &Terminal) -> Result<Exit, Failure> {
    let recordings = files::read_all(&train.paths)?;
    let tables = recordings.iter().map(|recording| &recording.table);
    let series: Vec<Vec<f32>> = tables
        .flat_map(|table| &table.series)
        .map(first_half)
        .collect();
    let Some(mut trainer) = Trainer::new(&series, train.epochs, train.seed) else {
        let text = format!(
            "nothing to learn from: no series changes and has {SAMPLES_MIN} samples \
             in the first half of its rows"
        );
        return Err(Failure::new(Exit::Failed, text));
    };
    let (used, all) = (trainer.series_count(), series.len());
    terminal.note(&format!("learning from {used} of {all} series"));
    // A file that cannot be written should be reported before the run.
    write(train, &trainer)?;
    while let Some(progress) = trainer.epoch() {
        if progress.is_best {
            write(train, &trainer)?;
        }
        show(&progress, terminal)?;
    }
    Ok(Exit::Fine)
}

fn write(train: &TrainLstm, trainer: &Trainer) -> anyhow::Result<()> {
    let name = train.out.display();
    fs::write(&train.out, trainer.best().to_bytes()).with_context(|| format!("cannot write {name}"))
}

/// Prints the result of an epoch, on a line of its own.
fn show(progress: &Progress, terminal: &Terminal) -> Result<(), Failure> {
    let ratios = HORIZONS.into_iter().zip(progress.validation);
    let ratios = ratios.filter(|(horizon, _)| SHOWN.contains(horizon));
    if terminal.json {
        let ratios = ratios.map(|(horizon, ratio)| (horizon.to_string(), json!(ratio)));
        let ratios: serde_json::Map<_, _> = ratios.collect();
        return terminal.print_json_line(&json!({
            "epoch": progress.epoch,
            "loss": progress.loss,
            "rmae": ratios,
            "best": progress.is_best,
        }));
    }
    let ratios: String = ratios
        .map(|(horizon, ratio)| format!("  {horizon}: {ratio:.3}"))
        .collect();
    let best = if progress.is_best { "  kept" } else { "" };
    let Progress { epoch, loss, .. } = progress;
    let line = format!("epoch {epoch:3}  loss {loss:.4}  error against naive at{ratios}{best}\n");
    Ok(terminal.print(&line)?)
}
