//! Cancels: orders of operators to end jobs. A cancel is stored before it has an effect,
//! so that a new leader knows it, and holds until its jobs have ended.

use rolecast_common::id::{Category, JobId, NodeId, Sequence};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{AttemptCancel, CancelAnswer, Record};

/// A stored order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    pub target: CancelTarget,
    /// Who cancels; may be empty.
    pub by: String,
    pub reason: String,
    pub at: WallTime,
}

/// The jobs that a cancel concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelTarget {
    Job(JobId),
    /// The jobs of a category that were stored before this time.
    Category(Category, WallTime),
}

impl Cancel {
    /// Returns the reason in the record of a job.
    pub(crate) fn text(&self) -> String {
        let by = match self.by.as_str() {
            "" => "cancelled".to_owned(),
            by => format!("cancelled by {by}"),
        };
        match self.reason.as_str() {
            "" => by,
            reason => format!("{by}: {reason}"),
        }
    }
}

/// Inputs about cancels.
#[derive(Clone, Debug)]
pub enum CancelInput {
    /// An operator cancels jobs, or asks what that would do.
    Order {
        id: u64,
        cancel: Cancel,
        is_dry_run: bool,
    },
    /// The order was stored, or not, for this reason.
    Stored { id: u64, result: Result<(), String> },
    /// The cancels that a former leader stored.
    Restored(Vec<Cancel>),
    /// A job that is cancelled has a record already.
    Ended(JobId),
    /// A [`CancelOutput::Remove`] ended, with or without success.
    Removed { sequence: Sequence, is_done: bool },
}

/// Commands about cancels.
#[derive(Clone, Debug, PartialEq)]
pub enum CancelOutput {
    /// Store the cancel; answer with [`CancelInput::Stored`].
    Store { id: u64, cancel: Box<Cancel> },
    /// Delete the stored cancel of a job.
    Forget(JobId),
    /// Answer the order.
    Answer {
        id: u64,
        answer: Result<Box<CancelAnswer>, String>,
    },
    /// Have the node stop the attempt.
    Stop {
        node: NodeId,
        order: Box<AttemptCancel>,
    },
    /// Record the outcome of a job that waits in the stream for another delivery, and
    /// delete it there. Its category is empty if that is not known.
    Remove(Box<Record>),
}
