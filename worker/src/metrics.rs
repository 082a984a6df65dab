//! Metrics of the worker: what its loop counts, and the table by which it is encoded and
//! documented.

use std::collections::BTreeMap;
use std::fmt;

use rolecast_common::id::NodeId;
use rolecast_common::wire::OutcomeStatus;
use rolecast_http::metrics::connection::{self, Connection};
use rolecast_http::metrics::process::{self, Process};
use rolecast_http::metrics::{Exposition, Kind, Row, Samples, document};

use crate::agent::{AgentFigures, Ended, Event, Output};

/// Counts since the start of the worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    heartbeats: u64,
    refusals: BTreeMap<&'static str, u64>,
    /// Ends of executions, as they report them themselves.
    ends: BTreeMap<&'static str, u64>,
    /// Failures of commands, by kind.
    failures: BTreeMap<&'static str, u64>,
    dropped: u64,
    overdue: u64,
    repeats: u64,
    hook_failures: u64,
}

/// The worker at one moment; without the parts of a loop until it is connected.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) node: NodeId,
    pub(crate) connection: Connection,
    pub(crate) is_ready: bool,
    pub(crate) served: Option<(AgentFigures, Tally)>,
}

impl Tally {
    /// Counts a command of the agent.
    pub(crate) fn record(&mut self, output: &Output) {
        match output {
            Output::Heartbeat(_) => self.heartbeats += 1,
            Output::Event(event) => self.record_event(event),
            Output::Start { .. }
            | Output::Stop(_)
            | Output::Cancel(_)
            | Output::SendOutcomes { .. }
            | Output::KeepEpoch(_)
            | Output::Hook { .. }
            | Output::Listen
            | Output::Exit
            | Output::Fail(_) => {}
        }
    }

    /// Counts the end of an execution.
    pub(crate) fn record_end(&mut self, ended: &Ended) {
        let end = match ended.status {
            OutcomeStatus::Completed => "completed",
            OutcomeStatus::Retry => "failed",
            OutcomeStatus::GiveUp => "gave_up",
            OutcomeStatus::Refused => "unable",
            OutcomeStatus::HandedBack => "handed_back",
            OutcomeStatus::Cancelled => "cancelled",
        };
        *self.ends.entry(end).or_default() += 1;
    }

    fn record_event(&mut self, event: &Event) {
        match event {
            Event::Refused { kind, .. } => *self.refusals.entry(kind.name()).or_default() += 1,
            Event::CommandFailed { failure } => {
                *self.failures.entry(failure.name()).or_default() += 1;
            }
            Event::Dropped { .. } => self.dropped += 1,
            Event::Overdue { .. } => self.overdue += 1,
            Event::Repeated { .. } => self.repeats += 1,
            Event::HookFailed { .. } => self.hook_failures += 1,
            Event::Cancelled { .. }
            | Event::OutputCut { .. }
            | Event::UnknownBatch { .. }
            | Event::Roles { .. }
            | Event::RolesRefused { .. }
            | Event::EpochRefuted { .. }
            | Event::TurnedAway { .. }
            | Event::Draining { .. }
            | Event::HandedBack { .. }
            | Event::Leaving { .. } => {}
        }
    }
}

/// Returns the exposition of the figures.
pub(crate) fn expose(figures: Figures, process: Process) -> Exposition {
    let mut exposition = Exposition::default();
    exposition.add(&connection::ROWS, figures.connection);
    exposition.add(&ROWS, figures);
    exposition.add(&process::ROWS, process);
    exposition
}

/// Returns the table of the documentation, in Markdown.
pub fn documentation() -> String {
    document(&ROWS)
}

static ROWS: [Row<Figures>; 14] = [
    Row {
        name: "rolecast_worker_info",
        kind: Kind::Gauge,
        help: "Always 1; its node and version are in the labels",
        labels: &["node", "version"],
        bound: "1",
        read: |figures, samples| {
            samples.count(&[figures.node.as_str(), env!("CARGO_PKG_VERSION")], 1)
        },
    },
    Row {
        name: "rolecast_worker_ready",
        kind: Kind::Gauge,
        help: "Whether it takes jobs, as /readyz answers",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], u64::from(figures.is_ready)),
    },
    Row {
        name: "rolecast_worker_running_jobs",
        kind: Kind::Gauge,
        help: "Jobs that run here",
        labels: &[],
        bound: "1",
        read: |figures, samples| agent(figures, samples, |agent| count(agent.running)),
    },
    Row {
        name: "rolecast_worker_jobs_max",
        kind: Kind::Gauge,
        help: "The most jobs that run here at once",
        labels: &[],
        bound: "1",
        read: |figures, samples| agent(figures, samples, |agent| u64::from(agent.jobs_max)),
    },
    Row {
        name: "rolecast_worker_unconfirmed_outcomes",
        kind: Kind::Gauge,
        help: "Outcomes that no dispatcher has confirmed",
        labels: &[],
        bound: "1",
        read: |figures, samples| agent(figures, samples, |agent| count(agent.unconfirmed)),
    },
    Row {
        name: "rolecast_worker_refusals_total",
        kind: Kind::Counter,
        help: "Refused jobs, by reason: stale_epoch, not_admitted, draining, no_role, category, \
            deadline, full or unable",
        labels: &["reason"],
        bound: "8",
        read: |figures, samples| by_name(figures, samples, |tally| &tally.refusals),
    },
    Row {
        name: "rolecast_worker_executions_total",
        kind: Kind::Counter,
        help: "Executions that ended, by end: completed, failed, gave_up, unable (not started) or \
            handed_back",
        labels: &["end"],
        bound: "5",
        read: |figures, samples| by_name(figures, samples, |tally| &tally.ends),
    },
    Row {
        name: "rolecast_worker_command_failures_total",
        kind: Kind::Counter,
        help: "Commands of jobs that failed, by kind: exit_code, signal, memory (killed at \
            memory_max, or by the kernel as it had none left), time_limit (or its deadline) or \
            not_started",
        labels: &["kind"],
        bound: "5",
        read: |figures, samples| by_name(figures, samples, |tally| &tally.failures),
    },
    Row {
        name: "rolecast_worker_executions_overdue_total",
        kind: Kind::Counter,
        help: "Executions that were stopped at their time limit or deadline",
        labels: &[],
        bound: "1",
        read: |figures, samples| tally(figures, samples, |tally| tally.overdue),
    },
    Row {
        name: "rolecast_worker_jobs_dropped_total",
        kind: Kind::Counter,
        help: "Jobs that were not answered, because too many outcomes wait already",
        labels: &[],
        bound: "1",
        read: |figures, samples| tally(figures, samples, |tally| tally.dropped),
    },
    Row {
        name: "rolecast_worker_outcome_repeats_total",
        kind: Kind::Counter,
        help: "Messages with outcomes that were sent again, as no dispatcher had confirmed them",
        labels: &[],
        bound: "1",
        read: |figures, samples| tally(figures, samples, |tally| tally.repeats),
    },
    Row {
        name: "rolecast_worker_heartbeats_total",
        kind: Kind::Counter,
        help: "Heartbeats sent",
        labels: &[],
        bound: "1",
        read: |figures, samples| tally(figures, samples, |tally| tally.heartbeats),
    },
    Row {
        name: "rolecast_worker_hook_failures_total",
        kind: Kind::Counter,
        help: "Runs of the hook that failed",
        labels: &[],
        bound: "1",
        read: |figures, samples| tally(figures, samples, |tally| tally.hook_failures),
    },
    Row {
        name: "rolecast_worker_managed_role",
        kind: Kind::Gauge,
        help: "Always 1, for each managed role that the node acts in",
        labels: &["role"],
        bound: "managed roles that it offers",
        read: |figures, samples| match &figures.served {
            Some((agent, _)) => {
                let mut roles = agent.roles.iter();
                roles.try_for_each(|role| samples.count(&[role.as_str()], 1))
            }
            None => Ok(()),
        },
    },
];

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn agent(
    figures: &Figures,
    samples: &mut Samples<'_, '_>,
    of: fn(&AgentFigures) -> u64,
) -> fmt::Result {
    match &figures.served {
        Some((agent, _)) => samples.count(&[], of(agent)),
        None => Ok(()),
    }
}

fn tally(figures: &Figures, samples: &mut Samples<'_, '_>, of: fn(&Tally) -> u64) -> fmt::Result {
    match &figures.served {
        Some((_, tally)) => samples.count(&[], of(tally)),
        None => Ok(()),
    }
}

fn by_name(
    figures: &Figures,
    samples: &mut Samples<'_, '_>,
    of: fn(&Tally) -> &BTreeMap<&'static str, u64>,
) -> fmt::Result {
    let Some((_, tally)) = &figures.served else {
        return Ok(());
    };
    let mut counts = of(tally).iter();
    counts.try_for_each(|(name, number)| samples.count(&[name], *number))
}
