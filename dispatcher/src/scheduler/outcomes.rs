//! Outcomes of executions that workers report. Only the current execution counts.

use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::wire::{
    AttemptLog, LOG_LEN_MAX, NodeRefusal, Outcome, OutcomeStatus, VERSION,
};

use super::context::Context;
use super::input::Recorded;
use super::jobs::{Ended, Job, Jobs, Standing, clipped, spans};
use super::output::{Event, Output};
use super::queue::Queue;
use super::reporting::Reporting;
use super::sending::slots_of;
use super::verdict::{DoubtedNode, Verdict};
use crate::claim::Claimed;
use crate::fleet::Fleet;
use crate::placement::{Obstacle, Request};
use crate::seal::Seals;

/// Prefix of the reason of a refusal that is the host's fault.
const UNABLE: &str = "unable:";

/// The state that outcomes change.
pub(super) struct Outcomes<'a> {
    pub(super) jobs: &'a mut Jobs,
    pub(super) queue: &'a mut Queue,
    pub(super) fleet: &'a mut Fleet,
    pub(super) reporting: &'a mut Reporting,
    pub(super) seals: &'a Seals,
}

impl Outcomes<'_> {
    /// Handles the outcomes of one message, which one answer will confirm.
    pub(super) fn receive(
        &mut self,
        cx: &mut Context<'_>,
        from: &NodeId,
        reply: Option<String>,
        outcomes: Vec<(Claimed<Assignment>, Outcome)>,
    ) {
        if outcomes.is_empty() {
            cx.extend(reply.map(Output::Confirm));
            return;
        }
        let count = outcomes.len();
        let confirmation = reply.map(|reply| self.jobs.open_confirmation(reply, count));
        for (claimed, outcome) in outcomes {
            self.receive_one(cx, from, &claimed, outcome, confirmation);
        }
    }

    fn receive_one(
        &mut self,
        cx: &mut Context<'_>,
        from: &NodeId,
        claimed: &Claimed<Assignment>,
        outcome: Outcome,
        confirmation: Option<u64>,
    ) {
        let assignment = claimed.unchecked();
        match self.jobs.standing(cx, from, claimed, self.seals) {
            Standing::Current | Standing::Returned => {
                self.settle(cx, from, assignment, outcome, confirmation);
                return;
            }
            Standing::Forged => self.reporting.refuse_forged(cx, from, assignment),
            Standing::Orphaned => self.jobs.record_orphan(cx, from, assignment, outcome),
            Standing::Repeated => {
                self.free_ended(cx, from, assignment);
                let sequence = assignment.ack().sequence();
                self.jobs.repeat(cx, sequence, confirmation);
                return;
            }
            Standing::Stale => {
                self.free_ended(cx, from, assignment);
                self.reporting
                    .count(|counters| &mut counters.outcomes_stale);
                cx.event(Event::OutcomeStale {
                    node: from.clone(),
                    job: assignment.job().clone(),
                    attempt: assignment.attempt().get(),
                });
            }
        }
        self.jobs.confirm(cx, confirmation);
    }

    fn settle(
        &mut self,
        cx: &mut Context<'_>,
        from: &NodeId,
        assignment: &Assignment,
        mut outcome: Outcome,
        confirmation: Option<u64>,
    ) {
        cx.extend(take_log(cx, from, assignment, &mut outcome).map(Output::StoreLog));
        let mut job = self.jobs.take(cx, self.queue, from, assignment);
        spans::restore(&mut job, outcome.traceparent);
        self.learn(cx, from, &job, &outcome);
        let gave_up = outcome.status == OutcomeStatus::GiveUp;
        let ended = Ended {
            node: from,
            outcome,
            may_retry: gave_up && self.is_doubtful(from, &job),
            confirmation,
        };
        self.jobs.settle(cx, self.queue, job, ended);
    }

    /// Settles a job whose outcome was recorded.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>, sequence: Sequence, result: Recorded) {
        self.jobs
            .finish_record(cx, self.queue, self.reporting, sequence, result);
    }

    /// Takes a job back that could not be sent.
    pub(super) fn take_back(&mut self, cx: &mut Context<'_>, sequence: Sequence, attempt: Attempt) {
        let node = self.jobs.take_back(cx, self.queue, sequence, attempt);
        self.release(cx, node, sequence);
    }

    /// Dead-letters a job that never can be sent.
    pub(super) fn give_up(
        &mut self,
        cx: &mut Context<'_>,
        sequence: Sequence,
        attempt: Attempt,
        why: String,
    ) {
        let jobs = &mut *self.jobs;
        let node = jobs.give_up_unsent(cx, self.queue, sequence, attempt, why);
        self.release(cx, node, sequence);
    }

    /// Frees the place of a job that its node did not get.
    fn release(&mut self, cx: &Context<'_>, node: Option<NodeId>, sequence: Sequence) {
        if let Some(node) = node {
            self.fleet.release(cx.now.time, &node, sequence);
        }
    }

    /// Frees the slot of an execution that was taken from the node before and has now
    /// ended.
    fn free_ended(&mut self, cx: &Context<'_>, from: &NodeId, ended: &Assignment) {
        let ended = (ended.ack().sequence(), ended.attempt());
        self.fleet
            .free(cx.now.time, from, |job, attempt| (job, attempt) == ended);
    }

    /// Learns from an outcome about its node.
    fn learn(&mut self, cx: &mut Context<'_>, from: &NodeId, job: &Job, outcome: &Outcome) {
        let (sequence, category) = (job.sequence(), job.source().category.clone());
        if outcome.status == OutcomeStatus::Refused {
            let refusal = NodeRefusal {
                at_ms: cx.now.wall,
                job: job.id().clone(),
                category: category.clone(),
                reason: clipped(&outcome.reason),
            };
            self.fleet.record_refusal(from, refusal);
        }
        match outcome.status {
            OutcomeStatus::Completed => {
                if self.fleet.complete(cx.now.time, from, sequence, outcome) {
                    let node = from.clone();
                    cx.event(Event::Verdict(Verdict::NodeTrusted { node, category }));
                }
            }
            OutcomeStatus::Retry | OutcomeStatus::GiveUp => {
                let reason = clipped(&outcome.reason);
                if let Some(doubt) = self.fleet.fail(cx.now, from, sequence, &reason) {
                    self.reporting.report_distrusted(cx, from, category, doubt);
                }
            }
            OutcomeStatus::Refused if outcome.reason.starts_with(UNABLE) => {
                self.reporting.count(|counters| &mut counters.jobs_unable);
                let reason = clipped(&outcome.reason);
                let doubt = self.fleet.fail_to_start(cx.now, from, sequence, &reason);
                if let Some(doubt) = doubt {
                    let doubted = DoubtedNode::new(from, category, doubt);
                    cx.event(Event::Verdict(Verdict::NodeUnable(doubted)));
                }
            }
            OutcomeStatus::Cancelled => self.fleet.release(cx.now.time, from, sequence),
            OutcomeStatus::Refused => {
                self.fleet.release(cx.now.time, from, sequence);
                self.fleet.refuse(from, &category);
            }
            OutcomeStatus::HandedBack => {
                self.fleet.release(cx.now.time, from, sequence);
                self.fleet.drain(from);
            }
        }
    }

    /// Whether another node is tried before a job that this one gave up counts as
    /// hopeless: a host at fault gives up all its jobs.
    fn is_doubtful(&mut self, node: &NodeId, job: &Job) -> bool {
        let Some(category) = self.fleet.category(&job.source().category) else {
            return false;
        };
        let mut others = job.failures().iter();
        let other = others.find(|failed| failed.gave_up && failed.node != *node);
        if let Some(other) = other {
            self.fleet.excuse(&other.node, category);
            self.fleet.excuse(node, category);
            return false;
        }
        if self.fleet.is_credible(node, category) {
            return false;
        }
        let failed = job.failures().iter().map(|failed| &failed.node);
        let barred = slots_of(self.fleet, failed.chain([node]), Obstacle::FailedBefore);
        let request = Request {
            barred: &barred,
            ..job.request(Duration::ZERO, category)
        };
        self.fleet.placer().has_other(&request)
    }
}

/// Takes the log out of an outcome, if its execution has ended and wrote one.
fn take_log(
    cx: &Context<'_>,
    from: &NodeId,
    assignment: &Assignment,
    outcome: &mut Outcome,
) -> Option<Box<AttemptLog>> {
    let log = std::mem::take(&mut outcome.log);
    match outcome.status {
        OutcomeStatus::Completed
        | OutcomeStatus::Retry
        | OutcomeStatus::GiveUp
        | OutcomeStatus::Cancelled => {}
        OutcomeStatus::Refused | OutcomeStatus::HandedBack => return None,
    }
    if log.is_empty() {
        return None;
    }
    let excess = log.0.len().saturating_sub(LOG_LEN_MAX);
    let mut log = AttemptLog {
        v: VERSION,
        job: assignment.job().clone(),
        category: assignment.category().clone(),
        sequence: assignment.ack().sequence(),
        attempt: assignment.attempt(),
        node: from.clone(),
        status: outcome.status,
        reason: clipped(&outcome.reason),
        at_ms: cx.now.wall,
        log,
        log_truncated: outcome.log_truncated,
    };
    log.cut(excess);
    Some(Box::new(log))
}
