//! Jobs that wait long: operators are notified, hopeless ones are dead-lettered, and
//! memory is kept free only where that helps.

use std::time::Duration;

use rolecast_common::id::Sequence;
use rolecast_common::subjects::Source;
use rolecast_common::time::Time;

use super::why::Why;
use super::{PASSED_MAX, Sending};
use crate::placement::{CategoryIndex, Request, Shortfall};
use crate::scheduler::context::Context;
use crate::scheduler::output::{Event, LongWait};

/// Jobs of one room that are judged between two sweeps; each costs a check of every node.
const JUDGED_MAX: usize = 4;
/// Validity of a judgement: so long that all jobs that others may pass get their turn.
const JUDGED_FOR: Duration = Duration::from_millis(250 * (PASSED_MAX / JUDGED_MAX) as u64);
/// Waiting time, in run times and at least, that is worth an event.
const LATE_DURATIONS: f32 = 5.0;
const LATE_MIN: Duration = Duration::from_secs(10);

impl Sending<'_> {
    /// Checks the jobs that have waited longest.
    pub(in crate::scheduler) fn check_rooms(&mut self, cx: &mut Context<'_>) {
        let sources: Vec<Source> = self
            .queue
            .rooms()
            .map(|(source, _)| source.clone())
            .collect();
        for source in &sources {
            self.queue.reset_judgements(source);
            let Some(state) = self.queue.category(&source.category) else {
                continue;
            };
            let (category, wait_max) = (state.index(), state.policy().wait_max);
            self.check_claim(cx.now.time, source, category);
            self.check_late(cx, source, category);
            self.give_up_hopeless(cx, source, category, wait_max);
        }
    }

    /// Releases a claim whose job left, may not run now, or cannot go there any more.
    fn check_claim(&mut self, now: Time, source: &Source, category: CategoryIndex) {
        let Some(room) = self.queue.room(source) else {
            return;
        };
        let Some((owner, slot)) = room.claim() else {
            return;
        };
        let job = self.jobs.get(owner);
        let job = job.filter(|_| room.waiting().any(|waiting| waiting == owner));
        let is_useful = self.fleet.placer().room_for(category) > 0
            && job.is_some_and(|job| {
                let request = job.request(job.waited(now), category);
                self.fleet.placer().is_claim_useful(&request, slot)
            });
        if !is_useful {
            self.queue.drop_claim(source);
            self.fleet.unclaim(slot);
        }
    }

    /// Reports once that the first job waits long; that is over once a first job has
    /// waited only half as long.
    fn check_late(&mut self, cx: &mut Context<'_>, source: &Source, category: CategoryIndex) {
        let Some(room) = self.queue.room(source) else {
            return;
        };
        let waiting = room.len();
        let first = room.at(0);
        let Some(job) = first.and_then(|first| self.jobs.get(first)) else {
            return;
        };
        let run_s = self.fleet.learner(category).needs().duration_s;
        let late_after = Duration::from_secs_f32((run_s * LATE_DURATIONS).min(1e6));
        let late_after = late_after.max(LATE_MIN);
        let waited = job.waited(cx.now.time);
        if waited < late_after / 2 {
            self.queue.set_late(source, false);
        }
        if waited <= late_after || self.queue.set_late(source, true) {
            return;
        }
        let why = Why::of(self.fleet, &job.request(waited, category));
        cx.event(Event::JobsWait(LongWait {
            category: source.category.clone(),
            waited,
            waiting,
            why: why.event_text(),
        }));
    }

    fn give_up_hopeless(
        &mut self,
        cx: &mut Context<'_>,
        source: &Source,
        category: CategoryIndex,
        wait_max: Duration,
    ) {
        let Some(room) = self.queue.room(source) else {
            return;
        };
        let first: Vec<Sequence> = room.waiting().take(JUDGED_MAX).collect();
        for sequence in first {
            let Some(job) = self.jobs.get(sequence) else {
                continue;
            };
            let waited = job.waited(cx.now.time);
            let is_judged = |(at, found): (Time, Shortfall)| {
                cx.now.time.since(at) < JUDGED_FOR && !found.is_hopeless()
            };
            if waited <= wait_max || job.judged().is_some_and(is_judged) {
                continue;
            }
            let shortfall = self
                .fleet
                .placer()
                .shortfall(&job.request(waited, category));
            self.jobs.record_judgement(cx.now.time, sequence, shortfall);
            if shortfall.is_hopeless() {
                let waited = waited.as_secs();
                let reason =
                    format!("no node known can ever take it, after {waited} s: {shortfall}");
                self.jobs.give_up_waiting(cx, self.queue, sequence, reason);
            }
        }
    }

    /// Checks all nodes to find out why the job cannot be placed; `None` if that was done
    /// recently: a check for every message would cost more than everything else.
    pub(super) fn judge(
        &mut self,
        cx: &Context<'_>,
        source: &Source,
        sequence: Sequence,
        request: &Request<'_>,
    ) -> Option<Shortfall> {
        let now = cx.now.time;
        let job = self.jobs.get(sequence)?;
        let is_lately = |(at, _): (Time, Shortfall)| now.since(at) < JUDGED_FOR;
        if job.judged().is_some_and(is_lately) || !self.queue.take_judgement(source, JUDGED_MAX) {
            return None;
        }
        let shortfall = self.fleet.placer().shortfall(request);
        self.jobs.record_judgement(now, sequence, shortfall);
        Some(shortfall)
    }
}
