//! Jobs that wait long: operators are told, and what can never run is buried.

use std::time::Duration;

use rolecast_common::id::Sequence;
use rolecast_common::subjects::Source;
use rolecast_common::time::Now;
use rolecast_common::wire::RecordStatus;

use super::{Event, Machine, Output};
use crate::fleet::Candidate;
use crate::placement::Shortfall;

/// Jobs of one room that are judged at a time; each costs a look at every node.
const JUDGED_MAX: usize = 4;
/// A wait of so many run times, and of at least this, is worth being told.
const LATE_DURATIONS: f32 = 5.0;
const LATE_MIN: Duration = Duration::from_secs(10);

impl Machine {
    /// Looks at the jobs that have waited longest.
    pub(super) fn look_at_rooms(&mut self, now: Now, out: &mut Vec<Output>) {
        let mut hopeless: Vec<(Source, Sequence, Shortfall)> = Vec::new();
        let mut late: Vec<(Source, Duration, Shortfall)> = Vec::new();
        for (source, room) in &mut self.rooms {
            if let Some((owner, slot)) = room.claim
                && !room.waiting.contains(&owner)
            {
                room.claim = None;
                self.fleet.unclaim(slot);
            }
            let Some(service) = self.services.get(&source.category) else {
                continue;
            };
            let run_s = self.fleet.learner(service.index).needs().duration_s;
            let late_after = Duration::from_secs_f32((run_s * LATE_DURATIONS).min(1e6));
            let late_after = late_after.max(LATE_MIN);
            let first = room.waiting.iter().take(JUDGED_MAX);
            for (place, sequence) in first.enumerate() {
                let Some(job) = self.jobs.get(sequence) else {
                    continue;
                };
                let waited = now.time.since(job.since);
                let is_late = place == 0 && waited > late_after && !service.is_late;
                if waited <= service.policy.wait_max && !is_late {
                    continue;
                }
                let shortfall = self.fleet.shortfall(&Candidate {
                    category: service.index,
                    requirement: &job.requirement,
                    key: None,
                    waited,
                    claim: None,
                });
                if waited > service.policy.wait_max && shortfall.is_hopeless() {
                    hopeless.push((source.clone(), *sequence, shortfall));
                } else if is_late {
                    late.push((source.clone(), waited, shortfall));
                }
            }
        }
        for (source, sequence, shortfall) in hopeless {
            self.bury_hopeless(now, &source, sequence, &shortfall, out);
        }
        for (source, waited, shortfall) in late {
            self.tell_late(&source, waited, &shortfall, out);
        }
    }

    fn bury_hopeless(
        &mut self,
        now: Now,
        source: &Source,
        sequence: Sequence,
        shortfall: &Shortfall,
        out: &mut Vec<Output>,
    ) {
        let Some(job) = self.jobs.remove(&sequence) else {
            return;
        };
        if let Some(room) = self.rooms.get_mut(source) {
            room.leave(sequence, &job.requirement);
        }
        let waited = now.time.since(job.since).as_secs();
        let reason = format!("no node known can ever take it, after {waited} s: {shortfall}");
        self.give_up(now, job, RecordStatus::Dead, reason, out);
    }

    fn tell_late(
        &mut self,
        source: &Source,
        waited: Duration,
        shortfall: &Shortfall,
        out: &mut Vec<Output>,
    ) {
        let waiting = self.rooms.get(source).map_or(0, |room| room.len());
        let Some(service) = self.services.get_mut(&source.category) else {
            return;
        };
        service.is_late = true;
        let why = if shortfall.able == 0 {
            shortfall.to_string()
        } else {
            "held back: every node would slow it down too much".to_owned()
        };
        out.push(Output::Event(Event::JobsWait {
            category: source.category.clone(),
            waited,
            waiting,
            why,
        }));
    }
}
