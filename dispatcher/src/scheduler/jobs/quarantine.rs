//! Quarantine: nodes kept free for jobs that must run alone, which are the suspects of
//! one batch, or a job that by its learned memory fits on no node.
//!
//! A kept node gets no other jobs, and is used once its former jobs have ended. Only few
//! are kept at a time, and none for long without being used.

use std::collections::BTreeMap;
use std::time::Duration;

use foldhash::HashMap;
use rolecast_common::id::{JobId, NodeId, Sequence};
use rolecast_common::time::Time;

use super::job::Job;
use crate::fleet::Fleet;
use crate::placement::{Alone, Request, Slot};
use crate::scheduler::context::Context;
use crate::scheduler::output::Event;
use crate::scheduler::verdict::Verdict;

/// One of this many nodes may be kept, and one in any case. Guessed.
const KEPT_SHARE: usize = 4;
/// Time for which a node is kept that does not become empty, and for which others may use
/// it before one is kept again. Guessed.
const KEPT_MAX: Duration = Duration::from_secs(30);

/// Time between deaths of different nodes within which they have a common cause. Guessed:
/// a job that takes its nodes down is a suspect before the second one dies.
pub(super) const MASS_WITHIN: Duration = Duration::from_secs(10);

/// The jobs for which a node is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::scheduler) enum Key {
    Batch(u64),
    Job(Sequence),
}

#[derive(Debug)]
struct Kept {
    node: NodeId,
    since: Time,
}

/// A job that must run alone.
pub(super) struct Wanted<'a> {
    pub(super) alone: Alone,
    pub(super) key: Key,
    pub(super) job: &'a JobId,
}

#[derive(Debug, Default)]
pub(super) struct Quarantine {
    kept: BTreeMap<Key, Kept>,
    /// End of the time in which no node is kept for them again.
    resting: BTreeMap<Key, Time>,
    /// The nodes to which suspects were sent; some are no longer there.
    suspects: BTreeMap<Sequence, NodeId>,
    /// The last node that died without suspects.
    died: Option<(NodeId, Time)>,
}

impl Quarantine {
    pub(super) fn record_suspect(&mut self, sequence: Sequence, node: NodeId) {
        self.suspects.insert(sequence, node);
    }

    /// Records the death of a node without suspects; returns whether another one died
    /// shortly before.
    pub(super) fn record_death(&mut self, now: Time, node: &NodeId) -> bool {
        let before = self.died.replace((node.clone(), now));
        before.is_some_and(|(other, at)| other != *node && now.since(at) <= MASS_WITHIN)
    }

    pub(super) fn suspects(&self) -> impl Iterator<Item = (&Sequence, &NodeId)> {
        self.suspects.iter()
    }

    pub(super) fn node_of(&self, key: Key) -> Option<&NodeId> {
        self.kept.get(&key).map(|kept| &kept.node)
    }

    /// Returns the node that is kept for the job once it is ready; begins to keep one if
    /// none is kept and that is allowed.
    pub(super) fn keep(
        &mut self,
        cx: &mut Context<'_>,
        jobs: &HashMap<Sequence, Job>,
        fleet: &mut Fleet,
        request: &Request<'_>,
        wanted: &Wanted<'_>,
    ) -> Option<Slot> {
        let (now, key) = (cx.now.time, wanted.key);
        if !self.kept.contains_key(&key) {
            let resting = self.resting.get(&key);
            let alive = fleet.nodes().filter(|node| !node.is_gone()).count();
            let is_full = self.kept.len() >= (alive / KEPT_SHARE).max(1);
            if is_full || resting.is_some_and(|until| now < *until) {
                return None;
            }
            let slot = fleet.placer().node_to_keep(request, wanted.alone)?;
            let node = fleet.id_of(slot).clone();
            fleet.set_kept(&node, true);
            cx.event(Event::Verdict(Verdict::TriedAlone {
                job: wanted.job.clone(),
                node: node.clone(),
                why: match wanted.alone {
                    Alone::Suspect => "it may be what took its node down",
                    Alone::Outgrown => "what was learned of its memory fits nowhere",
                },
            }));
            self.kept.insert(key, Kept { node, since: now });
        }
        let node = fleet.get(self.node_of(key)?)?;
        let mut in_hand = node.ledger().jobs();
        let is_ready = !node.ledger().has_set_aside()
            && in_hand.all(|other| jobs.get(&other).is_some_and(|other| is_of(other, key)));
        is_ready.then(|| node.slot())
    }

    /// Releases nodes that are kept for no job, or in vain.
    pub(super) fn check(&mut self, now: Time, jobs: &HashMap<Sequence, Job>, fleet: &mut Fleet) {
        self.resting.retain(|_, until| now < *until);
        self.suspects.retain(|sequence, node| {
            let job = jobs.get(sequence);
            job.is_some_and(|job| job.past.suspicion.is_some() && job.is_running_on(node))
        });
        let mut given_up = Vec::new();
        for (key, kept) in &self.kept {
            let users = jobs.values().filter(|job| is_of(job, *key));
            let (mut is_used, mut is_awaited) = (false, false);
            for job in users {
                is_used |= job.is_running_on(&kept.node);
                is_awaited |= job.is_waiting();
            }
            let node = fleet.get(&kept.node);
            let is_open = node.is_some_and(|node| !node.is_gone() && !node.is_draining());
            let is_in_vain = now.since(kept.since) > KEPT_MAX && !is_used;
            if !is_open || is_in_vain || !(is_used || is_awaited) {
                given_up.push((*key, is_in_vain));
            }
        }
        for (key, is_in_vain) in given_up {
            if let Some(kept) = self.kept.remove(&key) {
                fleet.set_kept(&kept.node, false);
            }
            if is_in_vain {
                self.resting.insert(key, now + KEPT_MAX);
            }
        }
    }
}

fn is_of(job: &Job, key: Key) -> bool {
    match key {
        Key::Batch(batch) => job.past.suspicion.is_some_and(|own| own.batch == batch),
        Key::Job(sequence) => job.sequence() == sequence,
    }
}
