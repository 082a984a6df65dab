//! Transitions of cancelled jobs. The stored cancels alone decide: a job that waits is
//! recorded as cancelled at once; one that runs is stopped by its node, and is recorded as
//! cancelled unless it completes; one that is delivered or adopted later is compared with
//! them.

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Attempt, JobId, NodeId, Sequence};
use rolecast_common::time::Time;
use rolecast_common::wire::{
    AttemptCancel, CancelAnswer, CancelCounts, CancelFate, Outcome, OutcomeStatus, Record,
    RecordStatus, VERSION,
};

use super::cancels::Facts;
use super::job::{Job, State};
use super::{Context, Event, Jobs, Output, Queue, records};
use crate::scheduler::cancel::{Cancel, CancelInput, CancelOutput, CancelTarget};

/// Jobs cancelled in one turn, about as many as wait for one category: the rest follows in
/// the next ones.
const TURN_MAX: usize = 2_000;

pub(super) fn handle(jobs: &mut Jobs, cx: &mut Context<'_>, queue: &mut Queue, input: CancelInput) {
    match input {
        CancelInput::Order {
            id,
            cancel,
            is_dry_run: true,
        } => {
            let answer = Ok(Box::new(preview(jobs, cx, queue, &cancel)));
            cx.push(Output::Cancel(CancelOutput::Answer { id, answer }));
        }
        CancelInput::Order {
            id,
            cancel,
            is_dry_run: false,
        } => match jobs.cancels.objection(&cancel.target) {
            Some(why) => cx.push(Output::Cancel(CancelOutput::Answer {
                id,
                answer: Err(why),
            })),
            None if jobs.cancels.cover(&cancel.target) => {
                let answer = Ok(Box::new(apply(jobs, cx, queue, cancel)));
                cx.push(Output::Cancel(CancelOutput::Answer { id, answer }));
            }
            None => {
                jobs.cancels.storing.insert(id, cancel.clone());
                let cancel = Box::new(cancel);
                cx.push(Output::Cancel(CancelOutput::Store { id, cancel }));
            }
        },
        CancelInput::Stored { id, result } => {
            let Some(cancel) = jobs.cancels.storing.remove(&id) else {
                return;
            };
            let answer = result.map(|()| Box::new(apply(jobs, cx, queue, cancel)));
            cx.push(Output::Cancel(CancelOutput::Answer { id, answer }));
        }
        CancelInput::Restored(cancels) => {
            for cancel in cancels {
                jobs.cancels.add(cancel);
            }
        }
        CancelInput::Ended(job) => forget(jobs, cx, &job),
        CancelInput::Removed { sequence, is_done } => finish(jobs, cx, queue, sequence, is_done),
    }
}

/// Returns what the cancel does, without doing it.
fn preview(jobs: &Jobs, cx: &Context<'_>, queue: &Queue, cancel: &Cancel) -> CancelAnswer {
    let mut answer = CancelAnswer {
        v: VERSION,
        at_ms: cx.now.wall,
        fate: None,
        node: None,
        status: None,
        counts: None,
    };
    match &cancel.target {
        CancelTarget::Job(id) => (answer.fate, answer.node) = fate_of(jobs, id),
        CancelTarget::Category(category, _) => {
            let mut counts = CancelCounts {
                stored: queue.category(category).and_then(|state| state.stored()),
                ..CancelCounts::default()
            };
            for job in jobs
                .held
                .values()
                .filter(|job| Facts::of(job).are_meant(cancel))
            {
                match job.state {
                    State::Waiting => counts.waiting += 1,
                    State::Running { .. } => counts.running += 1,
                    State::Recording { .. } | State::DeadLettering { .. } => {}
                }
            }
            let away = jobs.away.values();
            let away = away
                .filter(|away| Facts::of_away(away).are_meant(cancel))
                .count();
            counts.delayed = u64::try_from(away).unwrap_or(u64::MAX);
            answer.counts = Some(counts);
        }
    }
    answer
}

fn fate_of(jobs: &Jobs, id: &JobId) -> (Option<CancelFate>, Option<NodeId>) {
    let held = jobs.held.values().find(|job| job.id == *id);
    let (fate, node) = match held.map(|job| &job.state) {
        Some(State::Waiting) => (CancelFate::Recording, None),
        Some(State::Running { node, .. }) => (CancelFate::Stopping, Some(node.clone())),
        Some(State::Recording { .. } | State::DeadLettering { .. }) => (CancelFate::Ended, None),
        None if jobs.find_given_back(id).is_some() => (CancelFate::Recording, None),
        None => (CancelFate::Pending, None),
    };
    (Some(fate), node)
}

/// Puts a stored cancel in force.
fn apply(jobs: &mut Jobs, cx: &mut Context<'_>, queue: &mut Queue, cancel: Cancel) -> CancelAnswer {
    let answer = preview(jobs, cx, queue, &cancel);
    let is_meant = |facts: Facts<'_>| facts.are_meant(&cancel);
    let held = jobs.held.values().filter(|job| is_meant(Facts::of(job)));
    let away = jobs.away.iter();
    let away = away.filter(|(_, away)| is_meant(Facts::of_away(away)));
    let away = away.map(|(sequence, _)| *sequence);
    // The order of a hash map must not reach the outside.
    let mut held: Vec<Sequence> = held.map(Job::sequence).collect();
    held.sort_unstable();
    let mut away: Vec<Sequence> = away.collect();
    away.sort_unstable();
    jobs.cancels.add(cancel);
    jobs.cancels
        .add_due(cx.now.time, held.into_iter().chain(away));
    cancel_due(jobs, cx, queue);
    answer
}

/// Cancels the next jobs that are due.
pub(super) fn cancel_due(jobs: &mut Jobs, cx: &mut Context<'_>, queue: &mut Queue) {
    for _ in 0..TURN_MAX {
        if due_since(jobs).is_none() {
            return;
        }
        if let Some(sequence) = jobs.cancels.take_due() {
            cancel_one(jobs, cx, queue, sequence);
        }
    }
}

/// Returns the time from which on jobs are due that can be cancelled at this moment.
pub(super) fn due_since(jobs: &Jobs) -> Option<Time> {
    let due = jobs.cancels.due_since();
    due.filter(|_| jobs.removals.has_room())
}

fn cancel_one(jobs: &mut Jobs, cx: &mut Context<'_>, queue: &mut Queue, sequence: Sequence) {
    if let Some(away) = jobs.away.get(&sequence) {
        if let Some(reason) = jobs.cancels.of_away(away).map(Cancel::text) {
            remove(jobs, cx, sequence, reason);
        }
        return;
    }
    let Some(job) = jobs.held.get(&sequence) else {
        return;
    };
    let Some(reason) = reason_for(jobs, job) else {
        return;
    };
    match &job.state {
        State::Waiting => {
            if let Some(job) = jobs.unqueue(cx, queue, sequence) {
                record(jobs, cx, job, reason);
            }
        }
        State::Running { node, .. } => {
            let node = node.clone();
            let attempt = Attempt::new(job.past.attempt);
            stop(cx, &node, (job.id.clone(), sequence, attempt), reason);
        }
        State::Recording { .. } | State::DeadLettering { .. } => {}
    }
}

/// Returns the reason in the record of a job, if it is cancelled.
pub(super) fn reason_for(jobs: &Jobs, job: &Job) -> Option<String> {
    jobs.cancels.of(job).map(Cancel::text)
}

/// Begins to record a job as cancelled: it does not run, and never runs again.
pub(super) fn record(jobs: &mut Jobs, cx: &mut Context<'_>, job: Job, reason: String) {
    let record = records::of(cx, &job, RecordStatus::Cancelled, reason);
    jobs.begin_record(cx, job, record, None);
}

/// The same of a job whose attempt has ended, as its node reported.
pub(super) fn record_attempt(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    (job, reason): (Job, String),
    (node, outcome, confirmation): (&NodeId, Outcome, Option<u64>),
) {
    let has_run = match outcome.status {
        OutcomeStatus::Refused | OutcomeStatus::HandedBack => false,
        OutcomeStatus::Completed
        | OutcomeStatus::Retry
        | OutcomeStatus::GiveUp
        | OutcomeStatus::Cancelled => true,
    };
    let record = match has_run {
        true => records::cancelled(cx, node, &job, outcome, reason),
        false => records::of(cx, &job, RecordStatus::Cancelled, reason),
    };
    jobs.begin_record(cx, job, record, confirmation);
}

/// Counts and reports a job that was recorded as cancelled.
pub(super) fn report(jobs: &mut Jobs, cx: &mut Context<'_>, queue: &mut Queue, record: &Record) {
    if let Ok(category) = record.category.parse() {
        let categories = queue.categories_mut();
        categories.count(&category, |counts| &mut counts.cancelled);
    }
    cx.event(Event::JobCancelled {
        job: record.job.clone(),
        reason: record.reason.clone(),
    });
    jobs.cancels.record_ended(record.sequence);
}

/// Begins to remove a job that was given back.
fn remove(jobs: &mut Jobs, cx: &mut Context<'_>, sequence: Sequence, reason: String) {
    if let Some(away) = jobs.away.remove(&sequence) {
        let record = records::of_away(cx, sequence, away, reason);
        jobs.removals.begin(cx, record);
    }
}

fn finish(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    queue: &mut Queue,
    sequence: Sequence,
    is_done: bool,
) {
    let Some(record) = jobs.removals.end(cx.now.time, sequence, is_done) else {
        return;
    };
    report(jobs, cx, queue, &record);
    if let Ok(category) = record.category.parse() {
        let categories = queue.categories_mut();
        categories.count(&category, |counts| &mut counts.settled);
    }
    cx.push(Output::ForgetHistory(sequence));
    jobs.recent.insert(sequence);
    forget(jobs, cx, &record.job);
}

/// Ends the cancel of a job that has ended.
pub(super) fn forget(jobs: &mut Jobs, cx: &mut Context<'_>, job: &JobId) {
    if jobs.cancels.remove(job) {
        cx.push(Output::Cancel(CancelOutput::Forget(job.clone())));
    }
}

/// Asks a node to stop the attempts that it lists and that are cancelled.
pub(super) fn stop_listed(jobs: &Jobs, cx: &mut Context<'_>, node: &NodeId, listed: &[Assignment]) {
    if jobs.cancels.is_empty() {
        return;
    }
    for listed in listed {
        let sequence = listed.ack().sequence();
        let held = jobs.held.get(&sequence);
        let reason = match held {
            Some(job) if job.is_running_on(node) && job.past.attempt == listed.attempt().get() => {
                reason_for(jobs, job)
            }
            Some(job) => match &job.state {
                State::Recording { record, .. } if record.status == RecordStatus::Cancelled => {
                    Some(record.reason.clone())
                }
                State::Waiting
                | State::Running { .. }
                | State::Recording { .. }
                | State::DeadLettering { .. } => None,
            },
            None if jobs.cancels.has_ended(sequence) => Some("cancelled".to_owned()),
            None => None,
        };
        if let Some(reason) = reason {
            let attempt = (listed.job().clone(), sequence, listed.attempt());
            stop(cx, node, attempt, reason);
        }
    }
}

fn stop(
    cx: &mut Context<'_>,
    node: &NodeId,
    (job, sequence, attempt): (JobId, Sequence, Attempt),
    reason: String,
) {
    let order = Box::new(AttemptCancel {
        v: VERSION,
        epoch: cx.epoch,
        job,
        sequence,
        attempt,
        reason,
    });
    let node = node.clone();
    cx.push(Output::Cancel(CancelOutput::Stop { node, order }));
}
