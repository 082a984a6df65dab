//! Past changes of a role, and the node to which it returns after them (failback).

use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

use super::harm::missed;
use super::{Assessment, Burden, DOUBLINGS_MAX, Judge, MOVED_MIN, SPARE, Verdict, target};

/// The purpose of a change of holders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To get away from a bottleneck.
    Relief,
    /// To give the role back after that.
    Return,
    /// An operator ordered it, or the holder was gone.
    Other,
}

/// A change of holders that is over.
#[derive(Clone, Debug)]
pub struct Change {
    pub purpose: Purpose,
    pub from: Option<NodeId>,
    pub to: Option<NodeId>,
    /// Whether `to` got the role; if not, nothing changed.
    pub is_done: bool,
    /// Time since its end.
    pub ended: Duration,
    /// Its duration.
    pub length: Duration,
}

/// The holder that a role was moved away from.
#[derive(Clone, Debug)]
pub(super) struct Failback {
    pub(super) node: NodeId,
    left: Time,
    /// Time from the real change to `left`.
    earlier: Duration,
}

impl Failback {
    /// Returns the node to which the role returns after one more change.
    pub(super) fn after(before: Option<Self>, now: Time, change: &Change) -> Option<Self> {
        if !change.is_done {
            return before;
        }
        let from = change.from.clone().map(|node| Self {
            node,
            left: now,
            earlier: change.ended,
        });
        // Through several reliefs, the role returns to where the first one began.
        let target = match change.purpose {
            Purpose::Relief => before.or(from),
            Purpose::Return | Purpose::Other => None,
        };
        target.filter(|target| Some(&target.node) != change.to.as_ref())
    }

    /// Returns the time that the role has been away.
    pub(super) fn away(&self, now: Time) -> Duration {
        now.since(self.left).saturating_add(self.earlier)
    }
}

impl Judge {
    /// Gives the role back to its former holder, if it is time.
    pub(super) fn restore(
        &mut self,
        now: Time,
        candidates: &[NodeId],
        figures: Assessment,
    ) -> Verdict {
        let Some(to) = self.restorable(now, candidates, &figures) else {
            return Verdict::Keep(figures);
        };
        self.ask(now);
        let moved = self.settings.role_load.get().max(MOVED_MIN);
        let away = self.nodes[&to].with_role();
        let assessment = Assessment {
            // A term away is worth what a change costs, by definition of the term.
            benefit_core_s: moved * figures.change_s,
            cost_core_s: moved * figures.change_s,
            target: Some(Burden {
                load: away,
                missed: missed(away),
            }),
            objection: None,
            ..figures
        };
        Verdict::Restore { to, assessment }
    }

    fn restorable(&self, now: Time, candidates: &[NodeId], figures: &Assessment) -> Option<NodeId> {
        let former = self.failback.as_ref()?;
        let node = self.nodes.get(&former.node)?;
        if !candidates.contains(&former.node) || !node.is_fresh(now) {
            return None;
        }
        let mut away = former.away(now);
        if let Some(bad_last) = node.bad_last {
            away = away.min(now.since(bad_last));
        }
        let doublings = (figures.recent_changes - 1.0).clamp(0.0, DOUBLINGS_MAX);
        let dearer = figures.change_s / self.settings.change_cost.as_secs_f64().max(1e-3);
        let due_s = self.settings.term.as_secs_f64() * doublings.exp2() * dearer.max(1.0);
        let is_due = away.as_secs_f64() >= due_s;
        let load = node.sustained(now)?.max(node.ahead) + node.role;
        let is_healthy = load <= target::ROOM;
        let may = self.limited(now, SPARE).is_none();
        (is_due && is_healthy && may).then(|| former.node.clone())
    }
}
