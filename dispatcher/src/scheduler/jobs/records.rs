//! Final records of jobs.

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{NodeId, Sequence};
use rolecast_common::wire::{
    Blob, JobUsage, Outcome, OutcomeStatus, Record, RecordStatus, VERSION,
};

use super::job::{Away, Job};
use crate::scheduler::context::Context;
use crate::scheduler::input::Stray;

/// Returns the record of a job that completed on the node.
pub(super) fn completed(cx: &Context<'_>, node: &NodeId, job: &Job, outcome: Outcome) -> Record {
    Record {
        node: Some(node.clone()),
        ..executed(of(cx, job, RecordStatus::Completed, String::new()), outcome)
    }
}

/// Returns the record of a job whose attempt on the node was cancelled.
pub(super) fn cancelled(
    cx: &Context<'_>,
    node: &NodeId,
    job: &Job,
    outcome: Outcome,
    reason: String,
) -> Record {
    Record {
        node: Some(node.clone()),
        ..executed(of(cx, job, RecordStatus::Cancelled, reason), outcome)
    }
}

/// Returns the record of a cancelled job that was given back.
pub(super) fn of_away(cx: &Context<'_>, sequence: Sequence, away: Away, reason: String) -> Record {
    let plain = Stray {
        sequence,
        job: away.history.job,
        category: away
            .source
            .map_or(String::new(), |source| source.category.to_string()),
        submitted: away.submitted.unwrap_or_default(),
        reason,
    };
    Record {
        failures: away.history.failures,
        losses: away.history.losses,
        ..plain_of(cx, plain, RecordStatus::Cancelled)
    }
}

/// Returns the record of a job that ends here, without an execution's figures.
pub(super) fn of(cx: &Context<'_>, job: &Job, status: RecordStatus, reason: String) -> Record {
    let plain = Stray {
        sequence: job.sequence(),
        job: job.id.clone(),
        category: job.source.category.to_string(),
        submitted: job.ack.stored(),
        reason,
    };
    Record {
        node: job.last_node(),
        attempt: job.last_attempt(),
        failures: job.past.failures.clone(),
        losses: job.past.losses.clone(),
        trace: job.wishes.trace.map(|context| context.trace),
        ..plain_of(cx, plain, status)
    }
}

/// Returns the record of an outcome whose job was in a stream that is gone.
pub(super) fn of_orphan(
    cx: &Context<'_>,
    node: &NodeId,
    assignment: &Assignment,
    outcome: Outcome,
) -> Record {
    let (status, reason) = match outcome.status {
        OutcomeStatus::Completed => (RecordStatus::Completed, String::new()),
        OutcomeStatus::Retry
        | OutcomeStatus::GiveUp
        | OutcomeStatus::Refused
        | OutcomeStatus::HandedBack
        | OutcomeStatus::Cancelled => (
            RecordStatus::Dead,
            "the jobs stream was deleted and created again".to_owned(),
        ),
    };
    let plain = Stray {
        // Not a sequence of the new stream, which counts from 1.
        sequence: Sequence::new(0),
        job: assignment.job().clone(),
        category: assignment.category().to_string(),
        submitted: assignment.ack().stored(),
        reason,
    };
    Record {
        node: Some(node.clone()),
        attempt: Some(assignment.attempt()),
        ..executed(plain_of(cx, plain, status), outcome)
    }
}

/// Returns the record of a job that never ran.
pub(super) fn plain_of(cx: &Context<'_>, stray: Stray, status: RecordStatus) -> Record {
    Record {
        v: VERSION,
        job: stray.job,
        category: stray.category,
        sequence: stray.sequence,
        status,
        reason: stray.reason,
        epoch: cx.epoch,
        node: None,
        attempt: None,
        failures: Vec::new(),
        losses: Vec::new(),
        submitted_ms: stray.submitted,
        started_ms: None,
        finished_ms: cx.now.wall,
        run_us: 0,
        usage: JobUsage::default(),
        output: Blob::default(),
        output_truncated: false,
        trace: None,
    }
}

/// Adds the figures of the execution to a record.
fn executed(record: Record, outcome: Outcome) -> Record {
    Record {
        started_ms: outcome.started_ms,
        run_us: outcome.run_us,
        usage: outcome.usage,
        output: outcome.output,
        output_truncated: outcome.output_truncated,
        ..record
    }
}
