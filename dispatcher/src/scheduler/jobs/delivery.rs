//! Deliveries: a job arrives from the stream, for the first time or again.

use std::time::Duration;

use rolecast_common::wire::RecordStatus;

use super::job::Job;
use super::{Context, Delivery, Jobs, Output, Queue, Reporting, cancelling, giving_up};

/// The shortest delay that is worth another delivery.
const DELAY_MIN: Duration = Duration::from_millis(5);

/// Receives a job from the stream, for the first time or again.
pub(super) fn deliver(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    queue: &mut Queue,
    reporting: &mut Reporting,
    delivery: Delivery,
) {
    let sequence = delivery.ack.sequence();
    queue.record_delivery(cx.now.time, &delivery.source, sequence);
    if queue.is_stopping() {
        cx.push(Output::GiveBack {
            sequence,
            ack: delivery.ack,
            delay: Duration::ZERO,
        });
        return;
    }
    if jobs.removals.contains(sequence) {
        // It is about to be deleted from the stream.
        cx.push(Output::Drop(sequence));
        return;
    }
    if jobs.recent.contains(sequence) {
        // Its acknowledgement was lost; the outcome is recorded.
        reporting.count(|counters| &mut counters.jobs_redelivered);
        let ack = delivery.ack;
        cx.push(Output::Ack { sequence, ack });
        return;
    }
    if let Some(job) = jobs.held.get_mut(&sequence) {
        reporting.count(|counters| &mut counters.jobs_redelivered);
        job.ack = delivery.ack;
        if !job.is_waiting() {
            cx.push(Output::Drop(sequence));
        }
        return;
    }
    admit(jobs, cx, queue, delivery);
}

fn admit(jobs: &mut Jobs, cx: &mut Context<'_>, queue: &mut Queue, delivery: Delivery) {
    let sequence = delivery.ack.sequence();
    let away = jobs.away.remove(&sequence);
    // A recreated stream counts from 1 again: the id shows a different job.
    let away = away.filter(|away| away.history.job == delivery.job);
    let mut job = Job::new(cx.now.time, delivery.source, delivery.job, delivery.ack);
    let mut early = Duration::ZERO;
    if let Some(away) = away {
        early = away.until.since(cx.now.time);
        job.past.attempt = away.history.attempt;
        job.ready = cx.now.wall;
        job.remember(away.history);
    }
    if let Some(reason) = cancelling::reason_for(jobs, &job) {
        cx.push(Output::Drop(sequence));
        cancelling::record(jobs, cx, job, reason);
        return;
    }
    let options = match delivery.options {
        Ok(options) => options,
        Err(invalid) => {
            giving_up::give_up(
                jobs,
                cx,
                queue,
                job,
                RecordStatus::Dead,
                invalid.to_string(),
            );
            return;
        }
    };
    job.wishes.deadline = options.deadline;
    job.wishes.requirement = options.require;
    job.wishes.key = options.key.map(|key| key.hash());
    job.wishes.trace = options.trace;
    if job.is_expired(cx.now) {
        giving_up::expire(jobs, cx, queue, job);
        return;
    }
    job.ready = job.ready.max(options.not_before.unwrap_or_default());
    // After a take-over jobs are redelivered before their delay is over.
    let wait = options.not_before.unwrap_or_default().since(cx.now.wall);
    let wait = wait.max(early);
    if wait > DELAY_MIN {
        jobs.give_back(cx, queue, job, wait, "delayed".to_owned());
        return;
    }
    queue.join(&job.source, sequence, job.is_choosy());
    jobs.held.insert(sequence, job);
}
