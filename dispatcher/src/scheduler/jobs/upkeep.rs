//! Work on jobs that is due by time, after an outage, and at the ends of the stream and
//! of this process.

use std::time::Duration;

use rolecast_common::id::{NodeId, Sequence};
use rolecast_common::time::{Time, WallTime};

use super::job::{Job, State};
use super::recent::Recent;
use super::{Context, Event, Jobs, Output, Queue, giving_up};
use crate::scheduler::cancel::CancelOutput;
use crate::scheduler::output::JobsGone;
use crate::scheduler::suspects::has_outlived;

/// Time that the streams may take to answer before a request is repeated. It is a
/// compare-and-set, so repeating it does no harm.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// Time for which a job that should be back is remembered: an operator may have deleted
/// it from the stream.
const AWAY_MAX: Duration = Duration::from_secs(3600);

impl Jobs {
    /// Extends deliveries, repeats unanswered writes, clears suspects, and ends the jobs
    /// that expired while they waited.
    pub(in crate::scheduler) fn sweep(&mut self, cx: &mut Context<'_>, queue: &mut Queue) {
        let keep_alive_after = self.ack_wait / 3;
        let mut expired: Vec<Sequence> = Vec::new();
        let mut alive = Vec::new();
        let mut again = Vec::new();
        for (sequence, job) in &mut self.held {
            let is_expired = job.is_expired(cx.now);
            match &mut job.state {
                State::Waiting if is_expired => {
                    expired.push(*sequence);
                    continue;
                }
                State::Waiting => {}
                State::Running { sent, .. } => {
                    let ran = cx.now.time.since(*sent);
                    if job.past.suspicion.is_some() && has_outlived(&job.past.losses, ran) {
                        job.past.suspicion = None;
                    }
                }
                State::Recording { record, asked, .. } => {
                    if cx.now.time.since(*asked) >= ANSWER_WAIT {
                        *asked = cx.now.time;
                        again.push((*sequence, Output::Record(record.clone())));
                    }
                }
                State::DeadLettering {
                    record,
                    asked,
                    is_running,
                } => {
                    if !*is_running && cx.now.time.since(*asked) >= ANSWER_WAIT {
                        *asked = cx.now.time;
                        *is_running = true;
                        let ack = Some(job.ack.clone());
                        let record = record.clone();
                        again.push((*sequence, Output::DeadLetter { record, ack }));
                    }
                }
            }
            if cx.now.time.since(job.kept_alive) >= keep_alive_after {
                job.kept_alive = cx.now.time;
                alive.push((*sequence, job.ack.clone()));
            }
        }
        // The order of a hash map must not reach the outside.
        again.sort_unstable_by_key(|(sequence, _)| *sequence);
        cx.extend(again.into_iter().map(|(_, write)| write));
        alive.sort_unstable_by_key(|(sequence, _)| *sequence);
        cx.extend(alive.into_iter().map(|(_, ack)| Output::KeepAlive(ack)));
        expired.sort_unstable();
        for sequence in expired {
            let job = self.held.remove(&sequence).expect("it was just listed");
            queue.leave(&job.source, sequence, job.is_choosy());
            giving_up::expire(self, cx, queue, job);
        }
    }

    /// Repeats the removals of cancelled jobs that failed, and ends old cancels.
    pub(in crate::scheduler) fn sweep_cancels(&mut self, cx: &mut Context<'_>) {
        self.removals.sweep(cx);
        for job in self.cancels.expire(cx.now.wall) {
            cx.push(Output::Cancel(CancelOutput::Forget(job)));
        }
    }

    /// Forgets what never ends by itself.
    pub(in crate::scheduler) fn forget_old(&mut self, now: Time, queue: &mut Queue) {
        self.away.retain(|_, away| now.since(away.until) < AWAY_MAX);
        queue.retain_expected(|sequence| self.away.contains_key(sequence));
        self.confirmations.limit();
    }

    /// After an outage of this dispatcher: extends the deliveries of all jobs that are
    /// held or run, before the server delivers them again, and repeats the unanswered
    /// writes at once.
    pub(in crate::scheduler) fn revive(&mut self, cx: &mut Context<'_>) {
        let mut alive = Vec::with_capacity(self.held.len());
        for (sequence, job) in &mut self.held {
            job.kept_alive = cx.now.time;
            alive.push((*sequence, job.ack.clone()));
            match &mut job.state {
                State::Waiting | State::Running { .. } => {}
                State::Recording { asked, .. } | State::DeadLettering { asked, .. } => {
                    *asked = Time::ZERO;
                }
            }
        }
        // The order of a hash map must not reach the outside.
        alive.sort_unstable_by_key(|(sequence, _)| *sequence);
        cx.extend(alive.into_iter().map(|(_, ack)| Output::KeepAlive(ack)));
    }

    /// Renewal of the jobs stream, as by a server that returns with an empty store: the
    /// jobs of the old stream are gone, and sequences count from 1 again. Nothing of the
    /// old stream may count for the new one: an old acknowledgement would settle another
    /// job. Jobs that run may end, and are recorded. Returns those, with their nodes.
    pub(in crate::scheduler) fn renew_stream(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        created: WallTime,
    ) -> Vec<(NodeId, Sequence)> {
        self.stream_created = created;
        let mut left = Vec::new();
        let (mut waiting, mut running) = (0, 0);
        for sequence in self.sorted(|job| job.ack.stored() < created) {
            let job = self.held.remove(&sequence).expect("it was just listed");
            match &job.state {
                State::Waiting => {
                    waiting += 1;
                    queue.leave(&job.source, sequence, job.is_choosy());
                }
                State::Running { node, .. } => {
                    running += 1;
                    left.push((node.clone(), sequence));
                }
                State::Recording { .. } | State::DeadLettering { .. } => running += 1,
            }
            cx.push(Output::Drop(sequence));
        }
        let mut away: Vec<Sequence> = self.away.drain().map(|(sequence, _)| sequence).collect();
        away.sort_unstable();
        let given_back = away.len();
        cx.extend(away.into_iter().map(Output::ForgetHistory));
        self.recent = Recent::default();
        self.strays.clear();
        self.removals.clear();
        self.cancels.renew_stream();
        queue.void_pulls();
        cx.event(Event::JobsGone(JobsGone {
            waiting,
            running,
            given_back,
        }));
        left
    }

    /// Gives back the jobs that have not been sent.
    pub(in crate::scheduler) fn stop(&mut self, cx: &mut Context<'_>) {
        for sequence in self.sorted(Job::is_waiting) {
            let job = self.held.remove(&sequence).expect("it was just listed");
            cx.push(Output::GiveBack {
                sequence,
                ack: job.ack,
                delay: Duration::ZERO,
            });
        }
    }

    /// Whether nothing is left to wait for after a stop.
    pub(in crate::scheduler) fn is_idle(&self) -> bool {
        self.held.values().all(Job::is_running) && self.removals.is_empty()
    }

    /// Returns the sequences of these jobs in order: that of a hash map must not reach the
    /// outside.
    fn sorted(&self, is_meant: impl Fn(&Job) -> bool) -> Vec<Sequence> {
        let meant = self.held.iter().filter(|(_, job)| is_meant(job));
        let mut sequences: Vec<Sequence> = meant.map(|(sequence, _)| *sequence).collect();
        sequences.sort_unstable();
        sequences
    }
}
