//! Who holds which role, and how a role moves without too many ever holding it.
//!
//! Read in this order:
//!
//! - `grants`: who may be acting in which role at this moment;
//! - `changes`: how a role moves, step by step;
//! - `edit`: what a step does to the document;
//! - `keeping`: how the document is stored, before anybody acts upon it;
//! - `choice`: who may hold a role;
//! - `orders`: what operators and the judge want;
//! - [`judge`]: when a role should move.
//!
//! Invariants:
//!
//! 1. A node is told to act in a role only if the stored document names it, and it was
//!    named only when, beside it, fewer than the role's holders could be acting. While
//!    a document is on its way to the store nobody is given a role anew.
//! 2. Everybody who may be acting is named in the document, so a successor knows whom
//!    to wait for; it stores the document under its own epoch before anything else.
//! 3. Nothing is told to anybody after this dispatcher's own lease.
//! 4. An `(epoch, generation)` has one content: what a worker is told under it does
//!    not depend on when.

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
mod tests;
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

/// How long a node holds its managed roles after it sent the heartbeat that was
/// answered: a hook to promote and one to demote, each of at most 4 s, and a
/// heartbeat's interval fit.
pub const ROLE_LEASE: Duration = Duration::from_secs(10);
/// What is waited beyond it: a twentieth is far more than clocks differ in their rates.
pub const ROLE_LEASE_MARGIN: Duration = Duration::from_millis(500);
/// Before a role is given anew all nodes are to be heard: two heartbeats.
const GATHER_WAIT: Duration = Duration::from_secs(2);
/// How often what is under way is looked at.
const TICK_INTERVAL: Duration = Duration::from_millis(250);

/// The state machine that gives roles to nodes.
#[derive(Debug)]
pub struct Manager {
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
    /// Since when the change of a group is in its phase.
    phase_since: BTreeMap<Group, Time>,
    vacant_told: BTreeSet<Role>,
    claim_count: u64,
    tick_due: Time,
}

/// Our time as the one at work.
#[derive(Clone, Copy, Debug)]
struct Lead {
    epoch: Epoch,
    since: Time,
    until: Time,
}

impl Manager {
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

    /// Takes an input and says what is to be done.
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

    /// Returns when [`Input::Tick`] is wanted at the latest.
    pub fn next_deadline(&self) -> Option<Time> {
        self.lead.map(|_| self.tick_due)
    }

    /// Returns the roles whose jobs this node may get, of those that it reports:
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

    /// Returns the document that counts; `None` if this dispatcher is not at work.
    pub fn document(&self) -> Option<&RoleDocument> {
        self.keeping.document()
    }

    /// Returns how often nodes have begun to claim a role that they were not given.
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

    /// Takes what another one, or nobody, left in the store.
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
            // Others were at work before, and what they granted is lost.
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

    /// Notes whom a former dispatcher may have told to act.
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
        // What was wanted in a group before a step of a change there was weighed with
        // figures that this one makes old.
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

    /// Notes claims of roles that were not given, and epochs that are not ours.
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
        // It may be that the document was set back, and they were given after all.
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

    /// Returns whether the node has, had, is to have or claims a managed role.
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

    /// Notes, now and then, which nodes do not act in what they are to act in, and
    /// forgets those that are gone.
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

    /// Tells a node which roles it is to have, in answer to its last heartbeat.
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
        // Who does not act in what a predecessor's document gives it may be the holder
        // of an older document than the fleet's: another one may act in it.
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
