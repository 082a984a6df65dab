//! Trust in nodes, by category of jobs.

use rolecast_common::id::{Attempt, Category, NodeId, Sequence};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{Distrust, DistrustKind};

use super::conduct::{Doubt, Fault};
use super::{Fleet, Node};
use crate::placement::CategoryIndex;

impl Fleet {
    /// Records that a job of the category was sent to the node, which may be on trial.
    pub(super) fn note_probe(&mut self, now: Time, id: &NodeId, category: CategoryIndex) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let conduct = node.conduct.get_mut(&category);
        if conduct.is_some_and(|conduct| conduct.note_sent(now)) {
            self.keep_out(now, id, category);
        }
    }

    /// Returns the category of the job, and whether the node is judged by it alone.
    fn trial(&self, id: &NodeId, job: Sequence) -> Option<(CategoryIndex, bool)> {
        let node = self.nodes.get(id)?;
        let entry = node.ledger.get(job)?;
        let category = entry.category?;
        let conduct = node.conduct.get(&category);
        Some((
            category,
            conduct.is_some_and(|conduct| conduct.is_probe(entry.sent)),
        ))
    }

    /// Records a completed job; returns whether the node had been kept out until then.
    pub(super) fn note_completed(&mut self, now: Time, id: &NodeId, job: Sequence) -> bool {
        let Some((category, is_probe)) = self.trial(id, job) else {
            return false;
        };
        let Some(node) = self.nodes.get_mut(id) else {
            return false;
        };
        let conduct = node.conduct.entry(category).or_default();
        let is_restored =
            conduct.note_completed(&mut self.categories[category.index()].peers, is_probe);
        if is_restored {
            self.keep_out(now, id, category);
        }
        is_restored
    }

    /// Records a failed job; returns the doubt if the node is distrusted from now on.
    pub fn fail(&mut self, now: Now, id: &NodeId, job: Sequence, reason: &str) -> Option<Doubt> {
        let trial = self.trial(id, job);
        self.end(now.time, id, job);
        self.note_failed(now, id, trial, reason)
    }

    /// Records a job that did not end there in time, and may still run.
    pub fn fail_unended(
        &mut self,
        now: Now,
        id: &NodeId,
        job: (Sequence, Attempt),
        reason: &str,
    ) -> Option<Doubt> {
        let trial = self.trial(id, job.0);
        self.set_aside(now.time, id, job.0, job.1);
        self.note_failed(now, id, trial, reason)
    }

    fn note_failed(
        &mut self,
        now: Now,
        id: &NodeId,
        trial: Option<(CategoryIndex, bool)>,
        reason: &str,
    ) -> Option<Doubt> {
        let node = self.nodes.get_mut(id)?;
        node.failed += 1;
        let (category, is_probe) = trial?;
        let peers = &mut self.categories[category.index()].peers;
        let conduct = node.conduct.entry(category).or_default();
        let is_new = conduct.note_failed(now, peers, is_probe, reason);
        let doubt = conduct.doubt().filter(|_| is_new).cloned();
        self.keep_out(now.time, id, category);
        doubt
    }

    /// Judges the conduct of a node again; returns the categories for which it is
    /// distrusted from now on.
    pub fn review(&mut self, now: Now, id: &NodeId) -> Vec<(Category, Doubt)> {
        let Some(node) = self.nodes.get_mut(id) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (category, conduct) in &mut node.conduct {
            if conduct.review(now, &mut self.categories[category.index()].peers) {
                found.extend(conduct.doubt().map(|doubt| (*category, doubt.clone())));
            }
        }
        let named = found.into_iter().map(|(category, doubt)| {
            self.keep_out(now.time, id, category);
            (self.policy(category).category.clone(), doubt)
        });
        named.collect()
    }

    /// Records that the node could not start the job; returns the doubt if that begins a
    /// pause.
    pub fn fail_to_start(
        &mut self,
        now: Now,
        id: &NodeId,
        job: Sequence,
        reason: &str,
    ) -> Option<Doubt> {
        let trial = self.trial(id, job);
        self.end(now.time, id, job);
        let (category, is_probe) = trial?;
        let node = self.nodes.get_mut(id)?;
        let peers = &mut self.categories[category.index()].peers;
        let conduct = node.conduct.entry(category).or_default();
        let begins = conduct.note_unable(now, peers, is_probe, reason);
        let doubt = conduct.doubt().filter(|_| begins).cloned();
        self.keep_out(now.time, id, category);
        doubt
    }

    /// Whether the node's verdict that a job of the category is hopeless is credible.
    pub fn is_credible(&self, id: &NodeId, category: CategoryIndex) -> bool {
        let conduct = self
            .nodes
            .get(id)
            .and_then(|node| node.conduct.get(&category));
        conduct.is_some_and(|conduct| conduct.is_credible(self.categories[category.index()].peers))
    }

    /// Takes back a failure there that others confirmed to be the job's own.
    pub fn excuse(&mut self, id: &NodeId, category: CategoryIndex) {
        let node = self.nodes.get_mut(id);
        if let Some(conduct) = node.and_then(|node| node.conduct.get_mut(&category)) {
            conduct.excuse(&mut self.categories[category.index()].peers);
        }
    }

    /// Returns the categories that the node is kept out of, with reasons.
    pub(super) fn distrust(&self, node: &Node) -> Vec<Distrust> {
        let doubted = node.conduct.iter();
        let doubted = doubted.filter_map(|(at, conduct)| Some((*at, conduct, conduct.doubt()?)));
        let told = doubted.map(|(category, conduct, doubt)| Distrust {
            category: self.policy(category).category.clone(),
            kind: match doubt.fault {
                Fault::Unable => DistrustKind::Unable,
                Fault::Failing => DistrustKind::Failing,
            },
            since_ms: doubt.since,
            reason: doubt.reason.clone(),
            failed_in_row: conduct.failed_in_row(),
            pause_ms: u64::try_from(doubt.pause.as_millis()).unwrap_or(u64::MAX),
        });
        told.collect()
    }

    fn keep_out(&mut self, now: Time, id: &NodeId, category: CategoryIndex) {
        if let Some(node) = self.nodes.get(id) {
            let why = node.kept_out(now, category);
            self.board.set_refused(node.slot, category, why);
        }
    }
}
