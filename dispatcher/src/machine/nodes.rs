//! Heartbeats, and what follows when they stop.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Epoch, NodeId, Sequence};
use rolecast_common::time::{Now, format_duration};
use rolecast_common::wire::{Admission, AdmissionVerdict, Heartbeat, VERSION};

use super::losses::Cause;
use super::{Event, Machine, Malformed, Output, State};
use crate::fleet::Refusal;
use crate::roles::{self, Heard};

/// A job that was sent this many heartbeats ago, and that the node does not
/// list, never reached it.
const UNLISTED_INTERVALS: u32 = 3;
/// Epochs rise by one each time another dispatcher takes the lead. A node that
/// tells of one this far above all others is forged, and no reason to follow it.
const EPOCH_LEAP_MAX: u64 = 1_000_000;

impl Machine {
    pub(super) fn hear(
        &mut self,
        now: Now,
        from: &NodeId,
        mut beat: Heartbeat,
        out: &mut Vec<Output>,
    ) {
        self.counters.heartbeats += 1;
        if beat.epoch.get() > self.known.get().saturating_add(EPOCH_LEAP_MAX) {
            let why = format!("epoch {} is no dispatcher's", beat.epoch);
            return self.refuse(now, Malformed::Heartbeat, from.as_str(), why, out);
        }
        let heard = Heard::new(&beat);
        self.strip_roles(&mut beat);
        let change = match self.fleet.take(now, from, &beat) {
            Ok(change) => change,
            Err(refusal) => return self.refuse_heartbeat(now, &beat, refusal, out),
        };
        self.takeover.settle(from);
        if beat.joining {
            self.answer_boot(now, &beat, AdmissionVerdict::Admitted, out);
        }
        if let Some(ahead_ms) = change.skewed_ms {
            let node = from.clone();
            out.push(Output::Event(Event::ClockSkewed { node, ahead_ms }));
        }
        self.tell_roles(now, heard, out);
        self.judge_roles(now, from, out);
        self.follow(from, beat.epoch, out);
        if change.joined || change.rebooted {
            out.push(Output::Event(Event::NodeJoined {
                node: from.clone(),
                rebooted: change.rebooted,
            }));
        }
        if change.drains {
            out.push(Output::Event(Event::NodeDraining { node: from.clone() }));
        }
        let listed: BTreeSet<Sequence> = beat.jobs.iter().map(|job| job.ack().sequence()).collect();
        if change.rebooted {
            self.lose_jobs(now, from, &listed, Cause::Death, out);
        } else {
            self.lose_jobs(now, from, &listed, Cause::Absence, out);
        }
        for assignment in &beat.jobs {
            self.adopt(now, from, assignment, out);
        }
    }

    fn refuse_heartbeat(
        &mut self,
        now: Now,
        beat: &Heartbeat,
        refusal: Refusal,
        out: &mut Vec<Output>,
    ) {
        match refusal {
            Refusal::Contends => {
                return self.answer_boot(now, beat, AdmissionVerdict::Wait, out);
            }
            Refusal::NameInUse | Refusal::SupersededBoot => {
                self.answer_boot(now, beat, AdmissionVerdict::Refused, out);
            }
            Refusal::ForeignNode
            | Refusal::Replayed
            | Refusal::Implausible
            | Refusal::TooManyNodes => {}
        }
        let why = refusal.to_string();
        let from = beat.node.clone();
        self.refuse(now, Malformed::Heartbeat, from.as_str(), why, out);
    }

    /// Tells a start of a node what becomes of it.
    fn answer_boot(
        &self,
        now: Now,
        beat: &Heartbeat,
        verdict: AdmissionVerdict,
        out: &mut Vec<Output>,
    ) {
        if self.led_since.is_none() {
            return;
        }
        let node = self.fleet.get(&beat.node);
        let other = node.filter(|node| *node.boot() != beat.boot);
        let reason = other.map(|node| {
            let age = format_duration(node.age(now.time));
            format!("boot {} of it sent a heartbeat {age} ago", node.boot())
        });
        out.push(Output::Admit {
            node: beat.node.clone(),
            admission: Box::new(Admission {
                v: VERSION,
                boot: beat.boot.clone(),
                epoch: self.epoch,
                verdict,
                reason: reason.unwrap_or_default(),
            }),
        });
    }

    /// A node that has seen a later epoch obeys this dispatcher no more. Either
    /// another one leads, or the bucket that holds the epoch was rolled back: to
    /// lead again it takes an epoch above.
    fn follow(&mut self, node: &NodeId, theirs: Epoch, out: &mut Vec<Output>) {
        self.known = self.known.max(theirs);
        if self.led_since.is_some() && theirs > self.epoch {
            let ours = self.epoch;
            let reason = format!("node {node} follows epoch {theirs}, this one is {ours}");
            out.push(Output::StepDown { reason });
        }
    }

    /// Takes over a job in hand that a former dispatcher sent.
    fn adopt(&mut self, now: Now, node: &NodeId, assignment: &Assignment, out: &mut Vec<Output>) {
        let sequence = assignment.ack().sequence();
        let is_known = self.jobs.contains_key(&sequence)
            || self.settled.contains(sequence)
            || self
                .away
                .get(&sequence)
                .is_some_and(|away| away.history.attempt >= assignment.attempt().get());
        // A job of our own epoch that we do not know was settled long ago.
        if is_known || self.is_orphan(assignment) || assignment.epoch() >= self.epoch {
            return;
        }
        let job = self.inherited(now, node, assignment);
        let category = self.fleet.category(&job.source.category);
        self.fleet.adopt(now.time, node, sequence, category);
        if job.suspicion.is_some() {
            self.quarantine.note_suspect(sequence, node.clone());
        }
        out.push(Output::KeepAlive(job.ack.clone()));
        out.push(Output::Event(Event::JobAdopted {
            job: job.job.clone(),
            node: node.clone(),
            epoch: assignment.epoch(),
        }));
        self.jobs.insert(sequence, job);
    }

    /// Nobody listened: the job was not taken, and the node gets no more until
    /// its next heartbeat.
    pub(super) fn bounce(
        &mut self,
        now: Now,
        node: &NodeId,
        assignment: &Assignment,
        out: &mut Vec<Output>,
    ) {
        self.counters.jobs_bounced += 1;
        let sequence = assignment.ack().sequence();
        if let Some(state) = self.fleet.get(node) {
            if !state.is_gone() {
                let jobs = state.jobs().saturating_sub(1);
                let why = "nobody listens on its subject";
                let node = node.clone();
                out.push(Output::Event(Event::NodeGone { node, jobs, why }));
            }
            self.fleet.bounce(node);
        }
        let Some(job) = self.jobs.get(&sequence) else {
            return;
        };
        let is_ours = match &job.state {
            State::Running { node: at, .. } => {
                at == node && job.attempt == assignment.attempt().get()
            }
            State::Waiting | State::Recording { .. } | State::Burying { .. } => false,
        };
        if !is_ours {
            return;
        }
        self.fleet.release(now.time, node, sequence);
        let job = self.jobs.remove(&sequence).expect("it was just found");
        let reason = format!("nobody listened at node {node}");
        self.give_back(now, job, Duration::ZERO, reason, out);
    }

    /// Gives back the jobs of nodes whose heartbeats stopped.
    pub(super) fn bury_the_gone(&mut self, now: Now, out: &mut Vec<Output>) {
        for node in self.fleet.mark_gone(now.time) {
            let jobs = self.fleet.get(&node).map_or(0, |node| node.jobs());
            let why = "its heartbeats stopped";
            self.manage(now, roles::Input::Gone(node.clone()), out);
            self.takeover.settle(&node);
            out.push(Output::Event(Event::NodeGone { node, jobs, why }));
        }
        let lost: Vec<NodeId> = self
            .fleet
            .nodes()
            .filter(|node| node.is_gone() && node.has_missed(now.time) && node.jobs() > 0)
            .map(|node| node.id().clone())
            .collect();
        for node in lost {
            self.lose_jobs(now, &node, &BTreeSet::new(), Cause::Death, out);
        }
    }

    /// Gives back the jobs sent to a node that it does not list as in hand: all of
    /// them, or those it should have listed by now.
    fn lose_jobs(
        &mut self,
        now: Now,
        node: &NodeId,
        listed: &BTreeSet<Sequence>,
        cause: Cause,
        out: &mut Vec<Output>,
    ) {
        let Some(state) = self.fleet.get(node) else {
            return;
        };
        let min_age = match cause {
            Cause::Death => Duration::ZERO,
            Cause::Absence => state.interval() * UNLISTED_INTERVALS,
        };
        let in_hand = state.ledger().jobs();
        let mut unlisted: Vec<Sequence> = in_hand.filter(|job| !listed.contains(job)).collect();
        // The order of a hash map must not reach the outside.
        unlisted.sort_unstable();
        unlisted.retain(|sequence| {
            self.jobs.get(sequence).is_none_or(|job| match job.state {
                State::Running { sent, .. } => now.time.since(sent) >= min_age,
                State::Waiting | State::Recording { .. } | State::Burying { .. } => true,
            })
        });
        self.lose_all(now, node, &unlisted, cause, out);
    }
}
