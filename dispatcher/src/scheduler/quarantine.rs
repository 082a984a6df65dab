//! Quarantine: nodes kept free for jobs that must run alone, which are the suspects of
//! one batch, or a job that by its learned memory fits on no node.
//!
//! A kept node gets no other jobs, and is used once its former jobs have ended. Only few
//! are kept at a time, and none for long without being used.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{JobId, NodeId, Sequence};
use rolecast_common::time::Time;

use super::{Context, Event, Job, Scheduler, State, Verdict};
use crate::fleet::{Alone, Candidate};
use crate::placement::Slot;

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
pub(super) enum Key {
    Batch(u64),
    Job(Sequence),
}

#[derive(Debug)]
struct Kept {
    node: NodeId,
    since: Time,
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
    pub(super) fn note_suspect(&mut self, sequence: Sequence, node: NodeId) {
        self.suspects.insert(sequence, node);
    }

    /// Records the death of a node without suspects; returns whether another one died
    /// shortly before.
    pub(super) fn note_death(&mut self, now: Time, node: &NodeId) -> bool {
        let before = self.died.replace((node.clone(), now));
        before.is_some_and(|(other, at)| other != *node && now.since(at) <= MASS_WITHIN)
    }

    pub(super) fn suspects(&self) -> impl Iterator<Item = (&Sequence, &NodeId)> {
        self.suspects.iter()
    }

    pub(super) fn node_of(&self, key: Key) -> Option<&NodeId> {
        self.kept.get(&key).map(|kept| &kept.node)
    }
}

impl Scheduler {
    /// Returns the node that is kept for the job once it is ready; begins to keep one if
    /// none is kept and that is allowed.
    pub(super) fn keep_node(
        &mut self,
        cx: &mut Context<'_>,
        candidate: &Candidate<'_>,
        (alone, key): (Alone, Key),
        job: &JobId,
    ) -> Option<Slot> {
        if !self.quarantine.kept.contains_key(&key) {
            let resting = self.quarantine.resting.get(&key);
            let alive = self.fleet.nodes().filter(|node| !node.is_gone()).count();
            let is_full = self.quarantine.kept.len() >= (alive / KEPT_SHARE).max(1);
            if is_full || resting.is_some_and(|until| cx.now.time < *until) {
                return None;
            }
            let slot = self.fleet.node_to_keep(candidate, alone)?;
            let node = self.fleet.id_of(slot).clone();
            self.fleet.set_kept(&node, true);
            cx.event(Event::Verdict(Verdict::TriedAlone {
                job: job.clone(),
                node: node.clone(),
                why: match alone {
                    Alone::Suspect => "it may be what took its node down",
                    Alone::Outgrown => "what was learned of its memory fits nowhere",
                },
            }));
            self.quarantine.kept.insert(
                key,
                Kept {
                    node,
                    since: cx.now.time,
                },
            );
        }
        let node = self.quarantine.node_of(key)?;
        let node = self.fleet.get(node)?;
        let mut jobs = node.ledger().jobs();
        let is_ready = !node.ledger().has_set_aside()
            && jobs.all(|other| self.jobs.get(&other).is_some_and(|other| other.is_of(key)));
        is_ready.then(|| node.slot())
    }

    /// Releases nodes that are kept for no job, or in vain.
    pub(super) fn look_at_kept(&mut self, now: Time) {
        self.quarantine.resting.retain(|_, until| now < *until);
        let jobs = &self.jobs;
        self.quarantine.suspects.retain(|sequence, node| {
            let job = jobs.get(sequence);
            job.is_some_and(|job| job.suspicion.is_some() && job.is_running_on(node))
        });
        let mut given_up = Vec::new();
        for (key, kept) in &self.quarantine.kept {
            let users = self.jobs.values().filter(|job| job.is_of(*key));
            let (mut is_used, mut is_awaited) = (false, false);
            for job in users {
                is_used |= job.is_running_on(&kept.node);
                is_awaited |= matches!(job.state, State::Waiting);
            }
            let node = self.fleet.get(&kept.node);
            let is_open = node.is_some_and(|node| !node.is_gone() && !node.is_draining());
            let is_in_vain = now.since(kept.since) > KEPT_MAX && !is_used;
            if !is_open || is_in_vain || !(is_used || is_awaited) {
                given_up.push((*key, is_in_vain));
            }
        }
        for (key, is_in_vain) in given_up {
            if let Some(kept) = self.quarantine.kept.remove(&key) {
                self.fleet.set_kept(&kept.node, false);
            }
            if is_in_vain {
                self.quarantine.resting.insert(key, now + KEPT_MAX);
            }
        }
    }
}

impl Job {
    fn is_of(&self, key: Key) -> bool {
        match key {
            Key::Batch(batch) => self.suspicion.is_some_and(|own| own.batch == batch),
            Key::Job(sequence) => self.ack.sequence() == sequence,
        }
    }

    pub(super) fn is_running_on(&self, node: &NodeId) -> bool {
        match &self.state {
            State::Running { node: at, .. } => at == node,
            State::Waiting | State::Recording { .. } | State::Burying { .. } => false,
        }
    }
}
