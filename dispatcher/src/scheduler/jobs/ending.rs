//! The end of an execution: the outcome is recorded and the job acknowledged, or the job
//! is given back, or it is dead-lettered.

use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::wire::{Outcome, OutcomeStatus, Record, RecordStatus};

use super::adoption::{absolve, inherit};
use super::job::{Job, State};
use super::losses::{self, Loss};
use super::spans::{End, trace_attempt, trace_of};
use super::standing::{self, Standing};
use super::{
    Context, Event, Jobs, Output, Queue, Reporting, cancelling, finishing, giving_up, records,
};
use crate::claim::Claimed;
use crate::scheduler::input::Recorded;
use crate::seal::Seals;

/// The most characters kept of the reason of an attempt.
const REASON_LEN_MAX: usize = 1000;
/// Delay before a refused job is sent again: no earlier than another heartbeat from the
/// node that refused it, but soon to another node.
const REFUSED_DELAY: Duration = Duration::from_millis(20);

/// The end of an attempt, as its worker reported it.
#[derive(Debug)]
pub(in crate::scheduler) struct Ended<'a> {
    pub(in crate::scheduler) node: &'a NodeId,
    pub(in crate::scheduler) outcome: Outcome,
    /// Whether a job that the node gave up may be tried on another one.
    pub(in crate::scheduler) may_retry: bool,
    pub(in crate::scheduler) confirmation: Option<u64>,
}

impl Jobs {
    /// Begins to confirm a worker's request with this many outcomes.
    pub(in crate::scheduler) fn open_confirmation(
        &mut self,
        reply: String,
        outcomes: usize,
    ) -> u64 {
        self.confirmations.open(reply, outcomes)
    }

    /// Counts one outcome of the worker's request as settled; answers when all are.
    pub(in crate::scheduler) fn confirm(
        &mut self,
        cx: &mut Context<'_>,
        confirmation: Option<u64>,
    ) {
        self.confirmations.settle(cx, confirmation);
    }

    pub(in crate::scheduler) fn standing(
        &self,
        cx: &Context<'_>,
        from: &NodeId,
        claimed: &Claimed<Assignment>,
        seals: &Seals,
    ) -> Standing {
        standing::of(self, cx, from, claimed, seals)
    }

    /// Takes the job of an outcome out, for `settle`: from its room, or by its assignment
    /// if it is not held here.
    pub(in crate::scheduler) fn take(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        from: &NodeId,
        assignment: &Assignment,
    ) -> Job {
        let sequence = assignment.ack().sequence();
        let held = match self.held.get(&sequence) {
            Some(job) if job.is_waiting() => self.unqueue(cx, queue, sequence),
            Some(_) | None => self.held.remove(&sequence),
        };
        let mut job = held.unwrap_or_else(|| inherit(self, cx.now.time, from, assignment));
        absolve(cx, &mut job, from, assignment);
        job.past.attempt = job.past.attempt.max(assignment.attempt().get());
        job
    }

    pub(in crate::scheduler) fn settle(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        job: Job,
        ended: Ended<'_>,
    ) {
        let reason = clipped(&ended.outcome.reason);
        let status = ended.outcome.status;
        let categories = queue.categories_mut();
        let (now, trace) = (cx.now.wall, trace_of(&job));
        categories.record_end(now, &job.source.category, &ended.outcome, trace);
        trace_attempt(cx, &job, &End::of(ended.node, &ended.outcome, &reason));
        let cancelled = cancelling::reason_for(self, &job);
        if let Some(reason) = cancelled.filter(|_| status != OutcomeStatus::Completed) {
            let ended = (ended.node, ended.outcome, ended.confirmation);
            return cancelling::record_attempt(self, cx, (job, reason), ended);
        }
        match status {
            OutcomeStatus::Completed => return self.complete(cx, queue, job, ended),
            // One that nobody cancelled, as far as is known here, may run again.
            OutcomeStatus::Retry | OutcomeStatus::Cancelled => {
                self.fail(cx, queue, job, &ended, true);
            }
            OutcomeStatus::GiveUp => self.fail(cx, queue, job, &ended, ended.may_retry),
            OutcomeStatus::Refused => self.give_back(cx, queue, job, REFUSED_DELAY, reason),
            OutcomeStatus::HandedBack => self.give_back(cx, queue, job, Duration::ZERO, reason),
        }
        self.confirm(cx, ended.confirmation);
    }

    fn complete(&mut self, cx: &mut Context<'_>, queue: &mut Queue, job: Job, ended: Ended<'_>) {
        let state = queue.category(&job.source.category);
        if state.is_some_and(|state| !state.policy().records_completed) {
            finishing::finish(self, cx, queue, job);
            self.confirm(cx, ended.confirmation);
            return;
        }
        let record = records::completed(cx, ended.node, &job, ended.outcome);
        self.begin_record(cx, job, record, ended.confirmation);
    }

    /// Has the outcome of a job stored.
    pub(super) fn begin_record(
        &mut self,
        cx: &mut Context<'_>,
        mut job: Job,
        record: Record,
        confirmation: Option<u64>,
    ) {
        let record = Box::new(record);
        cx.push(Output::Record(record.clone()));
        job.state = State::Recording {
            record,
            asked: cx.now.time,
            confirmation,
        };
        self.held.insert(job.sequence(), job);
    }

    fn fail(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        mut job: Job,
        ended: &Ended<'_>,
        may_retry: bool,
    ) {
        let reason = clipped(&ended.outcome.reason);
        let gave_up = ended.outcome.status == OutcomeStatus::GiveUp;
        job.record_failure(cx.now, ended.node, &reason, gave_up);
        if may_retry {
            self.retry(cx, queue, ended.node, job, reason);
        } else {
            giving_up::give_up(self, cx, queue, job, RecordStatus::Dead, reason);
        }
    }

    /// Counts a running attempt without an outcome as failed.
    pub(in crate::scheduler) fn fail_unreported(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        sequence: Sequence,
        node: &NodeId,
        reason: String,
    ) {
        if let Some(mut job) = self.held.remove(&sequence) {
            trace_attempt(cx, &job, &End::unreported(node, &reason));
            let categories = queue.categories_mut();
            categories.count(&job.source.category, |counts| &mut counts.unreported);
            job.record_failure(cx.now, node, &reason, false);
            if let Some(reason) = cancelling::reason_for(self, &job) {
                return cancelling::record(self, cx, job, reason);
            }
            self.retry(cx, queue, node, job, reason);
        }
    }

    /// Gives back the running jobs that a node lost.
    pub(in crate::scheduler) fn lose(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        reporting: &mut Reporting,
        loss: &Loss<'_>,
    ) {
        losses::lose(self, cx, queue, reporting, loss);
    }

    /// Gives a job another attempt later, if it has one left.
    fn retry(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        node: &NodeId,
        job: Job,
        reason: String,
    ) {
        let failures = u32::try_from(job.past.failures.len()).unwrap_or(u32::MAX);
        let jitter = self.jitter();
        let category = &job.source.category;
        let (delay, attempts_max) = match queue.category(category) {
            Some(state) => {
                let policy = state.policy();
                (policy.backoff.delay(failures, jitter), policy.attempts_max)
            }
            None => (Duration::from_secs(1), u32::MAX),
        };
        if failures >= attempts_max {
            let reason = match failures {
                1 => format!("1 attempt failed: {reason}"),
                _ => format!("{failures} attempts failed, the last: {reason}"),
            };
            giving_up::give_up(self, cx, queue, job, RecordStatus::Dead, reason);
            return;
        }
        if job.is_expired(cx.now) {
            giving_up::expire(self, cx, queue, job);
            return;
        }
        let categories = queue.categories_mut();
        categories.count(category, |counts| &mut counts.retried);
        cx.push(Output::SaveHistory {
            sequence: job.sequence(),
            history: job.history(cx.now, delay),
        });
        cx.event(Event::JobRetried {
            job: job.id.clone(),
            node: node.clone(),
            reason: reason.clone(),
            delay,
        });
        self.give_back(cx, queue, job, delay, reason);
    }

    /// Gives back a running job that nobody received.
    pub(in crate::scheduler) fn return_at_once(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        sequence: Sequence,
        reason: String,
    ) {
        if let Some(job) = self.held.remove(&sequence) {
            self.give_back(cx, queue, job, Duration::ZERO, reason);
        }
    }

    pub(super) fn give_back(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        job: Job,
        delay: Duration,
        reason: String,
    ) {
        if let Some(reason) = cancelling::reason_for(self, &job) {
            return cancelling::record(self, cx, job, reason);
        }
        let sequence = job.sequence();
        self.away.insert(sequence, job.away(cx.now, delay, reason));
        if delay.is_zero() {
            queue.expect(&job.source, sequence);
        }
        cx.push(Output::GiveBack {
            sequence,
            ack: job.ack,
            delay,
        });
    }

    /// Dead-letters a waiting job that no node can ever take.
    pub(in crate::scheduler) fn give_up_waiting(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        sequence: Sequence,
        reason: String,
    ) {
        if let Some(job) = self.held.remove(&sequence) {
            queue.leave(&job.source, sequence, job.is_choosy());
            giving_up::give_up(self, cx, queue, job, RecordStatus::Dead, reason);
        }
    }

    /// Dead-letters a job that cannot be sent to any node: with the headers added for the
    /// node it is larger than the server takes. It never reached its node, which is not
    /// to blame. Returns that node.
    pub(in crate::scheduler) fn give_up_unsent(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        sequence: Sequence,
        attempt: Attempt,
        reason: String,
    ) -> Option<NodeId> {
        let job = self.held.get(&sequence)?;
        let node = job.node()?.clone();
        if job.past.attempt != attempt.get() {
            return None;
        }
        let mut job = self.held.remove(&sequence)?;
        job.past.attempt -= 1;
        if let Some(reason) = cancelling::reason_for(self, &job) {
            cancelling::record(self, cx, job, reason);
            return Some(node);
        }
        giving_up::give_up(self, cx, queue, job, RecordStatus::Dead, reason);
        Some(node)
    }

    /// Records the outcome of an orphan; nothing is acknowledged, as its delivery is gone.
    pub(in crate::scheduler) fn record_orphan(
        &self,
        cx: &mut Context<'_>,
        from: &NodeId,
        assignment: &Assignment,
        outcome: Outcome,
    ) {
        let record = records::of_orphan(cx, from, assignment, outcome);
        cx.push(Output::Record(Box::new(record)));
    }

    /// Settles a job whose outcome is recorded.
    pub(in crate::scheduler) fn finish_record(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        reporting: &mut Reporting,
        sequence: Sequence,
        result: Recorded,
    ) {
        finishing::finish_record(self, cx, queue, reporting, sequence, result);
    }

    /// Settles a job that was dead-lettered.
    pub(in crate::scheduler) fn finish_dead_letter(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        sequence: Sequence,
        is_done: bool,
    ) {
        finishing::finish_dead_letter(self, cx, queue, sequence, is_done);
    }

    /// Answers a repetition of an outcome.
    pub(in crate::scheduler) fn repeat(
        &mut self,
        cx: &mut Context<'_>,
        sequence: Sequence,
        confirmation: Option<u64>,
    ) {
        finishing::repeat(self, cx, sequence, confirmation);
    }
}

/// Shortens a worker's reason to one line of bounded length.
pub(in crate::scheduler) fn clipped(reason: &str) -> String {
    reason
        .chars()
        .take(REASON_LEN_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
