//! Duties of the agent as time passes: limits, outcomes, heartbeats, leaving.

use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire::{
    HEARTBEAT_LEN_MAX, Heartbeat, JOBS_IN_HAND_MAX, Outcome, OutcomeStatus, Usage, VERSION,
};

use super::admission::JOIN_INTERVAL;
use super::output::{Event, Output};
use super::{Agent, Phase, Verdict, empty_outcome};
use crate::usage::has_moved;

pub(super) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
const HEARTBEAT_INTERVAL_MS: u32 = 1000;
/// The least distance between heartbeats that report a change: load that swings all the
/// time costs four messages a second and no more.
pub(super) const CHANGE_INTERVAL: Duration = Duration::from_millis(250);
/// The least distance of one of them from any heartbeat before it.
pub(super) const CHANGE_DISTANCE: Duration = Duration::from_millis(100);
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

impl Agent {
    /// Returns the latest time of the next `Tick`.
    pub fn next_deadline(&self) -> Time {
        let limit = self.limits.first().map(|(at, _)| *at);
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
        earliest.map_or(self.heartbeat_due, |at| at.min(self.heartbeat_due))
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
        self.heartbeat_due = now.time;
        let running = self.running.len();
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
        if self.heartbeat_due <= now.time {
            self.heartbeat_due = now.time
                + match self.phase {
                    Phase::Joining { .. } => JOIN_INTERVAL,
                    Phase::Serving
                    | Phase::Draining { .. }
                    | Phase::Leaving { .. }
                    | Phase::Gone => HEARTBEAT_INTERVAL,
                };
            self.heartbeat_sent = (now.time, self.usage);
            self.heartbeat_sequence += 1;
            self.roles.note_sent(now.time, self.heartbeat_sequence);
            out.push(Output::Heartbeat(Box::new(self.heartbeat(now.wall))));
        }
    }

    /// Records the use, and reports it early if others changed it much since the last
    /// heartbeat.
    pub(super) fn take_usage(&mut self, now: Time, usage: Usage) {
        self.usage = usage;
        let (sent, told) = self.heartbeat_sent;
        let capacity = self.params.capacity;
        if !self.params.heartbeat_on_change || !has_moved(&told, &usage, capacity) {
            return;
        }
        let due = now
            .max(sent + CHANGE_DISTANCE)
            .max(self.change_due + CHANGE_INTERVAL);
        if due < self.heartbeat_due {
            self.heartbeat_due = due;
            self.change_due = due;
        }
    }

    fn stop_overdue(&mut self, now: Time, out: &mut Vec<Output>) {
        while let Some((at, run)) = self.limits.first().copied() {
            if at > now {
                return;
            }
            self.limits.remove(&(at, run));
            let running = self.running.get_mut(&run);
            let running = running.expect("limits are kept for running executions only");
            let limit = running.limit.take();
            let (_, reason) = limit.expect("what is listed by its limit has one");
            if matches!(running.verdict, Verdict::HandedBack) {
                continue;
            }
            running.verdict = Verdict::Overdue(reason.clone());
            out.push(Output::Event(Event::Overdue { run, reason }));
            out.push(Output::Stop(run));
        }
    }

    /// Ends the grace time: stops what runs and gives it back at once.
    fn hand_back(&mut self, now: Now, out: &mut Vec<Output>) {
        self.phase = Phase::Leaving {
            until: now.time + LEAVE_TIMEOUT,
        };
        self.by_execution.clear();
        for (run, running) in &mut self.running {
            running.verdict = Verdict::HandedBack;
            out.push(Output::Stop(*run));
            self.ledger.push(Outcome {
                reason: "the worker left before it finished".to_owned(),
                started_ms: Some(running.started),
                ..empty_outcome(running.assignment.clone(), OutcomeStatus::HandedBack)
            });
        }
        let count = self.running.len();
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
        // A hook that tells the service to stop leading is never cut short.
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
        self.running.is_empty() && self.ledger.is_empty()
    }

    pub(super) fn heartbeat(&self, wall: WallTime) -> Heartbeat {
        let joining = matches!(self.phase, Phase::Joining { .. });
        let categories = self.params.categories.iter();
        Heartbeat {
            v: VERSION,
            node: self.params.node.clone(),
            boot: self.params.boot.clone(),
            sequence: self.heartbeat_sequence,
            epoch: self.roles.epoch(),
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
            usage: self.usage,
            // Nobody listens for a job that is sent now.
            jobs_max: if joining { 0 } else { self.params.jobs_max },
            categories: categories
                .map(|(category, limits)| (category.clone(), limits.jobs_max))
                .collect(),
            jobs: self.in_hand(),
        }
    }

    /// Returns what is running, then what is unconfirmed, as far as a heartbeat holds it.
    fn in_hand(&self) -> Vec<Assignment> {
        let running = self.running.values();
        let running = running.filter(|running| !matches!(running.verdict, Verdict::HandedBack));
        let running = running.map(|running| &running.assignment);
        let message_len_max = HEARTBEAT_LEN_MAX.min(self.params.max_payload);
        let len_max = message_len_max.saturating_sub(HEARTBEAT_ROOM);
        let len_max = len_max.max(message_len_max / 2);
        let mut len = 0;
        let mut jobs = Vec::with_capacity(self.running.len());
        for assignment in running.chain(self.ledger.in_hand()) {
            len += assignment_len(assignment);
            if jobs.len() >= JOBS_IN_HAND_MAX as usize || len > len_max {
                break;
            }
            jobs.push(assignment.clone());
        }
        jobs
    }
}

/// Returns how many bytes an assignment has in a message: its text behind a header.
fn assignment_len(assignment: &Assignment) -> usize {
    assignment.as_str().len() + 3
}
