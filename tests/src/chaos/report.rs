//! Results as a table for people and a line for programs.

use comfy_table::Table;
use serde_json::{Value, json};

use super::verdict::Verdict;
use crate::figures::{align, rounded, table};

/// All rows that were run, and those that were not, with the reason.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub verdicts: Vec<Verdict>,
    pub skipped: Vec<(&'static str, String)>,
}

/// The figures over all rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Acknowledged jobs without a record.
    pub lost: usize,
    pub exits: usize,
    pub false_dead: usize,
    pub overwritten: usize,
    pub violations: usize,
    /// Times above their bounds.
    pub over_bounds: usize,
    pub duplicate_runs: usize,
    pub running_at_fault: usize,
    pub worst_start_s: f64,
    pub worst_stall_one_server_s: f64,
    pub worst_after_healthy_s: f64,
}

impl Report {
    pub fn summary(&self) -> Summary {
        let sum = |of: fn(&Verdict) -> usize| self.verdicts.iter().map(of).sum();
        let one_server = self
            .verdicts
            .iter()
            .filter(|verdict| verdict.row.is_one_server());
        let after = self
            .verdicts
            .iter()
            .filter_map(|verdict| verdict.times.after_healthy_s);
        Summary {
            lost: sum(|verdict| verdict.jobs.lost + verdict.jobs.unsettled),
            exits: sum(|verdict| verdict.exits),
            false_dead: sum(|verdict| verdict.jobs.false_dead),
            overwritten: sum(|verdict| verdict.jobs.overwritten),
            violations: sum(|verdict| verdict.violations),
            over_bounds: sum(|verdict| verdict.over_bounds().len()),
            duplicate_runs: sum(|verdict| verdict.jobs.duplicate_runs),
            running_at_fault: sum(|verdict| verdict.jobs.running_at_fault),
            worst_start_s: worst(self.verdicts.iter().map(|verdict| verdict.times.start_s)),
            worst_stall_one_server_s: worst(
                one_server.map(|verdict| verdict.times.longest_stall_s),
            ),
            worst_after_healthy_s: worst(after),
        }
    }

    /// Returns whether every promise without a figure of its own was kept.
    pub fn is_kept(&self) -> bool {
        self.verdicts.iter().all(Verdict::is_kept)
    }

    pub fn table(&self) -> Table {
        let mut table = table(&[
            "fault",
            "acked",
            "recorded",
            "lost",
            "left",
            "dead",
            "twice",
            "dup",
            "running",
            "start s",
            "stall s",
            "lane s",
            "unhealthy s",
            "after s",
            "exits",
            "broken",
        ]);
        for verdict in &self.verdicts {
            table.add_row(cells(verdict));
        }
        align(table)
    }

    /// Returns the remarks beside the figures, one line each.
    pub fn remarks(&self) -> Vec<String> {
        let remarks = self.verdicts.iter().flat_map(|verdict| {
            let name = verdict.row.name;
            let over = verdict.over_bounds();
            let remarks = verdict.remarks.iter().cloned();
            let remarks = remarks.chain(over);
            remarks.map(move |text| format!("{name}: {text}"))
        });
        let skipped = self
            .skipped
            .iter()
            .map(|(name, why)| format!("{name}: skipped, {why}"));
        remarks.chain(skipped).collect()
    }

    pub fn json(&self) -> Value {
        let summary = self.summary();
        let rows: Vec<Value> = self.verdicts.iter().map(row_json).collect();
        let skipped: Vec<Value> = self
            .skipped
            .iter()
            .map(|(name, why)| json!({ "fault": name, "why": why }))
            .collect();
        json!({
            "rows": rows,
            "skipped": skipped,
            "lost": summary.lost,
            "exits": summary.exits,
            "duplicate_runs": summary.duplicate_runs,
            "running_at_fault": summary.running_at_fault,
            "worst_start_s": rounded(summary.worst_start_s),
            "worst_stall_one_server_s": rounded(summary.worst_stall_one_server_s),
            "worst_after_healthy_s": rounded(summary.worst_after_healthy_s),
            "false_dead": summary.false_dead,
            "overwritten": summary.overwritten,
            "violations": summary.violations,
            "over_bounds": summary.over_bounds,
        })
    }
}

fn cells(verdict: &Verdict) -> Vec<String> {
    let count = |count: usize| count.to_string();
    let time = |seconds: f64| format!("{seconds:.1}");
    vec![
        verdict.row.name.to_owned(),
        count(verdict.jobs.acked),
        count(verdict.jobs.recorded),
        count(verdict.jobs.lost),
        count(verdict.jobs.unsettled),
        count(verdict.jobs.false_dead),
        count(verdict.jobs.overwritten),
        count(verdict.jobs.duplicate_runs),
        count(verdict.jobs.running_at_fault),
        time(verdict.times.start_s),
        time(verdict.times.longest_stall_s),
        time(verdict.times.longest_lane_stall_s),
        time(verdict.times.unhealthy_s),
        verdict
            .times
            .after_healthy_s
            .map_or_else(|| "-".to_owned(), time),
        count(verdict.exits),
        count(verdict.violations),
    ]
}

fn row_json(verdict: &Verdict) -> Value {
    json!({
        "fault": verdict.row.name,
        "acked": verdict.jobs.acked,
        "recorded": verdict.jobs.recorded,
        "lost": verdict.jobs.lost,
        "unsettled": verdict.jobs.unsettled,
        "overwritten": verdict.jobs.overwritten,
        "false_dead": verdict.jobs.false_dead,
        "duplicate_runs": verdict.jobs.duplicate_runs,
        "running_at_fault": verdict.jobs.running_at_fault,
        "start_s": rounded(verdict.times.start_s),
        "longest_stall_s": rounded(verdict.times.longest_stall_s),
        "longest_lane_stall_s": rounded(verdict.times.longest_lane_stall_s),
        "unhealthy_s": rounded(verdict.times.unhealthy_s),
        "after_healthy_s": verdict.times.after_healthy_s.map(rounded),
        "exits": verdict.exits,
        "violations": verdict.violations,
    })
}

fn worst(figures: impl Iterator<Item = f64>) -> f64 {
    figures.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::super::row::{Row, rows};
    use super::super::verdict::{JobCounts, Times};
    use super::*;

    fn verdict(name: &str) -> Verdict {
        let find = |row: &Row| row.name == name;
        Verdict {
            row: rows().into_iter().find(find).unwrap(),
            jobs: JobCounts {
                acked: 10,
                recorded: 9,
                lost: 0,
                unsettled: 1,
                overwritten: 0,
                false_dead: 0,
                duplicate_runs: 2,
                running_at_fault: 5,
            },
            times: Times {
                start_s: 1.0,
                longest_stall_s: 7.0,
                longest_lane_stall_s: 7.5,
                after_healthy_s: Some(1.5),
                unhealthy_s: 5.0,
            },
            exits: 0,
            remarks: vec!["odd".to_owned()],
            violations: 0,
        }
    }

    #[test]
    fn the_worst_stall_is_of_rows_in_which_one_server_of_several_goes_away() {
        let mut all = verdict("r3-all-kill");
        all.times.longest_stall_s = 20.0;
        all.times.after_healthy_s = Some(2.5);
        let report = Report {
            verdicts: vec![verdict("r3-jobs-kill"), all],
            skipped: vec![("r1-clock-worker", "no library".to_owned())],
        };
        let summary = report.summary();
        assert!((summary.worst_stall_one_server_s - 7.0).abs() < 1e-9);
        assert!((summary.worst_after_healthy_s - 2.5).abs() < 1e-9);
        assert_eq!((summary.lost, summary.duplicate_runs), (2, 4));
        assert!(!report.is_kept());
        assert_eq!(report.remarks().len(), 3);
        assert_eq!(report.json()["rows"][0]["acked"], 10);
        assert_eq!(report.table().row_count(), 2);
    }
}
