//! Commands that the agent emits.

use std::sync::Arc;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Epoch, Role};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{Heartbeat, OutcomeBatch};

use super::input::{HookRun, Run};

/// A command to the shell; carrying it out late or twice does no harm.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Run the job just offered; send `Ended` exactly once, whatever happens.
    Start {
        run: Run,
        assignment: Assignment,
        deadline: Option<WallTime>,
        roles: Arc<[Role]>,
    },
    /// End this execution: ask it to, then force it.
    Stop(Run),
    /// Publish these outcomes and ask for the confirmation of this number.
    SendOutcomes {
        batch: u64,
        outcomes: Arc<OutcomeBatch>,
    },
    /// Store this epoch where the next start finds it, before anything that follows.
    KeepEpoch(Epoch),
    /// Notify the user's service of the old and the new roles. Kill the hook at its
    /// limit, with all processes that it started; send `HookEnded` exactly once, whatever
    /// happens.
    Hook {
        run: HookRun,
        /// Empty if there was no hook before.
        old: Vec<Role>,
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

/// The reason why a role assignment was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleObjection {
    #[error("it is older than what this node has seen")]
    Stale,
    #[error("it is for another start of the worker")]
    OtherBoot,
    #[error("it has the version of another assignment, and other roles")]
    Contradiction,
    #[error("it answers no heartbeat of this node")]
    Unasked,
    #[error("its lease is over")]
    TooLate,
}

/// An event that may concern an operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A job was refused.
    Refused {
        assignment: Assignment,
        reason: String,
    },
    /// A job was dropped unanswered, because too many outcomes wait already.
    Dropped { assignment: Assignment },
    /// An execution ran into its time limit or deadline.
    Overdue { run: Run, reason: String },
    /// An outcome was longer than any message may be: only this much of its output is
    /// kept.
    OutputCut {
        assignment: Assignment,
        whole: usize,
        kept: usize,
    },
    /// Outcomes were not confirmed and are sent again.
    Repeated {
        batch: u64,
        outcomes: usize,
        tries: u32,
    },
    /// A confirmation of no batch of ours: late, or meant for another worker that uses
    /// the same node id.
    UnknownBatch { batch: u64 },
    /// The roles that this node acts in have changed.
    Roles {
        epoch: Epoch,
        generation: u64,
        roles: Arc<[Role]>,
    },
    /// A role assignment was refused.
    RolesRefused {
        epoch: Epoch,
        generation: u64,
        objection: RoleObjection,
    },
    /// The hook failed; a role that it was to bring is not taken on.
    HookFailed { generation: u64, reason: String },
    /// The dispatcher that holds the lease leads under an epoch below the one followed
    /// here, which the bucket does not know.
    EpochRefuted { kept: Epoch, led: Epoch },
    /// Another worker has the name of this node.
    TurnedAway { reason: String },
    /// No more jobs are taken.
    Draining { running: usize },
    /// The grace time is over; the remaining jobs were given back.
    HandedBack { count: usize },
    /// The program ends; outcomes that were not confirmed are lost to the dispatcher, and
    /// their jobs will run again.
    Leaving { unconfirmed: usize },
}
