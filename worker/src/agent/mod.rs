//! The agent: decides which jobs this node takes, and reports their outcomes.
//!
//! 0. A worker that starts takes no jobs until a dispatcher admits it: another one may use
//!    its name. A worker that is refused hands back its jobs, and ends (`Agent::admit`).
//! 1. A job is refused if it cannot be run here and now; the refusal gives the reason.
//! 2. An execution that is in hand, or was until recently, is not run a second time.
//! 3. Every accepted job gets exactly one outcome, which is repeated until a dispatcher
//!    confirms it.
//! 4. A heartbeat every second lists what is in hand: running or unconfirmed. One more is
//!    sent at once when the CPU use by others has changed much.
//! 5. Drain: take nothing new, let the running jobs finish within the grace time, hand the
//!    rest back, leave.
//! 6. A cancelled job is stopped; if it completes all the same, it has completed.
//! 7. A job that is for certain roles starts only while the node acts in one of them
//!    ([`RoleParams`] and what follows it).

mod admission;
mod duty;
mod epochs;
mod execution;
mod executions;
mod figures;
mod heartbeats;
mod hooks;
mod input;
mod limits;
mod outcomes;
mod output;
mod params;
mod progress;
mod roles;
mod settled;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::Role;
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{Blob, Outcome, OutcomeStatus, RoleAssignment};

pub(crate) use duty::Standing;
pub(crate) use figures::AgentFigures;
pub use input::{Ended, Failure, HookRun, Input, Offer, Run};
pub use output::{Event, Output, Refusal, RoleObjection};
pub use params::{Limits, Params};
pub use roles::RoleParams;

use admission::JOIN_PATIENCE;
use execution::Execution;
use executions::{Executions, Verdict};
use heartbeats::Heartbeats;
use outcomes::{Ledger, empty_outcome};
use roles::Roles;
use settled::Settled;

/// Unconfirmed outcomes kept; further jobs are dropped unanswered, and are redelivered
/// when the dispatcher is back. Four times what may be in hand.
const UNCONFIRMED_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It waits for a dispatcher's answer whether its name is free. If none has arrived
    /// until then, there is no dispatcher that sends such answers.
    Joining {
        until: Time,
    },
    Serving,
    /// Running jobs may finish until then.
    Draining {
        until: Time,
    },
    /// Unconfirmed outcomes may be confirmed until then.
    Leaving {
        until: Time,
    },
    Gone,
}

/// The state machine of a worker: inputs with their time in, commands out.
///
/// ```
/// use rolecast_common::id::{BootId, NodeId};
/// use rolecast_common::time::Now;
/// use rolecast_worker::agent::{Agent, Input, Output, Params, RoleParams};
///
/// let now = Now::default();
/// let params = Params {
///     node: NodeId::new("n1")?,
///     boot: BootId::new("boot-1")?,
///     roles: RoleParams::default(),
///     labels: Default::default(),
///     speed: Default::default(),
///     capacity: Default::default(),
///     jobs_max: 1,
///     categories: Default::default(),
///     grace: std::time::Duration::from_secs(30),
///     heartbeat_on_change: true,
///     max_payload: 1 << 20,
/// };
/// let mut agent = Agent::new(now, params);
/// let mut out = Vec::new();
/// agent.handle(now, Input::Tick, &mut out);
/// assert!(matches!(out[..], [Output::Heartbeat(_)]));
/// // Without an input it is to be called again at this time.
/// assert!(agent.next_deadline() > now.time);
/// # Ok::<(), rolecast_common::id::InvalidId>(())
/// ```
#[derive(Debug)]
pub struct Agent {
    params: Params,
    phase: Phase,
    /// The reason why it is to end, if a dispatcher refuses it.
    turned_away: Option<String>,
    /// The earliest time at which a drained worker leaves.
    linger_until: Time,
    roles: Roles,
    executions: Executions,
    ledger: Ledger,
    settled: Settled,
    heartbeats: Heartbeats,
}

impl Agent {
    /// Creates the agent of a worker that starts `now`: it waits to be admitted.
    pub fn new(now: Now, params: Params) -> Self {
        // Batches of an earlier boot must not be mistaken for ours: a millisecond is
        // worth more numbers than a worker can use in it.
        let batch_first = now.wall.as_millis().saturating_mul(1 << 10);
        Self {
            phase: Phase::Joining {
                until: now.time + JOIN_PATIENCE,
            },
            turned_away: None,
            linger_until: now.time,
            roles: Roles::new(params.roles.clone(), params.boot.clone()),
            executions: Executions::new(),
            ledger: Ledger::new(batch_first, params.max_payload),
            settled: Settled::default(),
            heartbeats: Heartbeats::new(now.time),
            params,
        }
    }

    /// Takes an input and appends the resulting commands to `out`, to be carried out in
    /// their order. Times must not go back from call to call.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        self.advance_roles(now.time, out);
        match input {
            Input::Job(offer) => self.consider(now, offer, out),
            Input::Cancel(order) => self.cancel(&order, out),
            Input::Ended(ended) => ended.into_iter().for_each(|ended| self.end(ended, out)),
            Input::Progress(progress) => self.executions.report(progress),
            Input::Confirmed { batch } => self.confirm(batch, out),
            Input::Unreceived { batch } => self.ledger.retry_later(now.time, batch),
            Input::Admission(admission) => self.admit(now, &admission, out),
            Input::Roles(roles) => self.take_roles(now, &roles, out),
            Input::HookEnded { run, result } => {
                self.roles.end_hook(run, result, out);
                self.move_roles(now.time, out);
            }
            Input::Usage(usage) => self.take_usage(now.time, usage),
            Input::Connected => {
                self.ledger.resend(now.time);
                self.executions.renew_progress();
                self.heartbeats.hasten(now.time);
            }
            Input::ReportAsked => {
                self.executions.renew_progress();
                self.heartbeats.request(now.time);
            }
            Input::MaxPayload(max_payload) => {
                self.params.max_payload = max_payload;
                self.ledger.limit(max_payload);
            }
            Input::Drain => self.drain(now, out),
            Input::Tick => {}
        }
        self.advance(now, out);
    }

    /// Returns whether the node acts in a role, by its own clock.
    pub fn acts_in(&self, now: Time, role: &Role) -> bool {
        self.roles.acts_in(now, role)
    }

    fn consider(&mut self, now: Now, offer: Offer, out: &mut Vec<Output>) {
        let epoch = offer.assignment.epoch();
        if !self.roles.epochs_mut().see(epoch, out) {
            let seen = self.roles.epochs().largest();
            let reason = format!(
                "stale epoch {epoch}: this node has seen {seen}; if no dispatcher had that epoch, \
                 stop this worker and run rolecast-worker forget-epoch"
            );
            let why = (Refusal::StaleEpoch, reason);
            return self.refuse(OutcomeStatus::Refused, offer.assignment, why, out);
        }
        let execution = Execution::of(&offer.assignment);
        self.ledger.forget_refusals(&execution);
        if self.is_known(&execution, &offer.assignment) {
            return;
        }
        if self.phase != Phase::Serving {
            let (kind, reason) = match self.phase {
                Phase::Joining { .. } => (Refusal::NotAdmitted, "the worker is not admitted yet"),
                Phase::Serving | Phase::Draining { .. } | Phase::Leaving { .. } | Phase::Gone => {
                    (Refusal::Draining, "the worker is draining")
                }
            };
            let why = (kind, reason.to_owned());
            return self.refuse(OutcomeStatus::HandedBack, offer.assignment, why, out);
        }
        let acts_in = self.roles.shown();
        if !offer.roles.is_empty() && !offer.roles.iter().any(|role| acts_in.contains(role)) {
            let reason = "this node acts in none of the roles it is for".to_owned();
            let why = (Refusal::NoRole, reason);
            return self.refuse(OutcomeStatus::HandedBack, offer.assignment, why, out);
        }
        match self.objection(now, &offer) {
            Some(why) => self.refuse(OutcomeStatus::Refused, offer.assignment, why, out),
            None => self.start(now, execution, offer, out),
        }
    }

    /// Returns whether the execution is running, unconfirmed or recently settled; its
    /// outcome then goes to the reply subject of the newest assignment.
    fn is_known(&mut self, execution: &Execution, newest: &Assignment) -> bool {
        if self.executions.reassign(execution, newest) {
            return true;
        }
        if self.ledger.update(execution, newest) {
            return true;
        }
        let Some(outcome) = self.settled.get(execution) else {
            return false;
        };
        self.ledger.push(Outcome {
            job: Some(newest.clone()),
            ..outcome.clone()
        });
        true
    }

    /// Returns the reason why the job cannot be run here and now.
    fn objection(&self, now: Now, offer: &Offer) -> Option<(Refusal, String)> {
        let category = offer.assignment.category();
        let Some(limits) = self.params.categories.get(category) else {
            let reason = format!("category {category} is not run here");
            return Some((Refusal::Category, reason));
        };
        if offer.deadline.is_some_and(|deadline| deadline <= now.wall) {
            return Some((Refusal::Deadline, "deadline passed".to_owned()));
        }
        let jobs_max = self.params.jobs_max;
        if self.executions.len() >= jobs_max as usize {
            let reason = format!("{jobs_max} jobs run here, which is the limit");
            return Some((Refusal::Full, reason));
        }
        let jobs_max = limits.jobs_max;
        if self.executions.count(category) >= jobs_max {
            let reason = format!("{jobs_max} {category} jobs run here, which is the limit");
            return Some((Refusal::Full, reason));
        }
        None
    }

    fn refuse(
        &mut self,
        status: OutcomeStatus,
        assignment: Assignment,
        why: (Refusal, String),
        out: &mut Vec<Output>,
    ) {
        if self.ledger.outcome_count() >= UNCONFIRMED_MAX {
            return out.push(Output::Event(Event::Dropped { assignment }));
        }
        self.push_refusal(status, assignment, why, out);
    }

    fn push_refusal(
        &mut self,
        status: OutcomeStatus,
        assignment: Assignment,
        (kind, reason): (Refusal, String),
        out: &mut Vec<Output>,
    ) {
        out.push(Output::Event(Event::Refused {
            assignment: assignment.clone(),
            kind,
            reason: reason.clone(),
        }));
        self.ledger.push(Outcome {
            reason,
            ..empty_outcome(assignment, status)
        });
    }

    fn start(&mut self, now: Now, execution: Execution, offer: Offer, out: &mut Vec<Output>) {
        let Offer {
            assignment,
            deadline,
            time_limit,
            roles: _,
            trace,
        } = offer;
        if self.ledger.outcome_count() >= UNCONFIRMED_MAX {
            return out.push(Output::Event(Event::Dropped { assignment }));
        }
        let category = self.params.categories.get(assignment.category());
        let own = category.and_then(|category| category.time_limit);
        let limit = limits::end(now, own.into_iter().chain(time_limit).min(), deadline);
        let run = self
            .executions
            .start(execution, assignment.clone(), now.wall, limit, trace);
        out.push(Output::Start {
            run,
            assignment,
            deadline,
            roles: Arc::clone(self.roles.shown()),
        });
    }

    fn end(&mut self, ended: Ended, out: &mut Vec<Output>) {
        // An execution ends once; a second report of its end is ignored.
        let Some(running) = self.executions.end(ended.run) else {
            return;
        };
        // A command that was asked to end has not completed, whatever it exits with.
        let has_completed = ended.status == OutcomeStatus::Completed && ended.failure.is_none();
        let (status, reason, failure) = match running.verdict {
            Verdict::HandedBack => return,
            Verdict::Overdue(reason) => {
                let failure = ended.failure.map(|_| Failure::TimeLimit);
                (OutcomeStatus::Retry, reason, failure)
            }
            Verdict::Cancelled(reason) if !has_completed => {
                (OutcomeStatus::Cancelled, reason, None)
            }
            Verdict::Cancelled(_) | Verdict::Its => (ended.status, ended.reason, ended.failure),
        };
        if let Some(failure) = failure {
            out.push(Output::Event(Event::CommandFailed { failure }));
        }
        if status == OutcomeStatus::Refused {
            // It could not be started here, so another offer of it is a new one.
            let why = (Refusal::Unable, reason);
            return self.push_refusal(status, running.assignment, why, out);
        }
        let run_us = u64::try_from(ended.length.as_micros()).unwrap_or(u64::MAX);
        self.ledger.push(Outcome {
            reason,
            output: Blob(ended.output),
            output_truncated: ended.output_truncated,
            log: Blob(ended.log),
            log_truncated: ended.log_truncated,
            started_ms: Some(running.started),
            run_us,
            usage: ended.usage,
            traceparent: running.trace,
            ..empty_outcome(running.assignment, status)
        });
    }

    fn confirm(&mut self, batch: u64, out: &mut Vec<Output>) {
        let Some(outcomes) = self.ledger.confirm(batch) else {
            return out.push(Output::Event(Event::UnknownBatch { batch }));
        };
        for outcome in outcomes {
            self.settled.remember(outcome);
        }
    }

    fn take_roles(&mut self, now: Now, assigned: &RoleAssignment, out: &mut Vec<Output>) {
        if let Err(objection) = self.roles.take(now.time, assigned, out) {
            let (epoch, generation) = (assigned.epoch, assigned.generation);
            return out.push(Output::Event(Event::RolesRefused {
                epoch,
                generation,
                objection,
            }));
        }
        self.move_roles(now.time, out);
    }

    /// Ends the roles whose lease has run out.
    fn advance_roles(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.roles.next_deadline().is_some_and(|due| due <= now) {
            self.move_roles(now, out);
        }
    }

    /// Takes on and drops roles, and reports it at once.
    fn move_roles(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.roles.advance(now, out) {
            self.heartbeats.hasten(now);
        }
        self.shorten_linger(now);
    }
}
