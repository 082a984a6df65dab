//! Orders of operators and moves of the judge: checked, begun, answered.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rolecast_common::id::{Group, NodeId, Role};
use rolecast_common::time::Time;
use rolecast_common::wire::{PastRoleChange, RoleChangeResult, RoleDocument, RolePhase, Why};

use super::edit::{Begin, Edit};
use super::facts::Facts;
use super::input::{Move, Order};
use super::output::{Output, Refusal};

/// The most drains that wait to be stored: more than anybody types.
const DRAINS_MAX: usize = 64;
/// Time after a dispatcher's start without unnecessary moves.
const CALM: Duration = Duration::from_secs(5);

/// Orders without an answer so far.
#[derive(Debug, Default)]
pub(super) struct Orders {
    drains: VecDeque<(u64, Order)>,
    /// The order that is to begin in a group.
    waiting: BTreeMap<Group, (u64, Order)>,
    /// The order that has begun there.
    running: BTreeMap<Group, u64>,
    /// Moves of the judge that have not begun.
    moves: BTreeMap<Role, Move>,
}

impl Orders {
    /// Records a move that the judge wants.
    pub(super) fn wish(&mut self, wanted: Move) {
        self.moves.insert(wanted.role.clone(), wanted);
    }

    /// Keeps the moves of these roles only.
    pub(super) fn retain_moves(&mut self, is_kept: impl Fn(&Role) -> bool) {
        self.moves.retain(|role, _| is_kept(role));
    }

    /// Forgets all moves.
    pub(super) fn forget_moves(&mut self) {
        self.moves.clear();
    }

    /// Refuses all orders, because this dispatcher will not carry them out.
    pub(super) fn refuse_all(&mut self, out: &mut Vec<Output>) {
        let moves = std::mem::take(&mut self.moves);
        let all = std::mem::replace(
            self,
            Self {
                moves,
                ..Self::default()
            },
        );
        let drains = all.drains.into_iter().map(|(id, _)| id);
        let waiting = all.waiting.into_values().map(|(id, _)| id);
        for id in drains.chain(waiting).chain(all.running.into_values()) {
            let result = Err(Refusal::NotLeading);
            out.push(Output::Answer { id, result });
        }
    }

    /// Returns the next drain that the document does not have.
    pub(super) fn next_drain(&self, document: &RoleDocument) -> Option<Edit> {
        let mut drains = self.drains.iter();
        drains.find_map(|(_, order)| match order {
            Order::Drain(node) if !document.drained.contains(node) => {
                Some(Edit::Drain(node.clone()))
            }
            Order::Undrain(node) if document.drained.contains(node) => {
                Some(Edit::Undrain(node.clone()))
            }
            Order::Drain(_) | Order::Undrain(_) | Order::Set { .. } | Order::Swap { .. } => None,
        })
    }

    /// Whether the document already has the result of the order, and no order before it
    /// will change that.
    fn is_as_it_is(&self, order: &Order, document: &RoleDocument) -> bool {
        let (node, is_drained) = match order {
            Order::Drain(node) => (node, true),
            Order::Undrain(node) => (node, false),
            Order::Set { .. } | Order::Swap { .. } => return false,
        };
        let mut ahead = self.drains.iter();
        let is_ahead = ahead.any(|(_, ahead)| match ahead {
            Order::Drain(other) | Order::Undrain(other) => other == node,
            Order::Set { .. } | Order::Swap { .. } => false,
        });
        document.drained.contains(node) == is_drained && !is_ahead
    }

    /// Answers the drains that are in the document.
    pub(super) fn answer_drains(&mut self, document: &RoleDocument, out: &mut Vec<Output>) {
        self.drains.retain(|(id, order)| {
            let is_stored = match order {
                Order::Drain(node) => document.drained.contains(node),
                Order::Undrain(node) => !document.drained.contains(node),
                Order::Set { .. } | Order::Swap { .. } => true,
            };
            if is_stored {
                let (id, result) = (*id, Ok(()));
                out.push(Output::Answer { id, result });
            }
            !is_stored
        });
    }

    /// Records that the waiting orders of these groups may have begun.
    pub(super) fn record_begun(&mut self, document: &RoleDocument) {
        let begun = document.changes.iter();
        let begun = begun.filter(|(_, change)| change.why == Why::Operator);
        for (group, _) in begun {
            if let Some((id, _)) = self.waiting.remove(group) {
                self.running.insert(group.clone(), id);
            }
        }
    }

    /// Answers the order behind a change that is over.
    pub(super) fn finish(&mut self, past: &PastRoleChange, out: &mut Vec<Output>) {
        let Some(id) = self.running.remove(&past.group) else {
            return;
        };
        let trouble = past.trouble.clone();
        let trouble = trouble.unwrap_or_else(|| "nobody could take it".to_owned());
        let result = match past.result {
            RoleChangeResult::Done => Ok(()),
            RoleChangeResult::Undone | RoleChangeResult::Vacated => Err(Refusal::Undone(trouble)),
        };
        out.push(Output::Answer { id, result });
    }

    /// Handles an order; one that does not wait is answered at once.
    pub(super) fn take(
        &mut self,
        now: Time,
        facts: &Facts,
        id: u64,
        order: Order,
        out: &mut Vec<Output>,
    ) {
        match self.admit(now, facts, id, order) {
            Ok(Admitted::Waits) => {}
            Ok(Admitted::AsItIs) => out.push(Output::Answer { id, result: Ok(()) }),
            Err(refusal) => {
                let result = Err(refusal);
                out.push(Output::Answer { id, result });
            }
        }
    }

    fn admit(
        &mut self,
        now: Time,
        facts: &Facts,
        id: u64,
        order: Order,
    ) -> Result<Admitted, Refusal> {
        let document = facts.keeping.document();
        let document = document
            .filter(|_| facts.is_at_work(now))
            .ok_or(Refusal::NotLeading)?;
        // A step that is being stored may be about this very node.
        if !facts.keeping.is_pending() && self.is_as_it_is(&order, document) {
            return Ok(Admitted::AsItIs);
        }
        let role = match &order {
            Order::Set { role, .. } | Order::Swap { role, .. } => role,
            Order::Drain(node) if facts.nodes.get(node).is_none() => {
                return Err(Refusal::UnknownNode(node.clone()));
            }
            Order::Drain(_) | Order::Undrain(_) => {
                if self.drains.len() >= DRAINS_MAX {
                    return Err(Refusal::NotLeading);
                }
                self.drains.push_back((id, order));
                return Ok(Admitted::Waits);
            }
        };
        let settings = facts.settings.managed.get(role);
        let settings = settings.ok_or_else(|| Refusal::NotManaged(role.clone()))?;
        let group = settings.group.clone();
        let changed = document.changes.get(&group).map(|change| &change.role);
        if let Some(role) = changed.or(self.role_ahead(&group)) {
            let role = role.clone();
            return Err(Refusal::Busy { role });
        }
        if let Plan::AsItIs = plan(now, facts, &order)? {
            return Ok(Admitted::AsItIs);
        }
        self.waiting.insert(group, (id, order));
        Ok(Admitted::Waits)
    }

    /// Begins the order of a group.
    pub(super) fn begin(
        &mut self,
        now: Time,
        facts: &Facts,
        group: &Group,
        out: &mut Vec<Output>,
    ) -> Option<Edit> {
        let (id, order) = self.waiting.get(group)?;
        let id = *id;
        let result = match plan(now, facts, order) {
            Ok(Plan::Give { role, from, to }) => {
                return give(now, facts, group, role, from.as_ref(), to);
            }
            Ok(Plan::AsItIs) => Ok(()),
            Err(refusal) => Err(refusal),
        };
        self.waiting.remove(group);
        out.push(Output::Answer { id, result });
        None
    }

    /// Begins a move of the judge, if it still makes sense.
    pub(super) fn begin_move(
        &mut self,
        now: Time,
        facts: &Facts,
        group: &Group,
        role: &Role,
    ) -> Option<Edit> {
        let Move { from, to, why, .. } = self.moves.remove(role)?;
        let settings = facts.settings.managed.get(role)?;
        let document = facts.keeping.document()?;
        let is_holder = document.roles.get(role)?.contains(&from);
        let is_calm = now.since(facts.lead?.since) >= CALM;
        let is_sensible = is_holder && is_calm && settings.group == *group;
        if !is_sensible || facts.objection(now, role, &to).is_some() {
            return None;
        }
        facts.hand_over(now, group, role, &from, Some(to), why)
    }

    /// Returns the role of the order that waits in a group.
    fn role_ahead(&self, group: &Group) -> Option<&Role> {
        let (_, order) = self.waiting.get(group)?;
        match order {
            Order::Set { role, .. } | Order::Swap { role, .. } => Some(role),
            Order::Drain(_) | Order::Undrain(_) => None,
        }
    }
}

/// The first result of an order.
enum Admitted {
    Waits,
    /// It changes nothing, and is answered at once.
    AsItIs,
}

/// The plan of an order.
enum Plan {
    AsItIs,
    Give {
        role: Role,
        from: Option<NodeId>,
        to: NodeId,
    },
}

/// Returns the node that gets the role, and the one that it replaces.
fn plan(now: Time, facts: &Facts, order: &Order) -> Result<Plan, Refusal> {
    let (role, from, to) = match order {
        Order::Set { role, node } => (role, None, node),
        Order::Swap { role, from, to } => (role, from.as_ref(), to),
        Order::Drain(node) | Order::Undrain(node) => {
            return Err(Refusal::UnknownNode(node.clone()));
        }
    };
    let settings = facts.settings.managed.get(role);
    let settings = settings.ok_or_else(|| Refusal::NotManaged(role.clone()))?;
    let document = facts.keeping.document().ok_or(Refusal::NotLeading)?;
    let holders = document.roles.get(role).map_or(&[][..], Vec::as_slice);
    if holders.contains(to) {
        return Ok(Plan::AsItIs);
    }
    if let Some(reason) = facts.objection(now, role, to) {
        let (node, role) = (to.clone(), role.clone());
        return Err(Refusal::Unfit { node, role, reason });
    }
    if let Some(from) = from.filter(|from| !holders.contains(from)) {
        let (node, role) = (from.clone(), role.clone());
        return Err(Refusal::NotHolder { node, role });
    }
    let is_full = holders.len() >= settings.holders.get() as usize;
    let from = match (from, holders) {
        (Some(from), _) => Some(from.clone()),
        (None, _) if !is_full => None,
        (None, [only]) => Some(only.clone()),
        (None, _) => return Err(Refusal::WhichHolder(role.clone())),
    };
    Ok(Plan::Give {
        role: role.clone(),
        from,
        to: to.clone(),
    })
}

fn give(
    now: Time,
    facts: &Facts,
    group: &Group,
    role: Role,
    from: Option<&NodeId>,
    to: NodeId,
) -> Option<Edit> {
    match from {
        Some(from) => facts.hand_over(now, group, &role, from, Some(to), Why::Operator),
        None => facts.has_place(now, &role, &to).then(|| {
            Edit::Begin(Begin {
                group: group.clone(),
                role,
                from: None,
                phase: RolePhase::Promoting { node: to },
                why: Why::Operator,
            })
        }),
    }
}
