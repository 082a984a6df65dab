//! Renewal of the jobs stream, as by a server that returns with an empty store: the jobs
//! of the old stream are gone, and sequences count from 1 again.
//!
//! Nothing of the old stream may count for the new one: an old acknowledgement would
//! settle another job.

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{NodeId, Sequence};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{Outcome, OutcomeStatus, Record, RecordStatus};

use super::settled::Settled;
use super::{Context, Event, JobsGone, Output, Scheduler, State, Stray};

impl Scheduler {
    /// Forgets the jobs of the old stream. Those that run may end, and are recorded.
    pub(super) fn renew_stream(&mut self, cx: &mut Context<'_>, created: WallTime) {
        self.stream_created = created;
        let is_old = |job: &super::Job| job.ack.stored() < created;
        let mut old: Vec<Sequence> = self
            .jobs
            .iter()
            .filter(|(_, job)| is_old(job))
            .map(|(sequence, _)| *sequence)
            .collect();
        // The order of a hash map must not reach the outside.
        old.sort_unstable();
        let (mut waiting, mut running) = (0, 0);
        for sequence in old {
            let job = self.jobs.remove(&sequence).expect("it was just listed");
            match &job.state {
                State::Waiting => {
                    waiting += 1;
                    if let Some(room) = self.rooms.get_mut(&job.source) {
                        room.leave(sequence, job.is_choosy());
                    }
                }
                State::Running { node, .. } => {
                    running += 1;
                    self.fleet.release(cx.now.time, node, sequence);
                }
                State::Recording { .. } | State::Burying { .. } => running += 1,
            }
            cx.push(Output::Drop(sequence));
        }
        let mut away: Vec<Sequence> = self.away.drain().map(|(sequence, _)| sequence).collect();
        away.sort_unstable();
        let given_back = away.len();
        cx.extend(away.into_iter().map(Output::ForgetHistory));
        self.settled = Settled::default();
        self.strays.clear();
        self.void_pulls();
        cx.event(Event::JobsGone(JobsGone {
            waiting,
            running,
            given_back,
        }));
    }

    /// Whether the job was in a stream that is gone.
    pub(super) fn is_orphan(&self, assignment: &Assignment) -> bool {
        let is_held = self.jobs.get(&assignment.ack().sequence());
        let is_held = is_held.is_some_and(|job| job.job == *assignment.job());
        assignment.ack().stored() < self.stream_created && !is_held
    }

    /// Records the outcome of an orphan; nothing is acknowledged, as its delivery is
    /// gone.
    pub(super) fn record_orphan(
        &mut self,
        cx: &mut Context<'_>,
        from: &NodeId,
        assignment: &Assignment,
        outcome: Outcome,
    ) {
        let (status, reason) = match outcome.status {
            OutcomeStatus::Completed => (RecordStatus::Completed, String::new()),
            OutcomeStatus::Retry
            | OutcomeStatus::GiveUp
            | OutcomeStatus::Refused
            | OutcomeStatus::HandedBack => (
                RecordStatus::Dead,
                "the jobs stream was made anew meanwhile".to_owned(),
            ),
        };
        let plain = Stray {
            // Not a sequence of the new stream, which counts from 1.
            sequence: Sequence::new(0),
            job: assignment.job().clone(),
            category: assignment.category().to_string(),
            submitted: assignment.ack().stored(),
            reason,
        };
        cx.push(Output::Record(Box::new(Record {
            node: Some(from.clone()),
            attempt: Some(assignment.attempt()),
            started_ms: outcome.started_ms,
            run_us: outcome.run_us,
            usage: outcome.usage,
            output: outcome.output,
            output_truncated: outcome.output_truncated,
            ..self.plain_record(cx.now, plain, status)
        })));
    }
}
