//! Verdict on a row, from all that was observed of it.

use std::collections::{BTreeMap, BTreeSet};

use rolecast_common::wire::RoleVersion;

use super::ledger::{Acked, Records, Run, duplicate_runs};
use super::row::Row;
use super::timeline::Timeline;

/// The beginnings of the ids of jobs that are submitted all the time: of each priority.
pub(super) const LANES: [&str; 3] = ["high-", "normal-", "low-"];

/// All observations of a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    pub acked: Acked,
    pub records: Records,
    pub runs: Vec<Run>,
    /// Jobs still stored when the wait ended.
    pub left: usize,
    /// Messages of the results, and the sequence of the last one.
    pub results: (u64, u64),
    pub moments: Moments,
    pub running_at_fault: usize,
    /// Programs that ended by themselves.
    pub exits: Vec<String>,
    /// Epochs in the order in which they were taken.
    pub epochs: Vec<u64>,
    /// A node that acted in the managed role, with the version of the roles.
    pub holders: Vec<(String, RoleVersion)>,
}

/// The moments of a row, in milliseconds of the wall clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    /// Start of the first dispatcher.
    pub started: i64,
    pub fault: i64,
    /// Times when the servers were found healthy after the fault, and after its victims
    /// returned.
    pub healthy: Vec<i64>,
    /// End of the submissions, and end of the wait.
    pub load_end: i64,
    pub end: i64,
}

/// The verdict on a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub row: Row,
    pub jobs: JobCounts,
    pub times: Times,
    pub exits: usize,
    /// Rules that were broken, and other remarks that an engineer wants to read first.
    pub remarks: Vec<String>,
    /// Rules of leases and roles that were broken, and whether jobs never flowed again.
    pub violations: usize,
}

/// Counts of the jobs of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobCounts {
    pub acked: usize,
    pub recorded: usize,
    /// Acknowledged, not recorded, and no longer stored.
    pub lost: usize,
    /// Acknowledged, not recorded, still stored when the wait ended.
    pub unsettled: usize,
    pub overwritten: usize,
    pub false_dead: usize,
    pub duplicate_runs: usize,
    pub running_at_fault: usize,
}

/// Times of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// From the start of the dispatchers to the first completed job.
    pub start_s: f64,
    pub longest_stall_s: f64,
    /// The same of each priority for itself.
    pub longest_lane_stall_s: f64,
    /// `None` if the servers were healthy all the time.
    pub after_healthy_s: Option<f64>,
    /// Time in which the servers themselves were not healthy after the fault.
    pub unhealthy_s: f64,
}

impl Verdict {
    /// Judges a row.
    pub(super) fn of(row: Row, evidence: &Evidence) -> Verdict {
        let recorded = evidence.records.jobs();
        let missing = evidence.acked.jobs().filter(|job| !recorded.contains(job));
        let missing = missing.count();
        let unsettled = missing.min(evidence.left);
        let overwritten = evidence.records.overwritten().len();
        let false_dead = evidence.records.false_dead();
        let violations = violations(evidence);
        let mut remarks: Vec<String> = violations.clone();
        remarks.extend(evidence.exits.iter().cloned());
        let dead = false_dead.first();
        remarks.extend(
            dead.map(|stored| format!("{} {}: {}", stored.job, stored.status, stored.reason)),
        );
        remarks.extend(unseen(evidence));
        Verdict {
            row,
            jobs: JobCounts {
                acked: evidence.acked.len(),
                recorded: evidence.acked.len() - missing,
                lost: missing - unsettled,
                unsettled,
                overwritten,
                false_dead: false_dead.len(),
                duplicate_runs: duplicate_runs(&evidence.runs),
                running_at_fault: evidence.running_at_fault,
            },
            times: Times::of(evidence),
            exits: evidence.exits.len(),
            remarks,
            violations: violations.len(),
        }
    }

    /// Returns the times that are above their bounds.
    pub fn over_bounds(&self) -> Vec<String> {
        let bounds = self.row.bounds();
        let times = [
            ("start", Some(self.times.start_s), Some(bounds.start_s)),
            (
                "longest stall",
                Some(self.times.longest_stall_s),
                bounds.stall_s,
            ),
            (
                "after healthy",
                self.times.after_healthy_s,
                Some(bounds.after_healthy_s),
            ),
        ];
        let over = times.into_iter().filter_map(|(name, time, bound)| {
            let (time, bound) = (time?, bound?);
            (time > bound).then(|| format!("{name} {time:.1} s, meant to be at most {bound:.0} s"))
        });
        over.collect()
    }

    /// Returns whether every promise without a figure of its own was kept.
    pub fn is_kept(&self) -> bool {
        let broken =
            self.jobs.lost + self.jobs.unsettled + self.jobs.overwritten + self.jobs.false_dead;
        broken + self.exits + self.violations == 0
    }
}

impl Times {
    fn of(evidence: &Evidence) -> Times {
        let moments = &evidence.moments;
        let line = |lane: &str| {
            let of_lane = evidence
                .records
                .all()
                .filter(|stored| stored.job.starts_with(lane));
            Timeline::new(of_lane.map(|stored| stored.at).collect())
        };
        let lanes = LANES.map(line);
        let all = LANES.iter().flat_map(|lane| line(lane).times());
        let all = Timeline::new(all.collect());
        // A job that is left over stood still until the end.
        let recorded = evidence.records.jobs();
        let is_settled = evidence.acked.jobs().all(|job| recorded.contains(job));
        let end = if is_settled {
            moments.load_end
        } else {
            moments.end
        };
        let after = |moment: &i64| all.next_after_ms(*moment, moments.end);
        let first = all.first().unwrap_or(moments.end);
        let lane_stall = lanes.iter().map(|lane| lane.longest_gap_ms(end)).max();
        let unhealthy = moments.healthy.first().map_or(0, |at| at - moments.fault);
        Times {
            start_s: seconds(first - moments.started),
            longest_stall_s: seconds(all.longest_gap_ms(end)),
            longest_lane_stall_s: seconds(lane_stall.unwrap_or(0)),
            after_healthy_s: moments.healthy.iter().map(after).max().map(seconds),
            unhealthy_s: seconds(unhealthy),
        }
    }
}

/// Returns the rules of leases and roles that were broken, and whether jobs stood still for good.
fn violations(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    let last = evidence
        .records
        .all()
        .map(|stored| stored.at)
        .max()
        .unwrap_or(0);
    if last
        < evidence
            .moments
            .healthy
            .iter()
            .copied()
            .fold(evidence.moments.fault, i64::max)
    {
        found.push("no job was recorded after the fault was over".to_owned());
    }
    for pair in evidence.epochs.windows(2).filter(|pair| pair[0] >= pair[1]) {
        found.push(format!("epoch {} was taken after {}", pair[1], pair[0]));
    }
    let mut by_version: BTreeMap<(u64, u64), BTreeSet<&str>> = BTreeMap::new();
    for (node, version) in &evidence.holders {
        let version = (version.epoch.get(), version.generation);
        by_version.entry(version).or_default().insert(node);
    }
    for (version, nodes) in by_version.iter().filter(|(_, nodes)| nodes.len() > 1) {
        found.push(format!(
            "{nodes:?} all acted in the role under version {version:?}"
        ));
    }
    found
}

/// Returns records that the results hold and nobody observed being stored, or no longer
/// hold.
fn unseen(evidence: &Evidence) -> Option<String> {
    let (messages, last) = evidence.results;
    let newest = evidence
        .records
        .all()
        .map(|stored| stored.stream)
        .max()
        .unwrap_or(0);
    let seen = evidence
        .records
        .all()
        .filter(|stored| stored.stream == newest)
        .count();
    let seen = u64::try_from(seen).unwrap_or(u64::MAX);
    (seen != messages || last != messages)
        .then(|| format!("results: {messages} messages up to sequence {last}, {seen} seen"))
}

#[allow(clippy::cast_precision_loss, reason = "times are far below 2^52 ms")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::Epoch;

    use super::super::ledger::Stored;
    use super::super::row::rows;
    use super::*;

    fn evidence(records: &[(&str, &'static str, i64)]) -> Evidence {
        let mut evidence = Evidence {
            moments: Moments {
                fault: 1_000,
                healthy: vec![3_000],
                load_end: 5_000,
                end: 9_000,
                ..Moments::default()
            },
            ..Evidence::default()
        };
        for (sequence, (job, status, at)) in (1..).zip(records) {
            evidence.acked.add((*job).to_owned(), 0);
            evidence.records.add(Stored {
                stream: 0,
                sequence,
                job: (*job).to_owned(),
                status,
                reason: String::new(),
                at: *at,
            });
        }
        let count = u64::try_from(records.len()).unwrap();
        evidence.results = (count, count);
        evidence
    }

    fn judged(evidence: &Evidence) -> Verdict {
        Verdict::of(rows()[0], evidence)
    }

    #[test]
    fn a_calm_row_is_kept_and_its_stall_is_between_two_records() {
        let verdict = judged(&evidence(&[
            ("high-1", "completed", 500),
            ("high-2", "completed", 3_500),
            ("low-1", "completed", 4_900),
        ]));
        assert!(verdict.is_kept(), "{verdict:?}");
        assert_eq!((verdict.jobs.acked, verdict.jobs.recorded), (3, 3));
        assert!((verdict.times.longest_stall_s - 3.0).abs() < 1e-9);
        assert_eq!(verdict.times.after_healthy_s, Some(0.5));
        assert!(verdict.remarks.is_empty());
    }

    #[test]
    fn a_job_without_a_record_is_unsettled_while_stored_and_else_lost() {
        let mut missing = evidence(&[("high-1", "completed", 500)]);
        missing.acked.add("high-2".to_owned(), 0);
        missing.acked.add("high-3".to_owned(), 0);
        missing.left = 1;
        let verdict = judged(&missing);
        assert_eq!((verdict.jobs.lost, verdict.jobs.unsettled), (1, 1));
        assert!(!verdict.is_kept());
        // It stood still until the end of the row, not of the load.
        assert!((verdict.times.longest_stall_s - 8.5).abs() < 1e-9);
    }

    #[test]
    fn a_dead_job_an_exit_and_a_second_record_each_break_a_row() {
        let dead = judged(&evidence(&[("high-1", "dead", 3_500)]));
        assert_eq!(dead.jobs.false_dead, 1);
        let mut exit = evidence(&[("high-1", "completed", 3_500)]);
        exit.exits.push("d1 ended".to_owned());
        let twice = evidence(&[
            ("high-1", "completed", 3_500),
            ("high-1", "completed", 3_600),
        ]);
        for verdict in [dead, judged(&exit), judged(&twice)] {
            assert!(!verdict.is_kept(), "{verdict:?}");
        }
    }

    #[test]
    fn times_above_their_bounds_are_named() {
        let mut late = evidence(&[("high-1", "completed", 6_100)]);
        late.moments.load_end = 7_000;
        let over = judged(&late).over_bounds();
        assert_eq!(
            over,
            [
                "start 6.1 s, meant to be at most 5 s",
                "after healthy 3.1 s, meant to be at most 3 s"
            ]
        );
        late.moments.started = 2_000;
        late.moments.healthy = vec![5_000];
        assert!(judged(&late).over_bounds().is_empty());
    }

    #[test]
    fn jobs_that_never_flow_again_are_found() {
        let mut still = evidence(&[("high-1", "completed", 2_500)]);
        still.moments.healthy = vec![2_400];
        assert!(judged(&still).is_kept());
        still.moments.healthy.push(2_600);
        assert_eq!(judged(&still).violations, 1);
        // Nor may a row pass in which nothing was done at all.
        assert!(!judged(&evidence(&[])).is_kept());
    }

    #[test]
    fn two_holders_of_one_version_and_an_epoch_that_falls_are_found() {
        let version = |generation| RoleVersion {
            epoch: Epoch::new(1),
            generation,
        };
        let mut roles = evidence(&[("high-1", "completed", 3_500)]);
        roles.epochs = vec![1, 2, 3];
        roles.holders = vec![("n1".to_owned(), version(1)), ("n2".to_owned(), version(2))];
        assert!(judged(&roles).is_kept());
        roles.holders.push(("n3".to_owned(), version(2)));
        roles.epochs.push(3);
        assert_eq!(judged(&roles).violations, 2);
    }
}
