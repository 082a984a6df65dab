//! The last step of a job: its outcome is stored, so it is acknowledged and confirmed.

use rolecast_common::id::Sequence;
use rolecast_common::wire::RecordStatus;

use super::job::{Job, State};
use super::spans::trace_record;
use super::{Context, Jobs, Output, Queue, Reporting, cancelling};
use crate::scheduler::input::Recorded;

pub(super) fn finish_record(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    queue: &mut Queue,
    reporting: &mut Reporting,
    sequence: Sequence,
    result: Recorded,
) {
    let Some(State::Recording { confirmation, .. }) = jobs.held.get(&sequence).map(Job::state)
    else {
        return;
    };
    let confirmation = *confirmation;
    match result {
        // The sweep repeats the request.
        Recorded::Failed => return,
        Recorded::Already => reporting.count(|counters| &mut counters.duplicates),
        Recorded::Stored => {}
    }
    if let Some(job) = jobs.held.remove(&sequence) {
        trace(cx, &job);
        report_cancelled(jobs, cx, queue, &job, result);
        finish(jobs, cx, queue, job);
    }
    jobs.confirm(cx, confirmation);
}

pub(super) fn finish_dead_letter(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    queue: &mut Queue,
    sequence: Sequence,
    is_done: bool,
) {
    if jobs.strays.remove(&sequence) {
        if is_done {
            jobs.recent.insert(sequence);
        }
        return;
    }
    let Some(job) = jobs.held.get_mut(&sequence) else {
        return;
    };
    let State::DeadLettering { is_running, .. } = &mut job.state else {
        return;
    };
    *is_running = false;
    if is_done && let Some(job) = jobs.held.remove(&sequence) {
        trace(cx, &job);
        forget(jobs, cx, queue, &job);
    }
}

/// Reports a job that was recorded as cancelled; an outcome that was recorded before counts
/// instead.
fn report_cancelled(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    queue: &mut Queue,
    job: &Job,
    result: Recorded,
) {
    if let State::Recording { record, .. } = &job.state
        && record.status == RecordStatus::Cancelled
        && result == Recorded::Stored
    {
        cancelling::report(jobs, cx, queue, record);
    }
}

fn trace(cx: &mut Context<'_>, job: &Job) {
    match &job.state {
        State::Recording { record, asked, .. } | State::DeadLettering { record, asked, .. } => {
            trace_record(cx, job, record, *asked);
        }
        State::Waiting | State::Running { .. } => {}
    }
}

pub(super) fn finish(jobs: &mut Jobs, cx: &mut Context<'_>, queue: &mut Queue, job: Job) {
    forget(jobs, cx, queue, &job);
    cx.push(Output::Ack {
        sequence: job.sequence(),
        ack: job.ack,
    });
}

/// Remembers only that the job is settled.
fn forget(jobs: &mut Jobs, cx: &mut Context<'_>, queue: &mut Queue, job: &Job) {
    let sequence = job.sequence();
    if job.has_history() {
        cx.push(Output::ForgetHistory(sequence));
    }
    let categories = queue.categories_mut();
    categories.count(&job.source.category, |counts| &mut counts.settled);
    jobs.recent.insert(sequence);
    cancelling::forget(jobs, cx, &job.id);
}

/// Answers a repetition now if its job is settled; otherwise when it is.
pub(super) fn repeat(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    sequence: Sequence,
    confirmation: Option<u64>,
) {
    let replaced = match jobs.held.get_mut(&sequence).map(|job| &mut job.state) {
        Some(State::Recording {
            confirmation: waiting,
            ..
        }) => std::mem::replace(waiting, confirmation),
        // The worker repeats until the dead-lettering is done; nobody waits for this
        // answer.
        Some(State::DeadLettering { .. }) => return jobs.confirmations.forget(confirmation),
        Some(State::Running { .. } | State::Waiting) | None => {
            return jobs.confirm(cx, confirmation);
        }
    };
    if replaced == confirmation {
        // One batch has it twice; waiting for one of them is enough.
        jobs.confirm(cx, confirmation);
    } else {
        // The worker has given up waiting for the former request's answer.
        jobs.confirmations.forget(replaced);
    }
}
