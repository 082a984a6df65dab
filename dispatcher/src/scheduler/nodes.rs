//! Heartbeats of nodes, and the consequences when they stop.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Epoch, NodeId, Sequence};
use rolecast_common::time::{Now, Time, format_duration};
use rolecast_common::wire::{Admission, AdmissionVerdict, Heartbeat, VERSION};

use super::losses::Cause;
use super::{Event, Malformed, Output, Scheduler, State, Trouble};
use crate::claim::Claimed;
use crate::fleet::{Node, Refusal};
use crate::roles::Heard;

/// Heartbeats after which a sent job that the node does not list never reached it.
const UNLISTED_INTERVALS: u32 = 3;
/// Time for which the status shows that a node claims more than it may: some heartbeats.
const LIMITED_SHOWN: Duration = Duration::from_secs(10);
/// First heartbeats with which a worker that does not answer is probed; later it is not,
/// as it may not listen to probes at all. Derived: admission takes up to three of them.
const STARTING_BEATS: u64 = 6;

impl Scheduler {
    pub(super) fn hear(
        &mut self,
        now: Now,
        from: &NodeId,
        mut beat: Heartbeat,
        out: &mut Vec<Output>,
    ) {
        self.counters.heartbeats += 1;
        if !self.known.may_reach(beat.epoch) {
            let why = format!("epoch {} is no dispatcher's", beat.epoch);
            return self.refuse(now, Malformed::Heartbeat, from.as_str(), why, out);
        }
        match self.params.allowances.limit(&mut beat) {
            Ok(taken) => self.tell_taken(now, from, &taken, out),
            Err(unlisted) => {
                let why = unlisted.to_string();
                return self.refuse(now, Malformed::Heartbeat, from.as_str(), why, out);
            }
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
        self.weigh_epoch(now, &beat, out);
        self.review(now, from, out);
        if change.joined || change.rebooted {
            out.push(Output::Event(Event::NodeJoined {
                node: from.clone(),
                rebooted: change.rebooted,
            }));
        }
        self.probe_new(from, &beat, change.joined || change.rebooted, out);
        if change.drains {
            out.push(Output::Event(Event::NodeDraining { node: from.clone() }));
        }
        self.fleet.free(now.time, from, |job, attempt| {
            let is_it =
                |said: &Assignment| said.ack().sequence() == job && said.attempt() == attempt;
            !beat.jobs.iter().any(is_it)
        });
        let listed: BTreeSet<Sequence> = beat.jobs.iter().map(|job| job.ack().sequence()).collect();
        if change.rebooted {
            self.lose_jobs(now, from, &listed, Cause::Death, out);
        } else if self.knows_unlisted(now.time, from) {
            self.lose_jobs(now, from, &listed, Cause::Absence, out);
        }
        for said in beat.jobs {
            self.adopt(now, from, &Claimed::new(said), out);
        }
    }

    /// Reports the claims of a node beyond its allowance, for as long as it makes them.
    fn tell_taken(&mut self, now: Now, node: &NodeId, taken: &[String], out: &mut Vec<Output>) {
        let Some(first) = taken.first() else {
            return;
        };
        let more = match taken.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let trouble = Trouble {
            what: "the claims of nodes".to_owned(),
            why: format!("{node} claims {first}{more}, which its entry under [nodes] leaves out"),
            remedy: "if it may, add that to the entry in the dispatcher's configuration; if not, \
                     take it out of the worker's"
                .to_owned(),
            lasts: Some(LIMITED_SHOWN),
        };
        self.note_trouble(now, trouble, out);
    }

    /// Probes a new node; an answer shows that it listens to probes. A worker that just
    /// starts listens only after its admission, so it is probed again.
    fn probe_new(
        &mut self,
        id: &NodeId,
        beat: &Heartbeat,
        has_joined: bool,
        out: &mut Vec<Output>,
    ) {
        let is_starting = !beat.joining && beat.sequence <= STARTING_BEATS;
        let has_answered = self.fleet.get(id).is_some_and(Node::has_answered);
        if has_joined || is_starting && !has_answered {
            self.probe(id, out);
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

    /// Answers a boot of a node with the verdict on its admission.
    fn answer_boot(
        &self,
        now: Now,
        beat: &Heartbeat,
        verdict: AdmissionVerdict,
        out: &mut Vec<Output>,
    ) {
        self.answer_boot_with(now, beat, verdict, None, out);
    }

    /// Answers a boot, and adds that the bucket does not know the epoch that it follows.
    pub(super) fn answer_boot_with(
        &self,
        now: Now,
        beat: &Heartbeat,
        verdict: AdmissionVerdict,
        refuted: Option<Epoch>,
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
                refuted,
                reason: reason.unwrap_or_default(),
            }),
        });
    }

    /// Whether a job that a node does not list can be considered lost. A heartbeat that
    /// is read late, after an outage or a pause of this dispatcher, may have been sent
    /// before the job arrived.
    fn knows_unlisted(&self, now: Time, node: &NodeId) -> bool {
        let since = self.hearing.received_since(now);
        let node = self.fleet.get(node);
        since
            .zip(node)
            .is_some_and(|(since, node)| now.since(since) >= node.interval() * UNLISTED_INTERVALS)
    }

    /// Adopts a job in hand that a former dispatcher sent, or one of a node that counted
    /// as gone. No other claim of a node hides a job.
    fn adopt(
        &mut self,
        now: Now,
        node: &NodeId,
        claimed: &Claimed<Assignment>,
        out: &mut Vec<Output>,
    ) {
        let sequence = claimed.said().ack().sequence();
        let held = self.jobs.get(&sequence);
        // The most frequent case by far: a listed job that was sent to the node.
        if held.is_some_and(|job| job.is_running_on(node)) {
            return;
        }
        let Some(assignment) = claimed.genuine(node, &self.seals) else {
            self.refuse_forged(now, node, claimed.said(), out);
            return;
        };
        if self.is_waiting_here(node, assignment) {
            self.recognize(now, node, assignment, out);
            return;
        }
        let is_known = self.jobs.contains_key(&sequence) || self.settled.contains(sequence);
        let away = self.away.get(&sequence).map(|away| &away.history);
        let is_back = away.is_some_and(|history| history.is_lost_to(node, assignment));
        let is_revoked =
            away.is_some_and(|history| history.attempt >= assignment.attempt().get()) && !is_back;
        // A job of our own epoch that we do not know was settled long ago.
        let is_settled = assignment.epoch() >= self.epoch && !is_back;
        if is_known || is_revoked || is_settled || self.is_orphan(assignment) {
            return;
        }
        let mut job = self.inherited(now, node, assignment);
        job.absolve(now, node, assignment, out);
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

    /// Refuses an assignment that no dispatcher sent to the node, or one from before the
    /// last few take-overs.
    pub(super) fn refuse_forged(
        &mut self,
        now: Now,
        node: &NodeId,
        said: &Assignment,
        out: &mut Vec<Output>,
    ) {
        let (job, attempt) = (said.job(), said.attempt());
        let why = format!("job {job}, attempt {attempt}, was never sent to node {node}");
        let from = format!("rolecast.done.{node}");
        self.refuse(now, Malformed::Outcome, &from, why, out);
    }

    /// Whether it is an execution of a job that was delivered again and waits to be sent:
    /// ordered by a former dispatcher, or at a node that counted as gone.
    pub(super) fn is_waiting_here(&self, node: &NodeId, assignment: &Assignment) -> bool {
        let job = self.jobs.get(&assignment.ack().sequence());
        job.is_some_and(|job| {
            let is_later = job.attempt < assignment.attempt().get();
            let is_former = assignment.epoch() < self.epoch && is_later;
            matches!(job.state, State::Waiting)
                && job.job == *assignment.job()
                && (is_former || job.is_lost_to(node, assignment))
        })
    }

    /// Leaves a waiting job to the node that already has it in hand.
    fn recognize(
        &mut self,
        now: Now,
        node: &NodeId,
        assignment: &Assignment,
        out: &mut Vec<Output>,
    ) {
        let sequence = assignment.ack().sequence();
        let Some(job) = self.jobs.get_mut(&sequence) else {
            return;
        };
        if let Some(room) = self.rooms.get_mut(&job.source) {
            room.leave(sequence, job.is_choosy());
        }
        job.absolve(now, node, assignment, out);
        job.attempt = assignment.attempt().get();
        job.kept_alive = now.time;
        job.state = State::Running {
            node: node.clone(),
            sent: now.time,
        };
        let category = self.fleet.category(&job.source.category);
        out.push(Output::Drop(sequence));
        out.push(Output::KeepAlive(job.ack.clone()));
        out.push(Output::Event(Event::JobAdopted {
            job: job.job.clone(),
            node: node.clone(),
            epoch: assignment.epoch(),
        }));
        self.fleet.adopt(now.time, node, sequence, category);
    }

    /// Handles a job that nobody received: it was not taken, and the node gets no more
    /// until its next heartbeat.
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
        self.note_absence(now, node, out);
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

    /// Gives back the jobs sent to a node that it does not list as in hand: all of them,
    /// or those it should have listed by now.
    pub(super) fn lose_jobs(
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
