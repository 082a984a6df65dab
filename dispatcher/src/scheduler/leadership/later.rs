//! Nodes that report a later epoch than any that is known here.
//!
//! A node refuses dispatchers older than the latest that it has seen, and any party with
//! its rights can report any epoch. So its report causes a read of the lease, and the
//! bucket decides:
//!
//! 1. Another dispatcher holds the lease: this one becomes a standby, as always in this
//!    case.
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

use crate::scheduler::output::Trouble;

/// Time for which the status shows that a node follows another epoch: some heartbeats.
const SHOWN: Duration = Duration::from_secs(10);
/// Least time between two reads of the lease because of such reports, however many there
/// are: it is renewed three times as often anyway.
const DOUBT_INTERVAL: Duration = Duration::from_secs(1);
/// Least time between two notices to one node that the bucket does not know its epoch.
/// Guessed: it logs that once, and a missed notice costs little.
const NOTIFY_INTERVAL: Duration = Duration::from_secs(10);

/// Nodes that follow a later epoch.
#[derive(Debug, Default)]
pub(super) struct Later {
    reports: BTreeMap<NodeId, Report>,
    /// The number of reports that count as evidence.
    evidence: usize,
    /// Start of the unbroken hold of the lease.
    unbroken: Time,
    /// Time of the last order to read the lease.
    doubted: Option<Time>,
}

/// A node's report of a later epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    epoch: Epoch,
    /// Start of its reports of this epoch, and of any that is later than ours.
    pub(super) since: Time,
    pub(super) first: Time,
    /// Whether it may show that the bucket was rolled back.
    is_evidence: bool,
    /// Time of the last notice to it that the bucket does not know the epoch.
    notified: Option<Time>,
}

impl Later {
    /// Starts again with the lease held without a break since `unbroken`.
    pub(super) fn since(unbroken: Time) -> Self {
        Self {
            unbroken,
            ..Self::default()
        }
    }

    pub(super) fn forget(&mut self, node: &NodeId) {
        if let Some(report) = self.reports.remove(node) {
            self.evidence -= usize::from(report.is_evidence);
        }
    }

    /// Records that another dispatcher may have led until now.
    pub(super) fn record_break(&mut self, now: Time) {
        self.unbroken = now;
        self.evidence = self.reports.len();
        for report in self.reports.values_mut() {
            report.is_evidence = true;
        }
    }

    /// Records a node's report; `followed` is the last time at which it followed this
    /// dispatcher.
    pub(super) fn record(
        &mut self,
        now: Time,
        node: &NodeId,
        epoch: Epoch,
        followed: Option<Time>,
    ) -> Report {
        let is_evidence = followed.is_none_or(|at| at < self.unbroken);
        let report = self.reports.entry(node.clone()).or_insert_with(|| {
            self.evidence += usize::from(is_evidence);
            Report {
                epoch,
                since: now,
                first: now,
                is_evidence,
                notified: None,
            }
        });
        if report.epoch != epoch {
            (report.epoch, report.since, report.notified) = (epoch, now, None);
        }
        *report
    }

    /// Returns the number of reports that count as evidence.
    pub(super) fn evidence(&self) -> usize {
        self.evidence
    }

    /// Returns the largest epoch among the evidence if that is of most of the nodes.
    pub(super) fn majority(&self, nodes: usize) -> Option<Epoch> {
        if self.evidence * 2 <= nodes {
            return None;
        }
        let counted = self.reports.values().filter(|report| report.is_evidence);
        counted.map(|report| report.epoch).max()
    }

    /// Returns the trouble that nodes follow an epoch above `ours`, such as `node` does.
    pub(super) fn trouble(
        &self,
        ours: Epoch,
        theirs: Epoch,
        node: &NodeId,
        nodes: usize,
    ) -> Trouble {
        let later = self.reports.len();
        Trouble {
            what: "the epochs of workers".to_owned(),
            why: format!(
                "{later} of {nodes} nodes, such as {node}, follow epoch {theirs} or so, and \
                 the lease is held under {ours}"
            ),
            remedy: "they refuse jobs and roles; unless another dispatcher leads, stop each \
                     worker, run rolecast-worker forget-epoch, and start it again"
                .to_owned(),
            lasts: Some(SHOWN),
        }
    }

    /// Whether the lease must be read, at most once per interval.
    pub(super) fn may_doubt(&mut self, now: Time) -> bool {
        is_due(&mut self.doubted, now, DOUBT_INTERVAL)
    }

    pub(super) fn may_notify(&mut self, now: Time, node: &NodeId) -> bool {
        let report = self.reports.get_mut(node);
        report.is_some_and(|report| is_due(&mut report.notified, now, NOTIFY_INTERVAL))
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
