//! Heartbeats of nodes, and the consequences when they stop.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Epoch, NodeId, Sequence};
use rolecast_common::time::{Time, format_duration};
use rolecast_common::wire::{Admission, AdmissionVerdict, Heartbeat, VERSION};

use super::losses::Cause;
use super::{Context, Event, Malformed, Output, Scheduler, State, Trouble};
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
    pub(super) fn hear(&mut self, cx: &mut Context<'_>, from: &NodeId, mut beat: Heartbeat) {
        self.reporting.count(|counters| &mut counters.heartbeats);
        if !self.leadership.known().may_reach(beat.epoch) {
            let why = format!("epoch {} is no dispatcher's", beat.epoch);
            return self
                .reporting
                .refuse(cx, Malformed::Heartbeat, from.as_str(), why);
        }
        match self.params.allowances.limit(&mut beat) {
            Ok(taken) => self.tell_taken(cx, from, &taken),
            Err(unlisted) => {
                let why = unlisted.to_string();
                return self
                    .reporting
                    .refuse(cx, Malformed::Heartbeat, from.as_str(), why);
            }
        }
        let heard = Heard::new(&beat);
        self.strip_roles(&mut beat);
        let change = match self.fleet.take(cx.now, from, &beat) {
            Ok(change) => change,
            Err(refusal) => return self.refuse_heartbeat(cx, &beat, refusal),
        };
        self.leadership.record_heartbeat(from);
        if beat.joining {
            self.answer_boot(cx, &beat, AdmissionVerdict::Admitted, None);
        }
        if let Some(ahead_ms) = change.skewed_ms {
            let node = from.clone();
            cx.event(Event::ClockSkewed { node, ahead_ms });
        }
        self.tell_roles(cx, heard);
        self.judge_roles(cx, from);
        self.compare_epoch(cx, &beat);
        self.review(cx, from);
        if change.joined || change.rebooted {
            cx.event(Event::NodeJoined {
                node: from.clone(),
                rebooted: change.rebooted,
            });
        }
        self.probe_new(cx, from, &beat, change.joined || change.rebooted);
        if change.drains {
            cx.event(Event::NodeDraining { node: from.clone() });
        }
        self.fleet.free(cx.now.time, from, |job, attempt| {
            let is_it =
                |said: &Assignment| said.ack().sequence() == job && said.attempt() == attempt;
            !beat.jobs.iter().any(is_it)
        });
        let listed: BTreeSet<Sequence> = beat.jobs.iter().map(|job| job.ack().sequence()).collect();
        if change.rebooted {
            self.lose_jobs(cx, from, &listed, Cause::Death);
        } else if self.knows_unlisted(cx.now.time, from) {
            self.lose_jobs(cx, from, &listed, Cause::Absence);
        }
        for said in beat.jobs {
            self.adopt(cx, from, &Claimed::new(said));
        }
    }

    /// Reports the claims of a node beyond its allowance, for as long as it makes them.
    fn tell_taken(&mut self, cx: &mut Context<'_>, node: &NodeId, taken: &[String]) {
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
        self.reporting.report_trouble(cx, trouble);
    }

    /// Probes a new node; an answer shows that it listens to probes. A worker that just
    /// starts listens only after its admission, so it is probed again.
    fn probe_new(&mut self, cx: &mut Context<'_>, id: &NodeId, beat: &Heartbeat, has_joined: bool) {
        let is_starting = !beat.joining && beat.sequence <= STARTING_BEATS;
        let has_answered = self.fleet.get(id).is_some_and(Node::has_answered);
        if has_joined || is_starting && !has_answered {
            self.watch.probe(cx, id);
        }
    }

    fn refuse_heartbeat(&mut self, cx: &mut Context<'_>, beat: &Heartbeat, refusal: Refusal) {
        match refusal {
            Refusal::Contends => {
                return self.answer_boot(cx, beat, AdmissionVerdict::Wait, None);
            }
            Refusal::NameInUse | Refusal::SupersededBoot => {
                self.answer_boot(cx, beat, AdmissionVerdict::Refused, None);
            }
            Refusal::ForeignNode
            | Refusal::Replayed
            | Refusal::Implausible
            | Refusal::TooManyNodes => {}
        }
        let why = refusal.to_string();
        let from = beat.node.clone();
        self.reporting
            .refuse(cx, Malformed::Heartbeat, from.as_str(), why);
    }

    fn compare_epoch(&mut self, cx: &mut Context<'_>, beat: &Heartbeat) {
        let is_to_know = self.leadership.compare_epoch(
            cx,
            beat,
            &mut self.fleet,
            self.watch.reception(),
            &mut self.reporting,
        );
        if is_to_know {
            self.answer_boot(cx, beat, AdmissionVerdict::Admitted, Some(beat.epoch));
        }
    }

    /// Answers a boot of a node with the verdict on its admission, and the epoch that it
    /// follows if the bucket does not know that.
    fn answer_boot(
        &self,
        cx: &mut Context<'_>,
        beat: &Heartbeat,
        verdict: AdmissionVerdict,
        refuted: Option<Epoch>,
    ) {
        if !self.leadership.leads() {
            return;
        }
        let node = self.fleet.get(&beat.node);
        let other = node.filter(|node| *node.boot() != beat.boot);
        let reason = other.map(|node| {
            let age = format_duration(node.age(cx.now.time));
            format!("boot {} of it sent a heartbeat {age} ago", node.boot())
        });
        cx.push(Output::Admit {
            node: beat.node.clone(),
            admission: Box::new(Admission {
                v: VERSION,
                boot: beat.boot.clone(),
                epoch: self.leadership.epoch(),
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
        let since = self.watch.reception().received_since(now);
        let node = self.fleet.get(node);
        since
            .zip(node)
            .is_some_and(|(since, node)| now.since(since) >= node.interval() * UNLISTED_INTERVALS)
    }

    /// Adopts a job in hand that a former dispatcher sent, or one of a node that counted
    /// as gone. No other claim of a node hides a job.
    fn adopt(&mut self, cx: &mut Context<'_>, node: &NodeId, claimed: &Claimed<Assignment>) {
        let sequence = claimed.said().ack().sequence();
        let held = self.jobs.get(&sequence);
        // The most frequent case by far: a listed job that was sent to the node.
        if held.is_some_and(|job| job.is_running_on(node)) {
            return;
        }
        let Some(assignment) = claimed.genuine(node, self.leadership.seals()) else {
            self.refuse_forged(cx, node, claimed.said());
            return;
        };
        if self.is_waiting_here(node, assignment) {
            self.recognize(cx, node, assignment);
            return;
        }
        let is_known = self.jobs.contains_key(&sequence) || self.settled.contains(sequence);
        let away = self.away.get(&sequence).map(|away| &away.history);
        let is_back = away.is_some_and(|history| history.is_lost_to(node, assignment));
        let is_revoked =
            away.is_some_and(|history| history.attempt >= assignment.attempt().get()) && !is_back;
        // A job of our own epoch that we do not know was settled long ago.
        let is_settled = assignment.epoch() >= self.leadership.epoch() && !is_back;
        if is_known || is_revoked || is_settled || self.is_orphan(assignment) {
            return;
        }
        let mut job = self.inherited(cx.now, node, assignment);
        job.absolve(cx, node, assignment);
        let category = self.fleet.category(&job.source.category);
        self.fleet.adopt(cx.now.time, node, sequence, category);
        if job.suspicion.is_some() {
            self.quarantine.note_suspect(sequence, node.clone());
        }
        cx.push(Output::KeepAlive(job.ack.clone()));
        cx.event(Event::JobAdopted {
            job: job.job.clone(),
            node: node.clone(),
            epoch: assignment.epoch(),
        });
        self.jobs.insert(sequence, job);
    }

    /// Refuses an assignment that no dispatcher sent to the node, or one from before the
    /// last few take-overs.
    pub(super) fn refuse_forged(&mut self, cx: &mut Context<'_>, node: &NodeId, said: &Assignment) {
        let (job, attempt) = (said.job(), said.attempt());
        let why = format!("job {job}, attempt {attempt}, was never sent to node {node}");
        let from = format!("rolecast.done.{node}");
        self.reporting.refuse(cx, Malformed::Outcome, &from, why);
    }

    /// Whether it is an execution of a job that was delivered again and waits to be sent:
    /// ordered by a former dispatcher, or at a node that counted as gone.
    pub(super) fn is_waiting_here(&self, node: &NodeId, assignment: &Assignment) -> bool {
        let job = self.jobs.get(&assignment.ack().sequence());
        job.is_some_and(|job| {
            let is_later = job.attempt < assignment.attempt().get();
            let is_former = assignment.epoch() < self.leadership.epoch() && is_later;
            matches!(job.state, State::Waiting)
                && job.job == *assignment.job()
                && (is_former || job.is_lost_to(node, assignment))
        })
    }

    /// Leaves a waiting job to the node that already has it in hand.
    fn recognize(&mut self, cx: &mut Context<'_>, node: &NodeId, assignment: &Assignment) {
        let sequence = assignment.ack().sequence();
        let Some(job) = self.jobs.get_mut(&sequence) else {
            return;
        };
        if let Some(room) = self.rooms.get_mut(&job.source) {
            room.leave(sequence, job.is_choosy());
        }
        job.absolve(cx, node, assignment);
        job.attempt = assignment.attempt().get();
        job.kept_alive = cx.now.time;
        job.state = State::Running {
            node: node.clone(),
            sent: cx.now.time,
        };
        let category = self.fleet.category(&job.source.category);
        cx.push(Output::Drop(sequence));
        cx.push(Output::KeepAlive(job.ack.clone()));
        cx.event(Event::JobAdopted {
            job: job.job.clone(),
            node: node.clone(),
            epoch: assignment.epoch(),
        });
        self.fleet.adopt(cx.now.time, node, sequence, category);
    }

    /// Handles a job that nobody received: it was not taken, and the node gets no more
    /// until its next heartbeat.
    pub(super) fn bounce(&mut self, cx: &mut Context<'_>, node: &NodeId, assignment: &Assignment) {
        self.reporting.count(|counters| &mut counters.jobs_bounced);
        let sequence = assignment.ack().sequence();
        if let Some(state) = self.fleet.get(node) {
            if !state.is_gone() {
                let jobs = state.jobs().saturating_sub(1);
                let why = "nobody listens on its subject";
                let node = node.clone();
                cx.event(Event::NodeGone { node, jobs, why });
            }
            self.fleet.bounce(node);
        }
        self.watch.record_absence(cx, &mut self.fleet, node);
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
        self.fleet.release(cx.now.time, node, sequence);
        let job = self.jobs.remove(&sequence).expect("it was just found");
        let reason = format!("nobody listened at node {node}");
        self.give_back(cx, job, Duration::ZERO, reason);
    }

    /// Gives back the jobs sent to a node that it does not list as in hand: all of them,
    /// or those it should have listed by now.
    pub(super) fn lose_jobs(
        &mut self,
        cx: &mut Context<'_>,
        node: &NodeId,
        listed: &BTreeSet<Sequence>,
        cause: Cause,
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
                State::Running { sent, .. } => cx.now.time.since(sent) >= min_age,
                State::Waiting | State::Recording { .. } | State::Burying { .. } => true,
            })
        });
        self.lose_all(cx, node, &unlisted, cause);
    }
}
