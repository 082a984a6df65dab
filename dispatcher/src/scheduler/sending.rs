//! Sending: waiting jobs are placed in fair order and forwarded.

use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::label::Requirement;
use rolecast_common::subjects::Source;
use rolecast_common::time::Time;
use rolecast_common::wire::ForecastMode;

use super::{Context, Event, Job, Output, Scheduler, State};
use crate::fleet::{Author, Candidate, Choice};
use crate::placement::{CategoryIndex, Shortfall, Slot};

/// Jobs of a room that are looked at while its first cannot be placed: those behind it
/// may require other labels.
pub(super) const LOOK_MAX: usize = 32;
/// Waiting time that is worth one step of priority, so that the low ones are not starved.
const AGEING_STEP: Duration = Duration::from_secs(30);
/// Waiting time, in run times and at least, before a node is kept free for a job that
/// waits for memory.
const CLAIM_AFTER_DURATIONS: f32 = 1.0;
const CLAIM_AFTER_MIN: Duration = Duration::from_secs(2);

/// The result of a room's turn.
enum Sending {
    Sent,
    /// Its first job that can be placed is less urgent; with its urgency.
    Later(i64),
    /// No job can be placed.
    None,
}

impl Scheduler {
    /// Sends all jobs that can be sent: the more urgent first, then one job a room in
    /// turn, so that a flood in one category does not starve the others.
    pub(super) fn send_waiting(&mut self, cx: &mut Context<'_>) {
        let mut open: Vec<(i64, Source)> = self
            .rooms
            .iter()
            .filter_map(|(source, room)| {
                let first = self.jobs.get(room.waiting.front()?)?;
                Some((urgency(cx.now.time, source, first), source.clone()))
            })
            .collect();
        while let Some(at) = self.next_room(&open) {
            let (urgency, source) = &open[at];
            match self.send_one(cx, source, *urgency) {
                Sending::Sent => {}
                Sending::Later(urgency) => open[at].0 = urgency,
                Sending::None => {
                    open.swap_remove(at);
                }
            }
        }
    }

    fn next_room(&self, open: &[(i64, Source)]) -> Option<usize> {
        let order = |(urgency, source): &(i64, Source)| {
            let served = self.rooms.get(source).map_or(0, |room| room.served);
            (*urgency, served)
        };
        (0..open.len()).min_by_key(|at| order(&open[*at]))
    }

    /// Sends the first job of the room that can be placed, if it is as urgent as the room
    /// was assumed to be.
    fn send_one(&mut self, cx: &mut Context<'_>, source: &Source, urgent: i64) -> Sending {
        let (Some(room), Some(service)) =
            (self.rooms.get(source), self.services.get(&source.category))
        else {
            return Sending::None;
        };
        let category = service.index;
        if self.fleet.room_for(category) == 0 {
            return Sending::None;
        }
        let look = if room.choosy > 0 { LOOK_MAX } else { 1 };
        let mut stuck: Vec<Requirement> = Vec::new();
        for place in 0..look {
            let room = self.rooms.get(source);
            let Some(sequence) = room.and_then(|room| room.waiting.get(place).copied()) else {
                return Sending::None;
            };
            let Some(job) = self.jobs.get(&sequence) else {
                return Sending::None;
            };
            // A job with a history may have a node of its own, or be barred from one that
            // others have.
            let is_plain = !job.has_history();
            if is_plain && stuck.contains(&job.requirement) {
                continue;
            }
            // Those ahead may have waited longer, but that raises only their own urgency.
            let own = urgency(cx.now.time, source, job);
            if own > urgent {
                return Sending::Later(own);
            }
            if let Some(slot) = self.choose(cx, source, sequence, category) {
                self.forward(cx, source, sequence, slot);
                return Sending::Sent;
            }
            let Some(job) = self.jobs.get(&sequence) else {
                return Sending::None;
            };
            if is_plain {
                stuck.push(job.requirement.clone());
            }
        }
        Sending::None
    }

    /// Returns the node for the job; records the decision, also if the job must wait.
    fn choose(
        &mut self,
        cx: &mut Context<'_>,
        source: &Source,
        sequence: Sequence,
        category: CategoryIndex,
    ) -> Option<Slot> {
        let restriction = self.restrict(cx, sequence, category);
        let job = self.jobs.get(&sequence)?;
        let requirement = job.requirement.clone();
        let claim = self.rooms.get(source).and_then(|room| room.claim);
        let claim = claim.filter(|(owner, _)| *owner == sequence);
        let candidate = Candidate {
            key: job.key,
            claim: match restriction.alone {
                Some(_) => restriction.kept,
                None => claim.map(|(_, slot)| slot),
            },
            alone: restriction.alone,
            barred: &restriction.barred,
            ..Candidate::new(category, &requirement, cx.now.time.since(job.since))
        };
        let choice = self.fleet.choose(&candidate);
        // If a key or a claim decides, forecasts keep no job away.
        let by_cost = candidate.key.is_none() && candidate.claim.is_none();
        let slot = match choice {
            Choice::Node(slot) => Some(slot),
            Choice::Held { .. } | Choice::Nowhere => None,
        };
        let job = self.jobs.get_mut(&sequence)?;
        let is_recorded = if slot.is_some() {
            // Otherwise the record would show for a day that it waits.
            self.reporting.records_sent(cx.now.time) || job.is_recorded
        } else {
            !std::mem::replace(&mut job.is_noted, true) && self.reporting.records_wait(cx.now.time)
        };
        job.is_recorded |= is_recorded;
        if is_recorded {
            let author = Author {
                epoch: self.leadership.epoch(),
                job: Some(&job.job),
                failed: job.failures.len(),
                lost: job.losses.len(),
            };
            let decision = self.fleet.record(cx.now, author, &candidate, &choice);
            cx.push(Output::RecordDecision(Box::new(decision)));
        }
        match slot {
            Some(slot) => match self.params.forecast.mode {
                ForecastMode::On if is_recorded && by_cost => {
                    self.reporting
                        .compare(cx, &mut self.fleet, &source.category, &candidate, slot);
                }
                ForecastMode::Advisory => {
                    self.reporting
                        .advise(cx, &mut self.fleet, &source.category, &candidate, slot)
                }
                ForecastMode::On | ForecastMode::Off => {}
            },
            None if choice == Choice::Nowhere => {
                self.find_no_node(cx, source, sequence, &candidate);
            }
            None => {}
        }
        slot
    }

    /// Reports to operators why the first job of the room cannot be placed, and claims
    /// memory for one that waits for it while smaller ones pass.
    fn find_no_node(
        &mut self,
        cx: &mut Context<'_>,
        source: &Source,
        sequence: Sequence,
        candidate: &Candidate<'_>,
    ) {
        let plain = Candidate {
            claim: candidate.claim.filter(|_| candidate.alone.is_none()),
            alone: None,
            ..*candidate
        };
        let Some(shortfall) = self.judge(cx.now.time, source, sequence, &plain) else {
            return;
        };
        let is_patient = candidate.waited <= self.patience(candidate.category);
        let Some(room) = self.rooms.get_mut(source) else {
            return;
        };
        if room.is_first(sequence) {
            let is_starved = !shortfall.is_passing();
            let was_starved = std::mem::replace(&mut room.is_starved, is_starved);
            tell_starved(cx, source, was_starved, is_starved, &shortfall);
        }
        if shortfall.memory > 0 && !is_patient && room.claim.is_none() {
            let slot = self.fleet.claim(candidate);
            room.claim = slot.map(|slot| (sequence, slot));
        }
    }

    /// Returns the time that a job waits for memory before memory is claimed for it.
    pub(super) fn patience(&self, category: CategoryIndex) -> Duration {
        let run_s = self.fleet.learner(category).needs().duration_s;
        let patience = Duration::from_secs_f32((run_s * CLAIM_AFTER_DURATIONS).min(1e6));
        patience.max(CLAIM_AFTER_MIN)
    }

    fn forward(&mut self, cx: &mut Context<'_>, source: &Source, sequence: Sequence, slot: Slot) {
        let service = self.services.get(&source.category);
        let service = service.expect("the room of a category is served");
        let category = service.index;
        let time_limit = service.policy.time_limit;
        let roles = match service.is_for_managed {
            true => service.policy.roles.clone(),
            false => Vec::new(),
        };
        let job = self.jobs.get_mut(&sequence).expect("waiting jobs are held");
        self.turn += 1;
        let room = self.rooms.get_mut(source).expect("the job waited in it");
        if room.is_first(sequence) && std::mem::take(&mut room.is_starved) {
            let category = source.category.clone();
            cx.event(Event::EligibleAgain { category });
        }
        room.leave(sequence, job.is_choosy());
        room.served = self.turn;
        if let Some((_, slot)) = room.claim.take_if(|(owner, _)| *owner == sequence) {
            self.fleet.unclaim(slot);
        }
        self.fleet.send(cx.now.time, slot, sequence, category);
        let node: NodeId = self.fleet.id_of(slot).clone();
        if job.suspicion.is_some() {
            self.quarantine.note_suspect(sequence, node.clone());
        }
        job.attempt += 1;
        job.judged = None;
        job.state = State::Running {
            node: node.clone(),
            sent: cx.now.time,
        };
        job.kept_alive = cx.now.time;
        let assignment = Assignment::sealed(
            self.leadership.epoch(),
            job.source.category.clone(),
            job.job.clone(),
            Attempt::new(job.attempt),
            job.ack.clone(),
            |text| self.leadership.seals().seal(&node, text),
        );
        cx.push(Output::Forward {
            sequence,
            node,
            assignment,
            deadline: job.deadline,
            time_limit,
            roles,
        });
    }
}

fn tell_starved(
    cx: &mut Context<'_>,
    source: &Source,
    was_starved: bool,
    is_starved: bool,
    shortfall: &Shortfall,
) {
    let category = source.category.clone();
    match (was_starved, is_starved) {
        (false, true) => cx.event(Event::NoEligibleNode {
            category,
            why: shortfall.to_string(),
        }),
        (true, false) => cx.event(Event::EligibleAgain { category }),
        (false, false) | (true, true) => {}
    }
}

/// Returns the order in which rooms are served, the least first: priority, with a step
/// for each ageing interval that the job to be sent has waited.
fn urgency(now: Time, source: &Source, job: &Job) -> i64 {
    let waited = now.since(job.since).as_secs() / AGEING_STEP.as_secs();
    source.priority as i64 - i64::try_from(waited).unwrap_or(i64::MAX)
}
