//! Jobs that wait long: operators are notified, hopeless ones are dead-lettered, and
//! memory is kept free only where that helps.

use std::time::Duration;

use rolecast_common::id::Sequence;
use rolecast_common::subjects::Source;
use rolecast_common::time::Time;
use rolecast_common::wire::RecordStatus;

use super::sending::LOOK_MAX;
use super::{Context, Event, Job, LongWait, Scheduler};
use crate::fleet::Candidate;
use crate::placement::{CategoryIndex, Shortfall};

/// Jobs of one room that are judged between two sweeps; each costs a look at every node.
const JUDGED_MAX: usize = 4;
/// Validity of a judgement: so long that all jobs that others may pass get their turn.
const JUDGED_FOR: Duration = Duration::from_millis(250 * (LOOK_MAX / JUDGED_MAX) as u64);
/// Waiting time, in run times and at least, that is worth an event.
const LATE_DURATIONS: f32 = 5.0;
const LATE_MIN: Duration = Duration::from_secs(10);

/// Reasons for the wait of a job that nodes could take.
pub(super) const MAX_RUNNING: &str = "as many of its category run as max_running allows";
const HELD: &str = "held back: every node would slow it down too much";

impl Scheduler {
    /// Looks at the jobs that have waited longest.
    pub(super) fn look_at_rooms(&mut self, cx: &mut Context<'_>) {
        let sources: Vec<Source> = self.rooms.keys().cloned().collect();
        for source in &sources {
            if let Some(room) = self.rooms.get_mut(source) {
                room.judgements = 0;
            }
            let Some(service) = self.services.get(&source.category) else {
                continue;
            };
            let (category, wait_max) = (service.index, service.policy.wait_max);
            self.check_claim(cx.now.time, source, category);
            self.check_late(cx, source, category);
            self.bury_hopeless(cx, source, category, wait_max);
        }
    }

    /// Releases a claim whose job left, may not run now, or cannot go there any more.
    fn check_claim(&mut self, now: Time, source: &Source, category: CategoryIndex) {
        let Some(room) = self.rooms.get_mut(source) else {
            return;
        };
        let Some((owner, slot)) = room.claim else {
            return;
        };
        let job = self.jobs.get(&owner);
        let job = job.filter(|_| room.waiting.contains(&owner));
        let is_useful = self.fleet.room_for(category) > 0
            && job.is_some_and(|job| {
                let candidate = job.candidate(now, category);
                self.fleet.is_claim_useful(&candidate, slot)
            });
        if !is_useful {
            room.claim = None;
            self.fleet.unclaim(slot);
        }
    }

    /// Reports once that the first job waits long; that is over once a first job has
    /// waited only half as long.
    fn check_late(&mut self, cx: &mut Context<'_>, source: &Source, category: CategoryIndex) {
        let Some(room) = self.rooms.get_mut(source) else {
            return;
        };
        let first = room.waiting.front();
        let Some(job) = first.and_then(|first| self.jobs.get(first)) else {
            return;
        };
        let run_s = self.fleet.learner(category).needs().duration_s;
        let late_after = Duration::from_secs_f32((run_s * LATE_DURATIONS).min(1e6));
        let late_after = late_after.max(LATE_MIN);
        let waited = cx.now.time.since(job.since);
        if waited < late_after / 2 {
            room.is_late = false;
        }
        if waited <= late_after || std::mem::replace(&mut room.is_late, true) {
            return;
        }
        let shortfall = self.fleet.shortfall(&job.candidate(cx.now.time, category));
        let why = if shortfall.able == 0 {
            shortfall.to_string()
        } else if self.fleet.room_for(category) == 0 {
            MAX_RUNNING.to_owned()
        } else {
            HELD.to_owned()
        };
        cx.event(Event::JobsWait(LongWait {
            category: source.category.clone(),
            waited,
            waiting: room.len(),
            why,
        }));
    }

    fn bury_hopeless(
        &mut self,
        cx: &mut Context<'_>,
        source: &Source,
        category: CategoryIndex,
        wait_max: Duration,
    ) {
        let Some(room) = self.rooms.get(source) else {
            return;
        };
        let first: Vec<Sequence> = room.waiting.iter().take(JUDGED_MAX).copied().collect();
        for sequence in first {
            let Some(job) = self.jobs.get_mut(&sequence) else {
                continue;
            };
            let waited = cx.now.time.since(job.since);
            let is_judged = |(at, found): (Time, Shortfall)| {
                cx.now.time.since(at) < JUDGED_FOR && !found.is_hopeless()
            };
            if waited <= wait_max || job.judged.is_some_and(is_judged) {
                continue;
            }
            let shortfall = self.fleet.shortfall(&job.candidate(cx.now.time, category));
            job.judged = Some((cx.now.time, shortfall));
            if !shortfall.is_hopeless() {
                continue;
            }
            let job = self.jobs.remove(&sequence).expect("it was just found");
            if let Some(room) = self.rooms.get_mut(source) {
                room.leave(sequence, job.is_choosy());
            }
            let waited = waited.as_secs();
            let reason = format!("no node known can ever take it, after {waited} s: {shortfall}");
            self.give_up(cx, job, RecordStatus::Dead, reason);
        }
    }

    /// Looks at all nodes to find out why the job cannot be placed; `None` if that was
    /// done lately: doing it for every message would cost more than all else.
    pub(super) fn judge(
        &mut self,
        now: Time,
        source: &Source,
        sequence: Sequence,
        candidate: &Candidate<'_>,
    ) -> Option<Shortfall> {
        let (job, room) = (self.jobs.get_mut(&sequence)?, self.rooms.get_mut(source)?);
        let is_lately = |(at, _): (Time, Shortfall)| now.since(at) < JUDGED_FOR;
        if job.judged.is_some_and(is_lately) || room.judgements >= JUDGED_MAX {
            return None;
        }
        room.judgements += 1;
        let shortfall = self.fleet.shortfall(candidate);
        job.judged = Some((now, shortfall));
        Some(shortfall)
    }
}

impl Job {
    /// Returns the job as placement needs it, without its key and claim.
    fn candidate(&self, now: Time, category: CategoryIndex) -> Candidate<'_> {
        Candidate::new(category, &self.requirement, now.since(self.since))
    }
}
