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
//! first, because it may be acting all the same. Places without a holder are filled in
//! the same way, without the first phase.

use rolecast_common::id::{Group, NodeId, Role};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{RoleChange, RoleDocument, RolePhase, Why};

use super::choice::PROMOTION_WAIT;
use super::edit::{self, Edit};
use super::output::{Event, Output};
use super::{Coordinator, GATHER_WAIT};

impl Coordinator {
    /// Returns the document after the next step, if one is due.
    pub(super) fn next_step(&mut self, now: Now, out: &mut Vec<Output>) -> Option<RoleDocument> {
        let document = self.keeping.document()?;
        if let Some(edit) = self.orders.next_drain(document) {
            return self.carry_out(now, edit);
        }
        for group in self.groups.clone() {
            let change = self.keeping.document()?.changes.get(&group).cloned();
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
        let document = self.keeping.document()?;
        let epoch = self.lead?.epoch;
        let next = edit::apply(&self.settings, epoch, now.wall, document, edit);
        let mut grants = self.grants.iter();
        let is_forgotten = grants.any(|(role, node)| {
            edit::is_named(document, role, node) && !edit::is_named(&next, role, node)
        });
        (!is_forgotten).then_some(next)
    }

    /// Returns the next step of a change, if it is due.
    fn proceed(&mut self, now: Time, group: &Group, change: &RoleChange) -> Option<Edit> {
        if now.since(self.lead?.since) < GATHER_WAIT {
            // A node without a heartbeat so far may be well.
            return None;
        }
        let role = &change.role;
        match &change.phase {
            RolePhase::Demoting { node, .. } if self.grants.has(role, node) => None,
            RolePhase::Demoting { node, to } => {
                let is_fit = |name: &&NodeId| self.objection(now, role, name).is_none();
                // Without a successor from the start, the holder itself was to lose the
                // role.
                let former = change.from.as_ref().filter(|_| to.is_some());
                let next = to.as_ref().filter(is_fit).or(former.filter(is_fit));
                let next = next.cloned();
                let next = next.or_else(|| self.candidate(now, role, Some(node)));
                let trouble = to.as_ref().filter(|to| Some(*to) != next.as_ref());
                let trouble = trouble.and_then(|to| self.excuse(now, role, to));
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
        if self.is_confirmed(change, node) {
            let follower = self.follower(now, change, node);
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
        let failure = self.failure(now, role, node, change.generation);
        let reason = failure.or(late)?;
        if let Some(failed) = self.nodes.get_mut(node) {
            failed.note_failed(now, role);
        }
        let trouble = Some(format!("{node}: {reason}"));
        let next = self.replacement(now, change, node);
        if !self.grants.has(role, node) {
            return self.promote(now, group, change, next, trouble);
        }
        let node = node.clone();
        Some(Edit::Phase {
            group: group.clone(),
            phase: RolePhase::Demoting { node, to: next },
            trouble,
        })
    }

    fn is_confirmed(&self, change: &RoleChange, node: &NodeId) -> bool {
        let (Some(lead), Some(node)) = (self.lead, self.nodes.get(node)) else {
            return false;
        };
        let assigned = node.last.assigned;
        assigned.epoch == lead.epoch
            && assigned.generation >= change.generation
            && node.last.roles.contains(&change.role)
    }

    /// Returns the node that gets the role instead of one that failed: the former holder,
    /// if it can, or else the best of the others.
    fn replacement(&self, now: Time, change: &RoleChange, failed: &NodeId) -> Option<NodeId> {
        let former = change.from.as_ref();
        let former = former.filter(|former| {
            *former != failed && self.objection(now, &change.role, former).is_none()
        });
        let former = former.cloned();
        former.or_else(|| self.candidate(now, &change.role, Some(failed)))
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
        let Some(node) = next.filter(|_| !self.is_full(&change.role)) else {
            return Some(Edit::Finish {
                group,
                to: None,
                follower: None,
                trouble,
            });
        };
        self.has_place(now, &change.role, &node)
            .then_some(Edit::Phase {
                group,
                phase: RolePhase::Promoting { node },
                trouble,
            })
    }

    fn is_full(&self, role: &Role) -> bool {
        let document = self.keeping.document();
        let holders = document.and_then(|document| document.roles.get(role));
        let settings = self.settings.managed.get(role);
        let holders_max = settings.map_or(0, |settings| settings.holders.get() as usize);
        holders.map_or(0, Vec::len) >= holders_max
    }

    fn excuse(&self, now: Time, role: &Role, node: &NodeId) -> Option<String> {
        let objection = self.objection(now, role, node)?;
        Some(format!("{node}: {objection}"))
    }

    /// Returns the role that was given up in this change, and the node that takes it.
    fn follower(&self, now: Time, change: &RoleChange, to: &NodeId) -> Option<(Role, NodeId)> {
        let role = change.came_from.clone()?;
        let document = self.keeping.document()?;
        let is_undone = Some(to) == change.from.as_ref();
        let follower = if is_undone {
            &change.target
        } else {
            &change.from
        };
        let follower = follower.as_ref().filter(|follower| *follower != to)?;
        let holders = document.roles.get(&role)?.len();
        let settings = self.settings.managed.get(&role)?;
        let is_free = holders < settings.holders.get() as usize
            && self.objection(now, &role, follower).is_none()
            && self.has_place(now, &role, follower);
        is_free.then(|| (role, follower.clone()))
    }

    /// Returns the first step of the change that a group needs, if it needs one.
    fn begin(&mut self, now: Now, group: &Group, out: &mut Vec<Output>) -> Option<Edit> {
        if let Some(edit) = self.begin_order(now.time, group, out) {
            return Some(edit);
        }
        for role in self.roles_of(group) {
            let edit = self.replace(now.time, group, &role);
            let edit = edit.or_else(|| self.fill(now.time, group, &role, out));
            let edit = edit.or_else(|| self.begin_move(now.time, group, &role));
            if edit.is_some() {
                return edit;
            }
        }
        None
    }

    /// Replaces a holder that must not or cannot hold the role.
    fn replace(&mut self, now: Time, group: &Group, role: &Role) -> Option<Edit> {
        let document = self.keeping.document()?;
        let holders = document.roles.get(role)?.clone();
        let holders_max = self.settings.managed.get(role)?.holders.get() as usize;
        for (index, node) in holders.iter().enumerate() {
            let why = self.unfitness(now, role, node).or_else(|| {
                let reason = format!("{holders_max} are to hold it, and it is one more");
                (index >= holders_max).then_some(Why::HolderUnfit { reason })
            });
            let Some(why) = why else {
                continue;
            };
            let next = self.candidate(now, role, Some(node));
            let next = next.filter(|_| index < holders_max);
            if next.is_none() && matches!(why, Why::HolderGone) {
                // No other node can have it: if the holder returns, it continues.
                continue;
            }
            if let (Why::HolderUnfit { .. }, Some(node)) = (&why, self.nodes.get_mut(node)) {
                node.note_failed(now, role);
            }
            return self.hand_over(now, group, role, node, next, why);
        }
        None
    }

    /// Begins to move the role from its holder to another node.
    fn hand_over(
        &self,
        now: Time,
        group: &Group,
        role: &Role,
        from: &NodeId,
        to: Option<NodeId>,
        why: Why,
    ) -> Option<Edit> {
        let phase = match to {
            Some(to) if !self.grants.has(role, from) => {
                if !self.has_place(now, role, &to) {
                    return None;
                }
                RolePhase::Promoting { node: to }
            }
            to => RolePhase::Demoting {
                node: from.clone(),
                to,
            },
        };
        Some(Edit::Begin {
            group: group.clone(),
            role: role.clone(),
            from: Some(from.clone()),
            phase,
            why,
        })
    }

    /// Fills a place that nobody holds.
    fn fill(
        &mut self,
        now: Time,
        group: &Group,
        role: &Role,
        out: &mut Vec<Output>,
    ) -> Option<Edit> {
        let settings = self.settings.managed.get(role)?;
        let holders = self.keeping.document()?.roles.get(role)?.len();
        let holders = u32::try_from(holders).unwrap_or(u32::MAX);
        let missing = settings.holders.get().saturating_sub(holders);
        if missing == 0 {
            if self.vacant_told.remove(role) {
                let role = role.clone();
                out.push(Output::Event(Event::Filled { role }));
            }
            return None;
        }
        if now.since(self.lead?.since) < GATHER_WAIT {
            return None;
        }
        let Some(node) = self.candidate(now, role, None) else {
            if self.vacant_told.insert(role.clone()) {
                out.push(Output::Event(Event::Vacant {
                    role: role.clone(),
                    missing,
                    reason: self.shortage(now, role),
                }));
            }
            return None;
        };
        self.has_place(now, role, &node).then(|| Edit::Begin {
            group: group.clone(),
            role: role.clone(),
            from: None,
            phase: RolePhase::Promoting { node },
            why: Why::Election,
        })
    }

    /// Returns the reason why no node can take a role.
    fn shortage(&self, now: Time, role: &Role) -> String {
        let mut offering = self.nodes.iter().filter_map(|(name, node)| {
            let is_offered = node.last.offers.contains(role);
            let excuse = is_offered.then(|| self.excuse(now, role, name))?;
            Some(excuse.unwrap_or_else(|| format!("{name}: it has another role of the group")))
        });
        match offering.next() {
            Some(first) => first,
            None => "no node offers it".to_owned(),
        }
    }

    pub(super) fn begin_hand_over(
        &self,
        now: Time,
        role: &Role,
        from: &NodeId,
        to: NodeId,
        why: Why,
    ) -> Option<Edit> {
        let group = &self.settings.managed.get(role)?.group;
        self.hand_over(now, group, role, from, Some(to), why)
    }
}
