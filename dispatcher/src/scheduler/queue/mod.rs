//! Queue: the categories that are served, and their jobs that wait to be sent.
//!
//! It knows jobs by their sequence only; all else about them is in [`super::jobs`].

mod categories;
mod fetch;
mod pulls;
mod room;

use std::collections::BTreeMap;

use rolecast_common::id::{Category, Priority, Sequence};
use rolecast_common::subjects::Source;
use rolecast_common::time::Time;

pub(super) use categories::{Categories, CategoryState};
pub use pulls::{PULL_BEAT, PULL_EXPIRES};
pub(super) use room::{Departure, Room};

use rolecast_forecast::Model;

use crate::category::Policy;
use crate::placement::{CategoryIndex, Slot};

#[derive(Debug)]
pub(super) struct Queue {
    categories: Categories,
    rooms: BTreeMap<Source, Room>,
    /// Rises with every job sent; gives the fair order.
    turn: u64,
    is_stopping: bool,
}

impl Queue {
    pub(super) fn new(model: Model) -> Self {
        Self {
            categories: Categories::new(model),
            rooms: BTreeMap::new(),
            turn: 0,
            is_stopping: false,
        }
    }

    pub(super) fn categories(&self) -> &Categories {
        &self.categories
    }

    pub(super) fn categories_mut(&mut self) -> &mut Categories {
        &mut self.categories
    }

    pub(super) fn category(&self, category: &Category) -> Option<&CategoryState> {
        self.categories.get(category)
    }

    /// Starts to serve a category: a room for each priority.
    pub(super) fn serve(&mut self, policy: Policy, index: CategoryIndex, is_for_managed: bool) {
        for priority in Priority::ALL {
            let category = policy.category.clone();
            self.rooms.entry(Source { category, priority }).or_default();
        }
        self.categories.add(policy, index, is_for_managed);
    }

    /// Stops serving a category that has no jobs, unless it is a declared one.
    pub(super) fn desert(&mut self, category: &Category) {
        if self.categories.remove_found(category) {
            self.rooms.retain(|source, _| source.category != *category);
        }
    }

    /// Stops fetching and sending.
    pub(super) fn stop(&mut self) {
        self.is_stopping = true;
        self.rooms.clear();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    pub(super) fn rooms(&self) -> impl Iterator<Item = (&Source, &Room)> {
        self.rooms.iter()
    }

    pub(super) fn room(&self, source: &Source) -> Option<&Room> {
        self.rooms.get(source)
    }

    /// Adds a job to its room.
    pub(super) fn join(&mut self, source: &Source, sequence: Sequence, is_choosy: bool) {
        let room = self.rooms.entry(source.clone()).or_default();
        room.join(sequence, is_choosy);
    }

    /// Removes a job from its room.
    pub(super) fn leave(&mut self, source: &Source, sequence: Sequence, is_choosy: bool) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.leave(sequence, is_choosy);
        }
    }

    /// Removes a job that is sent.
    pub(super) fn send(
        &mut self,
        source: &Source,
        sequence: Sequence,
        is_choosy: bool,
    ) -> Departure {
        let room = self.rooms.get_mut(source).expect("the job waited in it");
        self.turn += 1;
        room.send(sequence, is_choosy, self.turn)
    }

    /// Expects the redelivery of a job that was given back, before later jobs.
    pub(super) fn expect(&mut self, source: &Source, sequence: Sequence) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.returning.insert(sequence);
        }
    }

    /// Forgets the jobs that are not given back any more: an operator may have deleted
    /// them, or their delivery went to another room.
    pub(super) fn retain_expected(&mut self, is_away: impl Fn(&Sequence) -> bool) {
        for room in self.rooms.values_mut() {
            room.returning.retain(&is_away);
        }
    }

    /// Records a delivery by the stream.
    pub(super) fn record_delivery(&mut self, now: Time, source: &Source, sequence: Sequence) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.pulls.deliver(now);
            room.returning.remove(&sequence);
        }
    }

    /// Claims memory on a node for a job that waits for it.
    pub(super) fn claim(&mut self, source: &Source, sequence: Sequence, slot: Slot) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.claim = Some((sequence, slot));
        }
    }

    pub(super) fn drop_claim(&mut self, source: &Source) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.claim = None;
        }
    }

    /// Sets whether no node can take the first job of the room; returns whether that was
    /// so before.
    pub(super) fn set_starved(&mut self, source: &Source, is_starved: bool) -> bool {
        let room = self.rooms.get_mut(source);
        room.is_some_and(|room| std::mem::replace(&mut room.is_starved, is_starved))
    }

    /// The same of whether its first job waits long.
    pub(super) fn set_late(&mut self, source: &Source, is_late: bool) -> bool {
        let room = self.rooms.get_mut(source);
        room.is_some_and(|room| std::mem::replace(&mut room.is_late, is_late))
    }

    /// Whether one more job of the room may be judged before the next sweep, of `max`.
    pub(super) fn take_judgement(&mut self, source: &Source, max: usize) -> bool {
        let room = self.rooms.get_mut(source);
        room.is_some_and(|room| {
            let may = room.judgements < max;
            room.judgements += usize::from(may);
            may
        })
    }

    pub(super) fn reset_judgements(&mut self, source: &Source) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.judgements = 0;
        }
    }

    pub(super) fn end_pull(&mut self, now: Time, source: &Source, undelivered: u32) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.pulls.end(now, undelivered);
        }
    }

    /// Records failed pulls; `jitter` is from 0 to 1.
    pub(super) fn fail_pulls(&mut self, now: Time, source: &Source, jitter: f64) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.pulls.fail(now, jitter);
        }
    }

    pub(super) fn keep_pulls(&mut self, now: Time, source: &Source) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.pulls.show_life(now);
        }
    }

    pub(super) fn void_pulls(&mut self) {
        for room in self.rooms.values_mut() {
            room.pulls.void();
        }
    }
}
