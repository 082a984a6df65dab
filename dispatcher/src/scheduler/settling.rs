//! Settling of an ended execution: record and acknowledge, give back, or dead-letter.

use std::time::Duration;

use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::time::Now;
use rolecast_common::wire::{
    Blob, FailedAttempt, JobUsage, Outcome, OutcomeStatus, Record, RecordStatus, VERSION,
};

use super::{Context, Event, Job, Output, Recorded, Scheduler, State, Stray};
use crate::fleet::Candidate;
use crate::placement::Obstacle;

/// The most characters kept of the reason of an attempt.
const REASON_LEN_MAX: usize = 1000;
/// Delay before a refused job is sent again: no earlier than another heartbeat from the
/// node that refused it, but soon to another node.
const REFUSED_DELAY: Duration = Duration::from_millis(20);

impl Scheduler {
    pub(super) fn settle(
        &mut self,
        cx: &mut Context<'_>,
        node: &NodeId,
        job: Job,
        outcome: Outcome,
        confirmation: Option<u64>,
    ) {
        match outcome.status {
            OutcomeStatus::Completed => {
                self.complete(cx, node, job, outcome, confirmation);
                return;
            }
            OutcomeStatus::Retry => self.fail(cx, node, job, &outcome, true),
            OutcomeStatus::GiveUp => {
                let may_retry = self.is_doubtful(node, &job);
                self.fail(cx, node, job, &outcome, may_retry);
            }
            OutcomeStatus::Refused => {
                self.give_back(cx, job, REFUSED_DELAY, clipped(&outcome.reason));
            }
            OutcomeStatus::HandedBack => {
                self.give_back(cx, job, Duration::ZERO, clipped(&outcome.reason));
            }
        }
        self.confirm(cx, confirmation);
    }

    fn complete(
        &mut self,
        cx: &mut Context<'_>,
        node: &NodeId,
        mut job: Job,
        outcome: Outcome,
        confirmation: Option<u64>,
    ) {
        let sequence = job.ack.sequence();
        let mut is_recorded = true;
        if let Some(service) = self.services.get_mut(&job.source.category) {
            service.completed += 1;
            is_recorded = service.policy.records_completed;
        }
        if !is_recorded {
            self.finish(cx, sequence, job);
            self.confirm(cx, confirmation);
            return;
        }
        let record = Record {
            node: Some(node.clone()),
            started_ms: outcome.started_ms,
            run_us: outcome.run_us,
            usage: outcome.usage,
            output: outcome.output,
            output_truncated: outcome.output_truncated,
            ..self.record(cx.now, &job, RecordStatus::Completed, String::new())
        };
        let record = Box::new(record);
        cx.push(Output::Record(record.clone()));
        job.state = State::Recording {
            record,
            asked: cx.now.time,
            confirmation,
        };
        self.jobs.insert(sequence, job);
    }

    /// Whether another node is tried before a job that this one gave up counts as
    /// hopeless: a host at fault gives up all its jobs.
    fn is_doubtful(&mut self, node: &NodeId, job: &Job) -> bool {
        let Some(category) = self.fleet.category(&job.source.category) else {
            return false;
        };
        let mut others = job.failures.iter();
        let other = others.find(|failed| failed.gave_up && failed.node != *node);
        if let Some(other) = other {
            self.fleet.excuse(&other.node, category);
            self.fleet.excuse(node, category);
            return false;
        }
        if self.fleet.is_credible(node, category) {
            return false;
        }
        let failed = job.failures.iter().map(|failed| &failed.node);
        let barred = self.slots_of(failed.chain([node]), Obstacle::FailedBefore);
        let candidate = Candidate {
            barred: &barred,
            ..Candidate::new(category, &job.requirement, Duration::ZERO)
        };
        self.fleet.has_other(&candidate)
    }

    fn fail(
        &mut self,
        cx: &mut Context<'_>,
        node: &NodeId,
        mut job: Job,
        outcome: &Outcome,
        may_retry: bool,
    ) {
        let reason = clipped(&outcome.reason);
        let gave_up = outcome.status == OutcomeStatus::GiveUp;
        job.note_failure(cx.now, node, &reason, gave_up);
        if !may_retry {
            self.give_up(cx, job, RecordStatus::Dead, reason);
            return;
        }
        self.retry_later(cx, node, job, reason);
    }

    /// Counts an attempt as failed that brought no outcome.
    pub(super) fn fail_unreported(
        &mut self,
        cx: &mut Context<'_>,
        node: &NodeId,
        mut job: Job,
        reason: String,
    ) {
        job.note_failure(cx.now, node, &reason, false);
        self.retry_later(cx, node, job, reason);
    }

    /// Gives a job whose last attempt failed by itself another one, later.
    fn retry_later(&mut self, cx: &mut Context<'_>, node: &NodeId, job: Job, reason: String) {
        let failures = u32::try_from(job.failures.len()).unwrap_or(u32::MAX);
        let jitter = self.rng.f64();
        let delay = match self.services.get(&job.source.category) {
            Some(service) => service.policy.backoff.delay(failures, jitter),
            None => Duration::from_secs(1),
        };
        self.retry(cx, node, job, reason, delay);
    }

    /// Gives a job another attempt after `delay`, if it has one left.
    pub(super) fn retry(
        &mut self,
        cx: &mut Context<'_>,
        node: &NodeId,
        job: Job,
        reason: String,
        delay: Duration,
    ) {
        let failures = u32::try_from(job.failures.len()).unwrap_or(u32::MAX);
        let service = self.services.get_mut(&job.source.category);
        let attempts_max = service.map_or(u32::MAX, |service| service.policy.attempts_max);
        if failures >= attempts_max {
            let reason = match failures {
                1 => format!("1 attempt failed: {reason}"),
                _ => format!("{failures} attempts failed, the last: {reason}"),
            };
            self.give_up(cx, job, RecordStatus::Dead, reason);
            return;
        }
        if job.is_expired(cx.now) {
            self.expire(cx, job.ack.sequence(), job);
            return;
        }
        if let Some(service) = self.services.get_mut(&job.source.category) {
            service.retried += 1;
        }
        cx.push(Output::SaveHistory {
            sequence: job.ack.sequence(),
            history: job.history(cx.now, delay),
        });
        cx.event(Event::JobRetried {
            job: job.job.clone(),
            node: node.clone(),
            reason: reason.clone(),
            delay,
        });
        self.give_back(cx, job, delay, reason);
    }

    pub(super) fn give_back(
        &mut self,
        cx: &mut Context<'_>,
        job: Job,
        delay: Duration,
        reason: String,
    ) {
        let sequence = job.ack.sequence();
        let history = job.history(cx.now, delay);
        self.send_away(cx.now.time, sequence, history, delay, reason);
        if delay.is_zero()
            && let Some(room) = self.rooms.get_mut(&job.source)
        {
            room.returning.insert(sequence);
        }
        cx.push(Output::GiveBack {
            sequence,
            ack: job.ack,
            delay,
        });
    }

    pub(super) fn expire(&mut self, cx: &mut Context<'_>, sequence: Sequence, job: Job) {
        let late = job
            .deadline
            .map_or(Duration::ZERO, |at| cx.now.wall.since(at));
        let reason = format!("its deadline passed {} ms ago", late.as_millis());
        let record = self.record(cx.now, &job, RecordStatus::Expired, reason);
        self.bury(cx, sequence, job, record);
    }

    pub(super) fn give_up(
        &mut self,
        cx: &mut Context<'_>,
        job: Job,
        status: RecordStatus,
        reason: String,
    ) {
        let record = self.record(cx.now, &job, status, reason);
        self.bury(cx, job.ack.sequence(), job, record);
    }

    pub(super) fn bury(
        &mut self,
        cx: &mut Context<'_>,
        sequence: Sequence,
        mut job: Job,
        record: Record,
    ) {
        if let Some(service) = self.services.get_mut(&job.source.category) {
            match record.status {
                RecordStatus::Expired => service.expired += 1,
                RecordStatus::Dead | RecordStatus::Completed => service.dead += 1,
            }
        }
        cx.event(Event::JobBuried {
            job: job.job.clone(),
            status: record.status.as_str(),
            reason: record.reason.clone(),
        });
        let record = Box::new(record);
        cx.push(Output::Bury {
            record: record.clone(),
            ack: Some(job.ack.clone()),
        });
        job.state = State::Burying {
            record,
            asked: cx.now.time,
            is_running: true,
        };
        self.jobs.insert(sequence, job);
    }

    pub(super) fn finish_record(
        &mut self,
        cx: &mut Context<'_>,
        sequence: Sequence,
        result: Recorded,
    ) {
        let Some(job) = self.jobs.remove(&sequence) else {
            return;
        };
        let State::Recording { confirmation, .. } = job.state else {
            self.jobs.insert(sequence, job);
            return;
        };
        match result {
            // The sweep repeats the request.
            Recorded::Failed => {
                self.jobs.insert(sequence, job);
                return;
            }
            Recorded::Already => self.reporting.count(|counters| &mut counters.duplicates),
            Recorded::Stored => {}
        }
        self.finish(cx, sequence, job);
        self.confirm(cx, confirmation);
    }

    pub(super) fn finish_burial(
        &mut self,
        cx: &mut Context<'_>,
        sequence: Sequence,
        is_done: bool,
    ) {
        if self.strays.remove(&sequence) {
            if is_done {
                self.settled.insert(sequence);
            }
            return;
        }
        let Some(job) = self.jobs.get_mut(&sequence) else {
            return;
        };
        let State::Burying { is_running, .. } = &mut job.state else {
            return;
        };
        *is_running = false;
        if !is_done {
            return;
        }
        if job.has_history() {
            cx.push(Output::ForgetHistory(sequence));
        }
        if let Some(job) = self.jobs.remove(&sequence) {
            self.count_settled(&job.source.category);
        }
        self.settled.insert(sequence);
    }

    fn finish(&mut self, cx: &mut Context<'_>, sequence: Sequence, job: Job) {
        if job.has_history() {
            cx.push(Output::ForgetHistory(sequence));
        }
        self.count_settled(&job.source.category);
        cx.push(Output::Ack {
            sequence,
            ack: job.ack,
        });
        self.settled.insert(sequence);
    }

    /// Returns the record of a job that ends here, without an execution's figures.
    pub(super) fn record(
        &self,
        now: Now,
        job: &Job,
        status: RecordStatus,
        reason: String,
    ) -> Record {
        let plain = Stray {
            sequence: job.ack.sequence(),
            job: job.job.clone(),
            category: job.source.category.to_string(),
            submitted: job.ack.stored(),
            reason,
        };
        Record {
            node: job.last_node(),
            attempt: job.last_attempt(),
            failures: job.failures.clone(),
            losses: job.losses.clone(),
            ..self.plain_record(now, plain, status)
        }
    }

    /// Returns the record of a job that never ran.
    pub(super) fn plain_record(&self, now: Now, stray: Stray, status: RecordStatus) -> Record {
        Record {
            v: VERSION,
            job: stray.job,
            category: stray.category,
            sequence: stray.sequence,
            status,
            reason: stray.reason,
            epoch: self.leadership.epoch(),
            node: None,
            attempt: None,
            failures: Vec::new(),
            losses: Vec::new(),
            submitted_ms: stray.submitted,
            started_ms: None,
            finished_ms: now.wall,
            run_us: 0,
            usage: JobUsage::default(),
            output: Blob::default(),
            output_truncated: false,
        }
    }
}

impl Job {
    /// Returns the node where it ended last.
    fn last_node(&self) -> Option<NodeId> {
        let failed = self
            .failures
            .last()
            .map(|failed| (failed.attempt, &failed.node));
        let lost = self.losses.last().map(|lost| (lost.attempt, &lost.node));
        failed.max(lost).map(|(_, node)| node.clone())
    }

    fn note_failure(&mut self, now: Now, node: &NodeId, reason: &str, gave_up: bool) {
        self.failures.push(FailedAttempt {
            attempt: Attempt::new(self.attempt),
            node: node.clone(),
            reason: reason.to_owned(),
            at_ms: now.wall,
            gave_up,
        });
    }
}

/// Shortens a worker's reason to one line of bounded length.
pub(super) fn clipped(reason: &str) -> String {
    reason
        .chars()
        .take(REASON_LEN_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
