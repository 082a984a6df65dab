//! Outcomes of executions that workers report. Only the current execution counts.

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{NodeId, Priority, Sequence};
use rolecast_common::label::Requirement;
use rolecast_common::subjects::Source;
use rolecast_common::time::Now;
use rolecast_common::wire::{Outcome, OutcomeStatus};

use super::settling::clipped;
use super::{Confirmation, Context, DoubtedNode, Event, Job, Output, Scheduler, State, Verdict};
use crate::claim::Claimed;

/// Prefix of the reason of a refusal that is the host's fault.
const UNABLE: &str = "unable:";

/// The relation of an outcome to the known state of its job.
enum Standing {
    /// Of the known execution, or of one from before this dispatcher's time.
    Current,
    /// Of one ordered by a former dispatcher, or at a node that counted as gone; the job
    /// waits to be sent again.
    Returned,
    /// Of one that is settled, or being settled: a repetition.
    Repeated,
    /// Of one that was revoked: it changes nothing.
    Stale,
    /// Of one whose job was in a stream that is gone.
    Orphaned,
    /// Of one that was never sent there.
    Forged,
}

impl Scheduler {
    pub(super) fn take_outcomes(
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
        let confirmation = reply.map(|reply| {
            self.next_confirmation += 1;
            let open = outcomes.len();
            let confirmation = Confirmation { reply, open };
            self.confirmations
                .insert(self.next_confirmation, confirmation);
            self.next_confirmation
        });
        for (claimed, outcome) in outcomes {
            self.take_outcome(cx, from, &claimed, outcome, confirmation);
        }
    }

    fn take_outcome(
        &mut self,
        cx: &mut Context<'_>,
        from: &NodeId,
        claimed: &Claimed<Assignment>,
        outcome: Outcome,
        confirmation: Option<u64>,
    ) {
        let assignment = claimed.said();
        let sequence = assignment.ack().sequence();
        match self.standing(from, claimed) {
            Standing::Current => {}
            Standing::Forged => {
                self.refuse_forged(cx, from, assignment);
                self.confirm(cx, confirmation);
                return;
            }
            Standing::Orphaned => {
                self.record_orphan(cx, from, assignment, outcome);
                self.confirm(cx, confirmation);
                return;
            }
            Standing::Returned => self.unqueue(cx, sequence),
            Standing::Repeated => {
                self.free_ended(cx.now, from, assignment);
                self.repeat(cx, sequence, confirmation);
                return;
            }
            Standing::Stale => {
                self.free_ended(cx.now, from, assignment);
                self.reporting
                    .count(|counters| &mut counters.outcomes_stale);
                cx.event(Event::OutcomeStale {
                    node: from.clone(),
                    job: assignment.job().clone(),
                    attempt: assignment.attempt().get(),
                });
                self.confirm(cx, confirmation);
                return;
            }
        }
        let mut job = match self.jobs.remove(&sequence) {
            Some(job) => job,
            None => self.inherited(cx.now, from, assignment),
        };
        job.absolve(cx, from, assignment);
        job.attempt = job.attempt.max(assignment.attempt().get());
        self.note_end(cx, from, &job, &outcome);
        self.settle(cx, from, job, outcome, confirmation);
    }

    /// Frees the slot of an execution that was taken from the node before and has now
    /// ended.
    fn free_ended(&mut self, now: Now, from: &NodeId, ended: &Assignment) {
        let ended = (ended.ack().sequence(), ended.attempt());
        self.fleet
            .free(now.time, from, |job, attempt| (job, attempt) == ended);
    }

    /// Learns from an outcome about its node.
    fn note_end(&mut self, cx: &mut Context<'_>, from: &NodeId, job: &Job, outcome: &Outcome) {
        let (sequence, category) = (job.ack.sequence(), job.source.category.clone());
        match outcome.status {
            OutcomeStatus::Completed => {
                if self.fleet.complete(cx.now.time, from, sequence, outcome) {
                    let node = from.clone();
                    cx.event(Event::Verdict(Verdict::NodeTrusted { node, category }));
                }
            }
            OutcomeStatus::Retry | OutcomeStatus::GiveUp => {
                let doubt = self
                    .fleet
                    .fail(cx.now, from, sequence, &clipped(&outcome.reason));
                if let Some(doubt) = doubt {
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

    /// Judges the conduct of the node again, since its peers may have given more
    /// evidence.
    pub(super) fn review(&mut self, cx: &mut Context<'_>, node: &NodeId) {
        for (category, doubt) in self.fleet.review(cx.now, node) {
            self.reporting.report_distrusted(cx, node, category, doubt);
        }
    }

    /// Returns the standing of an outcome. For a job that is held here its own record
    /// decides, for every other one the seal.
    fn standing(&self, from: &NodeId, claimed: &Claimed<Assignment>) -> Standing {
        let assignment = claimed.said();
        let sequence = assignment.ack().sequence();
        let attempt = assignment.attempt().get();
        let held = self.jobs.get(&sequence);
        if let Some(job) = held.filter(|job| job.job == *assignment.job()) {
            return match &job.state {
                State::Running { node, .. } if node == from && job.attempt == attempt => {
                    Standing::Current
                }
                State::Recording { .. } | State::Burying { .. } if job.attempt == attempt => {
                    Standing::Repeated
                }
                State::Waiting
                    if self.is_waiting_here(from, assignment)
                        && claimed.genuine(from, self.leadership.seals()).is_some() =>
                {
                    Standing::Returned
                }
                State::Running { .. }
                | State::Waiting
                | State::Recording { .. }
                | State::Burying { .. } => Standing::Stale,
            };
        }
        if claimed.genuine(from, self.leadership.seals()).is_none() {
            return Standing::Forged;
        }
        if self.is_orphan(assignment) {
            return Standing::Orphaned;
        }
        if held.is_some() {
            return Standing::Stale;
        }
        if self.settled.contains(sequence) {
            return Standing::Repeated;
        }
        match self.away.get(&sequence) {
            Some(away) if away.history.is_lost_to(from, assignment) => Standing::Current,
            Some(away) if away.history.attempt >= attempt => Standing::Stale,
            Some(_) | None => Standing::Current,
        }
    }

    /// Removes a waiting job from its room.
    fn unqueue(&mut self, cx: &mut Context<'_>, sequence: Sequence) {
        let Some(job) = self.jobs.get(&sequence) else {
            return;
        };
        if let Some(room) = self.rooms.get_mut(&job.source) {
            room.leave(sequence, job.is_choosy());
        }
        cx.push(Output::Drop(sequence));
    }

    /// Answers a repetition now if its job is settled; otherwise when it is.
    fn repeat(&mut self, cx: &mut Context<'_>, sequence: Sequence, confirmation: Option<u64>) {
        let replaced = match self.jobs.get_mut(&sequence).map(|job| &mut job.state) {
            Some(State::Recording {
                confirmation: waiting,
                ..
            }) => std::mem::replace(waiting, confirmation),
            // The worker repeats until the dead-lettering is done; nobody waits for this
            // answer.
            Some(State::Burying { .. }) => {
                confirmation.map(|number| self.confirmations.remove(&number));
                return;
            }
            Some(State::Running { .. } | State::Waiting) | None => {
                self.confirm(cx, confirmation);
                return;
            }
        };
        if replaced == confirmation {
            // One batch has it twice; waiting for one of them is enough.
            self.confirm(cx, confirmation);
        } else if let Some(replaced) = replaced {
            // The worker has given up waiting for the former request's answer.
            self.confirmations.remove(&replaced);
        }
    }

    /// Returns a job that a former dispatcher sent; the assignment has all that is
    /// needed.
    pub(super) fn inherited(&mut self, now: Now, node: &NodeId, assignment: &Assignment) -> Job {
        let away = self.away.remove(&assignment.ack().sequence());
        let mut job = Job {
            source: Source::from_consumer(assignment.ack().consumer()).unwrap_or(Source {
                category: assignment.category().clone(),
                priority: Priority::Normal,
            }),
            job: assignment.job().clone(),
            ack: assignment.ack().clone(),
            deadline: None,
            requirement: Requirement::default(),
            key: None,
            since: now.time,
            is_noted: false,
            is_recorded: false,
            judged: None,
            attempt: assignment.attempt().get(),
            failures: Vec::new(),
            losses: Vec::new(),
            suspicion: None,
            kept_alive: rolecast_common::time::Time::ZERO,
            state: State::Running {
                node: node.clone(),
                sent: now.time,
            },
        };
        if let Some(away) = away {
            job.remember(away.history);
        }
        job
    }

    /// Counts one outcome of the worker's request as settled; answers when all are.
    pub(super) fn confirm(&mut self, cx: &mut Context<'_>, confirmation: Option<u64>) {
        let Some(number) = confirmation else {
            return;
        };
        let Some(confirmation) = self.confirmations.get_mut(&number) else {
            return;
        };
        confirmation.open = confirmation.open.saturating_sub(1);
        if confirmation.open == 0
            && let Some(done) = self.confirmations.remove(&number)
        {
            cx.push(Output::Confirm(done.reply));
        }
    }
}
