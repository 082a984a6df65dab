//! Absent nodes: late ones are probed, and those that are gone lose their jobs.

use std::collections::BTreeSet;

use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::time::Time;

use super::losses::Cause;
use super::{Context, Event, Output, Scheduler, State};
use crate::fleet::{Missed, Presence};
use crate::roles;

const ABSENT: &str = "nobody listens on its subject";
const SILENT: &str = "its heartbeats stopped";

impl Scheduler {
    /// Checks the nodes whose heartbeats are missing.
    pub(super) fn check_nodes(&mut self, cx: &mut Context<'_>) {
        let Some(missed) = self.watch.missed(cx.now.time, &mut self.fleet) else {
            return;
        };
        for missed in missed {
            let why = match missed.presence {
                Presence::Expected => continue,
                Presence::Late => {
                    self.watch.probe(cx, &missed.node);
                    continue;
                }
                Presence::Overdue => {
                    self.report_gone(cx, &missed.node, SILENT);
                    continue;
                }
                Presence::Absent => ABSENT,
                Presence::Silent => SILENT,
            };
            self.lose_node(cx, missed, why);
        }
        self.watch
            .check_suspicion(cx, &self.fleet, &mut self.reporting);
    }

    fn lose_node(&mut self, cx: &mut Context<'_>, missed: Missed, why: &'static str) {
        let node = missed.node;
        self.manage(cx, roles::Input::Gone(node.clone()));
        self.leadership.record_gone(&node);
        self.fleet.free(cx.now.time, &node, |_, _| true);
        if !missed.was_gone {
            self.report_gone(cx, &node, why);
        }
        self.lose_jobs(cx, &node, &BTreeSet::new(), Cause::Death);
    }

    fn report_gone(&self, cx: &mut Context<'_>, node: &NodeId, why: &'static str) {
        let jobs = self.fleet.get(node).map_or(0, |node| node.jobs());
        let node = node.clone();
        cx.event(Event::NodeGone { node, jobs, why });
    }

    /// After an outage of this dispatcher: extends the deliveries of all jobs that are
    /// held or run, before the server delivers them again, and repeats the unanswered
    /// writes at once.
    pub(super) fn revive_jobs(&mut self, cx: &mut Context<'_>) {
        let mut alive = Vec::with_capacity(self.jobs.len());
        for (sequence, job) in &mut self.jobs {
            job.kept_alive = cx.now.time;
            alive.push((*sequence, job.ack.clone()));
            match &mut job.state {
                State::Waiting | State::Running { .. } => {}
                State::Recording { asked, .. } | State::Burying { asked, .. } => {
                    *asked = Time::ZERO;
                }
            }
        }
        // The order of a hash map must not reach the outside.
        alive.sort_unstable_by_key(|(sequence, _)| *sequence);
        cx.extend(alive.into_iter().map(|(_, ack)| Output::KeepAlive(ack)));
    }

    /// Whether a dispatcher that has just taken the lead, after an outage, waits for
    /// workers that it knows: the server may redeliver jobs that they have in hand.
    pub(super) fn waits_for_workers(&self, now: Time) -> bool {
        let Some(led_since) = self.leadership.since() else {
            return false;
        };
        self.watch.reception().is_recovering(now)
            && self
                .fleet
                .nodes()
                .any(|node| !node.is_gone() && node.age(now) > now.since(led_since))
    }

    /// Takes a job back that could not be sent: it never left, and waits again at its
    /// former place.
    pub(super) fn take_back(&mut self, cx: &mut Context<'_>, sequence: Sequence, attempt: Attempt) {
        let Some(job) = self.jobs.get_mut(&sequence) else {
            cx.push(Output::Drop(sequence));
            return;
        };
        let State::Running { node, .. } = &job.state else {
            return;
        };
        if job.attempt != attempt.get() {
            return;
        }
        let node = node.clone();
        job.state = State::Waiting;
        job.attempt = job.attempt.saturating_sub(1);
        let room = self.rooms.entry(job.source.clone()).or_default();
        room.join(sequence, job.is_choosy());
        self.fleet.release(cx.now.time, &node, sequence);
    }
}
