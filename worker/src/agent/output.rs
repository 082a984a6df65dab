//! Commands that the agent emits.

use std::sync::Arc;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Epoch, Role};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{Heartbeat, OutcomeBatch};

use super::input::{Failure, HookRun, Run};

/// A command to the shell; carrying it out late or twice does no harm.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Run the job just offered; send `Ended` exactly once, whatever happens.
    Start {
        /// Names the execution from now on.
        run: Run,
        /// The attempt that it is.
        assignment: Assignment,
        /// The time after which the job is not wanted, by this host's wall clock.
        deadline: Option<WallTime>,
        /// The roles that the node acts in.
        roles: Arc<[Role]>,
    },
    /// End this execution: ask it to, then force it.
    Stop(Run),
    /// End this execution in the same way, and show it that its job is cancelled.
    Cancel(Run),
    /// Publish these outcomes and ask for the confirmation of this number.
    SendOutcomes {
        /// The number of the confirmation.
        batch: u64,
        /// One outcome or several, which fit a message.
        outcomes: Arc<OutcomeBatch>,
    },
    /// Store this epoch where the next start finds it, before anything that follows.
    KeepEpoch(Epoch),
    /// Notify the user's service of the old and the new roles. Kill the hook at its
    /// limit, with all processes that it started; send `HookEnded` exactly once, whatever
    /// happens.
    Hook {
        /// Names this run of the hook.
        run: HookRun,
        /// The roles that the last hook reported; empty if there was none before.
        old: Vec<Role>,
        /// The roles that the node acts in from now on, those that it always has included.
        new: Vec<Role>,
    },
    /// Publish the state of the node.
    Heartbeat(Box<Heartbeat>),
    /// Listen for jobs, before anything that follows.
    Listen,
    /// Everything possible is done: end the program.
    Exit,
    /// End the program with an error and its reason.
    Fail(String),
    /// Report an event to the operator.
    Event(Event),
}

/// The kind of the reason why a job was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The dispatcher that sent it has been superseded.
    StaleEpoch,
    /// The worker is not admitted yet.
    NotAdmitted,
    /// The worker is draining.
    Draining,
    /// The node acts in none of the roles that it is for.
    NoRole,
    /// Its category is not run here.
    Category,
    /// Its deadline has passed.
    Deadline,
    /// As many jobs run here, or of its category, as may.
    Full,
    /// It could not be started.
    Unable,
}

impl Refusal {
    /// Returns its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::StaleEpoch => "stale_epoch",
            Refusal::NotAdmitted => "not_admitted",
            Refusal::Draining => "draining",
            Refusal::NoRole => "no_role",
            Refusal::Category => "category",
            Refusal::Deadline => "deadline",
            Refusal::Full => "full",
            Refusal::Unable => "unable",
        }
    }
}

/// The reason why a role assignment was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleObjection {
    /// Its epoch or generation is older than one taken before, or its epoch is so far ahead
    /// that no dispatcher can have it.
    #[error("it is older than what this node has seen")]
    Stale,
    /// It is addressed to another boot.
    #[error("it is for another start of the worker")]
    OtherBoot,
    /// It has the epoch and generation of one taken before, but not the same roles.
    #[error("it has the version of another assignment, and other roles")]
    Contradiction,
    /// The heartbeat it answers is none of those remembered, so its lease has no beginning.
    #[error("it answers no heartbeat of this node")]
    Unasked,
    /// Its lease, counted from that heartbeat, has ended.
    #[error("its lease is over")]
    TooLate,
}

/// An event that may concern an operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A job was refused.
    Refused {
        /// The attempt that was offered.
        assignment: Assignment,
        /// The kind of the reason.
        kind: Refusal,
        /// The reason, as the dispatcher gets it.
        reason: String,
    },
    /// A job was dropped unanswered, because too many outcomes wait already.
    Dropped {
        /// The attempt that was offered.
        assignment: Assignment,
    },
    /// An execution ran into its time limit or deadline.
    Overdue {
        /// The execution, which is stopped.
        run: Run,
        /// The limit that it reached.
        reason: String,
    },
    /// A job's command failed.
    CommandFailed {
        /// The way in which it failed.
        failure: Failure,
    },
    /// An execution is stopped, because its job was cancelled.
    Cancelled {
        /// The attempt that is stopped.
        assignment: Assignment,
        /// Who cancelled it and why.
        reason: String,
    },
    /// An outcome was longer than any message may be: only this much of its output is
    /// kept.
    OutputCut {
        /// The attempt whose outcome it is.
        assignment: Assignment,
        /// Bytes of its output.
        whole: usize,
        /// Bytes of it that are sent.
        kept: usize,
    },
    /// Outcomes were not confirmed and are sent again.
    Repeated {
        /// The number of the batch.
        batch: u64,
        /// The number of outcomes in it.
        outcomes: usize,
        /// How often it was sent, this time included.
        tries: u32,
    },
    /// A confirmation of no batch of ours: late, or meant for another worker that uses
    /// the same node id.
    UnknownBatch {
        /// The number that was confirmed.
        batch: u64,
    },
    /// The roles that this node acts in have changed.
    Roles {
        /// The epoch of the assignment that it follows.
        epoch: Epoch,
        /// The generation of that assignment.
        generation: u64,
        /// All roles that it acts in, those that it always has included.
        roles: Arc<[Role]>,
    },
    /// A role assignment was refused.
    RolesRefused {
        /// The epoch of the assignment.
        epoch: Epoch,
        /// Its generation.
        generation: u64,
        /// The reason.
        objection: RoleObjection,
    },
    /// The hook failed; a role that it was to bring is not taken on.
    HookFailed {
        /// The generation of the assignment that it was run for.
        generation: u64,
        /// The reason, in one line.
        reason: String,
    },
    /// The dispatcher that holds the lease leads under an epoch below the one followed
    /// here, which the bucket does not know.
    EpochRefuted {
        /// The epoch followed here.
        kept: Epoch,
        /// The epoch under which the dispatcher leads.
        led: Epoch,
    },
    /// Another worker has the name of this node.
    TurnedAway {
        /// The reason, with the remedy.
        reason: String,
    },
    /// No more jobs are taken.
    Draining {
        /// The number of jobs that still run.
        running: usize,
    },
    /// The grace time is over; the remaining jobs were given back.
    HandedBack {
        /// Their number.
        count: usize,
    },
    /// The program ends; outcomes that were not confirmed are lost to the dispatcher, and
    /// their jobs will run again.
    Leaving {
        /// The number of those outcomes.
        unconfirmed: usize,
    },
}
