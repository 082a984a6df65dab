//! Reports to operators and to other programs: counters, refused messages, troubles,
//! records of decisions, rates of events, and publications of the forecasts.
//!
//! Nothing here decides about jobs or nodes.

mod advice;
mod publications;
mod rates;
mod recorder;
mod refusals;
mod troubles;

use std::collections::BTreeMap;

use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::time::Time;
use rolecast_common::wire::{self, Counters, RefusedSender, RoleCapacity};
use rolecast_forecast::Params;

use super::context::Context;
use super::output::{Event, Output, Trouble};
use super::queue::Categories;
use super::verdict::{DoubtedNode, Verdict};
use crate::fleet::{Doubt, Fleet};
use publications::Publications;
use rates::Rates;
use recorder::Recorder;
use refusals::Senders;
use troubles::Troubles;

#[derive(Debug)]
pub(super) struct Reporting {
    counters: Counters,
    /// Refused messages, by kind and reason.
    refused: BTreeMap<(&'static str, &'static str), u64>,
    rates: Rates,
    senders: Senders,
    troubles: Troubles,
    recorder: Recorder,
    publications: Publications,
}

impl Reporting {
    pub(super) fn new(now: Time, params: Params) -> Self {
        Self {
            counters: Counters::default(),
            refused: BTreeMap::new(),
            rates: Rates::default(),
            senders: Senders::default(),
            troubles: Troubles::default(),
            recorder: Recorder::default(),
            publications: Publications::new(now, params),
        }
    }

    /// Adds one to a counter.
    pub(super) fn count(&mut self, counter: fn(&mut Counters) -> &mut u64) {
        *counter(&mut self.counters) += 1;
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// Returns the numbers of refused messages, by kind and reason.
    pub(super) fn refused(&self) -> &BTreeMap<(&'static str, &'static str), u64> {
        &self.refused
    }

    /// Returns the senders of refused messages, the most recent first.
    pub(super) fn refused_senders(&self) -> Vec<RefusedSender> {
        self.senders.list()
    }

    /// Records a trouble, which is reported again as long as it lasts.
    pub(super) fn report_trouble(&mut self, cx: &mut Context<'_>, trouble: Trouble) {
        let event = self.troubles.report(cx.now, trouble);
        cx.extend(event.map(Output::Event));
    }

    pub(super) fn end_trouble(&mut self, cx: &mut Context<'_>, what: &str) {
        let event = self.troubles.mend(cx.now.time, what);
        cx.extend(event.map(Output::Event));
    }

    pub(super) fn expire_troubles(&mut self, cx: &mut Context<'_>) {
        let over = self.troubles.expire(cx.now.time);
        cx.extend(over.into_iter().map(Output::Event));
    }

    pub(super) fn troubles(&self) -> Vec<wire::Trouble> {
        self.troubles.view()
    }

    /// Whether a decision is recorded: of a job that is sent, or that must wait.
    pub(super) fn records_sent(&mut self, now: Time) -> bool {
        self.recorder.takes_sent(now)
    }

    pub(super) fn records_wait(&mut self, now: Time) -> bool {
        self.recorder.takes_wait(now)
    }

    /// Reports that many nodes are missing at once.
    pub(super) fn report_missing(&mut self, cx: &mut Context<'_>, missing: usize, nodes: usize) {
        if self.rates.suspicions.count(cx.now.time).is_some() {
            cx.event(Event::ManyMissing { missing, nodes });
        }
    }

    /// Reports that a node is distrusted in a category.
    pub(super) fn report_distrusted(
        &mut self,
        cx: &mut Context<'_>,
        node: &NodeId,
        category: Category,
        doubt: Doubt,
    ) {
        self.count(|counters| &mut counters.nodes_distrusted);
        let doubted = DoubtedNode::new(node, category, doubt);
        cx.event(Event::Verdict(Verdict::NodeDistrusted(doubted)));
    }

    /// Returns the time at which this dispatcher began to observe.
    pub(super) fn started(&self) -> Time {
        self.publications.started()
    }

    /// Returns the room of each role, as it was published last.
    pub(super) fn capacity(&self) -> &BTreeMap<Role, RoleCapacity> {
        self.publications.capacity()
    }

    /// Schedules the checkpoints of the forecasts.
    pub(super) fn begin_checkpoints(&mut self, fleet: &Fleet) {
        self.publications.begin_checkpoints(fleet);
    }

    pub(super) fn end_checkpoints(&mut self, cx: &mut Context<'_>, fleet: &Fleet) {
        self.publications.end_checkpoints(cx, fleet);
    }

    /// Publishes what is due.
    pub(super) fn publish(
        &mut self,
        cx: &mut Context<'_>,
        fleet: &mut Fleet,
        categories: &Categories,
    ) {
        self.publications.sweep(cx, fleet, categories);
    }
}
