//! Leadership: the epochs under which this dispatcher leads, and its take-over.
//!
//! Whether the lease still holds is known to [`super::watch::Reception`].

mod later;
mod takeover;

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::id::{Epoch, NodeId};
use rolecast_common::time::Time;
use rolecast_common::wire::Heartbeat;

use super::context::Context;
use super::jobs::Jobs;
use super::output::Output;
use super::reporting::Reporting;
use super::watch::{Reception, Watch};
use crate::fleet::Fleet;
use crate::seal::Seals;
use later::Later;
use takeover::Takeover;

#[derive(Debug)]
pub(super) struct Leadership {
    /// Zero as long as another dispatcher leads.
    epoch: Epoch,
    /// The largest epoch that it led under or that most nodes have reported.
    known: Epoch,
    /// Start of its lead; `None` while it stands by and only learns.
    since: Option<Time>,
    /// The seals by which assignments are recognized.
    seals: Seals,
    later: Later,
    takeover: Takeover,
}

impl Leadership {
    /// Stands by. `warm_up` is the longest time for which a new leader waits for the jobs
    /// in hand.
    pub(super) fn new(now: Time, warm_up: Duration) -> Self {
        Self {
            epoch: Epoch::default(),
            known: Epoch::default(),
            since: None,
            seals: Seals::default(),
            later: Later::default(),
            takeover: Takeover::new(now, warm_up),
        }
    }

    pub(super) fn leads(&self) -> bool {
        self.since.is_some()
    }

    pub(super) fn since(&self) -> Option<Time> {
        self.since
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns the largest epoch that it has led under or that most nodes have reported.
    pub(super) fn known(&self) -> Epoch {
        self.known
    }

    pub(super) fn seals(&self) -> &Seals {
        &self.seals
    }

    pub(super) fn lead(&mut self, now: Time, epoch: Epoch, seals: Seals) {
        self.epoch = epoch;
        self.known = self.known.max(epoch);
        self.since = Some(now);
        self.seals = seals;
        self.record_break(now);
    }

    /// Records that another dispatcher may have led until this moment.
    pub(super) fn record_break(&mut self, now: Time) {
        self.later.record_break(now);
    }

    /// Asks all nodes that are alive for their jobs in hand.
    pub(super) fn begin_takeover(
        &mut self,
        cx: &mut Context<'_>,
        fleet: &Fleet,
        watch: &mut Watch,
    ) {
        let alive = fleet.nodes().filter(|node| !node.is_gone());
        let alive: BTreeSet<NodeId> = alive.map(|node| node.id().clone()).collect();
        for node in &alive {
            watch.request_report(cx, node);
        }
        self.takeover.begin(cx.now.time, alive);
    }

    /// Orders the redelivery of the jobs that nobody has in hand, once these are known.
    /// The deliveries of those that are held or run are extended just before.
    pub(super) fn recover(&mut self, cx: &mut Context<'_>, jobs: &mut Jobs) {
        let is_again = self.recovery_due().is_some();
        if self.takeover.may_recover(cx.now.time) {
            if is_again {
                jobs.revive(cx);
            }
            cx.push(Output::Recover);
        }
    }

    /// Whether the jobs in hand are known, so that others may be fetched.
    pub(super) fn may_fetch(&self, now: Time) -> bool {
        self.takeover.is_over(now)
    }

    /// Returns the time at which a recovery of deliveries is due.
    pub(super) fn recovery_due(&self) -> Option<Time> {
        self.takeover.due()
    }

    pub(super) fn record_recovered(&mut self, now: Time) {
        self.takeover.record_recovered(now);
    }

    /// Records a heartbeat of the node.
    pub(super) fn record_heartbeat(&mut self, node: &NodeId) {
        self.takeover.record_answer(node);
    }

    pub(super) fn record_gone(&mut self, node: &NodeId) {
        self.takeover.record_answer(node);
        self.later.forget(node);
    }

    /// Compares the epoch that a node follows with those that are known. Returns whether
    /// the node is to be notified that the bucket does not know its epoch.
    pub(super) fn compare_epoch(
        &mut self,
        cx: &mut Context<'_>,
        beat: &Heartbeat,
        fleet: &mut Fleet,
        reception: &Reception,
        reporting: &mut Reporting,
    ) -> bool {
        let (node, theirs) = (&beat.node, beat.epoch);
        let leads = self.leads();
        let ours = if leads { self.epoch } else { self.known };
        if theirs <= ours {
            self.later.forget(node);
            if leads {
                fleet.record_followed(cx.now.time, node);
            }
            return false;
        }
        let known = fleet.get(node);
        if known.is_some_and(|node| node.lacks_listener()) {
            // An invented name costs nothing, and so it counts for nothing.
            self.later.forget(node);
            return false;
        }
        let followed = known.and_then(|node| node.followed());
        let report = self.later.record(cx.now.time, node, theirs, followed);
        if let Some(largest) = self.later.majority(fleet.watched()) {
            let (later, nodes) = (self.later.evidence(), fleet.watched());
            let reason =
                format!("{later} of {nodes} nodes follow an epoch above {ours}, such as {node}");
            self.later = Later::since(cx.now.time);
            self.exceed(cx, largest, reason);
            return false;
        }
        if !leads {
            return false;
        }
        if self.later.may_doubt(cx.now.time) {
            cx.push(Output::DoubtLease);
        }
        // The bucket has answered since, and its answer outweighs the report.
        if reception.is_confirmed_since(report.first) {
            let trouble = self
                .later
                .trouble(self.epoch, theirs, node, fleet.watched());
            reporting.report_trouble(cx, trouble);
        }
        reception.is_confirmed_since(report.since) && self.later.may_notify(cx.now.time, node)
    }

    /// Steps down when the document of the roles has a later epoch. Only dispatchers write
    /// it, so one has led under that epoch, and nodes may follow it: the key of the lease
    /// was lost more than once, and its epoch started from too low. The next lease is
    /// above both.
    pub(super) fn yield_to_document(&mut self, cx: &mut Context<'_>, ours: Epoch, found: Epoch) {
        if self.leads() && ours.may_reach(found) {
            let reason = format!("the roles are kept under epoch {found}, which is above {ours}");
            self.exceed(cx, found, reason);
        }
    }

    /// Records that another dispatcher led under `epoch`: the next one is above it.
    fn exceed(&mut self, cx: &mut Context<'_>, epoch: Epoch, reason: String) {
        self.known = self.known.max(epoch);
        if self.leads() {
            cx.push(Output::StepDown { reason });
        }
    }
}
