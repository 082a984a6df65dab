//! Nodes: their heartbeats, and the loss of those whose heartbeats stop.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Epoch, NodeId, Sequence};
use rolecast_common::time::{Now, Time, format_duration};
use rolecast_common::wire::{Admission, AdmissionVerdict, Heartbeat, VERSION};

use super::Scheduler;
use super::context::Context;
use super::input::Malformed;
use super::jobs::{Cause, Job, Loss};
use super::output::{Event, Output, Trouble};
use crate::claim::Claimed;
use crate::fleet::{Missed, Node, Presence, Refusal};
use crate::roles::{self, Report};

/// Heartbeats after which a sent job that the node does not list never reached it.
const UNLISTED_INTERVALS: u32 = 3;
/// Time for which the status shows that a node claims more than it may: some heartbeats.
const LIMITED_SHOWN: Duration = Duration::from_secs(10);
/// First heartbeats with which a worker that does not answer is probed; later it is not,
/// as it may not listen to probes at all. Derived: admission takes up to three of them.
const STARTING_BEATS: u64 = 6;

const ABSENT: &str = "nobody listens on its subject";
const SILENT: &str = "its heartbeats stopped";
const DROPPED: &str = "it was sent a job and does not have it";

impl Scheduler {
    pub(super) fn receive_heartbeat(
        &mut self,
        cx: &mut Context<'_>,
        from: &NodeId,
        mut beat: Heartbeat,
    ) {
        self.reporting.count(|counters| &mut counters.heartbeats);
        if !self.leadership.known().may_reach(beat.epoch) {
            let why = format!("no dispatcher had epoch {}", beat.epoch);
            return self.refuse_beat(cx, "epoch", from, why);
        }
        match self.params.allowances.limit(&mut beat) {
            Ok(taken) => self.report_excess(cx, from, &taken),
            Err(unlisted) => {
                let why = unlisted.to_string();
                return self.refuse_beat(cx, "not_listed", from, why);
            }
        }
        let report = Report::new(&beat);
        beat.roles = self.relocation.effective_roles(&beat.node, &beat.roles);
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
        self.relocate(cx, |relocation, now, fleet, out| {
            relocation.receive(now, report, fleet, out);
        });
        let is_drained = self.relocation.is_drained(from);
        self.fleet.set_drained(from, is_drained);
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
                |listed: &Assignment| listed.ack().sequence() == job && listed.attempt() == attempt;
            !beat.jobs.iter().any(is_it)
        });
        let listed: BTreeSet<Sequence> = beat.jobs.iter().map(|job| job.ack().sequence()).collect();
        if change.rebooted {
            self.lose_jobs(cx, from, &listed, Cause::Death);
        } else if self.knows_unlisted(cx.now.time, from) {
            self.lose_jobs(cx, from, &listed, Cause::Absence);
        }
        for listed in beat.jobs.iter().cloned() {
            self.adopt(cx, from, &Claimed::new(listed));
        }
        self.jobs.stop_listed(cx, from, &beat.jobs);
        self.take_progress(cx.now, from, beat);
    }

    /// Takes the progress that a node claims for its jobs in hand.
    fn take_progress(&mut self, now: Now, from: &NodeId, beat: Heartbeat) {
        for claimed in beat.progress {
            let place = usize::try_from(claimed.job).unwrap_or(usize::MAX);
            if let Some(assignment) = beat.jobs.get(place) {
                self.jobs.take_progress(now, from, assignment, claimed);
            }
        }
    }

    /// Reports the claims of a node beyond its allowance, for as long as it makes them.
    fn report_excess(&mut self, cx: &mut Context<'_>, node: &NodeId, taken: &[String]) {
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
        self.refuse_beat(cx, refusal.name(), &beat.node, why);
    }

    /// Refuses a heartbeat for a reason that is one of a few.
    fn refuse_beat(
        &mut self,
        cx: &mut Context<'_>,
        reason: &'static str,
        from: &NodeId,
        why: String,
    ) {
        let kind = (Malformed::Heartbeat, reason);
        self.reporting.refuse_for(cx, kind, from.as_str(), why);
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
    /// as gone.
    fn adopt(&mut self, cx: &mut Context<'_>, node: &NodeId, claimed: &Claimed<Assignment>) {
        // A standby does not know the seals, so it would count each job as forged.
        if !self.leadership.leads() {
            return;
        }
        let sequence = claimed.unchecked().ack().sequence();
        let held = self.jobs.get(sequence);
        // The most frequent case by far: a listed job that was sent to the node.
        if held.is_some_and(|job| job.is_running_on(node)) {
            return;
        }
        let Some(assignment) = claimed.genuine(node, self.leadership.seals()) else {
            self.reporting.refuse_forged(cx, node, claimed.unchecked());
            return;
        };
        let adopted = self.jobs.adopt(cx, &mut self.queue, node, assignment);
        if let Some(category) = adopted {
            let category = self.fleet.category(&category);
            self.fleet.adopt(cx.now.time, node, sequence, category);
        }
    }

    /// Handles a job that nobody received: it was not taken, and the node gets no more
    /// until its next heartbeat.
    pub(super) fn bounce(&mut self, cx: &mut Context<'_>, node: &NodeId, assignment: &Assignment) {
        self.reporting.count(|counters| &mut counters.jobs_bounced);
        let sequence = assignment.ack().sequence();
        if let Some(state) = self.fleet.get(node) {
            if !state.is_gone() {
                let jobs = state.jobs().saturating_sub(1);
                let why = ABSENT;
                let node = node.clone();
                cx.event(Event::NodeGone { node, jobs, why });
            }
            self.fleet.bounce(node);
        }
        self.watch.record_absence(cx, &mut self.fleet, node);
        let is_ours = self.jobs.get(sequence).is_some_and(|job| {
            job.is_running_on(node) && job.attempt() == assignment.attempt().get()
        });
        if is_ours {
            self.fleet.release(cx.now.time, node, sequence);
            let reason = format!("nobody listened at node {node}");
            self.jobs
                .return_at_once(cx, &mut self.queue, sequence, reason);
        }
    }

    /// Gives back the jobs sent to a node that it does not list as in hand: all of them,
    /// or those it should have listed by now.
    fn lose_jobs(
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
        let mut lost = Vec::new();
        for sequence in unlisted {
            let job = self.jobs.get(sequence);
            let sent = job.and_then(Job::sent);
            if sent.is_some_and(|sent| cx.now.time.since(sent) < min_age) {
                continue;
            }
            match job.map(|job| job.source().category.clone()) {
                // A node that drops accepted jobs is no better than one that fails them.
                Some(category) if sent.is_some() && cause == Cause::Absence => {
                    let doubt = self.fleet.fail(cx.now, node, sequence, DROPPED);
                    if let Some(doubt) = doubt {
                        self.reporting.report_distrusted(cx, node, category, doubt);
                    }
                }
                Some(_) | None => self.fleet.release(cx.now.time, node, sequence),
            }
            if sent.is_some() {
                lost.push(sequence);
            }
        }
        let loss = Loss {
            node,
            jobs: lost,
            cause,
        };
        self.jobs
            .lose(cx, &mut self.queue, &mut self.reporting, &loss);
    }

    /// Judges the conduct of the node again, since its peers may have given more
    /// evidence.
    fn review(&mut self, cx: &mut Context<'_>, node: &NodeId) {
        for (category, doubt) in self.fleet.review(cx.now, node) {
            self.reporting.report_distrusted(cx, node, category, doubt);
        }
    }

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
        self.coordinate(cx, roles::Input::Gone(node.clone()));
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
}
