//! Jobs that end without completing: they are stored as dead letters, with the reason.

use std::time::Duration;

use rolecast_common::wire::{Record, RecordStatus};

use super::job::{Job, State};
use super::{Context, Event, Jobs, Output, Queue, records};

pub(super) fn expire(jobs: &mut Jobs, cx: &mut Context<'_>, queue: &mut Queue, job: Job) {
    let late = job
        .wishes
        .deadline
        .map_or(Duration::ZERO, |at| cx.now.wall.since(at));
    let reason = format!("its deadline passed {} ms ago", late.as_millis());
    give_up(jobs, cx, queue, job, RecordStatus::Expired, reason);
}

pub(super) fn give_up(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    queue: &mut Queue,
    job: Job,
    status: RecordStatus,
    reason: String,
) {
    let record = records::of(cx, &job, status, reason);
    dead_letter(jobs, cx, queue, job, record);
}

fn dead_letter(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    queue: &mut Queue,
    mut job: Job,
    record: Record,
) {
    let categories = queue.categories_mut();
    categories.count(
        &job.source.category,
        match record.status {
            RecordStatus::Expired => |counts| &mut counts.expired,
            RecordStatus::Dead | RecordStatus::Completed | RecordStatus::Cancelled => {
                |counts| &mut counts.dead
            }
        },
    );
    cx.event(Event::JobDeadLettered {
        job: job.id.clone(),
        status: record.status.as_str(),
        reason: record.reason.clone(),
    });
    let record = Box::new(record);
    cx.push(Output::DeadLetter {
        record: record.clone(),
        ack: Some(job.ack.clone()),
    });
    job.state = State::DeadLettering {
        record,
        asked: cx.now.time,
        is_running: true,
    };
    jobs.held.insert(job.sequence(), job);
}
