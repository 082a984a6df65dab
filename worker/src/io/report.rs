//! Report that an execution ended: sent exactly once, whatever happens to it.

use std::time::Instant;

use bytes::Bytes;
use rolecast_common::wire::{JobUsage, OutcomeStatus};
use tokio::sync::mpsc::UnboundedSender;

use crate::agent::{Ended, Failure, Run};
use crate::command::UNABLE;

/// The results of an execution.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) status: OutcomeStatus,
    pub(super) reason: String,
    pub(super) failure: Option<Failure>,
    pub(super) output: Bytes,
    pub(super) output_truncated: bool,
    /// The end of what it wrote to stderr, if it is to be kept.
    pub(super) log: Bytes,
    pub(super) log_truncated: bool,
    pub(super) usage: JobUsage,
}

impl Finished {
    /// The host cannot run its command; the execution did not start.
    pub(super) fn unable(reason: &str) -> Self {
        Self {
            failure: Some(Failure::NotStarted),
            ..Self::of(OutcomeStatus::Refused, format!("{UNABLE}{reason}"))
        }
    }

    /// It ended with this status, and nothing else is known.
    pub(super) fn of(status: OutcomeStatus, reason: String) -> Self {
        Self {
            status,
            reason,
            failure: None,
            output: Bytes::new(),
            output_truncated: false,
            log: Bytes::new(),
            log_truncated: false,
            usage: JobUsage::default(),
        }
    }
}

/// The obligation to report the end of one execution. Dropping it reports that it was
/// stopped.
#[derive(Debug)]
pub(super) struct Report {
    run: Run,
    start: Instant,
    /// Unbounded, because there is one message for each running job and no more.
    sender: Option<UnboundedSender<Ended>>,
}

impl Report {
    pub(super) fn new(run: Run, sender: UnboundedSender<Ended>) -> Self {
        Self {
            run,
            start: Instant::now(),
            sender: Some(sender),
        }
    }

    pub(super) fn send(mut self, finished: Finished) {
        self.say(finished);
    }

    fn say(&mut self, finished: Finished) {
        let Some(sender) = self.sender.take() else {
            return;
        };
        let ended = Ended {
            run: self.run,
            status: finished.status,
            reason: finished.reason,
            failure: finished.failure,
            output: finished.output,
            output_truncated: finished.output_truncated,
            log: finished.log,
            log_truncated: finished.log_truncated,
            length: self.start.elapsed(),
            usage: finished.usage,
        };
        // Nobody receives this only when the worker has left.
        let _ = sender.send(ended);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let reason = "stopped before it finished".to_owned();
        self.say(Finished::of(OutcomeStatus::Retry, reason));
    }
}
