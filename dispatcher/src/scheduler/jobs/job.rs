//! A job that is held here, with its attempts.

use std::time::Duration;

use rolecast_common::assignment::{Ack, Assignment, Seal};
use rolecast_common::id::{Attempt, Epoch, JobId, NodeId, Sequence};
use rolecast_common::label::Requirement;
use rolecast_common::subjects::Source;
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::trace::TraceContext;
use rolecast_common::wire::{FailedAttempt, JobProgress, LostAttempt, ProgressView, Record};

use crate::placement::{CategoryIndex, Request, Shortfall};
use crate::scheduler::output::History;
use crate::scheduler::suspects::Suspicion;

#[derive(Debug)]
pub(in crate::scheduler) struct Job {
    pub(super) source: Source,
    pub(super) id: JobId,
    /// The acknowledgement of the latest delivery: an older one must not be given back.
    pub(super) ack: Ack,
    pub(super) wishes: Wishes,
    /// Time when it began to wait here.
    pub(super) since: Time,
    /// Time from which it could be sent: when it was stored, due or given back.
    pub(super) ready: WallTime,
    /// Whether a record of its waiting was considered, and whether one was made.
    pub(super) is_considered: bool,
    pub(super) is_recorded: bool,
    /// Time and result of the last check of all nodes for it.
    pub(super) judged: Option<(Time, Shortfall)>,
    pub(super) past: Past,
    pub(super) kept_alive: Time,
    pub(super) state: State,
}

/// The options of its producer.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub(super) deadline: Option<WallTime>,
    /// The labels its node must have.
    pub(super) requirement: Requirement,
    /// The hash of its shard key.
    pub(super) key: Option<u64>,
    /// Its place in its producer's trace.
    pub(super) trace: Option<TraceContext>,
    /// Whether they are not known, since the job was never delivered here.
    pub(super) is_unknown: bool,
}

/// Its attempts so far.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The number of the last attempt sent, or 0.
    pub(super) attempt: u32,
    pub(super) failures: Vec<FailedAttempt>,
    pub(super) losses: Vec<LostAttempt>,
    /// The reason why it may have taken its node down.
    pub(super) suspicion: Option<Suspicion>,
}

#[derive(Debug)]
pub(in crate::scheduler) enum State {
    Waiting,
    Running {
        node: NodeId,
        /// The time when it was sent or adopted.
        sent: Time,
        is_adopted: bool,
        progress: Option<ProgressView>,
    },
    /// The outcome is being written to the results stream.
    Recording {
        record: Box<Record>,
        asked: Time,
        confirmation: Option<u64>,
    },
    /// The job is being written to the dead-letter stream.
    DeadLettering {
        record: Box<Record>,
        asked: Time,
        is_running: bool,
    },
}

/// A job that waits in the stream for another delivery.
#[derive(Debug)]
pub(in crate::scheduler) struct Away {
    pub(in crate::scheduler) history: History,
    /// Its source, and the time when it was stored; `None` if a former dispatcher gave it
    /// back.
    pub(in crate::scheduler) source: Option<Source>,
    pub(in crate::scheduler) submitted: Option<WallTime>,
    /// Time when it should be back; long after that it is forgotten.
    pub(in crate::scheduler) until: Time,
    pub(in crate::scheduler) reason: String,
}

impl Job {
    /// Returns a job that waits from now on, without options and former attempts.
    pub(super) fn new(now: Time, source: Source, id: JobId, ack: Ack) -> Self {
        Self {
            source,
            id,
            ready: ack.stored(),
            ack,
            wishes: Wishes::default(),
            since: now,
            is_considered: false,
            is_recorded: false,
            judged: None,
            past: Past::default(),
            kept_alive: now,
            state: State::Waiting,
        }
    }

    pub(in crate::scheduler) fn source(&self) -> &Source {
        &self.source
    }

    pub(in crate::scheduler) fn id(&self) -> &JobId {
        &self.id
    }

    #[cfg(test)]
    pub(in crate::scheduler) fn ack(&self) -> &Ack {
        &self.ack
    }

    pub(in crate::scheduler) fn sequence(&self) -> Sequence {
        self.ack.sequence()
    }

    /// Returns the time when the stream stored it.
    pub(in crate::scheduler) fn submitted(&self) -> WallTime {
        self.ack.stored()
    }

    pub(in crate::scheduler) fn deadline(&self) -> Option<WallTime> {
        self.wishes.deadline
    }

    pub(in crate::scheduler) fn requirement(&self) -> &Requirement {
        &self.wishes.requirement
    }

    pub(in crate::scheduler) fn key(&self) -> Option<u64> {
        self.wishes.key
    }

    /// Returns the time from which it could be sent.
    pub(in crate::scheduler) fn ready(&self) -> WallTime {
        self.ready
    }

    /// Returns the time for which it has waited here.
    pub(in crate::scheduler) fn waited(&self, now: Time) -> Duration {
        now.since(self.since)
    }

    pub(in crate::scheduler) fn judged(&self) -> Option<(Time, Shortfall)> {
        self.judged
    }

    pub(in crate::scheduler) fn attempt(&self) -> u32 {
        self.past.attempt
    }

    pub(in crate::scheduler) fn failures(&self) -> &[FailedAttempt] {
        &self.past.failures
    }

    pub(in crate::scheduler) fn losses(&self) -> &[LostAttempt] {
        &self.past.losses
    }

    pub(in crate::scheduler) fn suspicion(&self) -> Option<Suspicion> {
        self.past.suspicion
    }

    pub(in crate::scheduler) fn state(&self) -> &State {
        &self.state
    }

    /// Returns the job as placement needs it, without its key and claim.
    pub(in crate::scheduler) fn request(
        &self,
        waited: Duration,
        category: CategoryIndex,
    ) -> Request<'_> {
        Request::new(category, &self.wishes.requirement, waited)
    }

    /// Returns the assignment of its present attempt.
    pub(in crate::scheduler) fn assignment(
        &self,
        epoch: Epoch,
        seal: impl FnOnce([&str; 2]) -> Seal,
    ) -> Assignment {
        Assignment::sealed(
            epoch,
            self.source.category.clone(),
            self.id.clone(),
            Attempt::new(self.past.attempt),
            self.ack.clone(),
            seal,
        )
    }

    /// Returns its history for the next delivery, which is due after `delay`.
    pub(super) fn history(&self, now: Now, delay: Duration) -> History {
        History {
            job: self.id.clone(),
            attempt: self.past.attempt,
            failures: self.past.failures.clone(),
            not_before: (!delay.is_zero()).then(|| now.wall + delay),
            losses: self.past.losses.clone(),
            suspicion: self.past.suspicion,
        }
    }

    /// Returns it as a job that was given back for this delay.
    pub(super) fn away(&self, now: Now, delay: Duration, reason: String) -> Away {
        Away {
            history: self.history(now, delay),
            source: Some(self.source.clone()),
            submitted: Some(self.submitted()),
            until: now.time + delay,
            reason,
        }
    }

    /// Restores the history of its former attempts.
    pub(super) fn remember(&mut self, history: History) {
        self.past.failures = history.failures;
        self.past.losses = history.losses;
        self.past.suspicion = history.suspicion;
    }

    /// Whether a part of it must survive a restart.
    pub(in crate::scheduler) fn has_history(&self) -> bool {
        !self.past.failures.is_empty() || !self.past.losses.is_empty()
    }

    /// Whether other jobs may pass it, because they may go where it cannot.
    pub(super) fn is_choosy(&self) -> bool {
        !self.wishes.requirement.is_empty() || self.has_history()
    }

    pub(super) fn is_expired(&self, now: Now) -> bool {
        self.wishes
            .deadline
            .is_some_and(|deadline| deadline <= now.wall)
    }

    pub(in crate::scheduler) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    pub(in crate::scheduler) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    /// Returns the node on which it runs.
    pub(in crate::scheduler) fn node(&self) -> Option<&NodeId> {
        match &self.state {
            State::Running { node, .. } => Some(node),
            State::Waiting | State::Recording { .. } | State::DeadLettering { .. } => None,
        }
    }

    /// Returns the time at which it was sent, if it runs.
    pub(in crate::scheduler) fn sent(&self) -> Option<Time> {
        match self.state {
            State::Running { sent, .. } => Some(sent),
            State::Waiting | State::Recording { .. } | State::DeadLettering { .. } => None,
        }
    }

    /// Returns its progress, if it runs and has reported some.
    pub(in crate::scheduler) fn progress(&self) -> Option<&ProgressView> {
        match &self.state {
            State::Running { progress, .. } => progress.as_ref(),
            State::Waiting | State::Recording { .. } | State::DeadLettering { .. } => None,
        }
    }

    /// Takes the progress that a node claims for an attempt, if it is the one that runs
    /// there.
    pub(super) fn take_progress(
        &mut self,
        now: Now,
        from: &NodeId,
        assignment: &Assignment,
        claimed: JobProgress,
    ) {
        let is_it = self.id == *assignment.job() && self.past.attempt == assignment.attempt().get();
        let State::Running { node, progress, .. } = &mut self.state else {
            return;
        };
        if !is_it || node != from {
            return;
        }
        let JobProgress { done, text, .. } = claimed;
        let is_same = |last: &ProgressView| last.done == done && last.text == text;
        if !progress.as_ref().is_some_and(is_same) {
            let since_ms = now.wall;
            *progress = Some(ProgressView {
                done,
                text,
                since_ms,
            });
        }
    }

    pub(in crate::scheduler) fn is_running_on(&self, node: &NodeId) -> bool {
        self.node() == Some(node)
    }

    pub(super) fn run_on(&mut self, now: Time, node: &NodeId) {
        self.kept_alive = now;
        self.state = State::Running {
            node: node.clone(),
            sent: now,
            is_adopted: false,
            progress: None,
        };
    }

    /// Returns the number of the attempt that is running or ran last.
    pub(in crate::scheduler) fn last_attempt(&self) -> Option<Attempt> {
        (self.past.attempt > 0).then(|| Attempt::new(self.past.attempt))
    }

    /// Returns the node where it ended last.
    pub(super) fn last_node(&self) -> Option<NodeId> {
        let failed = self
            .past
            .failures
            .last()
            .map(|failed| (failed.attempt, &failed.node));
        let lost = self
            .past
            .losses
            .last()
            .map(|lost| (lost.attempt, &lost.node));
        failed.max(lost).map(|(_, node)| node.clone())
    }

    pub(super) fn record_failure(&mut self, now: Now, node: &NodeId, reason: &str, gave_up: bool) {
        self.past.failures.push(FailedAttempt {
            attempt: Attempt::new(self.past.attempt),
            node: node.clone(),
            reason: reason.to_owned(),
            at_ms: now.wall,
            gave_up,
        });
    }

    pub(super) fn record_loss(&mut self, now: Now, node: &NodeId, companions: Option<u32>) {
        let ran = self
            .sent()
            .map_or(Duration::ZERO, |sent| now.time.since(sent));
        self.past.losses.push(LostAttempt {
            attempt: Attempt::new(self.past.attempt),
            node: node.clone(),
            at_ms: now.wall,
            ran_ms: u64::try_from(ran.as_millis()).unwrap_or(u64::MAX),
            companions,
        });
    }

    /// Whether it was given back because the node of this assignment counted as gone, and
    /// was not sent to another since.
    pub(super) fn is_lost_to(&self, node: &NodeId, assignment: &Assignment) -> bool {
        self.past.attempt == assignment.attempt().get()
            && is_last_at(&self.past.losses, node, assignment)
    }
}

impl History {
    pub(super) fn is_lost_to(&self, node: &NodeId, assignment: &Assignment) -> bool {
        self.attempt == assignment.attempt().get() && is_last_at(&self.losses, node, assignment)
    }
}

/// Whether the last loss was of this execution.
pub(super) fn is_last_at(losses: &[LostAttempt], node: &NodeId, assignment: &Assignment) -> bool {
    let last = losses.last();
    last.is_some_and(|last| last.attempt == assignment.attempt() && last.node == *node)
}
