//! Nodes that report a later epoch than any that is known here.
//!
//! A node refuses dispatchers older than the latest that it has seen, and anybody with
//! its rights can report any epoch. So its report causes a read of the lease, and the
//! bucket decides:
//!
//! 1. Another dispatcher holds the lease: this one stands by, as it always does then.
//! 2. The lease is this one's. The node is notified, and its report changes nothing.
//! 3. But the bucket may have been rolled back, or be a new one. Then the nodes know of
//!    dispatchers that the bucket does not know, and would refuse this one for ever. If
//!    most nodes report a later epoch, a leader has to take one above it.
//! 4. For that a node counts only if it has not followed this leader before. No other
//!    dispatcher can have led while the lease was held without a break, so a node that
//!    followed this one within that time has its later epoch from no dispatcher.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{Epoch, NodeId};
use rolecast_common::time::Time;
use rolecast_common::wire::{AdmissionVerdict, Heartbeat};

use super::{Context, Output, Scheduler, Trouble};

/// Time for which the status shows that a node follows another epoch: some heartbeats.
const SHOWN: Duration = Duration::from_secs(10);
/// Least time between two reads of the lease because of such reports, however many there
/// are: it is renewed three times as often anyway.
const DOUBT_INTERVAL: Duration = Duration::from_secs(1);
/// Least time between two notices to one node that the bucket does not know its epoch.
/// Guessed: it logs that once, and a missed notice costs little.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// Nodes that follow a later epoch.
#[derive(Debug, Default)]
pub(super) struct Later {
    words: BTreeMap<NodeId, Word>,
    /// The number of reports that count as evidence.
    evidence: usize,
    /// Start of the unbroken hold of the lease.
    unbroken: Time,
    /// Time of the last order to read the lease.
    doubted: Option<Time>,
}

/// A node's report of a later epoch.
#[derive(Clone, Copy, Debug)]
struct Word {
    epoch: Epoch,
    /// Start of its reports of this epoch, and of any that is later than ours.
    since: Time,
    first: Time,
    /// Whether it may show that the bucket was rolled back.
    is_evidence: bool,
    /// Time of the last notice to it that the bucket does not know the epoch.
    told: Option<Time>,
}

impl Later {
    pub(super) fn forget(&mut self, node: &NodeId) {
        if let Some(word) = self.words.remove(node) {
            self.evidence -= usize::from(word.is_evidence);
        }
    }

    /// Records that another dispatcher may have led until now.
    pub(super) fn note_break(&mut self, now: Time) {
        self.unbroken = now;
        self.evidence = self.words.len();
        for word in self.words.values_mut() {
            word.is_evidence = true;
        }
    }

    /// Records a node's report; `followed` is the last time at which it followed this
    /// dispatcher.
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

    /// Returns the largest epoch among the evidence.
    fn largest(&self) -> Option<Epoch> {
        let counted = self.words.values().filter(|word| word.is_evidence);
        counted.map(|word| word.epoch).max()
    }

    /// Whether the lease is to be read, at most once per interval.
    fn may_doubt(&mut self, now: Time) -> bool {
        is_due(&mut self.doubted, now, DOUBT_INTERVAL)
    }

    fn may_tell(&mut self, now: Time, node: &NodeId) -> bool {
        let word = self.words.get_mut(node);
        word.is_some_and(|word| is_due(&mut word.told, now, TELL_INTERVAL))
    }
}

/// Whether the interval since the last time is over; if so, this is the last time.
fn is_due(last: &mut Option<Time>, now: Time, interval: Duration) -> bool {
    let is_due = last.is_none_or(|last| now.since(last) >= interval);
    if is_due {
        *last = Some(now);
    }
    is_due
}

impl Scheduler {
    pub(super) fn weigh_epoch(&mut self, cx: &mut Context<'_>, beat: &Heartbeat) {
        let (node, theirs) = (&beat.node, beat.epoch);
        let leads = self.led_since.is_some();
        let ours = if leads { self.epoch } else { self.known };
        if theirs <= ours {
            self.later.forget(node);
            if leads {
                self.fleet.note_followed(cx.now.time, node);
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
        let word = self.later.take(cx.now.time, node, theirs, followed);
        if self.later.evidence * 2 > self.fleet.watched() {
            return self.follow(cx, node, ours);
        }
        if !leads {
            return;
        }
        if self.later.may_doubt(cx.now.time) {
            cx.push(Output::DoubtLease);
        }
        // The bucket has answered since, and its answer outweighs the report.
        if self.hearing.is_confirmed_since(word.first) {
            self.show_later(cx, node, theirs);
        }
        if self.hearing.is_confirmed_since(word.since) && self.later.may_tell(cx.now.time, node) {
            self.answer_boot_with(cx, beat, AdmissionVerdict::Admitted, Some(theirs));
        }
    }

    /// Concludes that there was a later epoch: the next one is above the largest of the
    /// evidence.
    fn follow(&mut self, cx: &mut Context<'_>, node: &NodeId, ours: Epoch) {
        let (later, nodes) = (self.later.evidence, self.fleet.watched());
        self.known = self.known.max(self.later.largest().unwrap_or(ours));
        self.later = Later {
            unbroken: cx.now.time,
            ..Later::default()
        };
        if self.led_since.is_some() {
            let reason =
                format!("{later} of {nodes} nodes follow an epoch above {ours}, such as {node}");
            cx.push(Output::StepDown { reason });
        }
    }

    fn show_later(&mut self, cx: &mut Context<'_>, node: &NodeId, theirs: Epoch) {
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
        self.reporting.report_trouble(cx, trouble);
    }
}
