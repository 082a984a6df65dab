//! Commands that the agent emits.

use std::sync::Arc;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Epoch, Role};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{Heartbeat, OutcomeBatch};

use super::input::{HookRun, Run};

/// An order to the shell; carrying it out late or twice does no harm.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Run the job just offered; say `Ended` exactly once, whatever happens.
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
    /// Keep this epoch where the next start finds it, before anything that follows.
    KeepEpoch(Epoch),
    /// Tell the user's service: these were the roles, these are. Kill it at its limit,
    /// with all that it started; say `HookEnded` exactly once, whatever happens.
    Hook {
        run: HookRun,
        /// Empty if nothing was told before.
        old: Vec<Role>,
        new: Vec<Role>,
    },
    /// Publish the state of the node.
    Heartbeat(Box<Heartbeat>),
    /// Listen for jobs, before anything that follows.
    Listen,
    /// Everything is done that could be: end the program.
    Exit,
    /// End the program, and say that it failed and why.
    Fail(String),
    /// Tell the operator.
    Event(Event),
}

/// Why a role assignment was not taken.
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

/// What an operator may want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A job was not taken.
    Refused {
        assignment: Assignment,
        reason: String,
    },
    /// A job was dropped unanswered, because too many outcomes wait already.
    Dropped { assignment: Assignment },
    /// An execution ran into its time limit or deadline.
    Overdue { run: Run, reason: String },
    /// An outcome was longer than any message may be: so much of its output is kept.
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
    /// A confirmation of no batch of ours: late, or meant for another worker
    /// that uses the same node id.
    UnknownBatch { batch: u64 },
    /// The roles that this node acts in have changed.
    Roles {
        epoch: Epoch,
        generation: u64,
        roles: Arc<[Role]>,
    },
    /// A role assignment was not taken.
    RolesRefused {
        epoch: Epoch,
        generation: u64,
        objection: RoleObjection,
    },
    /// The hook failed; a role that it was to bring is not taken on.
    HookFailed { generation: u64, reason: String },
    /// The dispatcher that holds the lease leads under an epoch below the one followed here,
    /// of which the bucket knows nothing.
    EpochRefuted { kept: Epoch, led: Epoch },
    /// Another worker has the name of this node.
    TurnedAway { reason: String },
    /// No more jobs are taken.
    Draining { running: usize },
    /// The grace time is over; the rest was given back.
    HandedBack { count: usize },
    /// The program ends; outcomes nobody confirmed are lost to the dispatcher,
    /// and their jobs will run again.
    Leaving { unconfirmed: usize },
}
