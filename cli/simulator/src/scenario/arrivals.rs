//! Arrival times of jobs: from a random process of each kind, or from a file.
//!
//! The rate of a kind is `share * work / (mean work * mean cores)` where `work` is what
//! all jobs together bring in a second, times `1 + daily * sin(2 pi t / day)`, times its
//! bursts' factor.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::time::Duration;

use csv::{ReaderBuilder, StringRecord, Trim};
use fastrand::Rng;
use rolecast_common::settings::Table;
use rolecast_common::wire::Share;

use super::kinds::{Burst, KindModel};
use crate::random::exponential;
use crate::world::{Arrival, Needs};

/// Arrivals of jobs.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    /// Rise and fall of the rate over a day, as a share.
    daily: f64,
    /// The file of the times, if they are not random.
    pub(crate) file: Option<String>,
    /// The time over which the jobs of a row are spread.
    step_s: f64,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            daily: 0.0,
            file: None,
            step_s: 1.0,
        }
    }
}

impl Arrivals {
    /// Reads the section `[arrivals]`.
    pub(super) fn read(&mut self, root: &mut Table<'_>) {
        root.table("arrivals", |table| {
            let daily = table.get::<Share>("daily");
            self.daily = daily.map_or(self.daily, Share::get);
            self.file = table.get("file").or(self.file.take());
            if let Some(step) = table.get::<Duration>("step") {
                self.step_s = step.as_secs_f64();
            }
        });
    }
}

/// A line of a file: this many jobs of a category from a time on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ArrivalRow {
    pub(crate) time_s: f64,
    pub(crate) category: String,
    pub(crate) count: u32,
}

/// Reads a table with the columns `time` (seconds from the start), `category`
/// and, if one line stands for several jobs, `count`.
pub(crate) fn read_rows(text: &[u8]) -> Result<Vec<ArrivalRow>, String> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let place = |name: &str| header.iter().position(|column| column == name);
    let (Some(time), Some(category)) = (place("time"), place("category")) else {
        return Err("needs the columns time and category, and may have count".to_owned());
    };
    let count = place("count");
    let row = |record: &StringRecord| {
        let time_s: f64 = record.get(time)?.parse().ok()?;
        let count = match count {
            Some(count) => record.get(count)?.parse().ok()?,
            None => 1,
        };
        (time_s.is_finite() && time_s >= 0.0).then(|| ArrivalRow {
            time_s,
            category: record.get(category).unwrap_or_default().to_owned(),
            count,
        })
    };
    let records = reader.records().map(|record| {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        row(&record).ok_or_else(|| {
            format!("line {line}: expected a time in seconds, a category and a count")
        })
    });
    records.collect()
}

/// Draws the jobs of all kinds until `length_s`; together they bring `work` core-seconds
/// a second in the mean.
pub(super) fn draw(
    arrivals: &Arrivals,
    kinds: &BTreeMap<String, KindModel>,
    work: f64,
    (length_s, day_s): (f64, f64),
    rng: &mut Rng,
) -> Vec<Arrival> {
    let shares: f64 = kinds.values().map(|kind| kind.share).sum();
    let mut all = Vec::new();
    for (index, kind) in kinds.values().enumerate() {
        let mut rng = rng.fork();
        let rate = kind.share / shares * work / kind.core_seconds();
        let process = Process {
            rate,
            daily: arrivals.daily,
            day_s,
            burst: kind.burst,
        };
        for at_s in process.times(length_s, &mut rng) {
            all.push(job(kind, index, at_s, &mut rng));
        }
    }
    all.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    all
}

/// Makes the jobs of a file's rows, those of a row spread over a step; or returns a
/// category that is not a kind.
pub(super) fn replay<'a>(
    arrivals: &Arrivals,
    kinds: &BTreeMap<String, KindModel>,
    rows: &'a [ArrivalRow],
    length_s: f64,
    rng: &mut Rng,
) -> Result<Vec<Arrival>, &'a str> {
    let mut all = Vec::new();
    for row in rows.iter().filter(|row| row.time_s < length_s) {
        let mut names = kinds.iter().enumerate();
        let Some((index, (_, kind))) = names.find(|(_, (name, _))| **name == row.category) else {
            return Err(&row.category);
        };
        for _ in 0..row.count {
            let at_s = row.time_s + arrivals.step_s * rng.f64();
            all.push(job(kind, index, at_s, rng));
        }
    }
    all.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    Ok(all)
}

fn job(kind: &KindModel, index: usize, at_s: f64, rng: &mut Rng) -> Arrival {
    Arrival {
        at_s,
        kind: index,
        work_s: kind.work.draw(rng),
        needs: Needs {
            cores: kind.cores.draw(rng),
            memory: kind.memory.draw(rng),
            network: kind.rates.network.get(),
            disk: kind.rates.disk.get(),
        },
        key: (kind.keys > 0).then(|| rng.u32(0..kind.keys)),
        priority: kind.priority,
    }
}

/// A Poisson process whose rate rises and falls over the day and in bursts.
struct Process {
    /// Jobs a second, in the mean.
    rate: f64,
    daily: f64,
    day_s: f64,
    burst: Burst,
}

impl Process {
    /// Draws times in their order, by thinning those of the highest rate.
    fn times(&self, end_s: f64, rng: &mut Rng) -> Vec<f64> {
        let Burst {
            factor,
            length_s,
            every_s,
        } = self.burst;
        let calm = every_s / (every_s + (factor - 1.0) * length_s);
        let mut times = Vec::new();
        let mut is_burst = rng.f64() < length_s / every_s;
        let mut from_s = 0.0;
        while from_s < end_s {
            let (level, mean_s) = if is_burst {
                (calm * factor, length_s)
            } else {
                (calm, every_s - length_s)
            };
            let to_s = (from_s + mean_s * exponential(rng)).min(end_s);
            let rate_max = self.rate * level * (1.0 + self.daily);
            let mut at_s = from_s + exponential(rng) / rate_max;
            while at_s < to_s {
                let day = 1.0 + self.daily * (TAU * at_s / self.day_s).sin();
                if rng.f64() * (1.0 + self.daily) < day {
                    times.push(at_s);
                }
                at_s += exponential(rng) / rate_max;
            }
            from_s = to_s;
            is_burst = !is_burst;
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_change_the_variance_of_counts_and_not_their_mean() {
        let mut process = Process {
            rate: 20.0,
            daily: 0.12,
            day_s: 1_800.0,
            burst: Burst {
                factor: 1.0,
                length_s: 4.0,
                every_s: 40.0,
            },
        };
        for (factor, is_bursty) in [(1.0, false), (5.0, true)] {
            process.burst.factor = factor;
            let times = process.times(9_000.0, &mut Rng::with_seed(3));
            assert!(times.is_sorted());
            let before = |at_s| times.partition_point(|time| *time < at_s) as f64;
            let buckets = (0..9_000).step_by(4).map(f64::from);
            let counts: Vec<f64> = buckets
                .map(|from_s| before(from_s + 4.0) - before(from_s))
                .collect();
            let mean = times.len() as f64 / counts.len() as f64;
            assert!((mean / 80.0 - 1.0).abs() < 0.05, "{factor}: {mean}");
            let squares = counts.iter().map(|count| (count - mean) * (count - mean));
            let dispersion = squares.sum::<f64>() / counts.len() as f64 / mean;
            // A Poisson process has 1, and the day adds a half.
            assert_eq!(dispersion > 5.0, is_bursty, "{factor}: {dispersion}");
        }
    }

    #[test]
    fn a_file_names_jobs_one_by_one_or_counts_them() {
        let rows = read_rows(b"time,category,count\n5,api,3\n7.5,data,1\n").unwrap();
        assert_eq!((rows[0].time_s, rows[0].count), (5.0, 3));
        let rows = read_rows(b"category,time\napi,5\n").unwrap();
        assert_eq!((rows[0].category.as_str(), rows[0].count), ("api", 1));
        for (text, part) in [
            ("time\n1\n", "needs the columns time and category"),
            ("time,category\n1,a\nsoon,a\n", "line 3: expected a time"),
            ("time,category,count\n1,a,-1\n", "line 2: expected a time"),
        ] {
            let error = read_rows(text.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
