//! Trust in one node, by category of jobs.

use std::collections::BTreeMap;

use rolecast_common::id::Category;
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{Distrust, DistrustKind};

use super::conduct::{Conduct, Doubt, Fault, Peers};
use crate::ledger::Reservation;
use crate::placement::{CategoryIndex, Obstacle};

/// The conduct of jobs on one node, by category.
#[derive(Debug, Default)]
pub(super) struct Trust(BTreeMap<CategoryIndex, Conduct>);

/// The evidence that one job gives about its node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    category: CategoryIndex,
    /// Whether the node is judged by it alone.
    is_probe: bool,
}

impl Trial {
    pub(super) fn category(self) -> CategoryIndex {
        self.category
    }
}

impl Trust {
    /// Returns the evidence of a job, unless its category is unknown.
    pub(super) fn trial(&self, job: &Reservation) -> Option<Trial> {
        let category = job.category?;
        let conduct = self.0.get(&category);
        Some(Trial {
            category,
            is_probe: conduct.is_some_and(|conduct| conduct.is_probe(job.sent)),
        })
    }

    /// Whether the node is kept out of any category for a while.
    pub(super) fn is_doubted(&self) -> bool {
        self.0.values().any(|conduct| conduct.doubt().is_some())
    }

    /// Returns the obstacle that keeps jobs of the category out of the node for a while.
    pub(super) fn obstacle(&self, now: Time, category: CategoryIndex) -> Option<Obstacle> {
        self.0.get(&category)?.obstacle(now)
    }

    /// Ends all pauses after a restart of the worker.
    pub(super) fn restart(&mut self) {
        self.0.values_mut().for_each(Conduct::restart);
    }

    /// Records that a job was sent to the node; returns whether it must be the only one.
    pub(super) fn record_sent(&mut self, now: Time, category: CategoryIndex) -> bool {
        let conduct = self.0.get_mut(&category);
        conduct.is_some_and(|conduct| conduct.record_sent(now))
    }

    /// Records that the job left the node, with any outcome.
    pub(super) fn record_left(&mut self, now: Time, job: &Reservation) {
        let category = job.category;
        if let Some(conduct) = category.and_then(|category| self.0.get_mut(&category)) {
            conduct.record_left(now, job.sent);
        }
    }

    /// Records a completed job; returns whether the node had been kept out until then.
    pub(super) fn record_completed(&mut self, trial: Trial, peers: &mut [Peers]) -> bool {
        let peers = &mut peers[trial.category.index()];
        let conduct = self.0.entry(trial.category).or_default();
        conduct.record_completed(peers, trial.is_probe)
    }

    /// Records a failed job; returns the doubt if the node is distrusted from then on.
    pub(super) fn record_failed(
        &mut self,
        now: Now,
        trial: Trial,
        peers: &mut [Peers],
        reason: &str,
    ) -> Option<Doubt> {
        let peers = &mut peers[trial.category.index()];
        let conduct = self.0.entry(trial.category).or_default();
        let is_new = conduct.record_failed(now, peers, trial.is_probe, reason);
        conduct.doubt().filter(|_| is_new).cloned()
    }

    /// Records a job that the node could not start; returns the doubt if that begins a
    /// pause.
    pub(super) fn record_unable(
        &mut self,
        now: Now,
        trial: Trial,
        peers: &mut [Peers],
        reason: &str,
    ) -> Option<Doubt> {
        let peers = &mut peers[trial.category.index()];
        let conduct = self.0.entry(trial.category).or_default();
        let begins = conduct.record_unable(now, peers, trial.is_probe, reason);
        conduct.doubt().filter(|_| begins).cloned()
    }

    /// Judges the node again; returns the categories for which it is distrusted from then
    /// on.
    pub(super) fn review(&mut self, now: Now, peers: &mut [Peers]) -> Vec<(CategoryIndex, Doubt)> {
        let mut found = Vec::new();
        for (category, conduct) in &mut self.0 {
            if conduct.review(now, &mut peers[category.index()]) {
                found.extend(conduct.doubt().map(|doubt| (*category, doubt.clone())));
            }
        }
        found
    }

    /// Whether the node's verdict that a job of the category is hopeless is credible.
    pub(super) fn is_credible(&self, category: CategoryIndex, peers: &[Peers]) -> bool {
        let conduct = self.0.get(&category);
        conduct.is_some_and(|conduct| conduct.is_credible(peers[category.index()]))
    }

    /// Takes back a failure that others confirmed to be the job's own.
    pub(super) fn excuse(&mut self, category: CategoryIndex, peers: &mut [Peers]) {
        if let Some(conduct) = self.0.get_mut(&category) {
            conduct.excuse(&mut peers[category.index()]);
        }
    }

    /// Removes its counts from the sums of its peers, when the node is forgotten.
    pub(super) fn leave(&self, peers: &mut [Peers]) {
        for (category, conduct) in &self.0 {
            conduct.leave(&mut peers[category.index()]);
        }
    }

    /// Returns the categories that the node is kept out of, with reasons.
    pub(super) fn distrust<'a>(
        &self,
        name: impl Fn(CategoryIndex) -> &'a Category,
    ) -> Vec<Distrust> {
        let doubted = self.0.iter();
        let doubted = doubted.filter_map(|(at, conduct)| Some((*at, conduct, conduct.doubt()?)));
        let reports = doubted.map(|(category, conduct, doubt)| Distrust {
            category: name(category).clone(),
            kind: match doubt.fault {
                Fault::Unable => DistrustKind::Unable,
                Fault::Failing => DistrustKind::Failing,
            },
            since_ms: doubt.since,
            reason: doubt.reason.clone(),
            failed_in_row: conduct.failed_in_row(),
            pause_ms: u64::try_from(doubt.pause.as_millis()).unwrap_or(u64::MAX),
        });
        reports.collect()
    }
}
