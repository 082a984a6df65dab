//! Summary of the runs in a few figures. A figure is missing where its runs are missing.

use rolecast_simulator::metrics::{geometric_mean, mean};
use rolecast_simulator::world::Sharing;
use rolecast_tests::figures::rounded;
use serde_json::{Map, Value, json};

use super::plan::{
    COMPACT_LOADS, LAST, MIXED_LOADS, NO_FEEDBACK, ORACLE, OURS, OVERLOAD, SIMPLE, UNFORESEEN,
};
use super::run::Run;

/// Loads at which pulling is compared; above them everything waits.
const PULL_LOADS: &[f64] = &[0.5, 0.7, 0.85];

/// The share of all jobs that may be missing. A policy that completed fewer jobs has
/// other tails than one that did the work, so it is not compared with others.
const MISSING_MAX: f64 = 0.001;

/// Losses of a policy in a cell, over all seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Losses {
    pub(crate) jobs: u64,
    pub(crate) kills: u64,
    pub(crate) failures: u64,
    pub(crate) unfinished: u64,
}

impl Losses {
    /// Returns whether nearly all jobs were completed.
    pub(crate) fn is_sound(&self) -> bool {
        (self.failures + self.unfinished) as f64 <= MISSING_MAX * self.jobs as f64
    }
}

/// Worlds that differ by their seed only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell<'a> {
    pub(crate) scenario: &'a str,
    pub(crate) sharing: Sharing,
    pub(crate) load: f64,
}

/// All runs, and their summary.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) runs: Vec<Run>,
}

impl Summary {
    /// Returns all cells, in the order of the runs.
    pub(crate) fn cells(&self) -> Vec<Cell<'_>> {
        let mut cells: Vec<Cell<'_>> = Vec::new();
        for run in &self.runs {
            let cell = cell_of(run);
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
        cells
    }

    /// Returns the policies that a cell was run with.
    pub(crate) fn policies(&self, cell: Cell<'_>) -> Vec<&str> {
        let mut policies: Vec<&str> = Vec::new();
        for run in self.runs.iter().filter(|run| cell_of(run) == cell) {
            if !policies.contains(&run.policy.as_str()) {
                policies.push(&run.policy);
            }
        }
        policies
    }

    fn of(&self, cell: Cell<'_>, policy: &str) -> impl Iterator<Item = &Run> {
        let is_of = move |run: &&Run| run.policy == policy && cell_of(run) == cell;
        self.runs.iter().filter(is_of)
    }

    /// Returns the geometric mean over the seeds.
    pub(crate) fn gm99(&self, cell: Cell<'_>, policy: &str) -> Option<f64> {
        geometric_mean(self.of(cell, policy).filter_map(|run| run.metrics.gm99))
    }

    pub(crate) fn gm999(&self, cell: Cell<'_>, policy: &str) -> Option<f64> {
        geometric_mean(self.of(cell, policy).filter_map(|run| run.metrics.gm999))
    }

    pub(crate) fn losses(&self, cell: Cell<'_>, policy: &str) -> Losses {
        let mut losses = Losses::default();
        for run in self.of(cell, policy) {
            let metrics = &run.metrics;
            losses.jobs += metrics.kinds.iter().map(|kind| kind.jobs).sum::<u64>();
            losses.kills += metrics.kills;
            losses.failures += metrics.failures;
            losses.unfinished += metrics.unfinished;
        }
        losses
    }

    fn misses(&self, cell: Cell<'_>, policy: &str) -> Option<f64> {
        mean(self.of(cell, policy).filter_map(|run| run.metrics.misses))
    }

    /// Returns the ratio of ours to another policy's.
    pub(crate) fn ratio(&self, cell: Cell<'_>, policy: &str) -> Option<f64> {
        Some(self.gm99(cell, OURS)? / self.gm99(cell, policy)?)
    }

    /// Returns the ratio of ours to the oracle's, if that completed its jobs.
    fn to_oracle(&self, cell: Cell<'_>) -> Option<f64> {
        let is_sound = self.losses(cell, ORACLE).is_sound();
        is_sound.then(|| self.ratio(cell, ORACLE))?
    }

    /// Returns the ratio of ours to the best of the policies that `is_peer` chooses and
    /// that completed their jobs.
    fn to_best(&self, cell: Cell<'_>, is_peer: fn(&str) -> bool) -> Option<f64> {
        let peers = self.policies(cell).into_iter().filter(|name| is_peer(name));
        let peers = peers.filter(|peer| self.losses(cell, peer).is_sound());
        let best = peers.filter_map(|peer| self.gm99(cell, peer));
        Some(self.gm99(cell, OURS)? / best.min_by(f64::total_cmp)?)
    }

    /// Returns the largest ratio to the strongest simple policy, with its cell.
    fn worst(&self) -> Option<(f64, Cell<'_>)> {
        let cells = self.cells().into_iter();
        let ratios = cells.filter_map(|cell| Some((self.ratio(cell, SIMPLE)?, cell)));
        ratios.max_by(|a, b| a.0.total_cmp(&b.0))
    }

    fn no_harm(&self) -> Option<f64> {
        let cells = self.cells().into_iter();
        let cells = cells.filter(|cell| UNFORESEEN.contains(&cell.scenario));
        let ratios = cells.filter_map(|cell| self.ratio(cell, LAST));
        ratios.max_by(f64::total_cmp)
    }

    fn compact(&self) -> (Option<f64>, Option<f64>) {
        let cells = COMPACT_LOADS.iter().map(|load| compact(*load));
        let of = |figure: fn(&Self, Cell<'_>, &str) -> Option<f64>, policy: &str| {
            let figures: Vec<f64> = cells
                .clone()
                .filter_map(|cell| figure(self, cell, policy))
                .collect();
            figures
        };
        let ratio = |ours: Option<f64>, last: Option<f64>| Some(ours? / last?);
        let slow_down = |policy| geometric_mean(of(Self::gm999, policy));
        let misses = |policy| mean(of(Self::misses, policy));
        (
            ratio(slow_down(OURS), slow_down(LAST)),
            ratio(misses(OURS), misses(LAST)),
        )
    }

    /// Returns the part of the distance from the strongest simple policy to the oracle
    /// that ours covers, in logarithms of the 99.9 % slow-down. There is no distance to
    /// an oracle that lost jobs or is no better.
    fn gap_closed(&self, cell: Cell<'_>) -> Option<f64> {
        let simple = self.gm999(cell, SIMPLE)?;
        let ours = self.gm999(cell, OURS)?;
        let oracle = self.gm999(cell, ORACLE)?;
        let is_ahead = oracle < simple && self.losses(cell, ORACLE).is_sound();
        is_ahead.then(|| (simple / ours).ln() / (simple / oracle).ln())
    }

    /// Returns the share of short jobs that miss their objective in an overload.
    fn overload(&self) -> Option<f64> {
        let ours = self.of(mixed(Sharing::Fair, OVERLOAD), OURS);
        mean(ours.filter_map(|run| {
            let place = run.kinds.iter().position(|kind| kind == "api")?;
            Some(run.metrics.kinds[place].misses)
        }))
    }

    /// Returns the effect of feedback on slow-downs that no metric shows.
    fn hidden(&self) -> Option<f64> {
        let cells = self.cells().into_iter();
        let cells = cells.filter(|cell| cell.scenario == "hidden");
        geometric_mean(cells.filter_map(|cell| self.ratio(cell, NO_FEEDBACK)))
    }

    /// Returns the largest ratio to the best way of pulling.
    fn pull(&self) -> Option<f64> {
        let cells = self.cells().into_iter();
        let cells =
            cells.filter(|cell| cell.scenario == "mixed" && PULL_LOADS.contains(&cell.load));
        let ratios = cells.filter_map(|cell| self.to_best(cell, |name| name.starts_with("pull")));
        ratios.max_by(f64::total_cmp)
    }

    /// Returns the figures for programs.
    pub(crate) fn json(&self) -> Value {
        let by_load = |of: &dyn Fn(f64) -> Value| {
            let loads = MIXED_LOADS.iter().map(|load| (load.to_string(), of(*load)));
            Value::Object(loads.collect::<Map<_, _>>())
        };
        let worst = self.worst();
        let (gm999, misses) = self.compact();
        json!({
            "exogenous_priority": by_load(&|load| {
                let cell = mixed(Sharing::Priority, load);
                json!({
                    "vs_best_reactive": number(self.to_best(cell, is_reactive)),
                    "vs_oracle": number(self.to_oracle(cell)),
                })
            }),
            "fair_share": by_load(&|load| number(self.to_best(mixed(Sharing::Fair, load), is_reactive))),
            "worst_ratio": {
                "value": number(worst.map(|(ratio, _)| ratio)),
                "where": worst.map(|(_, cell)| cell.to_string()),
            },
            "compact": { "gm999_vs_last": number(gm999), "misses_vs_last": number(misses) },
            "no_harm": number(self.no_harm()),
            "gap_closed": {
                "compact": number(self.gap_closed(compact(0.6))),
                "mixed": number(self.gap_closed(mixed(Sharing::Priority, 0.7))),
            },
            "overload_api_misses": number(self.overload()),
            "hidden_vs_no_feedback": number(self.hidden()),
            "vs_best_pull": number(self.pull()),
        })
    }
}

impl std::fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.scenario, self.sharing.name(), self.load)
    }
}

/// Returns whether a policy is neither ours nor knows the future.
pub(crate) fn is_reactive(policy: &str) -> bool {
    policy != ORACLE && !policy.starts_with(OURS)
}

pub(crate) fn mixed(sharing: Sharing, load: f64) -> Cell<'static> {
    Cell {
        scenario: "mixed",
        sharing,
        load,
    }
}

fn compact(load: f64) -> Cell<'static> {
    Cell {
        scenario: "compact",
        sharing: Sharing::Priority,
        load,
    }
}

fn cell_of(run: &Run) -> Cell<'_> {
    Cell {
        scenario: run.scenario,
        sharing: run.sharing,
        load: run.load,
    }
}

fn number(figure: Option<f64>) -> Value {
    json!(figure.map(rounded))
}

#[cfg(test)]
mod tests {
    use rolecast_simulator::metrics::{KindMetrics, Metrics};

    use super::*;

    fn run(cell: Cell<'static>, policy: &str, gm99: f64) -> Run {
        let kind = KindMetrics {
            jobs: 1000,
            misses: 0.25,
            ..KindMetrics::default()
        };
        Run {
            scenario: cell.scenario,
            policy: policy.to_owned(),
            load: cell.load,
            sharing: cell.sharing,
            kinds: vec!["api".to_owned()],
            metrics: Metrics {
                kinds: vec![kind],
                gm99: Some(gm99),
                gm999: Some(gm99 * gm99),
                misses: Some(gm99 / 100.0),
                ..Metrics::default()
            },
        }
    }

    #[test]
    fn figures_are_of_the_runs_they_name() {
        let mut runs = Vec::new();
        for (policy, gm99) in [
            (OURS, 3.0),
            (SIMPLE, 9.0),
            ("pull-2", 6.0),
            ("p2c", 4.0),
            (ORACLE, 2.0),
        ] {
            // The geometric mean of two seeds.
            runs.push(run(mixed(Sharing::Priority, 0.7), policy, gm99 / 2.0));
            runs.push(run(mixed(Sharing::Priority, 0.7), policy, gm99 * 2.0));
        }
        for load in [0.5, 0.6] {
            runs.push(run(compact(load), OURS, 2.0));
            runs.push(run(compact(load), LAST, 4.0));
        }
        let bursty = |sharing| Cell {
            scenario: "bursty",
            sharing,
            load: 0.85,
        };
        for (sharing, gm99) in [(Sharing::Fair, 5.0), (Sharing::Priority, 4.0)] {
            runs.push(run(bursty(sharing), OURS, gm99));
            runs.push(run(bursty(sharing), LAST, 4.0));
            runs.push(run(bursty(sharing), SIMPLE, 8.0));
        }
        runs.push(run(mixed(Sharing::Fair, OVERLOAD), OURS, 3.0));
        let json = Summary { runs }.json();
        let mixed = &json["exogenous_priority"]["0.7"];
        assert_eq!(mixed["vs_best_reactive"], 0.75);
        assert_eq!(mixed["vs_oracle"], 1.5);
        assert_eq!(json["exogenous_priority"]["0.5"]["vs_oracle"], Value::Null);
        assert_eq!(json["worst_ratio"]["value"], 0.625);
        assert_eq!(json["worst_ratio"]["where"], "bursty fair 0.85");
        assert_eq!(json["compact"]["gm999_vs_last"], 0.25);
        assert_eq!(json["compact"]["misses_vs_last"], 0.5);
        assert_eq!(json["no_harm"], 1.25);
        assert_eq!(json["vs_best_pull"], 0.5);
        assert_eq!(json["overload_api_misses"], 0.25);
        // ln 9 / ln 20.25
        assert_eq!(json["gap_closed"]["mixed"], 0.73);
    }

    #[test]
    fn nobody_is_compared_with_a_policy_that_lost_jobs() {
        let cell = mixed(Sharing::Priority, 0.7);
        let mut runs = Vec::new();
        for (policy, gm99) in [(OURS, 3.0), (SIMPLE, 6.0), ("p2c", 2.0), (ORACLE, 1.5)] {
            runs.push(run(cell, policy, gm99));
        }
        let mut summary = Summary { runs };
        let figures = |summary: &Summary| {
            let best = summary.to_best(cell, is_reactive).map(rounded);
            let oracle = summary.to_oracle(cell).map(rounded);
            (best, oracle, summary.gap_closed(cell).is_some())
        };
        assert_eq!(figures(&summary), (Some(1.5), Some(2.0), true));
        // One of a thousand may be missing, and two may not.
        summary.runs[2].metrics.unfinished = 1;
        summary.runs[3].metrics.failures = 1;
        assert_eq!(figures(&summary), (Some(1.5), Some(2.0), true));
        summary.runs[2].metrics.unfinished = 2;
        summary.runs[3].metrics.failures = 2;
        assert_eq!(figures(&summary), (Some(0.5), None, false));
        summary.runs[3] = run(cell, ORACLE, 6.0);
        assert!(
            !figures(&summary).2,
            "the oracle is no better than the simple one"
        );
    }
}
