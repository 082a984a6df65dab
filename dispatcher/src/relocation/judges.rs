//! The judges of all roles with a single holder, and the last result of each.

use std::collections::{BTreeMap, BTreeSet};

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire::{Figures, PastRoleChange, RoleChangeResult, RoleDocument, Why};

use super::judge::{self, Assessment, Judge, Purpose, Reading, Verdict};
use crate::roles::{RoleSettings, Settings};

#[derive(Debug, Default)]
pub(super) struct Judges {
    by_role: BTreeMap<Role, Judge>,
    assessments: BTreeMap<Role, Assessment>,
    /// Roles reported as limited: they may not move so often.
    limited: BTreeSet<Role>,
}

impl Judges {
    pub(super) fn new(settings: &Settings) -> Self {
        let single = settings
            .managed
            .iter()
            .filter(|(_, role)| role.holders.get() == 1);
        let judges =
            single.map(|(role, of_role)| (role.clone(), Judge::new(self::settings(of_role))));
        Self {
            by_role: judges.collect(),
            assessments: BTreeMap::new(),
            limited: BTreeSet::new(),
        }
    }

    /// Returns the roles that have a judge.
    pub(super) fn roles(&self) -> Vec<Role> {
        self.by_role.keys().cloned().collect()
    }

    /// Continues from the history that former dispatchers stored.
    pub(super) fn resume(&mut self, now: Now, document: &RoleDocument) {
        for (role, judge) in &mut self.by_role {
            let of_role = document.history.iter().filter(|past| past.role == *role);
            judge.resume(now.time, of_role.map(|past| change(past, now.wall)));
        }
    }

    /// Records a change that is over.
    pub(super) fn record(&mut self, now: Now, past: &PastRoleChange) {
        if let Some(judge) = self.by_role.get_mut(&past.role) {
            judge.record(now.time, &change(past, now.wall));
        }
    }

    /// Records the figures of a node that may hold the role.
    pub(super) fn observe(&mut self, now: Time, role: &Role, node: &NodeId, reading: &Reading) {
        self.judge(role).observe(now, node, reading);
    }

    /// Decides where the role should be; the candidates may take it, the best first.
    pub(super) fn decide(
        &mut self,
        now: Time,
        role: &Role,
        holder: &NodeId,
        candidates: &[NodeId],
    ) -> Verdict {
        let verdict = self.judge(role).decide(now, holder, candidates);
        let assessment = verdict.assessment().clone();
        self.assessments.insert(role.clone(), assessment);
        verdict
    }

    /// Records whether the role may not move so often; returns whether that is news.
    pub(super) fn set_limited(&mut self, role: &Role, is_limited: bool) -> bool {
        if is_limited {
            return self.limited.insert(role.clone());
        }
        self.limited.remove(role);
        false
    }

    /// Forgets a node that has been gone for long.
    pub(super) fn forget(&mut self, node: &NodeId) {
        for judge in self.by_role.values_mut() {
            judge.forget(node);
        }
    }

    /// Returns the figures on the need to relieve the holder of this role.
    pub(super) fn figures(&self, role: &Role) -> Figures {
        self.assessments
            .get(role)
            .map(Assessment::figures)
            .unwrap_or_default()
    }

    fn judge(&mut self, role: &Role) -> &mut Judge {
        let judge = self.by_role.get_mut(role);
        judge.expect("roles are judged that have a judge")
    }
}

fn change(past: &PastRoleChange, now: WallTime) -> judge::Change {
    judge::Change {
        purpose: match past.why {
            Why::Bottleneck { .. } => Purpose::Relief,
            Why::Restored { .. } => Purpose::Return,
            Why::Operator
            | Why::Drain
            | Why::HolderGone
            | Why::HolderUnfit { .. }
            | Why::Election
            | Why::Swap => Purpose::Other,
        },
        from: past.from.clone(),
        to: past.to.clone(),
        is_done: past.result == RoleChangeResult::Done,
        ended: now.since(past.ended_ms),
        length: past.ended_ms.since(past.began_ms),
    }
}

/// Returns the settings of the role's judge.
pub(super) fn settings(role: &RoleSettings) -> judge::Settings {
    judge::Settings {
        change_cost: role.change_cost,
        role_load: role.cost,
        term: role.term,
        changes_per_hour: role.changes_per_hour,
    }
}
