//! Recording: comma-separated values, one column for the time and one for each series.
//!
//! The first column is `time`, in seconds since the Unix epoch and read to the
//! millisecond. Every other column is a series; a cell that is empty or no finite number,
//! such as `NaN`, was not measured. The step is the most common distance between two
//! times; samples are numbered by it, so a gap in time is a gap in the numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use csv::{ReaderBuilder, StringRecord, Trim};

/// Half of the rows are for learning, the other half are forecast 60 steps ahead.
const ROWS_MIN: usize = 200;
const TIME: &str = "time";

/// A recording, ready to be replayed. It had at least 200 rows, of which those that share a
/// step with the row before are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The most common distance between two rows, at least a millisecond.
    pub step: Duration,
    /// The number of each row: its time in steps, rising.
    pub numbers: Vec<u64>,
    /// The time of each row, in milliseconds since the Unix epoch, rising.
    pub times: Vec<u64>,
    /// The columns but the time, at least one.
    pub series: Vec<Series>,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The name in the header.
    pub name: String,
    /// A sample for each row, finite and of any unit; `None` where it is missing.
    pub samples: Vec<Option<f64>>,
}

/// The reason why a text is not a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The text is no table with commas, for this reason.
    #[error("is not a table with commas: {0}")]
    Malformed(String),
    /// The text is empty.
    #[error("has no rows and no header; the first line names the columns, `time` first")]
    Empty,
    /// The first column is not `time`, but this.
    #[error("the first column is {0:?}; put the time in seconds there and name it `time`")]
    NoTime(String),
    /// `time` is the only column.
    #[error("has no column beside `time`; add one for each series")]
    NoSeries,
    /// Two columns have this name.
    #[error("two columns are named {0:?}; rename one")]
    SameName(String),
    /// A line has more or fewer cells than the header.
    #[error("line {line} has {found} cells, the header {expected}; give every line as many")]
    Ragged {
        /// The line, counted from 1.
        line: u64,
        /// The number of its cells.
        found: usize,
        /// The number of columns in the header.
        expected: usize,
    },
    /// A cell is neither empty nor a number.
    #[error(
        "line {line}, column {column:?}: {text:?} is no number; \
         leave a cell empty where nothing was measured"
    )]
    NoNumber {
        /// The line, counted from 1.
        line: u64,
        /// The name of the column.
        column: String,
        /// The cell.
        text: String,
    },
    /// A time is no number, negative or far too large.
    #[error("line {line}: {text:?} is no time; write seconds since the Unix epoch")]
    BadTime {
        /// The line, counted from 1.
        line: u64,
        /// The cell.
        text: String,
    },
    /// Two lines are not in the order of their times, or of the same millisecond.
    #[error(
        "line {line}: its time is not later than that of the line before; \
         sort the lines by time and keep one of each"
    )]
    NotLater {
        /// The second one, counted from 1.
        line: u64,
    },
    /// There are only so many rows.
    #[error("has {0} rows, and {ROWS_MIN} are the least that can be judged; record for longer")]
    TooFewRows(usize),
}

impl Table {
    /// Reads the text of a file, as the [module](self) describes it. Of rows that fall into
    /// one step the first one is kept.
    ///
    /// # Errors
    /// The first reason why the text is no recording, with its line.
    pub fn read(text: &[u8]) -> Result<Self, Unreadable> {
        let mut reader = ReaderBuilder::new()
            .flexible(true)
            .trim(Trim::All)
            .from_reader(text);
        let header = reader.headers().map_err(|error| malformed(&error))?.clone();
        let mut series = start_series(&header)?;
        let mut times: Vec<u64> = Vec::new();
        let mut record = StringRecord::new();
        while reader
            .read_record(&mut record)
            .map_err(|error| malformed(&error))?
        {
            let line = record.position().map_or(0, csv::Position::line);
            let (found, expected) = (record.len(), header.len());
            if found != expected {
                return Err(Unreadable::Ragged {
                    line,
                    found,
                    expected,
                });
            }
            let mut cells = record.iter();
            let time = parse_time(cells.next().unwrap_or_default(), line)?;
            if times.last().is_some_and(|last| time <= *last) {
                return Err(Unreadable::NotLater { line });
            }
            times.push(time);
            for (series, cell) in series.iter_mut().zip(cells) {
                let sample = parse_sample(cell).ok_or_else(|| Unreadable::NoNumber {
                    line,
                    column: series.name.clone(),
                    text: cell.to_owned(),
                })?;
                series.samples.push(sample);
            }
        }
        Self::number(&times, series)
    }

    /// Numbers the rows by the step, and leaves out those that have the number of the row
    /// before.
    fn number(times: &[u64], mut series: Vec<Series>) -> Result<Self, Unreadable> {
        if times.len() < ROWS_MIN {
            return Err(Unreadable::TooFewRows(times.len()));
        }
        let step = most_common_distance(times);
        let all = number_rows(times, step);
        let is_kept: Vec<bool> = (0..all.len())
            .map(|row| row == 0 || all[row] != all[row - 1])
            .collect();
        for series in &mut series {
            series.samples = keep(&series.samples, &is_kept);
        }
        Ok(Self {
            step: Duration::from_millis(step),
            numbers: keep(&all, &is_kept),
            times: keep(times, &is_kept),
            series,
        })
    }
}

fn malformed(error: &csv::Error) -> Unreadable {
    Unreadable::Malformed(error.to_string())
}

fn start_series(header: &StringRecord) -> Result<Vec<Series>, Unreadable> {
    let mut names = header.iter();
    match names.next() {
        None => return Err(Unreadable::Empty),
        Some(TIME) => {}
        Some(other) => return Err(Unreadable::NoTime(other.to_owned())),
    }
    let mut seen = BTreeSet::new();
    let mut series = Vec::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Unreadable::SameName(name.to_owned()));
        }
        series.push(Series {
            name: name.to_owned(),
            samples: Vec::new(),
        });
    }
    if series.is_empty() {
        return Err(Unreadable::NoSeries);
    }
    Ok(series)
}

fn parse_sample(cell: &str) -> Option<Option<f64>> {
    if cell.is_empty() {
        return Some(None);
    }
    let sample: f64 = cell.parse().ok()?;
    Some(sample.is_finite().then_some(sample))
}

/// Parses seconds into milliseconds.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range was checked, and a part of a millisecond is not wanted"
)]
fn parse_time(cell: &str, line: u64) -> Result<u64, Unreadable> {
    let millis = cell.parse().map(|seconds: f64| (seconds * 1000.0).round());
    match millis {
        // Up to here every millisecond is a number of its own.
        Ok(millis) if (0.0..=9e15).contains(&millis) => Ok(millis as u64),
        _ => Err(Unreadable::BadTime {
            line,
            text: cell.to_owned(),
        }),
    }
}

/// Returns the most frequent distance between neighbours; the shortest of several.
fn most_common_distance(times: &[u64]) -> u64 {
    let mut counts = BTreeMap::<u64, usize>::new();
    for pair in times.windows(2) {
        *counts.entry(pair[1] - pair[0]).or_default() += 1;
    }
    let mut best = (1, 0);
    for (distance, count) in counts {
        if count > best.1 {
            best = (distance, count);
        }
    }
    best.0
}

/// Returns time / step for each time. Only the first is rounded down, the others to the
/// nearest step from it, so that a time that is a little early or late does not share a
/// number with its neighbour.
fn number_rows(times: &[u64], step: u64) -> Vec<u64> {
    let first = times.first().copied().unwrap_or_default();
    let numbers = times
        .iter()
        .map(|time| first / step + (time - first + step / 2) / step);
    numbers.collect()
}

fn keep<T: Copy>(values: &[T], is_kept: &[bool]) -> Vec<T> {
    let pairs = values.iter().zip(is_kept);
    pairs
        .filter(|(_, kept)| **kept)
        .map(|(value, _)| *value)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: impl IntoIterator<Item = String>) -> String {
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// Returns a table of 200 rows, a minute apart, with one line replaced.
    fn minutes(replaced: usize, by: &str) -> String {
        let lines = (0..=200).map(|line| match line {
            _ if line == replaced => by.to_owned(),
            0 => "time,cpu".to_owned(),
            _ => format!("{},{}.5", line * 60, line),
        });
        text(lines)
    }

    #[test]
    fn rows_are_numbered_by_the_step() {
        let table = Table::read(minutes(3, " 180 , NaN").as_bytes()).unwrap();
        assert_eq!(table.step, Duration::from_secs(60));
        assert_eq!(table.numbers, (1..=200).collect::<Vec<u64>>());
        let series = &table.series[0];
        assert_eq!(series.name, "cpu");
        assert_eq!(series.samples[..3], [Some(1.5), Some(2.5), None]);
    }

    #[test]
    fn gaps_stay_and_unsteady_times_keep_their_numbers() {
        let times = [30_000, 90_010, 149_990, 330_000];
        assert_eq!(number_rows(&times, 60_000), [0, 1, 2, 5]);
        assert_eq!(most_common_distance(&[0, 2, 4, 9, 14]), 2);
    }

    #[test]
    fn a_second_row_of_one_number_is_left_out() {
        let mut lines: Vec<String> = minutes(999, "").lines().map(str::to_owned).collect();
        lines.insert(2, "61,9".to_owned());
        let table = Table::read(text(lines).as_bytes()).unwrap();
        assert_eq!(table.numbers.len(), 200);
        assert_eq!(table.series[0].samples[1], Some(2.5));
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_place() {
        for (line, by, part) in [
            (0, "date,cpu", "the first column is \"date\""),
            (0, "time,", ""),
            (3, "180,a", "line 4, column \"cpu\": \"a\" is no number"),
            (3, "180", "line 4 has 1 cells, the header 2"),
            (3, "120,1", "line 4: its time is not later"),
            (3, "soon,1", "line 4: \"soon\" is no time"),
            (3, "-1,1", "line 4: \"-1\" is no time"),
            (3, "", "has 199 rows"),
        ] {
            let read = Table::read(minutes(line, by).as_bytes());
            let error = read.map_or_else(|error| error.to_string(), |_| String::new());
            assert!(error.contains(part), "{by:?}: {error}");
            assert_eq!(error.is_empty(), part.is_empty(), "{by:?}: {error}");
        }
        assert_eq!(Table::read(b""), Err(Unreadable::Empty));
        assert_eq!(Table::read(b"time\n1\n"), Err(Unreadable::NoSeries));
        let twice = Table::read(b"time,a,a\n1,2,3\n");
        assert_eq!(twice, Err(Unreadable::SameName("a".to_owned())));
        let binary = Table::read(b"time,a\n1,\xff\xfe\n");
        assert!(matches!(binary, Err(Unreadable::Malformed(_))));
    }
}
