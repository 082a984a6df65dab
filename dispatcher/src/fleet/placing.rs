//! Placement in the fleet: jobs are placed with what is learned of their category, and
//! count in the ledger of their node from the moment they are sent.

use rolecast_common::id::{Attempt, Category, NodeId, Sequence};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::Decision;

use super::Fleet;
use crate::category::Policy;
use crate::ledger::Reservation;
use crate::placement::decision::{self, Author};
use crate::placement::{CategoryIndex, Choice, Placer, Prediction, Request, Slot};
use crate::profile::Learner;

/// The choice of a node.
impl Fleet {
    /// Returns the placement of jobs on the nodes, for questions.
    pub(crate) fn placer(&self) -> &Placer {
        &self.placer
    }

    /// Returns the best node for the job at this moment, by the learned run time of such
    /// jobs.
    pub fn choose(&mut self, job: &Request<'_>) -> Choice {
        let learner = self.learner(job.category);
        let run_s = learner.is_known().then(|| learner.needs().duration_s);
        self.placer.choose(job, run_s)
    }

    /// Records the choice and its reasons, before the job is counted anywhere.
    pub(crate) fn record(
        &mut self,
        now: Now,
        author: Author<'_>,
        job: &Request<'_>,
        choice: &Choice,
    ) -> Decision {
        let nodes = &self.nodes;
        let age = |id: &NodeId| {
            let node = nodes.get(id);
            node.map(|node| node.age(now.time)).unwrap_or_default()
        };
        decision::record(&mut self.placer, now.wall, author, job, choice, age)
    }

    /// Counts a job that forecasts would have sent to the node.
    pub(crate) fn count_advised(&mut self, id: &NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.counters.advised += 1;
        }
    }

    /// Counts a job that forecasts kept away from the node.
    pub(crate) fn count_diverted(&mut self, id: &NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.counters.diverted += 1;
        }
    }

    /// Keeps memory free for a waiting job, on the node that lacks the least.
    pub(crate) fn claim(&mut self, job: &Request<'_>) -> Option<Slot> {
        self.placer.claim(job)
    }

    /// Releases the memory kept free on the node.
    pub(crate) fn unclaim(&mut self, slot: Slot) {
        self.placer.unclaim(slot);
    }

    /// Sets whether the node is kept for jobs that must run alone.
    pub(crate) fn set_kept(&mut self, id: &NodeId, is_kept: bool) {
        if let Some(node) = self.nodes.get(id) {
            self.placer.board_mut().set_kept(node.slot(), is_kept);
        }
    }

    pub(crate) fn category(&self, name: &Category) -> Option<CategoryIndex> {
        self.placer.category(name)
    }

    pub(crate) fn policy(&self, category: CategoryIndex) -> &Policy {
        self.placer.policy(category)
    }

    pub(crate) fn learner(&self, category: CategoryIndex) -> &Learner {
        &self.learners[category.index()]
    }

    /// Returns the id of the node in this slot.
    pub(crate) fn id_of(&self, slot: Slot) -> &NodeId {
        self.placer.id_of(slot)
    }
}

/// Jobs in the ledgers.
impl Fleet {
    /// Reserves the resources of a job that is being sent to the node.
    pub fn send(&mut self, now: Time, slot: Slot, job: Sequence, category: CategoryIndex) {
        let board = self.placer.board();
        let prediction = Prediction {
            fair: board.slow_down_if(slot, category, 0.0),
            priority: board.slow_down_if(slot, category, 1.0),
        };
        let reservation = Reservation {
            category: Some(category),
            sent: now,
            prediction: Some(prediction),
        };
        let id = self.placer.id_of(slot).clone();
        self.reserve(&id, job, reservation);
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        node.counters.sent += 1;
        if node.trust.record_sent(now, category) {
            self.keep_out(now, &id, category);
        }
    }

    /// Counts a job that a former dispatcher sent, whose category may be unknown.
    pub(crate) fn adopt(
        &mut self,
        now: Time,
        id: &NodeId,
        job: Sequence,
        category: Option<CategoryIndex>,
    ) {
        let reservation = Reservation {
            category,
            sent: now,
            prediction: None,
        };
        self.reserve(id, job, reservation);
    }

    fn reserve(&mut self, id: &NodeId, job: Sequence, reservation: Reservation) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        if node.ledger.reserve(job, reservation)
            && let Some(category) = reservation.category
        {
            self.placer.board_mut().reserve(node.slot(), category);
        }
    }

    /// Releases a job that is no longer there, without learning from it.
    pub(crate) fn release(&mut self, now: Time, id: &NodeId, job: Sequence) {
        self.end(now, id, job);
    }

    /// Sets a job aside that was taken from the node and may still run there.
    pub(super) fn set_aside(&mut self, now: Time, id: &NodeId, job: Sequence, attempt: Attempt) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let Some(reservation) = node.ledger.set_aside(job, attempt) else {
            return;
        };
        node.trust.record_left(now, &reservation);
        if let Some(category) = reservation.category {
            self.placer.board_mut().set_aside(category);
        }
    }

    /// Frees the slots of jobs that were set aside and have ended on the node.
    pub(crate) fn free(
        &mut self,
        now: Time,
        id: &NodeId,
        has_ended: impl FnMut(Sequence, Attempt) -> bool,
    ) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        // Most often there are none, and heartbeats are many.
        if !node.ledger.has_set_aside() {
            return;
        }
        let freed = node.ledger.free(now, has_ended);
        let board = self.placer.board_mut();
        for category in freed
            .into_iter()
            .filter_map(|reservation| reservation.category)
        {
            board.release_set_aside(node.slot(), category);
        }
    }

    /// Releases a job that has ended on the node, and returns its reservation.
    pub(super) fn end(&mut self, now: Time, id: &NodeId, job: Sequence) -> Option<Reservation> {
        let node = self.nodes.get_mut(id)?;
        let reservation = node.ledger.release(now, job)?;
        node.trust.record_left(now, &reservation);
        // A heartbeat on its way still counts the memory of a job that ran longer than an
        // interval; that of shorter ones is hardly in it.
        let lingers = now.since(reservation.sent) >= node.interval();
        if let Some(category) = reservation.category {
            let board = self.placer.board_mut();
            board.release(node.slot(), category, lingers);
        }
        Some(reservation)
    }
}
