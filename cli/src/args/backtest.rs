//! Arguments of `rolecast backtest` and of `train-lstm`.

use std::path::PathBuf;

use clap::Args;
use rolecast_forecast::Model;

pub(super) const HELP: &str = "\
Examples:
  rolecast-worker record --out monday.csv.gz --for 1h
  rolecast backtest monday.csv.gz
  rolecast backtest traces/ --model naive --json

A recording is a file of comma-separated values, plain or compressed with gzip. Its
first column is `time`, in seconds; each other column is a series. An empty cell means
that nothing was measured. Forecasts begin in the middle of each series, and each uses
only the rows of its file before it.";

/// A backtest of forecasts.
#[derive(Args, Debug)]
pub(crate) struct Backtest {
    /// Recordings, or directories of them (.csv and .csv.gz)
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The model that forecasts
    #[arg(long, value_name = "NAME", default_value = Model::default().name(), value_parser = model)]
    pub(crate) model: Model,
    /// Rows from one forecast to the next
    #[arg(long, value_name = "ROWS", default_value_t = 7,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) stride: u16,
    /// Horizons in steps of the recording, 1 to 60
    #[arg(long, value_name = "STEPS", default_value = "1,5,15,60", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) horizons: Vec<u32>,
    /// Write every forecast into this file, as comma-separated values
    #[arg(long, value_name = "FILE")]
    pub(crate) dump: Option<PathBuf>,
}

pub(super) const TRAIN_HELP: &str = "\
Only the first half of each series is used for training, so that `rolecast backtest`
scores on unseen data. The weights are built into the program: put the file at
dispatcher/forecast/src/experts/lstm.bin and build.";

/// A training of the LSTM.
#[derive(Args, Debug)]
pub(crate) struct TrainLstm {
    /// Recordings, or directories of them (.csv and .csv.gz)
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Write the weights into this file, after each epoch that improved them
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Epochs to train, of 1000 steps each
    #[arg(long, value_name = "EPOCHS", default_value_t = 30,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) epochs: u16,
    /// Seed of the random numbers; the same seed and recordings give the same weights
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) seed: u64,
}

fn model(text: &str) -> Result<Model, String> {
    Model::parse(text).ok_or_else(|| {
        let names = Model::ALL.map(Model::name).join(", ");
        format!("there is no such model; use one of {names}")
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn a_model_that_is_unknown_is_answered_with_those_there_are() {
        let error = parse("rolecast backtest x --model best").unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("naive") && error.contains("ensemble"),
            "{error}"
        );
        assert!(parse("rolecast backtest x y --model naive --horizons 1,60").is_ok());
        assert!(parse("rolecast backtest x --horizons 61").is_err());
        assert!(parse("rolecast backtest x --stride 0").is_err());
        assert!(parse("rolecast backtest").is_err());
        assert!(parse("rolecast train-lstm x --out y --epochs 3").is_ok());
        assert!(parse("rolecast train-lstm x --out y --epochs 0").is_err());
        assert!(parse("rolecast train-lstm x").is_err());
    }
}
