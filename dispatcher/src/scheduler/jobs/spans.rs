//! Spans of the jobs that are in a trace which is recorded.
//!
//! Times are those of this process: a worker's clock may differ. An execution ends when its
//! outcome is received, and has lasted as long as its worker reports. Of an attempt that
//! another dispatcher sent, or that was revoked, only the execution is known.

use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::{Now, Time};
use rolecast_common::trace::{TraceContext, TraceId};
use rolecast_common::wire::{Outcome, OutcomeStatus, Record};

use super::job::Job;
use crate::scheduler::context::Context;
use crate::scheduler::output::Output;
use crate::span::{Passed, Span, Stage, id};

/// The end of an attempt.
pub(super) struct End<'a> {
    pub(super) node: &'a NodeId,
    /// The time that it ran; `None` if it did not, or nobody knows it.
    pub(super) ran: Option<Duration>,
    /// The reason why it did not complete; empty if it did.
    pub(super) reason: &'a str,
}

impl<'a> End<'a> {
    /// Returns the end of an attempt that no worker reported.
    pub(super) fn unreported(node: &'a NodeId, reason: &'a str) -> Self {
        Self {
            node,
            ran: None,
            reason,
        }
    }

    /// Returns the end that the node's worker reported, with its reason.
    pub(super) fn of(node: &'a NodeId, outcome: &Outcome, reason: &'a str) -> Self {
        let did_run = !matches!(
            outcome.status,
            OutcomeStatus::Refused | OutcomeStatus::HandedBack
        );
        Self {
            node,
            ran: did_run.then(|| Duration::from_micros(outcome.run_us)),
            reason,
        }
    }
}

/// Restores the context of a job that was never delivered here from what its worker returns.
pub(in crate::scheduler) fn restore(job: &mut Job, claimed: Option<TraceContext>) {
    if job.wishes.is_unknown {
        job.wishes.trace = claimed;
    }
}

/// Emits the spans of an attempt that has ended.
pub(super) fn trace_attempt(cx: &mut Context<'_>, job: &Job, end: &End<'_>) {
    let Some(context) = context(job) else {
        return;
    };
    let now = micros(cx.now, cx.now.time);
    let placed = micros(cx.now, job.since);
    let stored = job.ack.stored().as_millis().saturating_mul(1000);
    let sent = job.sent_here().map(|sent| micros(cx.now, sent));
    let ran = end.ran.map(|ran| {
        let ran = u64::try_from(ran.as_micros()).unwrap_or(u64::MAX);
        now.saturating_sub(ran).max(sent.unwrap_or(stored))
    });
    let error = (!end.reason.is_empty()).then(|| end.reason.to_owned());
    let span = |stage, begin_us: u64, end_us: u64| Span {
        node: Some(end.node.clone()),
        begin_us: begin_us.min(end_us),
        end_us,
        ..span(context, job, stage)
    };
    let mut spans = Vec::with_capacity(4);
    if let Some(sent) = sent {
        if job.past.attempt <= 1 {
            spans.push(Span {
                node: None,
                ..span(Stage::Wait, stored, placed)
            });
        }
        spans.push(span(Stage::Place, placed, sent));
        spans.push(span(Stage::Send, sent, ran.unwrap_or(now)));
    }
    if let Some(began) = ran {
        spans.push(span(Stage::Run, began, now));
    }
    if let Some(last) = spans.last_mut() {
        last.error = error;
    }
    cx.push(Output::Trace(spans));
}

/// Emits the span of an outcome that is stored, `asked` having been the time of the
/// request.
pub(super) fn trace_record(cx: &mut Context<'_>, job: &Job, record: &Record, asked: Time) {
    let Some(context) = context(job) else {
        return;
    };
    let error = (!record.reason.is_empty()).then(|| record.reason.clone());
    let span = Span {
        begin_us: micros(cx.now, asked),
        end_us: micros(cx.now, cx.now.time),
        node: record.node.clone(),
        error,
        ..span(context, job, Stage::Record)
    };
    cx.push(Output::Trace(vec![span]));
}

/// Returns the contexts for the node of a job: its programs are below the execution's span.
pub(in crate::scheduler) fn passed(job: &Job) -> Option<Passed> {
    let producer = context(job)?;
    let run = id(producer, &job.id, job.past.attempt, Stage::Run);
    Some(Passed {
        at_node: producer.below(run),
        producer,
    })
}

/// Returns the trace of a job that is in one which is recorded.
pub(in crate::scheduler) fn trace_of(job: &Job) -> Option<TraceId> {
    context(job).map(|context| context.trace)
}

fn context(job: &Job) -> Option<TraceContext> {
    job.wishes.trace.filter(|context| context.is_sampled())
}

fn span(context: TraceContext, job: &Job, stage: Stage) -> Span {
    let attempt = job.past.attempt;
    Span {
        trace: context.trace,
        id: id(context, &job.id, attempt, stage),
        parent: context.span,
        stage,
        begin_us: 0,
        end_us: 0,
        job: job.id.clone(),
        category: job.source.category.clone(),
        attempt,
        node: None,
        error: None,
    }
}

/// Returns an earlier point of the monotonic clock on the wall clock.
fn micros(now: Now, at: Time) -> u64 {
    let ago = u64::try_from(now.time.since(at).as_micros()).unwrap_or(u64::MAX);
    (now.wall.as_millis().saturating_mul(1000)).saturating_sub(ago)
}
