//! Worlds made from the records of a running system: its hosts, the use by others, its
//! jobs.
//!
//! [`Cluster::new`] takes the dispatcher's answers and its records of decisions. The last
//! part of the records, up to the present, is run; what lies before it is history.
//! [`Cluster::world`] draws what is not recorded: the same seed, the same world.
//! `hosts` has the hosts and `jobs` the jobs.

mod hosts;
mod jobs;
mod scales;
mod size;

use std::time::Duration;

use rolecast_common::id::Category;
use rolecast_common::time::{WallTime, format_duration};
use rolecast_common::wire::{Decision, ForecastView, Status};

use super::count::{rounded, whole};
use super::scenario::Scenario;
use super::scenario::build::Cell;
use super::world::{Heartbeats, Host, Sharing, World};
use jobs::{Jobs, RecordedKind};

/// With this many steps the first half of the record is history. Guessed: with less, a
/// half trains nothing.
const HALVED_MIN: usize = 10;
/// Distance of values if no history has it.
const STEP_S: f64 = 60.0;
/// Length of the past that is read, which is as long as the histories of others' use.
pub const RECORDED_MAX: Duration = Duration::from_secs(3600);
/// The fewest jobs of a meaningful run. Guessed.
const JOBS_MIN: usize = 10;
/// The most arrivals: more than anyone waits for, and some gigabytes.
const ARRIVALS_MAX: f64 = 5e6;
/// A run this long begins with a part that is not counted, as in the scenarios.
const WARMED_UP_FROM_S: f64 = 1_200.0;
const WARM_UP_S: f64 = 120.0;

/// Records of a running system.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The dispatcher's answer on its state: nodes, categories and what was learned of them.
    pub status: Status,
    /// Forecasts of the nodes, in any order; one may be missing.
    pub forecasts: Vec<ForecastView>,
    /// The decisions of the last [`RECORDED_MAX`], in any order; older ones are ignored.
    pub jobs: Vec<RecordedJob>,
}

/// A job with a recorded decision.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedJob {
    pub(crate) category: Category,
    /// The labels it requires.
    pub(crate) require: String,
    /// The hash of its shard key.
    pub(crate) key: Option<u64>,
    pub(crate) arrived: WallTime,
    pub(crate) decided: WallTime,
}

impl RecordedJob {
    /// Takes a decision; the job arrived when its waiting time began.
    pub fn of(decision: Decision) -> Self {
        let arrived = decision.at_ms.as_millis();
        Self {
            category: decision.category,
            require: decision.require,
            key: decision.key,
            arrived: WallTime::from_millis(arrived.saturating_sub(decision.waited_ms)),
            decided: decision.at_ms,
        }
    }
}

/// Differences of the worlds from the records.
#[derive(Clone, Copy, Debug)]
pub struct Changes {
    /// The number of jobs that arrive for each that arrived, above zero.
    pub jobs: f64,
    /// The number of hosts, above zero: the first ones only, or copies of them too. `None`
    /// keeps those that are ready.
    pub hosts: Option<u32>,
    /// The time in which jobs arrive, in seconds, above zero; the records are repeated.
    /// `None` is the recorded part that is run.
    pub length_s: Option<f64>,
}

/// The reason why there is no such world.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unusable {
    /// No node is ready and has a CPU.
    #[error(
        "no node is ready, so there is nowhere to send jobs: start a worker; see rolecast status"
    )]
    NoNode,
    /// No job arrived in the part that is run.
    #[error("no job arrived in the last {within}: submit some, or wait for some")]
    NoJob {
        /// The length of that part, such as `30m`.
        within: String,
    },
    /// Fewer jobs can be run than a meaningful run needs.
    #[error(
        "only {jobs} of the jobs that arrived in the last {within} can be run, and at least \
         {JOBS_MIN} are needed: at this rate there are enough in {wait}"
    )]
    TooFew {
        /// The number of those that can be run.
        jobs: usize,
        /// The length of the part that is run, such as `30m`.
        within: String,
        /// The time after which there are enough, at this rate.
        wait: String,
    },
    /// No job that arrived can be run.
    #[error(
        "none of the jobs that arrived in the last {within} could run on a host that is ready: {why}"
    )]
    NoneFits {
        /// The length of the part that is run, such as `30m`.
        within: String,
        /// The reasons, with the number of jobs for each.
        why: String,
    },
    /// With the changes more jobs arrive than can be run.
    #[error(
        "that is {jobs:.0} jobs, and {ARRIVALS_MAX:.0} are as many as can be run: choose \
         --length {length}, or a smaller --jobs"
    )]
    TooMany {
        /// The number of jobs that are expected.
        jobs: f64,
        /// The longest run with a number that can be run.
        length: String,
    },
}

/// The records of a running system, from which worlds are made.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The name of the dispatcher.
    pub name: String,
    /// Notes about the worlds, a sentence each.
    pub notes: Vec<String>,
    span: Span,
    hosts: Vec<Host>,
    kinds: Vec<RecordedKind>,
    heartbeats: Heartbeats,
    drain_s: f64,
    epoch_ms: u64,
    /// The number of jobs that arrive for each that arrived.
    factor: f64,
}

/// The parts of the recorded time. Second 0 is `period_s` ago.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    /// Distance between samples of others' use.
    step_s: f64,
    /// Their number, from the history's beginning until the present; the first ones may
    /// be made up.
    steps: usize,
    /// Length of the recorded part that is run.
    period_s: f64,
    /// The time in which jobs arrive.
    length_s: f64,
}

impl Span {
    fn new(recording: &Recording, changes: &Changes) -> Result<Self, Unusable> {
        let (step_s, recorded) = hosts::recorded(&recording.forecasts).unwrap_or((STEP_S, 0));
        let recorded_s = match recorded {
            // The use by others is constant, so the jobs decide.
            0 | 1 => since_first_job_s(recording)?,
            2..HALVED_MIN => recorded as f64 * step_s,
            HALVED_MIN.. => (recorded - recorded / 2) as f64 * step_s,
        };
        let length_s = changes.length_s.unwrap_or(recorded_s);
        let period_s = recorded_s.min(length_s);
        // At least one step of heartbeats precedes the first job.
        let least = whole((period_s / step_s).ceil()) + 1;
        Ok(Self {
            step_s,
            steps: recorded.max(least),
            period_s,
            length_s,
        })
    }

    /// Returns the length of the history before second 0.
    fn history_s(self) -> f64 {
        self.steps as f64 * self.step_s - self.period_s
    }

    fn within(self) -> String {
        length(self.period_s)
    }
}

fn since_first_job_s(recording: &Recording) -> Result<f64, Unusable> {
    let now = recording.status.at_ms;
    let ages = recording.jobs.iter().map(|job| now.since(job.arrived));
    let oldest = ages.filter(|age| *age <= RECORDED_MAX).max();
    // A run of no length has no jobs in it.
    let oldest_s = oldest.map(|age| age.as_secs_f64().max(1.0));
    oldest_s.ok_or_else(|| Unusable::NoJob {
        within: format_duration(RECORDED_MAX),
    })
}

impl Cluster {
    /// Takes the records, and the changes to them.
    ///
    /// # Errors
    /// If no host is ready, no job arrived or none can be run, or if those that can be run
    /// are fewer than ten or more than five million.
    pub fn new(recording: &Recording, changes: &Changes) -> Result<Self, Unusable> {
        let mut notes = Vec::new();
        let mut hosts = hosts::ready(recording, &mut notes);
        if hosts.is_empty() {
            return Err(Unusable::NoNode);
        }
        let span = Span::new(recording, changes)?;
        hosts::lay_out(&mut hosts, span);
        hosts::resize(&mut hosts, changes.hosts);
        add_span_notes(span, recording, &mut notes);
        let Jobs { kinds, longest_s } = jobs::kinds(recording, span, &hosts, &mut notes)?;
        let expected: f64 = kinds.iter().map(RecordedKind::expected).sum();
        let expected = expected * changes.jobs * span.length_s / span.period_s;
        if expected > ARRIVALS_MAX {
            return Err(Unusable::TooMany {
                jobs: expected,
                length: length(span.length_s * ARRIVALS_MAX / expected),
            });
        }
        Ok(Self {
            name: recording.status.dispatcher.clone(),
            notes,
            span,
            hosts,
            kinds,
            heartbeats: Scenario::default().heartbeats,
            // The longest jobs may end, if nothing slows them much.
            drain_s: (4.0 * longest_s).clamp(300.0, 7_200.0),
            epoch_ms: begin_ms(recording, span),
            factor: changes.jobs,
        })
    }

    /// Returns the names of the kinds of jobs, in their order in the worlds.
    pub fn kinds(&self) -> Vec<String> {
        self.kinds.iter().map(|kind| kind.name.clone()).collect()
    }

    /// Returns the cells of its worlds: each way of sharing with each of the seeds, in this
    /// order. There are `seeds` of them, from `first_seed` on.
    pub fn cells(&self, sharings: &[Sharing], seeds: u32, first_seed: u64) -> Vec<Cell> {
        let hosts = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        let mut cells = Vec::new();
        for sharing in sharings {
            for seed in 0..u64::from(seeds) {
                cells.push(Cell {
                    load: None,
                    sharing: *sharing,
                    hosts,
                    seed: first_seed.wrapping_add(seed),
                });
            }
        }
        cells
    }

    /// Makes the world of one of the [`cells`](Self::cells): the same cell, the same world.
    pub fn world(&self, cell: &Cell) -> World {
        let length_s = self.span.length_s;
        World {
            hosts: self.hosts.clone(),
            kinds: self.kinds.iter().map(|kind| kind.world.clone()).collect(),
            arrivals: jobs::arrivals(&self.kinds, self.span, self.factor, cell.seed),
            sharing: cell.sharing,
            heartbeats: self.heartbeats,
            history_s: self.span.history_s(),
            warm_up_s: if length_s < WARMED_UP_FROM_S {
                0.0
            } else {
                WARM_UP_S
            },
            length_s,
            drain_s: self.drain_s,
            epoch_ms: self.epoch_ms,
            seed: cell.seed,
        }
    }
}

/// Adds notes on the parts of the time, and on what is unknown of any part.
fn add_span_notes(span: Span, recording: &Recording, notes: &mut Vec<String>) {
    let recorded = hosts::recorded(&recording.forecasts).map_or(0, |(_, steps)| steps);
    let within = span.within();
    notes.push(if recorded < HALVED_MIN {
        format!("run: the last {within}; too little is recorded to train forecasts before it")
    } else {
        let history = length(span.history_s());
        format!("run: the last {within}; the {history} before it train the forecasts")
    });
    notes.push(if recorded < 2 {
        "others use what they used by the last heartbeats: there is no history yet".to_owned()
    } else {
        let step = length(span.step_s);
        format!("what others used is known in means of {step}: shorter bursts are not in it")
    });
    notes.push(
        "how others and jobs share a CPU is not recorded: compare both ways of sharing".to_owned(),
    );
    notes.push(
        "run times and memory are drawn: half and 95 of 100 jobs stay within what was \
         learned, and how large the largest are is a guess"
            .to_owned(),
    );
}

/// Returns the time of second 0.
fn begin_ms(recording: &Recording, span: Span) -> u64 {
    let now_ms = recording.status.at_ms.as_millis();
    now_ms.saturating_sub(rounded(span.period_s * 1000.0))
}

fn length(seconds: f64) -> String {
    format_duration(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests;
