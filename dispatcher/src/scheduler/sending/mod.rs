//! Sending: waiting jobs are placed in fair order and forwarded.

mod restriction;
mod waiting;
pub(super) mod why;

use std::time::Duration;

use rolecast_common::id::{NodeId, Sequence};
use rolecast_common::label::Requirement;
use rolecast_common::subjects::Source;
use rolecast_common::time::Time;
use rolecast_common::wire::ForecastMode;

use super::context::Context;
use super::jobs::{Job, Jobs, spans};
use super::output::{Event, Output};
use super::queue::{Queue, Room};
use super::reporting::Reporting;
use crate::fleet::Fleet;
use crate::placement::decision::Author;
use crate::placement::{CategoryIndex, Choice, Obstacle, Request, Shortfall, Slot};
use crate::seal::Seals;
pub(super) use restriction::slots_of;

/// Jobs of a room that are tried while its first cannot be placed: those behind it
/// may require other labels.
const PASSED_MAX: usize = 32;
/// Waiting time that is worth one step of priority, so that the low ones are not starved.
const AGEING_STEP: Duration = Duration::from_secs(30);
/// Waiting time, in run times and at least, before a node is kept free for a job that
/// waits for memory.
const CLAIM_AFTER_DURATIONS: f32 = 1.0;
const CLAIM_AFTER_MIN: Duration = Duration::from_secs(2);

/// The result of a room's turn.
enum Sent {
    Yes,
    /// Its first job that can be placed is less urgent; with its urgency.
    Later(i64),
    /// No job can be placed.
    No,
}

/// The state that sending changes.
pub(super) struct Sending<'a> {
    pub(super) jobs: &'a mut Jobs,
    pub(super) queue: &'a mut Queue,
    pub(super) fleet: &'a mut Fleet,
    pub(super) reporting: &'a mut Reporting,
    pub(super) seals: &'a Seals,
    pub(super) mode: ForecastMode,
}

impl Sending<'_> {
    /// Sends all jobs that can be sent: the more urgent first, then one job a room in
    /// turn, so that a flood in one category does not starve the others.
    pub(super) fn send_waiting(&mut self, cx: &mut Context<'_>) {
        let rooms = self.queue.rooms();
        let mut open: Vec<(i64, Source)> = rooms
            .filter_map(|(source, room)| {
                let first = self.jobs.get(room.at(0)?)?;
                Some((urgency(cx.now.time, source, first), source.clone()))
            })
            .collect();
        while let Some(at) = self.next_room(&open) {
            let (urgency, source) = &open[at];
            match self.send_one(cx, source, *urgency) {
                Sent::Yes => {}
                Sent::Later(urgency) => open[at].0 = urgency,
                Sent::No => {
                    open.swap_remove(at);
                }
            }
        }
    }

    fn next_room(&self, open: &[(i64, Source)]) -> Option<usize> {
        let order = |(urgency, source): &(i64, Source)| {
            let served = self.queue.room(source).map_or(0, Room::served);
            (*urgency, served)
        };
        (0..open.len()).min_by_key(|at| order(&open[*at]))
    }

    /// Sends the first job of the room that can be placed, if it is as urgent as the room
    /// was assumed to be.
    fn send_one(&mut self, cx: &mut Context<'_>, source: &Source, urgent: i64) -> Sent {
        let state = self.queue.category(&source.category);
        let (Some(room), Some(state)) = (self.queue.room(source), state) else {
            return Sent::No;
        };
        let category = state.index();
        if self.fleet.placer().room_for(category) == 0 {
            return Sent::No;
        }
        let places = if room.has_choosy() { PASSED_MAX } else { 1 };
        let mut stuck: Vec<Requirement> = Vec::new();
        for place in 0..places {
            let room = self.queue.room(source);
            let sequence = room.and_then(|room| room.at(place));
            let Some(job) = sequence.and_then(|sequence| self.jobs.get(sequence)) else {
                return Sent::No;
            };
            let sequence = job.sequence();
            // A job with a history may have a node of its own, or be barred from one that
            // others have.
            let is_plain = !job.has_history();
            if is_plain && stuck.contains(job.requirement()) {
                continue;
            }
            // Those ahead may have waited longer, but that raises only their own urgency.
            let own = urgency(cx.now.time, source, job);
            if own > urgent {
                return Sent::Later(own);
            }
            if let Some(slot) = self.place(cx, source, sequence, category) {
                self.forward(cx, source, sequence, slot);
                return Sent::Yes;
            }
            let Some(job) = self.jobs.get(sequence) else {
                return Sent::No;
            };
            if is_plain {
                stuck.push(job.requirement().clone());
            }
        }
        Sent::No
    }

    /// Returns the node for the job; records the decision, also if the job must wait.
    fn place(
        &mut self,
        cx: &mut Context<'_>,
        source: &Source,
        sequence: Sequence,
        category: CategoryIndex,
    ) -> Option<Slot> {
        let restriction = self.restrict(cx, sequence, category);
        let job = self.jobs.get(sequence)?;
        let requirement = job.requirement().clone();
        let claim = self.queue.room(source).and_then(Room::claim);
        let claim = claim.filter(|(owner, _)| *owner == sequence);
        let request = Request {
            key: job.key(),
            claim: match restriction.alone {
                Some(_) => restriction.kept,
                None => claim.map(|(_, slot)| slot),
            },
            alone: restriction.alone,
            barred: &restriction.barred,
            ..Request::new(category, &requirement, job.waited(cx.now.time))
        };
        let choice = self.fleet.choose(&request);
        let slot = match choice {
            Choice::Node(slot) => Some(slot),
            Choice::Held { .. } | Choice::Nowhere => None,
        };
        let is_recorded = self.record(cx, sequence, &request, &choice, slot.is_some());
        match slot {
            Some(slot) => self.compare(cx, source, &request, slot, is_recorded),
            None if choice == Choice::Nowhere => {
                self.find_no_node(cx, source, sequence, &request);
            }
            None => {}
        }
        slot
    }

    /// Records the decision if there is budget for that; returns whether it was.
    fn record(
        &mut self,
        cx: &mut Context<'_>,
        sequence: Sequence,
        request: &Request<'_>,
        choice: &Choice,
        is_sent: bool,
    ) -> bool {
        let now = cx.now.time;
        let is_recorded = self
            .jobs
            .take_record(now, self.reporting, sequence, is_sent);
        if is_recorded && let Some(job) = self.jobs.get(sequence) {
            let author = Author {
                epoch: cx.epoch,
                job: Some(job.id()),
                failed: job.failures().len(),
                lost: job.losses().len(),
            };
            let decision = self.fleet.record(cx.now, author, request, choice);
            cx.push(Output::RecordDecision(Box::new(decision)));
        }
        is_recorded
    }

    /// Compares the decision with the one that would be made without forecasts, or with
    /// them. If a key or a claim decides, forecasts keep no job away.
    fn compare(
        &mut self,
        cx: &mut Context<'_>,
        source: &Source,
        request: &Request<'_>,
        slot: Slot,
        is_recorded: bool,
    ) {
        let by_cost = request.key.is_none() && request.claim.is_none();
        let (fleet, category) = (&mut *self.fleet, &source.category);
        match self.mode {
            ForecastMode::On if is_recorded && by_cost => {
                self.reporting.compare(cx, fleet, category, request, slot);
            }
            ForecastMode::Advisory => {
                self.reporting.advise(cx, fleet, category, request, slot);
            }
            ForecastMode::On | ForecastMode::Off => {}
        }
    }

    /// Reports to operators why the first job of the room cannot be placed, and claims
    /// memory for one that waits for it while smaller ones pass.
    fn find_no_node(
        &mut self,
        cx: &mut Context<'_>,
        source: &Source,
        sequence: Sequence,
        request: &Request<'_>,
    ) {
        let plain = Request {
            claim: request.claim.filter(|_| request.alone.is_none()),
            alone: None,
            ..*request
        };
        let Some(shortfall) = self.judge(cx, source, sequence, &plain) else {
            return;
        };
        let is_patient = request.waited <= patience(self.fleet, request.category);
        let Some(room) = self.queue.room(source) else {
            return;
        };
        let has_claim = room.claim().is_some();
        if room.is_first(sequence) {
            let is_starved = !shortfall.is_passing();
            let was_starved = self.queue.set_starved(source, is_starved);
            report_starved(cx, source, was_starved, is_starved, &shortfall);
        }
        if shortfall.of(Obstacle::Memory) > 0
            && !is_patient
            && !has_claim
            && let Some(slot) = self.fleet.claim(request)
        {
            self.queue.claim(source, sequence, slot);
        }
    }

    fn forward(&mut self, cx: &mut Context<'_>, source: &Source, sequence: Sequence, slot: Slot) {
        let state = self.queue.category(&source.category);
        let state = state.expect("the room of a category is served");
        let category = state.index();
        let time_limit = state.policy().time_limit;
        let roles = match state.is_for_managed() {
            true => state.policy().roles.clone(),
            false => Vec::new(),
        };
        let node: NodeId = self.fleet.id_of(slot).clone();
        let (job, departure) = self.jobs.send(cx.now.time, self.queue, sequence, &node);
        let waited = cx.now.wall.since(job.ready());
        let delayed = job.waited(cx.now.time);
        let (now, trace) = (cx.now.wall, spans::trace_of(job));
        let categories = self.queue.categories_mut();
        categories.observe(&source.category, |timings| {
            timings.waits.observe_traced(now, waited, trace);
            timings.delays.observe_traced(now, delayed, trace);
        });
        if departure.was_starved {
            let category = source.category.clone();
            cx.event(Event::EligibleAgain { category });
        }
        if let Some(claimed) = departure.claim {
            self.fleet.unclaim(claimed);
        }
        self.fleet.send(cx.now.time, slot, sequence, category);
        let assignment = job.assignment(cx.epoch, |text| self.seals.seal(&node, text));
        cx.push(Output::Forward {
            sequence,
            node,
            assignment,
            deadline: job.deadline(),
            time_limit,
            roles,
            trace: spans::passed(job),
        });
    }
}

/// Returns the time that a job waits for memory before memory is claimed for it.
fn patience(fleet: &Fleet, category: CategoryIndex) -> Duration {
    let run_s = fleet.learner(category).needs().duration_s;
    let patience = Duration::from_secs_f32((run_s * CLAIM_AFTER_DURATIONS).min(1e6));
    patience.max(CLAIM_AFTER_MIN)
}

fn report_starved(
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
    let waited = job.waited(now).as_secs() / AGEING_STEP.as_secs();
    source.priority as i64 - i64::try_from(waited).unwrap_or(i64::MAX)
}
