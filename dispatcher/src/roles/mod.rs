//! Managed roles: their holders, and changes in which a role never has too many holders.
//!
//! Read in this order:
//!
//! - `grants`: the nodes that may be acting in each role at this moment;
//! - `changes`: the steps by which a role moves;
//! - `edit`: the effect of a step on the document;
//! - `keeping`: the storage of the document, before any action upon it;
//! - `choice`: the nodes that may hold a role;
//! - `orders`: the wishes of operators and of the judge;
//! - [`judge`]: the decision when a role should move.
//!
//! Invariants:
//!
//! 1. A node receives a role only if the stored document names it, and it was named only
//!    when, beside it, fewer than the role's holders could be acting. While a document is
//!    being stored no node receives a role anew.
//! 2. Every node that may be acting is named in the document, so a successor knows which
//!    nodes to wait for; it stores the document under its own epoch before anything else.
//! 3. Nothing is sent after the end of this dispatcher's own lease.
//! 4. An `(epoch, generation)` has one content: an assignment under it does not depend on
//!    when it is sent.

mod changes;
mod choice;
mod edit;
mod grants;
mod input;
pub mod judge;
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
use rolecast_common::wire::{RoleAssignment, RoleDocument, VERSION};

pub use input::{Heard, Input, Move, Order};
pub use output::{Answer, Event, Output, Refusal};
pub use settings::{RoleSettings, Settings};

use grants::Grants;
use keeping::{Found, Keeping};
use nodes::Nodes;
use orders::Orders;

/// Time for which a node holds its managed roles, from when it sent the heartbeat that
/// was answered: a hook to promote and one to demote, each of at most 4 s, and a
/// heartbeat's interval fit.
pub const ROLE_LEASE: Duration = Duration::from_secs(10);
/// Time waited beyond it: a twentieth is far more than clocks differ in their rates.
pub const ROLE_LEASE_MARGIN: Duration = Duration::from_millis(500);
/// Time before a role is given anew, for heartbeats of all nodes: two intervals.
const GATHER_WAIT: Duration = Duration::from_secs(2);
/// Interval at which open changes are checked.
const TICK_INTERVAL: Duration = Duration::from_millis(250);

/// The state machine that gives roles to nodes.
#[derive(Debug)]
pub struct Coordinator {
    settings: Settings,
    groups: Vec<Group>,
    nodes: Nodes,
    grants: Grants,
    lead: Option<Lead>,
    /// The epoch of a later dispatcher whose document was found.
    overtaken: Epoch,
    keeping: Keeping,
    orders: Orders,
    moves: BTreeMap<Role, Move>,
    /// Start of the present phase of each group's change.
    phase_since: BTreeMap<Group, Time>,
    vacant_told: BTreeSet<Role>,
    claim_count: u64,
    tick_due: Time,
}

/// The present lead of this dispatcher.
#[derive(Clone, Copy, Debug)]
struct Lead {
    epoch: Epoch,
    since: Time,
    until: Time,
}

impl Coordinator {
    pub fn new(settings: Settings) -> Self {
        Self {
            groups: settings.groups().into_iter().cloned().collect(),
            settings,
            nodes: Nodes::default(),
            grants: Grants::default(),
            lead: None,
            overtaken: Epoch::default(),
            keeping: Keeping::default(),
            orders: Orders::default(),
            moves: BTreeMap::new(),
            phase_since: BTreeMap::new(),
            vacant_told: BTreeSet::new(),
            claim_count: 0,
            tick_due: Time::ZERO,
        }
    }

    /// Handles an input and emits the resulting commands.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        self.grants.prune(now.time);
        match input {
            Input::Lead { epoch, until } => self.lead(now.time, epoch, until, out),
            Input::Unlead => self.unlead(out),
            Input::Heard(heard) => return self.hear(now, heard, out),
            Input::Gone(node) => self.nodes.lose(&node),
            Input::Ranked(nodes) => self.nodes.rank(nodes),
            Input::Read { request, entry } => {
                let is_first = self.keeping.document().is_none();
                let found = self.keeping.read(request, entry);
                self.take_found(now, is_first, found, out);
            }
            Input::Unread { request } => self.keeping.unread(now.time, request),
            Input::Stored { request, result } => {
                let is_first = self.keeping.document().is_none();
                if self.keeping.stored(request, result) {
                    self.act(now, is_first, out);
                }
            }
            Input::Order { id, order } => self.take_order(now.time, id, order, out),
            Input::Move(wanted) => drop(self.moves.insert(wanted.role.clone(), wanted)),
            Input::Tick => {}
        }
        self.advance(now, out);
    }

    /// Returns the time at which [`Input::Tick`] is due at the latest.
    pub fn next_deadline(&self) -> Option<Time> {
        self.lead.map(|_| self.tick_due)
    }

    /// Returns the roles whose jobs this node may get, among those that it reports:
    /// managed ones only if they were given to it.
    pub fn effective_roles(&self, node: &NodeId, reported: &[Role]) -> Vec<Role> {
        let Some(document) = self.keeping.document() else {
            return reported.to_vec();
        };
        let given = document.roles_of(node);
        let is_true =
            |role: &&Role| !self.settings.managed.contains_key(*role) || given.contains(role);
        reported.iter().filter(is_true).cloned().collect()
    }

    /// Returns whether the node was drained: nothing is to be placed there.
    pub fn is_drained(&self, node: &NodeId) -> bool {
        let document = self.keeping.document();
        document.is_some_and(|document| document.drained.contains(node))
    }

    /// Returns the document that counts; `None` if this dispatcher does not lead.
    pub fn document(&self) -> Option<&RoleDocument> {
        self.keeping.document()
    }

    /// Returns the number of times that nodes began to claim a role that they were not
    /// given.
    pub fn claim_count(&self) -> u64 {
        self.claim_count
    }

    fn is_at_work(&self, now: Time) -> bool {
        self.lead.is_some_and(|lead| now < lead.until)
    }

    fn roles_of(&self, group: &Group) -> Vec<Role> {
        self.settings.roles_of(group).into_iter().cloned().collect()
    }

    fn has_place(&self, now: Time, role: &Role, node: &NodeId) -> bool {
        let settings = self.settings.managed.get(role);
        settings.is_some_and(|settings| {
            let holders = settings.holders.get();
            self.grants.has_room(now, role, node, holders)
        })
    }

    fn lead(&mut self, now: Time, epoch: Epoch, until: Time, out: &mut Vec<Output>) {
        if epoch <= self.overtaken {
            return;
        }
        match &mut self.lead {
            Some(lead) if lead.epoch == epoch => lead.until = until.max(lead.until),
            Some(_) | None => {
                self.unlead(out);
                let since = now;
                self.lead = Some(Lead {
                    epoch,
                    since,
                    until,
                });
            }
        }
    }

    fn unlead(&mut self, out: &mut Vec<Output>) {
        self.lead = None;
        self.keeping.reset();
        self.orders.refuse_all(out);
        self.moves.clear();
        self.vacant_told.clear();
    }

    /// Handles the document that another dispatcher, or none, left in the store.
    fn take_found(&mut self, now: Now, is_first: bool, found: Found, out: &mut Vec<Output>) {
        let Some(lead) = self.lead else {
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
            self.grants.blind(until);
        }
        let ours = self.keeping.document();
        let given = ours.map_or(0, |document| document.generation);
        let found = found.or_else(|| ours.cloned());
        let found = found.unwrap_or_else(|| edit::first(&self.settings));
        if found.epoch > lead.epoch {
            self.overtaken = found.epoch;
            self.unlead(out);
            let (ours, found) = (lead.epoch, found.epoch);
            return out.push(Output::Event(Event::Overtaken { ours, found }));
        }
        self.orders.refuse_all(out);
        self.inherit(&found, until);
        let claimed = edit::claimed(&self.settings, lead.epoch, given, &found);
        self.keeping.store(claimed);
    }

    /// Records the nodes that a former dispatcher may have given roles.
    fn inherit(&mut self, found: &RoleDocument, until: Time) {
        let changed = found.changes.values();
        let changed = changed.flat_map(|change| {
            let roles = [Some(&change.role), change.came_from.as_ref()];
            let roles = roles.into_iter().flatten();
            roles.flat_map(move |role| edit::names(change).into_iter().map(move |n| (role, n)))
        });
        let held = found.roles.iter();
        let held = held.flat_map(|(role, nodes)| nodes.iter().map(move |node| (role, node)));
        for (role, node) in held.chain(changed) {
            self.grants.inherit(role, node, found.generation, until);
        }
    }

    /// Acts upon the document that was just stored.
    fn act(&mut self, now: Now, is_first: bool, out: &mut Vec<Output>) {
        let Some(document) = self.keeping.document() else {
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
        self.moves.retain(|role, _| {
            let settings = self.settings.managed.get(role);
            settings.is_some_and(|settings| !is_moving(&settings.group))
        });
        for past in &document.history {
            if past.generation == generation {
                out.push(Output::Event(Event::Finished(past.clone())));
                self.orders.finish(past, out);
            }
        }
        self.orders.note_begun(document);
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
        self.tell_all(now.time, out);
    }

    /// Does what is due.
    fn advance(&mut self, now: Now, out: &mut Vec<Output>) {
        self.keep_house(now.time);
        if !self.is_at_work(now.time) {
            return;
        }
        if self.keeping.is_ready()
            && let Some(next) = self.next_step(now, out)
        {
            self.keeping.store(next);
        }
        self.keeping.drive(now.time, out);
    }

    fn hear(&mut self, now: Now, heard: Heard, out: &mut Vec<Output>) {
        let name = heard.node.clone();
        if let Some(lead) = self.lead {
            self.grants.confirm(lead.epoch, &heard);
        }
        let is_news = self.nodes.hear(now.time, heard);
        self.keep_house(now.time);
        if !is_news || !self.is_at_work(now.time) {
            return;
        }
        self.check_claims(&name, out);
        if self.is_concerned(&name) {
            self.advance(now, out);
            self.tell(now.time, &name, out);
        }
    }

    /// Reports claims of roles that were not given, and epochs that are not ours.
    fn check_claims(&mut self, name: &NodeId, out: &mut Vec<Output>) {
        let (Some(lead), Some(document)) = (self.lead, self.keeping.document()) else {
            return;
        };
        let Some(node) = self.nodes.get_mut(name) else {
            return;
        };
        if node.last.epoch > lead.epoch && node.last.epoch > node.ahead_told {
            node.ahead_told = node.last.epoch;
            out.push(Output::Event(Event::EpochAhead {
                node: name.clone(),
                seen: node.last.epoch,
                ours: lead.epoch,
            }));
        }
        let is_claim = |role: &&Role| {
            self.settings.managed.contains_key(*role)
                && !edit::is_named(document, role, name)
                && !self.grants.is_own(role, name)
        };
        let claims: BTreeSet<Role> = node.last.roles.iter().filter(is_claim).cloned().collect();
        // The document may have been rolled back, and they were given after all.
        let until = lead.since + ROLE_LEASE + ROLE_LEASE_MARGIN;
        for role in claims.iter().filter(|_| node.heard < until) {
            self.grants.inherit(role, name, u64::MAX, until);
        }
        for role in claims.difference(&node.claims_told) {
            self.claim_count += 1;
            let (node, role) = (name.clone(), role.clone());
            out.push(Output::Event(Event::Claimed { node, role }));
        }
        node.claims_told = claims;
    }

    /// Whether the node has, had, is to have or claims a managed role.
    fn is_concerned(&self, name: &NodeId) -> bool {
        let Some(document) = self.keeping.document() else {
            return true;
        };
        let claims = |role: &Role| self.settings.managed.contains_key(role);
        let node = self.nodes.get(name);
        self.grants.has_any(name)
            || node.is_some_and(|node| node.last.roles.iter().any(claims))
            || document.roles.values().any(|nodes| nodes.contains(name))
            || document
                .changes
                .values()
                .any(|change| edit::names(change).contains(&name))
    }

    /// Records, at intervals, the nodes that do not act in their roles, and forgets those
    /// that are gone.
    fn keep_house(&mut self, now: Time) {
        if now < self.tick_due {
            return;
        }
        self.tick_due = now + TICK_INTERVAL;
        let document = self.keeping.document();
        if let Some(document) = document {
            self.nodes.note_due(now, document.assigned());
        }
        let is_holder = |document: &RoleDocument, name: &NodeId| {
            let mut holders = document.roles.values();
            holders.any(|holders| holders.contains(name))
        };
        self.nodes.forget(now, |name| {
            document.is_some_and(|document| is_holder(document, name))
        });
    }

    fn tell_all(&mut self, now: Time, out: &mut Vec<Output>) {
        let names = self.nodes.iter().map(|(name, _)| name.clone());
        let names: Vec<NodeId> = names.filter(|name| self.is_concerned(name)).collect();
        for name in names {
            self.tell(now, &name, out);
        }
    }

    /// Sends a node its roles, in answer to its last heartbeat.
    fn tell(&mut self, now: Time, name: &NodeId, out: &mut Vec<Output>) {
        let (Some(lead), Some(document), Some(node)) =
            (self.lead, self.keeping.document(), self.nodes.get(name))
        else {
            return;
        };
        if now >= lead.until || node.last.epoch > lead.epoch {
            return;
        }
        let roles = document.roles_of(name);
        // A node that does not act in what a predecessor's document gives it may be the
        // holder of an older document than the fleet's: another one may act in it.
        let is_granted = |role: &Role| {
            self.grants.is_own(role, name)
                || self.grants.has(role, name) && node.last.roles.contains(role)
        };
        let has_gathered = now.since(lead.since) >= GATHER_WAIT;
        let is_allowed = |role: &Role| {
            is_granted(role)
                || !self.keeping.is_pending() && has_gathered && self.has_place(now, role, name)
        };
        if !roles.iter().all(is_allowed) {
            return;
        }
        let (epoch, generation) = (document.epoch, document.generation);
        let until = node.heard + ROLE_LEASE + ROLE_LEASE_MARGIN;
        for role in &roles {
            let boot = &node.last.boot;
            self.grants.give(role, name, boot, generation, until);
        }
        let lease_ms = u32::try_from(ROLE_LEASE.as_millis());
        out.push(Output::Assign {
            node: name.clone(),
            assignment: RoleAssignment {
                v: VERSION,
                epoch,
                generation,
                boot: node.last.boot.clone(),
                answers: node.last.sequence,
                lease_ms: lease_ms.expect("the lease is seconds long"),
                roles,
            },
        });
    }
}
