//! Nodes that tell of a later epoch than any that is known here.
//!
//! A node refuses dispatchers older than the latest that it has seen, and whoever has its
//! rights can say any epoch. So its word has the lease looked at, and what the bucket says
//! counts:
//!
//! 1. Another dispatcher holds the lease: this one stands by, as it does whenever it finds
//!    that out.
//! 2. The lease is this one's. The node is told so, and its word changes nothing.
//! 3. But the bucket may have been rolled back, or be a new one: then the nodes know of
//!    dispatchers that it does not know of, and would refuse this one for ever. If most nodes
//!    tell of a later epoch, a leader has to take one above.
//! 4. For that a node counts only if it has not followed this leader before: nobody else can
//!    have led while the lease was held without a break, so a node that followed it within
//!    that time has its later epoch from nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{Epoch, NodeId};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{AdmissionVerdict, Heartbeat};

use super::{Machine, Output, Trouble};

/// How long it is shown that a node follows another epoch: some heartbeats.
const SHOWN: Duration = Duration::from_secs(10);
/// How often the lease is looked at for what nodes tell, however many do: it is renewed
/// three times as often anyway.
const DOUBT_INTERVAL: Duration = Duration::from_secs(1);
/// How often one node is told that the bucket does not know its epoch. Guessed: it logs that
/// once, and one that was not told has lost little.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// Nodes that follow a later epoch.
#[derive(Debug, Default)]
pub(super) struct Later {
    words: BTreeMap<NodeId, Word>,
    /// How many of them count as evidence.
    evidence: usize,
    /// Since when the lease is held without a break.
    unbroken: Time,
    /// When the lease was to be looked at last.
    doubted: Option<Time>,
}

/// A node's word.
#[derive(Clone, Copy, Debug)]
struct Word {
    epoch: Epoch,
    /// Since when it tells this one, and any that is later than ours.
    since: Time,
    first: Time,
    /// Whether it may show that the bucket was rolled back.
    is_evidence: bool,
    /// When it was told that the bucket does not know the epoch.
    told: Option<Time>,
}

impl Later {
    pub(super) fn forget(&mut self, node: &NodeId) {
        if let Some(word) = self.words.remove(node) {
            self.evidence -= usize::from(word.is_evidence);
        }
    }

    /// Takes that until now another dispatcher may have led.
    pub(super) fn note_break(&mut self, now: Time) {
        self.unbroken = now;
        self.evidence = self.words.len();
        for word in self.words.values_mut() {
            word.is_evidence = true;
        }
    }

    /// Takes a node's word; `followed` is when it followed this dispatcher last.
    fn take(&mut self, now: Time, node: &NodeId, epoch: Epoch, followed: Option<Time>) -> Word {
        let is_evidence = followed.is_none_or(|at| at < self.unbroken);
        let word = self.words.entry(node.clone()).or_insert_with(|| {
            self.evidence += usize::from(is_evidence);
            Word {
                epoch,
                since: now,
                first: now,
                is_evidence,
                told: None,
            }
        });
        if word.epoch != epoch {
            (word.epoch, word.since, word.told) = (epoch, now, None);
        }
        *word
    }

    /// Returns the largest epoch of those that count.
    fn largest(&self) -> Option<Epoch> {
        let counted = self.words.values().filter(|word| word.is_evidence);
        counted.map(|word| word.epoch).max()
    }

    /// Returns whether the lease is to be looked at, at most so often.
    fn may_doubt(&mut self, now: Time) -> bool {
        let is_due = self
            .doubted
            .is_none_or(|last| now.since(last) >= DOUBT_INTERVAL);
        if is_due {
            self.doubted = Some(now);
        }
        is_due
    }

    fn may_tell(&mut self, now: Time, node: &NodeId) -> bool {
        let Some(word) = self.words.get_mut(node) else {
            return false;
        };
        let is_due = word
            .told
            .is_none_or(|last| now.since(last) >= TELL_INTERVAL);
        if is_due {
            word.told = Some(now);
        }
        is_due
    }
}

impl Machine {
    pub(super) fn weigh_epoch(&mut self, now: Now, beat: &Heartbeat, out: &mut Vec<Output>) {
        let (node, theirs) = (&beat.node, beat.epoch);
        let leads = self.led_since.is_some();
        let ours = if leads { self.epoch } else { self.known };
        if theirs <= ours {
            self.later.forget(node);
            if leads {
                self.fleet.note_followed(now.time, node);
            }
            return;
        }
        let known = self.fleet.get(node);
        if known.is_some_and(|node| node.is_unheard()) {
            // An invented name costs nothing, and so it counts for nothing.
            self.later.forget(node);
            return;
        }
        let followed = known.and_then(|node| node.followed());
        let word = self.later.take(now.time, node, theirs, followed);
        if self.later.evidence * 2 > self.fleet.watched() {
            return self.follow(now.time, node, ours, out);
        }
        if !leads {
            return;
        }
        if self.later.may_doubt(now.time) {
            out.push(Output::DoubtLease);
        }
        // Its word against that of the bucket, which has answered since.
        if self.hearing.is_confirmed_since(word.first) {
            self.show_later(now, node, theirs, out);
        }
        if self.hearing.is_confirmed_since(word.since) && self.later.may_tell(now.time, node) {
            self.answer_boot_with(now, beat, AdmissionVerdict::Admitted, Some(theirs), out);
        }
    }

    /// Takes that there was a later epoch: of what most nodes tell the next one is above.
    fn follow(&mut self, now: Time, node: &NodeId, ours: Epoch, out: &mut Vec<Output>) {
        let (later, nodes) = (self.later.evidence, self.fleet.watched());
        self.known = self.known.max(self.later.largest().unwrap_or(ours));
        self.later = Later {
            unbroken: now,
            ..Later::default()
        };
        if self.led_since.is_some() {
            let reason =
                format!("{later} of {nodes} nodes follow an epoch above {ours}, such as {node}");
            out.push(Output::StepDown { reason });
        }
    }

    fn show_later(&mut self, now: Now, node: &NodeId, theirs: Epoch, out: &mut Vec<Output>) {
        let (later, nodes) = (self.later.words.len(), self.fleet.watched());
        let trouble = Trouble {
            what: "the epochs of workers".to_owned(),
            why: format!(
                "{later} of {nodes} nodes, such as {node}, follow epoch {theirs} or so, and \
                 the lease is held under {}",
                self.epoch
            ),
            remedy: "they refuse jobs and roles; unless another dispatcher leads, stop each \
                     worker, run rolecast-worker forget-epoch, and start it again"
                .to_owned(),
            lasts: Some(SHOWN),
        };
        self.note_trouble(now, trouble, out);
    }
}
