//! Duties of the agent as time passes: limits, outcomes, heartbeats, leaving.

use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire::{
    AttemptCancel, HEARTBEAT_LEN_MAX, Heartbeat, JOBS_IN_HAND_MAX, JobProgress, Outcome,
    OutcomeStatus, Usage, VERSION,
};

use super::admission::JOIN_INTERVAL;
use super::outcomes::empty_outcome;
use super::output::{Event, Output};
use super::progress::PROGRESS_LEN_MAX;
use super::{Agent, AgentFigures, Phase};

pub(super) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
const HEARTBEAT_INTERVAL_MS: u32 = 1000;
/// Time for outcomes given back last to be confirmed before the program ends anyway: one
/// loss of a message and its repetition.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Time that a draining worker without jobs stays: jobs that were on their way when it
/// reported that it drains are handed back and not lost. Far above a round trip.
pub(super) const LINGER: Duration = Duration::from_millis(250);
/// Time that one with managed roles stays: for their hook, of at most 4 s, and for the
/// dispatcher's confirmation that others may have the roles. Without it others wait for
/// the lease.
pub(super) const RELEASE_WAIT: Duration = Duration::from_secs(6);
/// Part of a heartbeat that is not available to the jobs in hand: the most roles,
/// categories and labels that a node may have need 30 KiB.
const HEARTBEAT_ROOM: usize = 32 * 1024;

/// A worker's state, as the service manager shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It waits for a dispatcher to admit it.
    Joining,
    /// It takes jobs, and this many run.
    Serving { running: usize },
    /// It takes no jobs any more, and this many run.
    Draining { running: usize },
    /// Nothing runs; this many outcomes are not confirmed.
    Leaving { unconfirmed: usize },
}

impl Agent {
    pub(crate) fn standing(&self) -> Standing {
        let running = self.executions.len();
        match self.phase {
            Phase::Joining { .. } => Standing::Joining,
            Phase::Serving => Standing::Serving { running },
            Phase::Draining { .. } => Standing::Draining { running },
            Phase::Leaving { .. } | Phase::Gone => Standing::Leaving {
                unconfirmed: self.ledger.outcome_count(),
            },
        }
    }

    /// Returns the latest time of the next [`Input::Tick`](super::Input::Tick).
    pub fn next_deadline(&self) -> Time {
        let limit = self.executions.next_limit();
        let phase = match self.phase {
            Phase::Draining { .. } | Phase::Leaving { .. } if self.is_empty() => {
                Some(self.linger_until)
            }
            Phase::Draining { until } => Some(until),
            Phase::Leaving { until } => Some(until.max(self.linger_until)),
            Phase::Joining { until } => Some(until),
            Phase::Serving | Phase::Gone => None,
        };
        let roles = self.roles.next_deadline();
        let others = [limit, phase, roles, self.ledger.next_due()];
        let earliest = others.into_iter().flatten().min();
        let heartbeat = self.heartbeats.due();
        earliest.map_or(heartbeat, |at| at.min(heartbeat))
    }

    /// Returns its figures for metrics.
    pub(crate) fn figures(&self) -> AgentFigures {
        let shown = self.roles.shown();
        let offers = self.roles.offers().iter();
        AgentFigures {
            running: self.executions.len(),
            jobs_max: self.params.jobs_max,
            unconfirmed: self.ledger.outcome_count(),
            serves: self.phase == Phase::Serving,
            roles: offers
                .filter(|role| shown.contains(role))
                .cloned()
                .collect(),
        }
    }

    pub(super) fn drain(&mut self, now: Now, out: &mut Vec<Output>) {
        let until = match self.phase {
            Phase::Joining { .. } | Phase::Serving => {
                self.linger_until = now.time + RELEASE_WAIT;
                self.roles.release();
                self.move_roles(now.time, out);
                self.shorten_linger(now.time);
                now.time + self.params.grace
            }
            Phase::Draining { .. } => now.time,
            Phase::Leaving { .. } | Phase::Gone => return,
        };
        self.phase = Phase::Draining { until };
        self.heartbeats.hasten(now.time);
        let running = self.executions.len();
        out.push(Output::Event(Event::Draining { running }));
    }

    /// Ends the wait of a worker that has given up its roles, once it is confirmed that
    /// this is known.
    pub(super) fn shorten_linger(&mut self, now: Time) {
        if self.roles.is_free() {
            self.linger_until = self.linger_until.min(now + LINGER);
        }
    }

    /// Does everything that is due.
    pub(super) fn advance(&mut self, now: Now, out: &mut Vec<Output>) {
        self.stop_overdue(now.time, out);
        match self.phase {
            Phase::Draining { until } if until <= now.time => self.hand_back(now, out),
            Phase::Joining { until } if until <= now.time => self.serve(now.time, out),
            Phase::Joining { .. }
            | Phase::Serving
            | Phase::Draining { .. }
            | Phase::Leaving { .. }
            | Phase::Gone => {}
        }
        self.ledger.send(now.time, out);
        self.leave(now.time, out);
        let interval = match self.phase {
            Phase::Joining { .. } => JOIN_INTERVAL,
            Phase::Serving | Phase::Draining { .. } | Phase::Leaving { .. } | Phase::Gone => {
                HEARTBEAT_INTERVAL
            }
        };
        if self.heartbeats.take_due(now.time, interval) {
            let sequence = self.heartbeats.sequence();
            self.roles.record_sent(now.time, sequence);
            let mut heartbeat = self.heartbeat(now.wall);
            heartbeat.progress = self.take_progress(&heartbeat.jobs);
            out.push(Output::Heartbeat(Box::new(heartbeat)));
        }
    }

    /// Records the use, and reports it early if others changed it much since the last
    /// heartbeat.
    pub(super) fn take_usage(&mut self, now: Time, usage: Usage) {
        self.heartbeats.set_usage(usage);
        if self.params.heartbeat_on_change {
            self.heartbeats.report_change(now, self.params.capacity);
        }
    }

    fn stop_overdue(&mut self, now: Time, out: &mut Vec<Output>) {
        while let Some((run, reason)) = self.executions.take_overdue(now) {
            out.push(Output::Event(Event::Overdue { run, reason }));
            out.push(Output::Stop(run));
        }
    }

    /// Stops an attempt whose job is cancelled. An order of a superseded dispatcher counts
    /// for nothing: its successor repeats it if it is still wanted.
    pub(super) fn cancel(&mut self, order: &AttemptCancel, out: &mut Vec<Output>) {
        if !self.roles.epochs_mut().see(order.epoch, out) {
            return;
        }
        if let Some((run, assignment)) = self.executions.cancel(order) {
            let reason = order.reason.clone();
            out.push(Output::Event(Event::Cancelled { assignment, reason }));
            out.push(Output::Cancel(run));
        }
    }

    /// Ends the grace time: stops what runs and gives it back at once.
    fn hand_back(&mut self, now: Now, out: &mut Vec<Output>) {
        self.phase = Phase::Leaving {
            until: now.time + LEAVE_TIMEOUT,
        };
        for (run, running) in self.executions.hand_back() {
            out.push(Output::Stop(run));
            self.ledger.push(Outcome {
                reason: "the worker left before it finished".to_owned(),
                started_ms: Some(running.started),
                ..empty_outcome(running.assignment.clone(), OutcomeStatus::HandedBack)
            });
        }
        let count = self.executions.len();
        if count > 0 {
            out.push(Output::Event(Event::HandedBack { count }));
        }
    }

    fn leave(&mut self, now: Time, out: &mut Vec<Output>) {
        let is_over = match self.phase {
            Phase::Joining { .. } | Phase::Serving | Phase::Gone => return,
            Phase::Draining { .. } => false,
            Phase::Leaving { until } => until <= now,
        };
        // A hook by which the service stops leading is never cut short.
        let has_released = self.linger_until <= now;
        if !has_released || !self.is_empty() && !is_over {
            return;
        }
        self.phase = Phase::Gone;
        let unconfirmed = self.ledger.outcome_count();
        out.push(Output::Event(Event::Leaving { unconfirmed }));
        out.push(match self.turned_away.clone() {
            Some(reason) => Output::Fail(reason),
            None => Output::Exit,
        });
    }

    /// Returns whether nothing is in hand.
    fn is_empty(&self) -> bool {
        self.executions.is_empty() && self.ledger.is_empty()
    }

    pub(super) fn heartbeat(&self, wall: WallTime) -> Heartbeat {
        let joining = matches!(self.phase, Phase::Joining { .. });
        let categories = self.params.categories.iter();
        Heartbeat {
            v: VERSION,
            node: self.params.node.clone(),
            boot: self.params.boot.clone(),
            sequence: self.heartbeats.sequence(),
            epoch: self.roles.epochs().largest(),
            sent_ms: Some(wall),
            joining,
            interval_ms: HEARTBEAT_INTERVAL_MS,
            roles: self.roles.shown().to_vec(),
            offers: self.roles.offers().to_vec(),
            assigned: self.roles.assigned(),
            role_failure: self.roles.failure().cloned(),
            draining: !joining && self.phase != Phase::Serving,
            labels: self.params.labels.clone(),
            speed: self.params.speed,
            capacity: self.params.capacity,
            usage: self.heartbeats.usage(),
            // Nobody listens for a job that is sent now.
            jobs_max: if joining { 0 } else { self.params.jobs_max },
            categories: categories
                .map(|(category, limits)| (category.clone(), limits.jobs_max))
                .collect(),
            jobs: self.in_hand(),
            progress: Vec::new(),
        }
    }

    /// Returns what is running, then what is unconfirmed, as far as a heartbeat holds it.
    fn in_hand(&self) -> Vec<Assignment> {
        let len_max = self.jobs_len_max();
        let mut len = 0;
        let mut jobs = Vec::with_capacity(self.executions.len());
        for assignment in self.executions.in_hand().chain(self.ledger.in_hand()) {
            len += assignment_len(assignment);
            if jobs.len() >= JOBS_IN_HAND_MAX as usize || len > len_max {
                break;
            }
            jobs.push(assignment.clone());
        }
        jobs
    }

    /// Returns the most bytes of a heartbeat for its jobs and their progress.
    fn jobs_len_max(&self) -> usize {
        let message_len_max = HEARTBEAT_LEN_MAX.min(self.params.max_payload);
        let len_max = message_len_max.saturating_sub(HEARTBEAT_ROOM);
        len_max.max(message_len_max / 2)
    }

    /// Returns the progress that the heartbeat with these jobs has, in the room they leave.
    fn take_progress(&mut self, jobs: &[Assignment]) -> Vec<JobProgress> {
        let len: usize = jobs.iter().map(assignment_len).sum();
        let room = self.jobs_len_max().saturating_sub(len);
        let sequence = self.heartbeats.sequence();
        let len_max = room.min(PROGRESS_LEN_MAX);
        self.executions.take_progress(sequence, jobs.len(), len_max)
    }
}

/// Returns how many bytes an assignment has in a message: its text behind a header.
fn assignment_len(assignment: &Assignment) -> usize {
    assignment.as_str().len() + 3
}
