//! Deliveries: a job arrives from the stream, for the first time or again.

use std::time::Duration;

use rolecast_common::label::Requirement;
use rolecast_common::time::Now;
use rolecast_common::wire::RecordStatus;

use super::{Context, Delivery, History, Job, Output, Scheduler, State, Stray};

/// The shortest delay that is worth another delivery.
const DELAY_MIN: Duration = Duration::from_millis(5);

impl Scheduler {
    pub(super) fn deliver(&mut self, cx: &mut Context<'_>, delivery: Delivery) {
        let sequence = delivery.ack.sequence();
        if let Some(room) = self.rooms.get_mut(&delivery.source) {
            room.pulls.deliver(cx.now.time);
            room.returning.remove(&sequence);
        }
        if self.is_stopping {
            cx.push(Output::GiveBack {
                sequence,
                ack: delivery.ack,
                delay: Duration::ZERO,
            });
            return;
        }
        if self.settled.contains(sequence) {
            // Its acknowledgement was lost; the outcome is recorded.
            self.reporting
                .count(|counters| &mut counters.jobs_redelivered);
            let ack = delivery.ack;
            cx.push(Output::Ack { sequence, ack });
            return;
        }
        if let Some(job) = self.jobs.get_mut(&sequence) {
            self.reporting
                .count(|counters| &mut counters.jobs_redelivered);
            job.ack = delivery.ack;
            if !matches!(job.state, State::Waiting) {
                cx.push(Output::Drop(sequence));
            }
            return;
        }
        self.admit(cx, delivery);
    }

    fn admit(&mut self, cx: &mut Context<'_>, delivery: Delivery) {
        let sequence = delivery.ack.sequence();
        let away = self.away.remove(&sequence);
        // A recreated stream counts from 1 again: the id shows a different job.
        let away = away.filter(|away| away.history.job == delivery.job);
        let early = away
            .as_ref()
            .map_or(Duration::ZERO, |away| away.until.since(cx.now.time));
        let history = away.map(|away| away.history);
        let mut job = Job {
            source: delivery.source,
            job: delivery.job,
            ack: delivery.ack,
            deadline: None,
            requirement: Requirement::default(),
            key: None,
            since: cx.now.time,
            is_noted: false,
            is_recorded: false,
            judged: None,
            attempt: 0,
            failures: Vec::new(),
            losses: Vec::new(),
            suspicion: None,
            kept_alive: cx.now.time,
            state: State::Waiting,
        };
        if let Some(history) = history {
            job.attempt = history.attempt;
            job.remember(history);
        }
        let options = match delivery.options {
            Ok(options) => options,
            Err(invalid) => {
                let record = self.record(cx.now, &job, RecordStatus::Dead, invalid.to_string());
                self.bury(cx, sequence, job, record);
                return;
            }
        };
        job.deadline = options.deadline;
        job.requirement = options.require;
        job.key = options.key.map(|key| key.hash());
        if job.is_expired(cx.now) {
            self.expire(cx, sequence, job);
            return;
        }
        // After a take-over jobs are redelivered before their delay is over.
        let wait = options.not_before.unwrap_or_default().since(cx.now.wall);
        let wait = wait.max(early);
        if wait > DELAY_MIN {
            self.give_back(cx, job, wait, "delayed".to_owned());
            return;
        }
        let room = self.rooms.entry(job.source.clone()).or_default();
        room.join(sequence, job.is_choosy());
        self.jobs.insert(sequence, job);
    }

    /// Dead-letters a job that no consumer delivers.
    pub(super) fn bury_stray(&mut self, cx: &mut Context<'_>, stray: Stray) {
        if self.settled.contains(stray.sequence) || !self.strays.insert(stray.sequence) {
            return;
        }
        let record = self.plain_record(cx.now, stray, RecordStatus::Dead);
        cx.push(Output::Bury {
            record: Box::new(record),
            ack: None,
        });
    }
}

impl Job {
    /// Restores the history of its former attempts.
    pub(super) fn remember(&mut self, history: History) {
        self.failures = history.failures;
        self.losses = history.losses;
        self.suspicion = history.suspicion;
    }

    /// Whether other jobs may pass it, because they may go where it cannot.
    pub(super) fn is_choosy(&self) -> bool {
        !self.requirement.is_empty() || self.has_history()
    }

    pub(super) fn is_expired(&self, now: Now) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now.wall)
    }
}
