//! Inputs of the agent.

use std::time::Duration;

use bytes::Bytes;
use rolecast_common::assignment::Assignment;
use rolecast_common::id::Role;
use rolecast_common::time::WallTime;
use rolecast_common::trace::TraceContext;
use rolecast_common::wire::{
    Admission, AttemptCancel, JobUsage, OutcomeStatus, Progress, RoleAssignment, Usage,
};

/// An event from outside. What a message claims is checked by the agent.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A job arrived.
    Job(Offer),
    /// A dispatcher has an attempt stopped, because its job is cancelled.
    Cancel(AttemptCancel),
    /// Executions ended; those that end together are reported together.
    Ended(Vec<Ended>),
    /// The last progress of executions that reported some.
    Progress(Vec<(Run, Progress)>),
    /// The dispatcher has taken this batch of outcomes.
    Confirmed {
        /// The number in [`Output::SendOutcomes`](super::Output::SendOutcomes).
        batch: u64,
    },
    /// No dispatcher listened when this batch was sent.
    Unreceived {
        /// The number in [`Output::SendOutcomes`](super::Output::SendOutcomes).
        batch: u64,
    },
    /// A dispatcher reports whether a start of this node may use its name.
    Admission(Admission),
    /// A dispatcher assigns the managed roles that this node should have.
    Roles(RoleAssignment),
    /// The hook is over; with the reason if it failed or was killed.
    HookEnded {
        /// The run in [`Output::Hook`](super::Output::Hook).
        run: HookRun,
        /// The reason of a failure, in one line.
        result: Result<(), String>,
    },
    /// The use of the node was measured.
    Usage(Usage),
    /// A dispatcher that takes the lead asks for the jobs in hand at once.
    ReportAsked,
    /// There is a new connection; messages sent before it may be lost.
    Connected,
    /// The longest message that the server takes, in bytes, has changed.
    MaxPayload(usize),
    /// Take no more jobs and leave; a second one ends the grace time at once.
    Drain,
    /// A deadline may have passed.
    Tick,
}

/// A job that the dispatcher sends here to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The attempt that it is, and where its outcome goes.
    pub assignment: Assignment,
    /// The time after which the job is not wanted, by this host's wall clock.
    pub deadline: Option<WallTime>,
    /// The time limit of its category in the dispatcher's configuration.
    pub time_limit: Option<Duration>,
    /// The roles in one of which this node must act; empty means any.
    pub roles: Vec<Role>,
    /// Its place in its producer's trace, which is returned with the outcome.
    pub trace: Option<TraceContext>,
}

/// Names one execution within this process; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Run(u64);

impl Run {
    /// The first one of a process.
    pub const FIRST: Run = Run(1);

    /// Returns the one after this.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Names one run of the hook within this process; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HookRun(u64);

impl HookRun {
    /// The first one of a process.
    pub const FIRST: HookRun = HookRun(1);

    /// Returns the one after this.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The way in which a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It ended with an exit code that reports a failure.
    ExitCode,
    /// A signal killed it.
    Signal,
    /// It, or a process that it started, was killed for lack of memory.
    Memory,
    /// It was stopped at its time limit or its job's deadline.
    TimeLimit,
    /// It could not be started.
    NotStarted,
}

impl Failure {
    /// Returns its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Failure::ExitCode => "exit_code",
            Failure::Signal => "signal",
            Failure::Memory => "memory",
            Failure::TimeLimit => "time_limit",
            Failure::NotStarted => "not_started",
        }
    }
}

/// The end of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The execution in [`Output::Start`](super::Output::Start).
    pub run: Run,
    /// Its result, unless the agent had it stopped.
    pub status: OutcomeStatus,
    /// The reason of a failure, in one line; empty if it completed.
    pub reason: String,
    /// The way in which it failed, if it is a command.
    pub failure: Option<Failure>,
    /// Its output, of at most 960 KiB.
    pub output: Bytes,
    /// Whether there was more output, which was dropped.
    pub output_truncated: bool,
    /// The end of what it wrote to stderr, of at most 64 KiB, if it is to be kept.
    pub log: Bytes,
    /// Whether it wrote more before that.
    pub log_truncated: bool,
    /// The time from its start to its end.
    pub length: Duration,
    /// The resources that it used.
    pub usage: JobUsage,
}
