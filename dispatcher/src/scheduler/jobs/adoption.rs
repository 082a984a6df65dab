//! Adoption of jobs that a node has in hand: a former dispatcher sent them, or the node
//! counted as gone.

use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Category, NodeId, Priority};
use rolecast_common::subjects::Source;
use rolecast_common::time::Time;

use super::job::{Job, State, is_last_at};
use super::{Context, Event, Jobs, Output, Queue};

/// Adopts a job in hand that a former dispatcher sent, or one of a node that counted
/// as gone. No other claim of a node hides a job. Returns its category if it was
/// adopted.
pub(super) fn adopt(
    jobs: &mut Jobs,
    cx: &mut Context<'_>,
    queue: &mut Queue,
    node: &NodeId,
    assignment: &Assignment,
) -> Option<Category> {
    let sequence = assignment.ack().sequence();
    let is_waiting = jobs.is_waiting_here(cx, node, assignment);
    let mut job = if is_waiting {
        let job = jobs.held.remove(&sequence)?;
        queue.leave(&job.source, sequence, job.is_choosy());
        job
    } else if is_unknown(jobs, cx, node, assignment) {
        inherit(jobs, cx.now.time, node, assignment)
    } else {
        return None;
    };
    absolve(cx, &mut job, node, assignment);
    if is_waiting {
        job.past.attempt = assignment.attempt().get();
        job.adopt_on(cx.now.time, node);
        cx.push(Output::Drop(sequence));
    } else if job.past.suspicion.is_some() {
        jobs.quarantine.record_suspect(sequence, node.clone());
    }
    cx.push(Output::KeepAlive(job.ack.clone()));
    cx.event(Event::JobAdopted {
        job: job.id.clone(),
        node: node.clone(),
        epoch: assignment.epoch(),
    });
    let category = job.source.category.clone();
    jobs.held.insert(sequence, job);
    Some(category)
}

/// Whether a job in hand at the node is one that nothing newer is known of.
fn is_unknown(jobs: &Jobs, cx: &Context<'_>, node: &NodeId, assignment: &Assignment) -> bool {
    let sequence = assignment.ack().sequence();
    let is_known = jobs.held.contains_key(&sequence) || jobs.recent.contains(sequence);
    let away = jobs.away.get(&sequence).map(|away| &away.history);
    let is_back = away.is_some_and(|history| history.is_lost_to(node, assignment));
    let is_revoked =
        away.is_some_and(|history| history.attempt >= assignment.attempt().get()) && !is_back;
    // A job of our own epoch that we do not know was settled long ago.
    let is_settled = assignment.epoch() >= cx.epoch && !is_back;
    !(is_known || is_revoked || is_settled || jobs.is_orphan(assignment))
}

/// Returns a job that a former dispatcher sent; the assignment has all that is
/// needed.
pub(super) fn inherit(jobs: &mut Jobs, now: Time, node: &NodeId, assignment: &Assignment) -> Job {
    let ack = assignment.ack().clone();
    let source = Source::from_consumer(ack.consumer()).unwrap_or(Source {
        category: assignment.category().clone(),
        priority: Priority::Normal,
    });
    let away = jobs.away.remove(&ack.sequence());
    let mut job = Job::new(now, source, assignment.job().clone(), ack);
    job.past.attempt = assignment.attempt().get();
    job.adopt_on(now, node);
    job.wishes.is_unknown = true;
    job.kept_alive = Time::ZERO;
    if let Some(away) = away {
        job.remember(away.history);
    }
    job
}

/// Removes the last loss of a job if it was of this execution, and updates what is stored
/// of it.
pub(super) fn absolve(cx: &mut Context<'_>, job: &mut Job, node: &NodeId, assignment: &Assignment) {
    if !job.absolve(node, assignment) {
        return;
    }
    let sequence = job.sequence();
    cx.push(if job.has_history() {
        let history = job.history(cx.now, Duration::ZERO);
        Output::SaveHistory { sequence, history }
    } else {
        Output::ForgetHistory(sequence)
    });
}

impl Job {
    /// Records that it runs at a node, to which another dispatcher sent it, or this one
    /// before the node counted as gone.
    fn adopt_on(&mut self, now: Time, node: &NodeId) {
        self.run_on(now, node);
        if let State::Running { is_adopted, .. } = &mut self.state {
            *is_adopted = true;
        }
    }

    /// Returns the time at which it was sent, if it runs and this dispatcher sent it.
    pub(super) fn sent_here(&self) -> Option<Time> {
        match self.state {
            State::Running {
                sent,
                is_adopted: false,
                ..
            } => Some(sent),
            State::Running { .. }
            | State::Waiting
            | State::Recording { .. }
            | State::DeadLettering { .. } => None,
        }
    }

    /// Removes the last loss if it was of this execution: the node has the job, or had it
    /// until its end. Returns whether it was.
    fn absolve(&mut self, node: &NodeId, assignment: &Assignment) -> bool {
        let is_it = is_last_at(&self.past.losses, node, assignment);
        if is_it {
            self.past.losses.pop();
            self.past.suspicion = None;
        }
        is_it
    }
}
