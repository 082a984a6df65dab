//! Absent nodes: late ones are probed, and those that are gone lose their jobs.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::time::Time;

use super::losses::Cause;
use super::{Context, Event, Output, Scheduler, State};
use crate::fleet::{Missed, Presence, ROLL_MAX};
use crate::roles;

/// Least time between two probes of all nodes because one is missing. It bounds the cost
/// where workers die all the time.
const ROLL_INTERVAL: Duration = Duration::from_secs(5);

const ABSENT: &str = "nobody listens on its subject";
const SILENT: &str = "its heartbeats stopped";

impl Scheduler {
    /// Returns the next time at which a node is looked at; `None` while no node may be
    /// judged.
    pub(super) fn look_due(&self) -> Option<Time> {
        self.fleet.next_look().filter(|_| !self.is_deaf)
    }

    pub(super) fn look_at_nodes(&mut self, cx: &mut Context<'_>) {
        let since = self.hearing.since(cx.now.time);
        self.is_deaf = since.is_none();
        let Some(since) = since else {
            return;
        };
        let hearing = &self.hearing;
        let missed = self
            .fleet
            .look(cx.now.time, since, |at| hearing.is_confirmed_since(at));
        for missed in missed {
            let why = match missed.presence {
                Presence::Expected => continue,
                Presence::Late => {
                    self.probe(cx, &missed.node);
                    continue;
                }
                Presence::Overdue => {
                    self.tell_gone(cx, &missed.node, SILENT);
                    continue;
                }
                Presence::Absent => ABSENT,
                Presence::Silent => SILENT,
            };
            self.lose_node(cx, missed, why);
        }
        self.report_suspicion(cx);
    }

    /// Handles the server's report that nobody listens on the node's subject. If a server
    /// died, others are missing too: they are probed before one of them is given up.
    pub(super) fn note_absence(&mut self, cx: &mut Context<'_>, node: &NodeId) {
        let Some(since) = self.hearing.since(cx.now.time) else {
            return;
        };
        if !self.fleet.note_absence(cx.now.time, since, node) {
            return;
        }
        let is_due = self
            .rolled
            .is_none_or(|at| cx.now.time.since(at) >= ROLL_INTERVAL);
        if !is_due {
            return;
        }
        self.rolled = Some(cx.now.time);
        self.call_roll(cx);
    }

    /// Probes all nodes, or as many as suffice to find out what is wrong.
    pub(super) fn call_roll(&mut self, cx: &mut Context<'_>) {
        let nodes = self.fleet.nodes().filter(|node| !node.is_gone());
        let nodes = nodes.map(|node| node.id().clone()).take(ROLL_MAX);
        for node in &nodes.collect::<Vec<NodeId>>() {
            self.probe(cx, node);
        }
    }

    fn lose_node(&mut self, cx: &mut Context<'_>, missed: Missed, why: &'static str) {
        let node = missed.node;
        self.manage(cx, roles::Input::Gone(node.clone()));
        self.takeover.settle(&node);
        self.later.forget(&node);
        self.fleet.free(cx.now.time, &node, |_, _| true);
        if !missed.was_gone {
            self.tell_gone(cx, &node, why);
        }
        self.lose_jobs(cx, &node, &BTreeSet::new(), Cause::Death);
    }

    fn tell_gone(&self, cx: &mut Context<'_>, node: &NodeId, why: &'static str) {
        let jobs = self.fleet.get(node).map_or(0, |node| node.jobs());
        let node = node.clone();
        cx.event(Event::NodeGone { node, jobs, why });
    }

    fn report_suspicion(&mut self, cx: &mut Context<'_>) {
        let suspected = self.fleet.suspected();
        let was_suspected = std::mem::replace(&mut self.is_suspecting, suspected.is_some());
        if let Some((missing, nodes)) = suspected
            && !was_suspected
        {
            self.reporting.report_missing(cx, missing, nodes);
        }
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
        let Some(led_since) = self.led_since else {
            return false;
        };
        self.hearing.is_recovering(now)
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
