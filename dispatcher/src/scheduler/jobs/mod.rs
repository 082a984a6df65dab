//! Jobs: those that are held here, those that were given back, and all transitions
//! between their states.
//!
//! | From | To | By |
//! |---|---|---|
//! | delivered | waiting | `deliver` |
//! | delivered | given back | `deliver`, when it is delayed |
//! | delivered | dead-lettering | `deliver`, when it is expired or invalid |
//! | waiting | running | `send`; `adopt`, when a node has it in hand |
//! | running | waiting | `take_back`, when it could not be sent |
//! | in hand at a node | running | `adopt`, after a take-over or an absence |
//! | running | recording | `settle`, when it completed |
//! | running | given back | `settle`, `fail_unreported`, `lose`, `return_at_once` |
//! | running | dead-lettering | the same, after its last attempt; `give_up_unsent` |
//! | waiting | dead-lettering | `give_up_waiting`; `sweep`, when it expired |
//! | recording | settled | `finish_record` |
//! | dead-lettering | settled | `finish_dead_letter` |
//! | waiting | given back | `stop` |
//! | given back | delivered | the stream; `standing` and `take`, by a late outcome |
//! | waiting | recording | `cancelling`; also `deliver` and `take_back`, by a stored cancel |
//! | running | recording | the same as given back, by a stored cancel |
//! | given back | removing, settled | `cancelling`, `removals` |
//! | any | forgotten | `renew_stream` |
//!
//! A settled job is remembered for a while (`recent`), so that a redelivery is not run
//! again. An unacknowledged job is delivered again, whatever fails here.

mod adoption;
mod cancelling;
mod cancels;
mod confirmations;
mod delivery;
mod ending;
mod finishing;
mod giving_up;
mod job;
mod losses;
mod quarantine;
mod recent;
mod records;
mod removals;
pub(super) mod spans;
mod standing;
mod upkeep;

use std::time::Duration;

use foldhash::{HashMap, HashSet};
use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Attempt, Category, JobId, NodeId, Sequence};
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire::{JobProgress, RecordStatus};

pub(super) use ending::{Ended, clipped};
pub(super) use job::{Away, Job, State};
pub(super) use losses::{Cause, Loss};
pub(super) use quarantine::Key;
pub(super) use standing::Standing;

use super::cancel::CancelInput;
use super::context::Context;
use super::input::{Delivery, Stray};
use super::output::{Event, History, Output};
use super::queue::{Departure, Queue};
use super::reporting::Reporting;
use super::suspects::Suspicion;
use crate::fleet::Fleet;
use crate::placement::{Alone, Request, Shortfall, Slot};
use cancels::Cancels;
use confirmations::Confirmations;
use quarantine::Quarantine;
use recent::Recent;
use removals::Removals;

#[derive(Debug)]
pub(super) struct Jobs {
    held: HashMap<Sequence, Job>,
    /// Jobs given back, until they are delivered again.
    away: HashMap<Sequence, Away>,
    recent: Recent,
    /// Jobs without a consumer that are being dead-lettered.
    strays: HashSet<Sequence>,
    confirmations: Confirmations,
    quarantine: Quarantine,
    cancels: Cancels,
    removals: Removals,
    /// Creation time of the jobs stream; zero if that is not known.
    stream_created: WallTime,
    /// Time without a sign of life after which the server delivers a job again.
    ack_wait: Duration,
    rng: fastrand::Rng,
}

impl Jobs {
    pub(super) fn new(ack_wait: Duration, seed: u64) -> Self {
        Self {
            held: HashMap::default(),
            away: HashMap::default(),
            recent: Recent::default(),
            strays: HashSet::default(),
            confirmations: Confirmations::default(),
            quarantine: Quarantine::default(),
            cancels: Cancels::default(),
            removals: Removals::default(),
            stream_created: WallTime::default(),
            ack_wait,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    pub(super) fn get(&self, sequence: Sequence) -> Option<&Job> {
        self.held.get(&sequence)
    }

    /// Returns the jobs that are held, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.held.values()
    }

    pub(super) fn given_back(&self, sequence: Sequence) -> Option<&Away> {
        self.away.get(&sequence)
    }

    /// Returns the jobs that were given back, in no order.
    pub(super) fn all_given_back(&self) -> impl Iterator<Item = (Sequence, &Away)> {
        self.away.iter().map(|(sequence, away)| (*sequence, away))
    }

    /// Returns the job with this id if it was given back.
    pub(super) fn find_given_back(&self, id: &JobId) -> Option<&Away> {
        self.away.values().find(|away| away.history.job == *id)
    }

    /// Takes the progress that a node claims for an attempt.
    pub(super) fn take_progress(
        &mut self,
        now: Now,
        from: &NodeId,
        assignment: &Assignment,
        claimed: JobProgress,
    ) {
        if let Some(job) = self.held.get_mut(&assignment.ack().sequence()) {
            job.take_progress(now, from, assignment, claimed);
        }
    }

    /// Returns a random number from 0 to 1, for delays.
    pub(super) fn jitter(&mut self) -> f64 {
        self.rng.f64()
    }

    /// Restores the histories that a former leader stored.
    pub(super) fn restore(&mut self, now: Now, histories: Vec<(Sequence, History)>) {
        for (sequence, history) in histories {
            // A take-over shortens a delay only if less than this is left of it.
            let delay = history.not_before.unwrap_or_default().since(now.wall);
            let until = now.time + delay.min(self.ack_wait);
            let reason = String::new();
            self.away.insert(
                sequence,
                Away {
                    history,
                    source: None,
                    submitted: None,
                    until,
                    reason,
                },
            );
        }
    }

    /// Receives a job from the stream, for the first time or again.
    pub(super) fn deliver(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        reporting: &mut Reporting,
        delivery: Delivery,
    ) {
        delivery::deliver(self, cx, queue, reporting, delivery);
    }

    /// Dead-letters a job that no consumer delivers.
    pub(super) fn dead_letter_stray(&mut self, cx: &mut Context<'_>, stray: Stray) {
        if self.recent.contains(stray.sequence) || !self.strays.insert(stray.sequence) {
            return;
        }
        let record = records::plain_of(cx, stray, RecordStatus::Dead);
        cx.push(Output::DeadLetter {
            record: Box::new(record),
            ack: None,
        });
    }

    /// Records the next attempt of a waiting job: it is sent to the node.
    pub(super) fn send(
        &mut self,
        now: Time,
        queue: &mut Queue,
        sequence: Sequence,
        node: &NodeId,
    ) -> (&Job, Departure) {
        let job = self.held.get_mut(&sequence);
        let job = job.expect("waiting jobs are held");
        let departure = queue.send(&job.source, sequence, job.is_choosy());
        if job.past.suspicion.is_some() {
            self.quarantine.record_suspect(sequence, node.clone());
        }
        job.past.attempt += 1;
        job.judged = None;
        job.run_on(now, node);
        (job, departure)
    }

    /// Takes a job back that could not be sent: it never left, and waits again at its
    /// former place. Returns the node where it is not.
    pub(super) fn take_back(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        sequence: Sequence,
        attempt: Attempt,
    ) -> Option<NodeId> {
        let Some(job) = self.held.get_mut(&sequence) else {
            cx.push(Output::Drop(sequence));
            return None;
        };
        let node = job.node()?.clone();
        if job.past.attempt != attempt.get() {
            return None;
        }
        job.state = State::Waiting;
        job.past.attempt = job.past.attempt.saturating_sub(1);
        if self.cancels.of(job).is_some() {
            self.cancels.add_due(cx.now.time, [sequence]);
        }
        queue.join(&job.source, sequence, job.is_choosy());
        Some(node)
    }

    /// Whether the decision about a waiting job is recorded: of one that is sent, or that
    /// must wait.
    pub(super) fn take_record(
        &mut self,
        now: Time,
        reporting: &mut Reporting,
        sequence: Sequence,
        is_sent: bool,
    ) -> bool {
        let Some(job) = self.held.get_mut(&sequence) else {
            return false;
        };
        let is_recorded = if is_sent {
            // Otherwise the record would show for a day that it waits.
            reporting.records_sent(now) || job.is_recorded
        } else {
            !std::mem::replace(&mut job.is_considered, true) && reporting.records_wait(now)
        };
        job.is_recorded |= is_recorded;
        is_recorded
    }

    /// Records the result of a check of all nodes for the job.
    pub(super) fn record_judgement(&mut self, now: Time, sequence: Sequence, found: Shortfall) {
        if let Some(job) = self.held.get_mut(&sequence) {
            job.judged = Some((now, found));
        }
    }

    /// Carries out a cancel, or a part of one.
    pub(super) fn cancel(&mut self, cx: &mut Context<'_>, queue: &mut Queue, input: CancelInput) {
        cancelling::handle(self, cx, queue, input);
    }

    /// Cancels the next jobs that are due.
    pub(super) fn cancel_due(&mut self, cx: &mut Context<'_>, queue: &mut Queue) {
        cancelling::cancel_due(self, cx, queue);
    }

    /// Returns the time from which on jobs are to be cancelled.
    pub(super) fn cancels_due(&self) -> Option<Time> {
        cancelling::due_since(self)
    }

    /// Asks a node to stop the attempts that it lists and that are cancelled.
    pub(super) fn stop_listed(&self, cx: &mut Context<'_>, node: &NodeId, listed: &[Assignment]) {
        cancelling::stop_listed(self, cx, node, listed);
    }

    /// Returns the reason why a job is being cancelled, if it is.
    pub(super) fn why_cancelled(&self, job: &Job) -> Option<String> {
        cancelling::reason_for(self, job)
    }

    /// Adopts a job in hand that a former dispatcher sent, or one of a node that counted
    /// as gone. No other claim of a node hides a job. Returns its category if it was
    /// adopted.
    pub(super) fn adopt(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        node: &NodeId,
        assignment: &Assignment,
    ) -> Option<Category> {
        adoption::adopt(self, cx, queue, node, assignment)
    }

    /// Removes a waiting job from its room, and from here.
    fn unqueue(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        sequence: Sequence,
    ) -> Option<Job> {
        let job = self.held.remove(&sequence)?;
        queue.leave(&job.source, sequence, job.is_choosy());
        cx.push(Output::Drop(sequence));
        Some(job)
    }

    /// Whether it is an execution of a job that was delivered again and waits to be sent:
    /// ordered by a former dispatcher, or at a node that counted as gone.
    fn is_waiting_here(&self, cx: &Context<'_>, node: &NodeId, assignment: &Assignment) -> bool {
        let job = self.held.get(&assignment.ack().sequence());
        job.is_some_and(|job| {
            let is_later = job.past.attempt < assignment.attempt().get();
            let is_former = assignment.epoch() < cx.epoch && is_later;
            job.is_waiting()
                && job.id == *assignment.job()
                && (is_former || job.is_lost_to(node, assignment))
        })
    }

    /// Whether the job was in a stream that is gone.
    fn is_orphan(&self, assignment: &Assignment) -> bool {
        let is_held = self.held.get(&assignment.ack().sequence());
        let is_held = is_held.is_some_and(|job| job.id == *assignment.job());
        assignment.ack().stored() < self.stream_created && !is_held
    }

    /// Returns the node that is kept for a job that must run alone, once it is ready.
    pub(super) fn keep_node(
        &mut self,
        cx: &mut Context<'_>,
        fleet: &mut Fleet,
        request: &Request<'_>,
        (alone, key): (Alone, Key),
        job: &JobId,
    ) -> Option<Slot> {
        let kept = quarantine::Wanted { alone, key, job };
        self.quarantine.keep(cx, &self.held, fleet, request, &kept)
    }

    /// Returns the node that is kept for the jobs.
    pub(super) fn kept_node(&self, key: Key) -> Option<&NodeId> {
        self.quarantine.node_of(key)
    }

    /// Releases nodes that are kept for no job, or in vain.
    pub(super) fn check_kept(&mut self, now: Time, fleet: &mut Fleet) {
        self.quarantine.check(now, &self.held, fleet);
    }

    /// Returns the suspects that run, with their nodes.
    pub(super) fn running_suspects(&self) -> impl Iterator<Item = (&NodeId, Suspicion)> {
        self.quarantine.suspects().filter_map(|(sequence, node)| {
            let other = self.held.get(sequence);
            let other = other.filter(|other| other.is_running_on(node));
            Some((node, other?.past.suspicion?))
        })
    }
}
