//! Watch over the nodes: late ones are probed, and it is known when silence counts.

mod pings;
mod reception;

use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::{Now, Time};

pub(super) use reception::Reception;

use super::context::Context;
use super::reporting::Reporting;
use crate::fleet::{Fleet, Missed, ROLL_MAX};
use pings::Pings;

/// Interval of the sweep: fine enough to notice a node that is gone well within its
/// fourth heartbeat.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);
/// Least time between two probes of all nodes because one is missing. It bounds the cost
/// where workers die all the time.
const ROLL_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Watch {
    reception: Reception,
    /// Whether no node may be judged, as of the last turn.
    is_deaf: bool,
    /// Time of the last probe of all nodes because one was missing.
    rolled: Option<Time>,
    /// Whether operators were notified that many nodes are missing.
    is_suspecting: bool,
    pings: Pings,
    /// Time of the last sweep.
    swept: Time,
}

impl Watch {
    pub(super) fn new(now: Now) -> Self {
        Self {
            reception: Reception::new(now.time),
            is_deaf: false,
            rolled: None,
            is_suspecting: false,
            pings: Pings::new(now.wall),
            swept: now.time,
        }
    }

    pub(super) fn reception(&self) -> &Reception {
        &self.reception
    }

    pub(super) fn reception_mut(&mut self) -> &mut Reception {
        &mut self.reception
    }

    /// Checks whether this input is handled much later than the sweep was due.
    pub(super) fn check_stall(&mut self, now: Time) {
        let due = self.sweep_due();
        self.reception.check_stall(now, due);
    }

    pub(super) fn sweep_due(&self) -> Time {
        self.swept + SWEEP_INTERVAL
    }

    /// Whether a sweep is due; if so, it counts as done.
    pub(super) fn take_sweep(&mut self, now: Time) -> bool {
        let is_due = now >= self.sweep_due();
        if is_due {
            self.swept = now;
        }
        is_due
    }

    /// Whether the sweep was at this moment.
    pub(super) fn has_swept(&self, now: Time) -> bool {
        self.swept == now
    }

    /// Returns the next time at which a node is checked; `None` while no node may be
    /// judged.
    pub(super) fn check_due(&self, fleet: &Fleet) -> Option<Time> {
        fleet.next_check().filter(|_| !self.is_deaf)
    }

    /// Returns the nodes whose heartbeats are missing; `None` while no node may be judged.
    pub(super) fn missed(&mut self, now: Time, fleet: &mut Fleet) -> Option<Vec<Missed>> {
        let since = self.reception.since(now);
        self.is_deaf = since.is_none();
        let since = since?;
        let reception = &self.reception;
        Some(fleet.check_presence(now, since, |at| reception.is_confirmed_since(at)))
    }

    /// Reports once that many nodes are missing at the same time.
    pub(super) fn check_suspicion(
        &mut self,
        cx: &mut Context<'_>,
        fleet: &Fleet,
        reporting: &mut Reporting,
    ) {
        let suspected = fleet.suspected();
        let was_suspected = std::mem::replace(&mut self.is_suspecting, suspected.is_some());
        if let Some((missing, nodes)) = suspected
            && !was_suspected
        {
            reporting.report_missing(cx, missing, nodes);
        }
    }

    /// Handles the server's report that nobody listens on the node's subject. If a server
    /// died, others are missing too: they are probed before one of them is given up.
    pub(super) fn record_absence(
        &mut self,
        cx: &mut Context<'_>,
        fleet: &mut Fleet,
        node: &NodeId,
    ) {
        let Some(since) = self.reception.since(cx.now.time) else {
            return;
        };
        if !fleet.record_absence(cx.now.time, since, node) {
            return;
        }
        let is_due = self
            .rolled
            .is_none_or(|at| cx.now.time.since(at) >= ROLL_INTERVAL);
        if is_due {
            self.rolled = Some(cx.now.time);
            self.probe_all(cx, fleet);
        }
    }

    /// Probes all nodes, or as many as suffice to find out what is wrong.
    fn probe_all(&mut self, cx: &mut Context<'_>, fleet: &Fleet) {
        let nodes = fleet.nodes().filter(|node| !node.is_gone());
        for node in nodes.take(ROLL_MAX) {
            self.pings.probe(cx, node.id());
        }
    }

    /// Sends a ping to a node.
    pub(super) fn probe(&mut self, cx: &mut Context<'_>, node: &NodeId) {
        self.pings.probe(cx, node);
    }

    /// Pings the nodes whose turn it is.
    pub(super) fn ping(&mut self, cx: &mut Context<'_>, fleet: &Fleet) {
        self.pings.sweep(cx, fleet);
    }

    /// Asks a node for a heartbeat at once.
    pub(super) fn request_report(&mut self, cx: &mut Context<'_>, node: &NodeId) {
        self.pings.request_report(cx, node);
    }
}
