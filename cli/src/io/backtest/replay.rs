//! Replay of recordings on all cores, with its run time.
//!
//! The series of one recording move together, some rows at a time. In between, the stack
//! learns from all of them, as it does in the dispatcher, and what it learned counts for
//! the rows after that.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rolecast_forecast::{Forecaster, Lesson, Model, StackTrainer};
use rolecast_simulator::recording::{Series, Table};

use super::super::terminal::Terminal;
use super::files::Recording;
use crate::backtest::score::{Scores, score};
use crate::backtest::{Forecast, Protocol, dump, has_peak};

/// The most updates of the bar in a second.
const BARS_PER_SECOND: u8 = 10;
/// Rows between two fits of the stack. Guessed: a short recording has some, and those of
/// a long one take little of the time.
const ROWS_PER_FIT: usize = 256;

/// Settings of a replay.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    pub(super) model: Model,
    pub(super) protocol: &'a Protocol,
    /// Whether every forecast is written as text.
    pub(super) has_dump: bool,
}

/// Results for one series.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) scores: Scores,
    pub(super) samples: u64,
    /// Time spent on observing and forecasting.
    pub(super) spent: Duration,
    /// Every forecast as text, if requested.
    pub(super) dump: Vec<u8>,
}

/// Replays each series and returns the results in the order of the recordings.
pub(super) fn replay_all(
    recordings: &[Recording],
    replay: &Replay<'_>,
    terminal: &Terminal,
) -> anyhow::Result<Vec<Outcome>> {
    let bar = bar(recordings, terminal);
    let mut outcomes = Vec::new();
    for recording in recordings {
        let players = play(recording, replay, &bar);
        for (player, name) in players.into_iter().zip(&recording.names) {
            outcomes.push(player.finish(name, replay.has_dump)?);
        }
    }
    bar.finish_and_clear();
    Ok(outcomes)
}

fn bar(recordings: &[Recording], terminal: &Terminal) -> ProgressBar {
    if !terminal.has_live_notes {
        return ProgressBar::hidden();
    }
    let tables = recordings.iter().map(|recording| &recording.table);
    let samples = tables.map(|table| table.numbers.len() * table.series.len());
    let target = ProgressDrawTarget::stderr_with_hz(BARS_PER_SECOND);
    let bar = ProgressBar::with_draw_target(Some(samples.sum::<usize>() as u64), target);
    let style = ProgressStyle::with_template("{bar:32} {percent:>3} %  {eta} left")
        .expect("the template is valid");
    bar.set_style(style);
    bar
}

/// Replays one recording to its end.
fn play<'a>(
    recording: &'a Recording,
    replay: &'a Replay<'_>,
    bar: &ProgressBar,
) -> Vec<Player<'a>> {
    let table = &recording.table;
    let series = table.series.iter();
    let mut players: Vec<Player<'_>> = series
        .map(|series| Player::new(table, series, replay))
        .collect();
    let has_stack = matches!(replay.model, Model::Stack | Model::Ensemble);
    let mut trainer = StackTrainer::default();
    let rows = table.numbers.len();
    for start in (0..rows).step_by(ROWS_PER_FIT) {
        let end = rows.min(start + ROWS_PER_FIT);
        on_all_cores(&mut players, |player| {
            player.advance(start..end);
            bar.inc((end - start) as u64);
        });
        if has_stack {
            train(&mut trainer, &mut players);
        }
    }
    on_all_cores(&mut players, Player::score);
    players
}

/// Does the same with each player; the result does not depend on the cores.
fn on_all_cores<'a>(players: &mut [Player<'a>], act: impl Fn(&mut Player<'a>) + Sync) {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = players.len().div_ceil(cores).max(1);
    thread::scope(|scope| {
        for part in players.chunks_mut(share) {
            scope.spawn(|| part.iter_mut().for_each(&act));
        }
    });
}

/// Lets the stack learn from the latest rows, row by row, so that no series is always the
/// last.
fn train(trainer: &mut StackTrainer, players: &mut [Player<'_>]) {
    let rows = players.first().map_or(0, |player| player.lessons.len());
    for row in 0..rows {
        for lesson in players
            .iter()
            .filter_map(|player| player.lessons[row].as_ref())
        {
            trainer.learn(lesson);
        }
    }
    let stack = Arc::new(trainer.fit());
    for player in players {
        player.forecaster.set_stack(Arc::clone(&stack));
    }
}

/// One series in its replay.
struct Player<'a> {
    table: &'a Table,
    series: &'a Series,
    protocol: &'a Protocol,
    forecaster: Forecaster,
    forecasts: Vec<Forecast>,
    /// Lessons of the latest rows.
    lessons: Vec<Option<Lesson>>,
    scores: Scores,
    spent: Duration,
}

impl<'a> Player<'a> {
    fn new(table: &'a Table, series: &'a Series, replay: &'a Replay<'_>) -> Self {
        Self {
            table,
            series,
            protocol: replay.protocol,
            forecaster: Forecaster::new(replay.model, table.step, f64::INFINITY),
            forecasts: Vec::new(),
            lessons: Vec::new(),
            scores: Scores::default(),
            spent: Duration::ZERO,
        }
    }

    /// Feeds these rows in their order and takes the forecasts on the way.
    fn advance(&mut self, rows: Range<usize>) {
        let row_count = self.table.numbers.len();
        self.lessons.clear();
        for row in rows {
            let sample = self.series.samples[row];
            let start = Instant::now();
            self.forecaster.observe(self.table.numbers[row], sample);
            if self.protocol.is_origin(row, row_count) {
                for horizon in &self.protocol.horizons {
                    let forecast = forecast(&self.forecaster, row, *horizon);
                    self.forecasts.push(forecast);
                }
            }
            self.spent += start.elapsed();
            // A missing sample trains nothing.
            let lesson = sample.and_then(|_| self.forecaster.lesson());
            self.lessons.push(lesson);
        }
    }

    fn score(&mut self) {
        self.scores = score(&self.table.numbers, self.series, &self.forecasts);
    }

    fn finish(self, name: &str, has_dump: bool) -> anyhow::Result<Outcome> {
        let dump = if has_dump {
            dump::lines(name, self.table, self.series, &self.forecasts)?
        } else {
            Vec::new()
        };
        Ok(Outcome {
            name: name.to_owned(),
            scores: self.scores,
            samples: self.series.samples.len() as u64,
            spent: self.spent,
            dump,
        })
    }
}

fn forecast(forecaster: &Forecaster, row: usize, horizon: u32) -> Forecast {
    let expected = forecaster.predict(horizon);
    let peak = has_peak(horizon).then(|| forecaster.predict_peak(horizon));
    Forecast {
        row,
        horizon,
        p50: expected.p50,
        p90: expected.p90,
        peak_p90: peak.map(|peak| peak.p90),
    }
}
