//! Changes of managed roles, step by step.
//!
//! 1. *Demoting*: the document no longer names the holder as such. The holder is
//!    notified, and ceases to act in the role; it confirms that, or its lease is waited
//!    out.
//! 2. *Promoting*: only when no other node can be acting in the role, the document names
//!    the next one, which is notified. It takes the role on, and confirms.
//! 3. *Committed*: it is the holder. If it gave up another role for this one, the former
//!    holder gets that.
//!
//! If the next one fails, is gone or does not answer, the former holder gets the role
//! back if it can have it, or else the next candidate. The one that failed is demoted
//! first, because it may be acting anyway. Places without a holder are filled in
//! the same way, without the first phase.

use rolecast_common::id::{Group, NodeId, Role};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{RoleChange, RoleDocument, RolePhase, Why};

use super::choice::PROMOTION_WAIT;
use super::edit::{self, Begin, Edit};
use super::output::{Event, Output};
use super::{Coordinator, GATHER_WAIT};

impl Coordinator {
    /// Returns the document after the next step, if one is due.
    pub(super) fn next_step(&mut self, now: Now, out: &mut Vec<Output>) -> Option<RoleDocument> {
        let document = self.facts.keeping.document()?;
        if let Some(edit) = self.orders.next_drain(document) {
            return self.carry_out(now, edit);
        }
        for group in self.groups.clone() {
            let change = self.facts.keeping.document()?.changes.get(&group).cloned();
            let edit = match change {
                Some(change) => self.proceed(now.time, &group, &change),
                None => self.begin(now, &group, out),
            };
            let next = edit.and_then(|edit| self.carry_out(now, edit));
            if next.is_some() {
                return next;
            }
        }
        None
    }

    /// Returns the document after this step, unless a node that may be acting would no
    /// longer be named in it: then the step waits.
    fn carry_out(&self, now: Now, edit: Edit) -> Option<RoleDocument> {
        let document = self.facts.keeping.document()?;
        let epoch = self.facts.lead?.epoch;
        let next = edit::apply(&self.facts.settings, epoch, now.wall, document, edit);
        let mut grants = self.facts.grants.iter();
        let is_forgotten = grants.any(|(role, node)| {
            edit::is_named(document, role, node) && !edit::is_named(&next, role, node)
        });
        (!is_forgotten).then_some(next)
    }

    /// Returns the next step of a change, if it is due.
    fn proceed(&mut self, now: Time, group: &Group, change: &RoleChange) -> Option<Edit> {
        if now.since(self.facts.lead?.since) < GATHER_WAIT {
            // A node without a heartbeat so far may be well.
            return None;
        }
        let role = &change.role;
        match &change.phase {
            RolePhase::Demoting { node, .. } if self.facts.grants.has(role, node) => None,
            RolePhase::Demoting { node, to } => {
                let is_fit = |name: &&NodeId| self.facts.objection(now, role, name).is_none();
                // Without a successor from the start, the holder itself was to lose the
                // role.
                let former = change.from.as_ref().filter(|_| to.is_some());
                let next = to.as_ref().filter(is_fit).or(former.filter(is_fit));
                let next = next.cloned();
                let next = next.or_else(|| self.facts.candidate(now, role, Some(node)));
                let trouble = to.as_ref().filter(|to| Some(*to) != next.as_ref());
                let trouble = trouble.and_then(|to| self.facts.excuse(now, role, to));
                self.promote(now, group, change, next, trouble)
            }
            RolePhase::Promoting { node } => self.follow(now, group, change, node),
        }
    }

    /// Follows the promotion of a node.
    fn follow(
        &mut self,
        now: Time,
        group: &Group,
        change: &RoleChange,
        node: &NodeId,
    ) -> Option<Edit> {
        let role = &change.role;
        if self.facts.is_confirmed(change, node) {
            let follower = self.facts.follower(now, change, node);
            return Some(Edit::Finish {
                group: group.clone(),
                to: Some(node.clone()),
                follower,
                trouble: None,
            });
        }
        let since = self.phase_since.get(group).copied().unwrap_or(now);
        let is_late = now.since(since) >= PROMOTION_WAIT;
        let late = is_late.then(|| "it did not confirm in time".to_owned());
        let failure = self.facts.failure(now, role, node, change.generation);
        let reason = failure.or(late)?;
        if let Some(failed) = self.facts.nodes.get_mut(node) {
            failed.record_failure(now, role);
        }
        let trouble = Some(format!("{node}: {reason}"));
        let next = self.facts.replacement(now, change, node);
        if !self.facts.grants.has(role, node) {
            return self.promote(now, group, change, next, trouble);
        }
        let node = node.clone();
        Some(Edit::Phase {
            group: group.clone(),
            phase: RolePhase::Demoting { node, to: next },
            trouble,
        })
    }

    /// Promotes the next node, or ends the change if there is none.
    fn promote(
        &self,
        now: Time,
        group: &Group,
        change: &RoleChange,
        next: Option<NodeId>,
        trouble: Option<String>,
    ) -> Option<Edit> {
        let group = group.clone();
        let Some(node) = next.filter(|_| !self.facts.is_full(&change.role)) else {
            return Some(Edit::Finish {
                group,
                to: None,
                follower: None,
                trouble,
            });
        };
        self.facts
            .has_place(now, &change.role, &node)
            .then_some(Edit::Phase {
                group,
                phase: RolePhase::Promoting { node },
                trouble,
            })
    }

    /// Returns the first step of the change that a group needs, if it needs one.
    fn begin(&mut self, now: Now, group: &Group, out: &mut Vec<Output>) -> Option<Edit> {
        if let Some(edit) = self.orders.begin(now.time, &self.facts, group, out) {
            return Some(edit);
        }
        for role in self.facts.roles_of(group) {
            let edit = self.replace(now.time, group, &role);
            let edit = edit.or_else(|| self.fill(now.time, group, &role, out));
            let edit = edit.or_else(|| self.orders.begin_move(now.time, &self.facts, group, &role));
            if edit.is_some() {
                return edit;
            }
        }
        None
    }

    /// Replaces a holder that must not or cannot hold the role.
    fn replace(&mut self, now: Time, group: &Group, role: &Role) -> Option<Edit> {
        let document = self.facts.keeping.document()?;
        let holders = document.roles.get(role)?.clone();
        let holders_max = self.facts.settings.managed.get(role)?.holders.get() as usize;
        for (index, node) in holders.iter().enumerate() {
            let why = self.facts.unfitness(now, role, node).or_else(|| {
                let reason = format!("{holders_max} are to hold it, and it is one more");
                (index >= holders_max).then_some(Why::HolderUnfit { reason })
            });
            let Some(why) = why else {
                continue;
            };
            let next = self.facts.candidate(now, role, Some(node));
            let next = next.filter(|_| index < holders_max);
            if next.is_none() && matches!(why, Why::HolderGone) {
                // No other node can have it: if the holder returns, it continues.
                continue;
            }
            if let (Why::HolderUnfit { .. }, Some(node)) = (&why, self.facts.nodes.get_mut(node)) {
                node.record_failure(now, role);
            }
            return self.facts.hand_over(now, group, role, node, next, why);
        }
        None
    }

    /// Fills a place that nobody holds.
    fn fill(
        &mut self,
        now: Time,
        group: &Group,
        role: &Role,
        out: &mut Vec<Output>,
    ) -> Option<Edit> {
        let settings = self.facts.settings.managed.get(role)?;
        let holders = self.facts.keeping.document()?.roles.get(role)?.len();
        let holders = u32::try_from(holders).unwrap_or(u32::MAX);
        let missing = settings.holders.get().saturating_sub(holders);
        if missing == 0 {
            if self.vacant_reported.remove(role) {
                let role = role.clone();
                out.push(Output::Event(Event::Filled { role }));
            }
            return None;
        }
        if now.since(self.facts.lead?.since) < GATHER_WAIT {
            return None;
        }
        let Some(node) = self.facts.candidate(now, role, None) else {
            if self.vacant_reported.insert(role.clone()) {
                out.push(Output::Event(Event::Vacant {
                    role: role.clone(),
                    missing,
                    reason: self.facts.shortage(now, role),
                }));
            }
            return None;
        };
        self.facts.has_place(now, role, &node).then(|| {
            Edit::Begin(Begin {
                group: group.clone(),
                role: role.clone(),
                from: None,
                phase: RolePhase::Promoting { node },
                why: Why::Election,
            })
        })
    }
}
