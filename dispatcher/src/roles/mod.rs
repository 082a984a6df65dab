//! Managed roles: their holders, and changes in which a role never has too many holders.
//!
//! Read in this order:
//!
//! - `grants`: the nodes that may be acting in each role at this moment;
//! - `changes`: the steps by which a role moves;
//! - `edit`: the effect of a step on the document;
//! - `keeping`: the storage of the document, before any action upon it;
//! - `choice`: the nodes that may hold a role, by the `facts`;
//! - `assigning`: the roles that are sent to a node; - `orders`: the orders of operators
//!   and of the judge (`relocation`).
//!
//! Invariants:
//!
//! 1. A node receives a role only if the stored document names it, and it was named only
//!    when, beside it, fewer than the role's holders could be acting. While a document is
//!    being stored no node receives a further role.
//! 2. Every node that may be acting is named in the document, so a successor knows which
//!    nodes to wait for; it stores the document under its own epoch before anything else.
//! 3. Nothing is sent after the end of this dispatcher's own lease.
//! 4. An `(epoch, generation)` has one content: an assignment under it does not depend on
//!    when it is sent.

mod assigning;
mod changes;
mod choice;
mod edit;
mod facts;
mod grants;
mod input;
mod keeping;
mod nodes;
mod orders;
mod output;
mod reading;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecast_common::id::{Epoch, Group, NodeId, Role};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::RoleDocument;

pub use input::{Input, Move, Order, Report};
pub use output::{Answer, Event, Output, Refusal};
pub use reading::RoleDefaults;
pub use settings::{RoleSettings, Settings};

use facts::{Facts, Lead};
use keeping::Found;
use orders::Orders;

/// Time for which a node holds its managed roles, from when it sent the heartbeat that
/// was answered: a hook to promote and one to demote, each of at most 4 s, and a
/// heartbeat's interval fit.
pub const ROLE_LEASE: Duration = Duration::from_secs(10);
/// Time waited beyond it: a twentieth is far more than clocks differ in their rates.
pub const ROLE_LEASE_MARGIN: Duration = Duration::from_millis(500);
/// Time before a role is given to another node, for heartbeats of all nodes: two intervals.
const GATHER_WAIT: Duration = Duration::from_secs(2);
/// Interval at which open changes are checked.
const TICK_INTERVAL: Duration = Duration::from_millis(250);

/// The state machine that gives roles to nodes.
#[derive(Debug)]
pub struct Coordinator {
    facts: Facts,
    groups: Vec<Group>,
    /// The epoch of a later dispatcher whose document was found.
    overtaken: Epoch,
    orders: Orders,
    /// Start of the present phase of each group's change.
    phase_since: BTreeMap<Group, Time>,
    vacant_reported: BTreeSet<Role>,
    claim_count: u64,
    tick_due: Time,
}

impl Coordinator {
    pub fn new(settings: Settings) -> Self {
        Self {
            groups: settings.groups().into_iter().cloned().collect(),
            facts: Facts::new(settings),
            overtaken: Epoch::default(),
            orders: Orders::default(),
            phase_since: BTreeMap::new(),
            vacant_reported: BTreeSet::new(),
            claim_count: 0,
            tick_due: Time::ZERO,
        }
    }

    /// Handles an input and emits the resulting commands.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        self.facts.grants.prune(now.time);
        match input {
            Input::Lead { epoch, until } => self.lead(now.time, epoch, until, out),
            Input::Unlead => self.unlead(out),
            Input::Heartbeat(report) => return self.observe(now, report, out),
            Input::Gone(node) => self.facts.nodes.lose(&node),
            Input::Ranked(nodes) => self.facts.nodes.rank(nodes),
            Input::Read { request, entry } => {
                let is_first = self.facts.keeping.document().is_none();
                let found = self.facts.keeping.read(request, entry);
                self.take_found(now, is_first, found, out);
            }
            Input::Unread { request } => self.facts.keeping.unread(now.time, request),
            Input::Stored { request, result } => {
                let is_first = self.facts.keeping.document().is_none();
                if self.facts.keeping.stored(request, result) {
                    self.act(now, is_first, out);
                }
            }
            Input::Order { id, order } => self.orders.take(now.time, &self.facts, id, order, out),
            Input::Move(wanted) => self.orders.wish(wanted),
            Input::Tick => {}
        }
        self.advance(now, out);
    }

    /// Returns the time at which [`Input::Tick`] is due at the latest.
    pub fn next_deadline(&self) -> Option<Time> {
        self.facts.lead.map(|_| self.tick_due)
    }

    /// Returns the roles whose jobs this node may get, among those that it reports:
    /// managed ones only if they were given to it.
    pub fn effective_roles(&self, node: &NodeId, reported: &[Role]) -> Vec<Role> {
        let Some(document) = self.facts.keeping.document() else {
            return reported.to_vec();
        };
        let given = document.roles_of(node);
        let is_true =
            |role: &&Role| !self.facts.settings.managed.contains_key(*role) || given.contains(role);
        reported.iter().filter(is_true).cloned().collect()
    }

    /// Returns whether the node was drained: nothing is to be placed there.
    pub fn is_drained(&self, node: &NodeId) -> bool {
        let document = self.facts.keeping.document();
        document.is_some_and(|document| document.drained.contains(node))
    }

    /// Returns the document that counts; `None` if this dispatcher does not lead.
    pub fn document(&self) -> Option<&RoleDocument> {
        self.facts.keeping.document()
    }

    /// Returns the number of times that nodes began to claim a role that they were not
    /// given.
    pub fn claim_count(&self) -> u64 {
        self.claim_count
    }

    fn lead(&mut self, now: Time, epoch: Epoch, until: Time, out: &mut Vec<Output>) {
        if epoch <= self.overtaken {
            return;
        }
        match &mut self.facts.lead {
            Some(lead) if lead.epoch == epoch => lead.until = until.max(lead.until),
            Some(_) | None => {
                self.unlead(out);
                let since = now;
                self.facts.lead = Some(Lead {
                    epoch,
                    since,
                    until,
                });
            }
        }
    }

    fn unlead(&mut self, out: &mut Vec<Output>) {
        self.facts.lead = None;
        self.facts.keeping.reset();
        self.orders.refuse_all(out);
        self.orders.forget_moves();
        self.vacant_reported.clear();
    }

    /// Handles the document that another dispatcher, or none, left in the store.
    fn take_found(&mut self, now: Now, is_first: bool, found: Found, out: &mut Vec<Output>) {
        let Some(lead) = self.facts.lead else {
            return;
        };
        let found = match found {
            Found::Nothing => return,
            Found::Stored => return self.act(now, is_first, out),
            Found::Other(found) => found,
        };
        let until = lead.since + ROLE_LEASE + ROLE_LEASE_MARGIN;
        if found.is_none() && lead.epoch > Epoch::default().next() {
            // Others led before, and their grants are unknown.
            self.facts.grants.blind(until);
        }
        let ours = self.facts.keeping.document();
        let given = ours.map_or(0, |document| document.generation);
        let found = found.or_else(|| ours.cloned());
        let found = found.unwrap_or_else(|| edit::first(&self.facts.settings));
        if found.epoch > lead.epoch {
            self.overtaken = found.epoch;
            self.unlead(out);
            let (ours, found) = (lead.epoch, found.epoch);
            return out.push(Output::Event(Event::Overtaken { ours, found }));
        }
        self.orders.refuse_all(out);
        self.facts.grants.inherit_all(&found, until);
        let claimed = edit::claimed(&self.facts.settings, lead.epoch, given, &found);
        self.facts.keeping.store(claimed);
    }

    /// Acts upon the document that was just stored.
    fn act(&mut self, now: Now, is_first: bool, out: &mut Vec<Output>) {
        let Some(document) = self.facts.keeping.document() else {
            return;
        };
        let (epoch, generation) = (document.epoch, document.generation);
        if is_first {
            out.push(Output::Event(Event::TakenOver { epoch, generation }));
            self.phase_since.clear();
        }
        // Wishes in a group from before a step of a change there were weighed with
        // figures that this step outdates.
        let is_moving = |group: &Group| {
            let change = document.changes.get(group);
            change.is_some_and(|change| change.generation == generation)
        };
        self.orders.retain_moves(|role| {
            let settings = self.facts.settings.managed.get(role);
            settings.is_some_and(|settings| !is_moving(&settings.group))
        });
        for past in &document.history {
            if past.generation == generation {
                out.push(Output::Event(Event::Finished(past.clone())));
                self.orders.finish(past, out);
            }
        }
        self.orders.record_begun(document);
        self.orders.answer_drains(document, out);
        for (group, change) in &document.changes {
            let is_new = change.generation == generation;
            if is_new {
                let (group, change) = (group.clone(), change.clone());
                out.push(Output::Event(Event::Step { group, change }));
            }
            if is_new || is_first {
                self.phase_since.insert(group.clone(), now.time);
            }
        }
        self.facts.assign_all(now.time, out);
    }

    /// Does what is due.
    fn advance(&mut self, now: Now, out: &mut Vec<Output>) {
        self.tidy_up(now.time);
        if !self.facts.is_at_work(now.time) {
            return;
        }
        if self.facts.keeping.is_ready()
            && let Some(next) = self.next_step(now, out)
        {
            self.facts.keeping.store(next);
        }
        self.facts.keeping.drive(now.time, out);
    }

    fn observe(&mut self, now: Now, report: Report, out: &mut Vec<Output>) {
        let name = report.node.clone();
        if let Some(lead) = self.facts.lead {
            self.facts.grants.confirm(lead.epoch, &report);
        }
        let is_news = self.facts.nodes.observe(now.time, report);
        self.tidy_up(now.time);
        if !is_news || !self.facts.is_at_work(now.time) {
            return;
        }
        self.claim_count += self.facts.report_claims(&name, out);
        if self.facts.is_concerned(&name) {
            self.advance(now, out);
            self.facts.assign(now.time, &name, out);
        }
    }

    /// Records, at intervals, the nodes that do not act in their roles, and forgets those
    /// that are gone.
    fn tidy_up(&mut self, now: Time) {
        if now < self.tick_due {
            return;
        }
        self.tick_due = now + TICK_INTERVAL;
        let document = self.facts.keeping.document();
        if let Some(document) = document {
            self.facts.nodes.record_due(now, document.assigned());
        }
        let is_holder = |document: &RoleDocument, name: &NodeId| {
            let mut holders = document.roles.values();
            holders.any(|holders| holders.contains(name))
        };
        self.facts.nodes.forget(now, |name| {
            document.is_some_and(|document| is_holder(document, name))
        });
    }
}
