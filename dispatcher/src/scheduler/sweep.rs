//! Sweep: the work that is due by time alone, done a few times a second.

use std::time::Duration;

use rolecast_common::id::Sequence;

use super::suspects::has_outlived;
use super::{Context, Output, Scheduler, State};

/// Time that the streams may take to answer before a request is repeated. It is a
/// compare-and-set, so repeating it does no harm.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// Time for which a job that should be back is remembered: an operator may have deleted
/// it from the stream.
const AWAY_MAX: Duration = Duration::from_secs(3600);
/// The most workers' requests remembered; workers repeat what is not answered.
const CONFIRMATIONS_MAX: usize = 100_000;

impl Scheduler {
    pub(super) fn sweep(&mut self, cx: &mut Context<'_>) {
        for node in self.fleet.forget(cx.now.time) {
            self.judging.forget(&node);
        }
        self.fleet.refresh();
        self.fleet.try_unheard();
        self.look_at_rooms(cx);
        self.look_at_jobs(cx);
        self.end_overdue(cx);
        self.look_at_kept(cx.now.time);
        self.sweep_roles(cx);
        self.sweep_forecasts(cx);
        self.watch.ping(cx, &self.fleet);
        self.reporting.expire_troubles(cx.now.time);
        self.away
            .retain(|_, away| cx.now.time.since(away.until) < AWAY_MAX);
        for room in self.rooms.values_mut() {
            // An operator may have deleted it, or its delivery went to another room.
            room.returning
                .retain(|sequence| self.away.contains_key(sequence));
        }
        if self.confirmations.len() > CONFIRMATIONS_MAX {
            self.confirmations.clear();
        }
    }

    fn look_at_jobs(&mut self, cx: &mut Context<'_>) {
        let keep_alive_after = self.params.ack_wait / 3;
        let mut expired: Vec<Sequence> = Vec::new();
        let mut alive = Vec::new();
        let mut again = Vec::new();
        for (sequence, job) in &mut self.jobs {
            let is_expired = job.is_expired(cx.now);
            match &mut job.state {
                State::Waiting if is_expired => {
                    expired.push(*sequence);
                    continue;
                }
                State::Waiting => {}
                State::Running { sent, .. } => {
                    let ran = cx.now.time.since(*sent);
                    if job.suspicion.is_some() && has_outlived(&job.losses, ran) {
                        job.suspicion = None;
                    }
                }
                State::Recording { record, asked, .. } => {
                    if cx.now.time.since(*asked) >= ANSWER_WAIT {
                        *asked = cx.now.time;
                        again.push((*sequence, Output::Record(record.clone())));
                    }
                }
                State::Burying {
                    record,
                    asked,
                    is_running,
                } => {
                    if !*is_running && cx.now.time.since(*asked) >= ANSWER_WAIT {
                        *asked = cx.now.time;
                        *is_running = true;
                        let ack = Some(job.ack.clone());
                        let record = record.clone();
                        again.push((*sequence, Output::Bury { record, ack }));
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
            let job = self.jobs.remove(&sequence).expect("it was just listed");
            if let Some(room) = self.rooms.get_mut(&job.source) {
                room.leave(sequence, job.is_choosy());
            }
            self.expire(cx, sequence, job);
        }
    }
}
