//! Results of a comparison: of each run, and of each policy over the seeds.

use serde_json::{Map, Value, json};

use super::metrics::{KindMetrics, Metrics, Spread, geometric_mean, mean};
use super::scenario::build::Cell;

/// The columns of [`Report::csv`].
const CSV_HEADER: &str = "scenario,policy,load,sharing,hosts,seed,gm99,gm999,misses,kills,\
failures,unfinished,queued,thrash_s,squeeze,kind,jobs,mean,p50,p90,p99,p999,kind_misses,\
response_p50_s,response_p99_s";

/// All runs of a comparison.
#[derive(Debug)]
pub struct Report {
    /// The name of the scenario, or of the system that was recorded.
    pub scenario: String,
    /// The names of the kinds, in the order of the metrics'.
    pub kinds: Vec<String>,
    /// Runs of one scenario; those of one cell are adjacent.
    pub runs: Vec<Run>,
    /// Notes about the worlds, a sentence each.
    pub notes: Vec<String>,
}

/// One world under one policy.
#[derive(Debug)]
pub struct Run {
    /// The name of the policy.
    pub policy: String,
    /// The cell whose world it is.
    pub cell: Cell,
    /// The measurements.
    pub metrics: Metrics,
}

/// A policy at a load and a way of sharing, over all seeds.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// The name of the policy.
    pub policy: &'a str,
    /// The cell of the first seed.
    pub cell: Cell,
    /// Geometric mean of [`Metrics::gm99`] over the seeds that have it.
    pub gm99: Option<f64>,
    /// The same of [`Metrics::gm999`].
    pub gm999: Option<f64>,
    /// Mean of [`Metrics::misses`] over the seeds that have it.
    pub misses: Option<f64>,
    /// Mean of [`Metrics::squeeze`] over the seeds.
    pub squeeze: f64,
    /// Sum of [`Metrics::kills`] over the seeds.
    pub kills: u64,
    /// Sum over the seeds of the jobs that never completed, failed or not.
    pub lost: u64,
    /// One for each of [`Report::kinds`], in their order.
    pub kinds: Vec<KindRow<'a>>,
}

/// A kind of jobs in a [`Row`].
#[derive(Clone, Debug)]
pub struct KindRow<'a> {
    /// The name of the kind.
    pub kind: &'a str,
    /// Number of measured jobs, over all seeds.
    pub jobs: u64,
    /// Median of the slow-down: the geometric mean over the seeds that have such jobs; zero
    /// without jobs.
    pub p50: f64,
    /// The same of the 99 % quantile.
    pub p99: f64,
    /// The same of the 99.9 % quantile.
    pub p999: f64,
    /// The share of all measured jobs, from 0 to 1, that missed their objective.
    pub misses: f64,
}

impl Report {
    /// Returns a row for each policy, load and way of sharing, over all seeds, in the order of
    /// the runs.
    ///
    /// # Panics
    /// If a run has metrics of fewer kinds than [`Report::kinds`].
    pub fn rows(&self) -> Vec<Row<'_>> {
        let mut groups: Vec<Vec<&Run>> = Vec::new();
        for run in &self.runs {
            match groups.iter_mut().find(|group| is_alike(group[0], run)) {
                Some(group) => group.push(run),
                None => groups.push(vec![run]),
            }
        }
        groups.iter().map(|runs| self.row(runs)).collect()
    }

    fn row<'a>(&'a self, runs: &[&'a Run]) -> Row<'a> {
        let all = || runs.iter().map(|run| &run.metrics);
        let kinds = self.kinds.iter().enumerate();
        Row {
            policy: &runs[0].policy,
            cell: runs[0].cell,
            gm99: geometric_mean(all().filter_map(|metrics| metrics.gm99)),
            gm999: geometric_mean(all().filter_map(|metrics| metrics.gm999)),
            misses: mean(all().filter_map(|metrics| metrics.misses)),
            squeeze: mean(all().map(|metrics| metrics.squeeze)).unwrap_or_default(),
            kills: all().map(|metrics| metrics.kills).sum(),
            lost: all()
                .map(|metrics| metrics.failures + metrics.unfinished)
                .sum(),
            kinds: kinds
                .map(|(place, kind)| kind_row(kind, all().map(|metrics| &metrics.kinds[place])))
                .collect(),
        }
    }

    /// Returns every run as a document, `{ scenario, notes, cells }`, with the names of the
    /// fields of [`Metrics`] as keys of each of the cells.
    pub fn json(&self) -> Value {
        let cells: Vec<Value> = self.runs.iter().map(|run| self.run_json(run)).collect();
        json!({ "scenario": self.scenario, "notes": self.notes, "cells": cells })
    }

    fn run_json(&self, run: &Run) -> Value {
        let Run {
            policy,
            cell,
            metrics,
        } = run;
        let kinds = self.kinds.iter().zip(&metrics.kinds);
        let kinds: Map<String, Value> = kinds
            .map(|(kind, metrics)| (kind.clone(), kind_json(metrics)))
            .collect();
        json!({
            "policy": policy,
            "load": cell.load,
            "sharing": cell.sharing.name(),
            "hosts": cell.hosts,
            "seed": cell.seed,
            "gm99": metrics.gm99,
            "gm999": metrics.gm999,
            "misses": metrics.misses,
            "kills": metrics.kills,
            "failures": metrics.failures,
            "unfinished": metrics.unfinished,
            "queued": metrics.queued,
            "thrash_s": metrics.thrash_s,
            "squeeze": metrics.squeeze,
            "kinds": kinds,
        })
    }

    /// Returns a line of comma-separated values for each run and kind, below a header.
    ///
    /// # Errors
    /// That of a writer, which does not occur in memory.
    pub fn csv(&self) -> Result<String, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(CSV_HEADER.split(','))?;
        for run in &self.runs {
            for (kind, metrics) in self.kinds.iter().zip(&run.metrics.kinds) {
                writer.write_record(self.csv_line(run, kind, metrics))?;
            }
        }
        let bytes = writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn csv_line(&self, run: &Run, kind: &str, of_kind: &KindMetrics) -> Vec<String> {
        let Run {
            policy,
            cell,
            metrics,
        } = run;
        let maybe = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let Spread {
            mean,
            p50,
            p90,
            p99,
            p999,
        } = of_kind.slowdown;
        let numbers = [mean, p50, p90, p99, p999, of_kind.misses];
        let response = [of_kind.response.p50, of_kind.response.p99];
        let mut line = vec![
            self.scenario.clone(),
            policy.clone(),
            maybe(cell.load),
            cell.sharing.name().to_owned(),
            cell.hosts.to_string(),
            cell.seed.to_string(),
            maybe(metrics.gm99),
            maybe(metrics.gm999),
            maybe(metrics.misses),
            metrics.kills.to_string(),
            metrics.failures.to_string(),
            metrics.unfinished.to_string(),
            metrics.queued.to_string(),
            metrics.thrash_s.to_string(),
            metrics.squeeze.to_string(),
            kind.to_owned(),
            of_kind.jobs.to_string(),
        ];
        line.extend(numbers.iter().chain(&response).map(f64::to_string));
        line
    }
}

impl Row<'_> {
    /// Returns whether the two are of policies in the same worlds: in cells that differ in
    /// the seed at most.
    pub fn is_of_same_worlds(&self, other: &Row<'_>) -> bool {
        same_worlds(self.cell, other.cell)
    }
}

fn is_alike(a: &Run, b: &Run) -> bool {
    a.policy == b.policy && same_worlds(a.cell, b.cell)
}

/// Compares all fields except the seeds.
fn same_worlds(a: Cell, b: Cell) -> bool {
    Cell { seed: 0, ..a } == Cell { seed: 0, ..b }
}

fn kind_row<'a>(kind: &'a str, runs: impl Iterator<Item = &'a KindMetrics>) -> KindRow<'a> {
    let runs: Vec<&KindMetrics> = runs.filter(|metrics| metrics.jobs > 0).collect();
    let jobs: u64 = runs.iter().map(|metrics| metrics.jobs).sum();
    let over_seeds = |of: fn(&Spread) -> f64| {
        let values = runs.iter().map(|metrics| of(&metrics.slowdown));
        geometric_mean(values).unwrap_or_default()
    };
    let missed = runs
        .iter()
        .map(|metrics| metrics.misses * metrics.jobs as f64);
    KindRow {
        kind,
        jobs,
        p50: over_seeds(|spread| spread.p50),
        p99: over_seeds(|spread| spread.p99),
        p999: over_seeds(|spread| spread.p999),
        misses: missed.sum::<f64>() / jobs.max(1) as f64,
    }
}

fn kind_json(metrics: &KindMetrics) -> Value {
    json!({
        "jobs": metrics.jobs,
        "slowdown": spread_json(&metrics.slowdown),
        "response_s": spread_json(&metrics.response),
        "misses": metrics.misses,
    })
}

fn spread_json(spread: &Spread) -> Value {
    let Spread {
        mean,
        p50,
        p90,
        p99,
        p999,
    } = spread;
    json!({ "mean": mean, "p50": p50, "p90": p90, "p99": p99, "p999": p999 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Sharing;

    /// Returns a report on two policies at some loads, with two seeds each.
    fn report(loads: &[f64]) -> Report {
        let mut runs = Vec::new();
        for load in loads {
            for (policy, slowdown) in [("good", 2.0), ("bad", 8.0)] {
                for seed in [1, 2] {
                    let cell = Cell {
                        load: Some(*load),
                        sharing: Sharing::Fair,
                        hosts: 10,
                        seed,
                    };
                    runs.push(Run {
                        policy: policy.to_owned(),
                        cell,
                        metrics: metrics(slowdown * seed as f64 * seed as f64),
                    });
                }
            }
        }
        Report {
            scenario: "calm".to_owned(),
            kinds: vec!["api".to_owned()],
            runs,
            notes: Vec::new(),
        }
    }

    fn metrics(slowdown: f64) -> Metrics {
        let spread = Spread {
            p50: 1.25,
            p99: slowdown,
            p999: slowdown * 2.0,
            ..Spread::default()
        };
        Metrics {
            kinds: vec![KindMetrics {
                jobs: 1000,
                slowdown: spread,
                response: Spread::default(),
                misses: 0.005,
            }],
            gm99: Some(slowdown),
            gm999: Some(slowdown * 2.0),
            misses: Some(0.005),
            kills: 3,
            failures: 1,
            unfinished: 1,
            squeeze: 0.25,
            ..Metrics::default()
        }
    }

    #[test]
    fn seeds_are_summed_up_for_each_policy_and_load() {
        let report = report(&[0.5, 0.7]);
        let rows = report.rows();
        let names: Vec<_> = rows.iter().map(|row| (row.policy, row.cell.load)).collect();
        let loads = [Some(0.5), Some(0.7)];
        let expected = loads.map(|load| [("good", load), ("bad", load)]).concat();
        assert_eq!(names, expected);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(rows[0].gm99.unwrap(), 4.0) && near(rows[1].gm99.unwrap(), 16.0));
        assert!(near(rows[0].kinds[0].p999, 8.0) && near(rows[0].kinds[0].misses, 0.005));
        assert_eq!(
            (rows[0].kills, rows[0].lost, rows[0].kinds[0].jobs),
            (6, 4, 2000)
        );
        assert!(rows[0].is_of_same_worlds(&rows[1]) && !rows[0].is_of_same_worlds(&rows[2]));
    }

    #[test]
    fn programs_get_every_run() {
        let report = report(&[0.5]);
        let json = report.json();
        assert_eq!(json["cells"].as_array().map(Vec::len), Some(4));
        assert_eq!(json["cells"][3]["policy"], "bad");
        assert_eq!(json["cells"][3]["seed"], 2);
        assert_eq!(json["cells"][0]["kinds"]["api"]["slowdown"]["p99"], 2.0);
        let csv = report.csv().unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!((lines.len(), lines[0]), (5, CSV_HEADER));
        assert!(
            lines[1].starts_with("calm,good,0.5,fair,10,1,2,4,"),
            "{csv}"
        );
    }
}
