//! Judging of roles with a single holder: at each heartbeat of a holder, whether the role
//! should move, by the heartbeats of all nodes.
//!
//! The judges also observe while another dispatcher leads, so that a successor knows the
//! usual load; they decide only some seconds after it took the lead.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire::{Figures, PastRoleChange, RoleChangeResult, RoleDocument, Why};
use rolecast_forecast::Ahead;

use super::{Context, Event, Scheduler};
use crate::roles::judge::{self, Assessment, Judge, Obstacle, Purpose, Reading, Verdict};
use crate::roles::{self, Move, RoleSettings, Settings};

/// Time after taking the lead without judgements: nodes may still be catching up.
const SETTLE: Duration = Duration::from_secs(5);
/// Horizon of the forecast that a load is compared with: the next ten seconds.
const SOON: Duration = Duration::from_secs(10);

/// The judges, and the last result of each.
#[derive(Debug, Default)]
pub(super) struct Judging {
    judges: BTreeMap<Role, Judge>,
    assessments: BTreeMap<Role, Assessment>,
    /// Roles reported as limited: they may not move so often.
    limited_told: BTreeSet<Role>,
}

impl Judging {
    pub(super) fn new(settings: &Settings) -> Self {
        let single = settings
            .managed
            .iter()
            .filter(|(_, role)| role.holders.get() == 1);
        let judges = single.map(|(role, settings)| (role.clone(), Judge::new(wishes(settings))));
        Self {
            judges: judges.collect(),
            assessments: BTreeMap::new(),
            limited_told: BTreeSet::new(),
        }
    }

    /// Forgets a node that has been gone for long.
    pub(super) fn forget(&mut self, node: &NodeId) {
        for judge in self.judges.values_mut() {
            judge.forget(node);
        }
    }

    /// Continues from the history that former dispatchers stored.
    pub(super) fn resume(&mut self, now: Now, document: &RoleDocument) {
        for (role, judge) in &mut self.judges {
            let of_role = document.history.iter().filter(|past| past.role == *role);
            judge.resume(now.time, of_role.map(|past| change(past, now.wall)));
        }
    }

    fn note(&mut self, now: Now, past: &PastRoleChange) {
        if let Some(judge) = self.judges.get_mut(&past.role) {
            judge.note(now.time, &change(past, now.wall));
        }
    }

    /// Returns the figures on the need to relieve the holder of this role.
    pub(super) fn figures(&self, role: &Role) -> Figures {
        self.assessments
            .get(role)
            .map(Assessment::figures)
            .unwrap_or_default()
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

fn wishes(role: &RoleSettings) -> judge::Settings {
    judge::Settings {
        change_cost: role.change_cost,
        role_load: role.cost,
        term: role.term,
        changes_per_hour: role.changes_per_hour,
    }
}

impl Scheduler {
    /// Passes the heartbeat that was just taken to the judges, and lets them decide if it
    /// is of a holder.
    pub(super) fn judge_roles(&mut self, cx: &mut Context<'_>, id: &NodeId) {
        for role in self.judged_roles() {
            if self.roles.is_offered(&role, id)
                && let Some(reading) = self.reading(cx.now.time, id, &role)
            {
                let judge = self.judging.judges.get_mut(&role);
                let judge = judge.expect("roles are judged that have a judge");
                judge.observe(cx.now.time, id, &reading);
            }
            if self.roles.sole_holder(&role) == Some(id) {
                self.decide(cx, &role, id);
            }
        }
    }

    fn judged_roles(&self) -> Vec<Role> {
        self.judging.judges.keys().cloned().collect()
    }

    fn reading(&self, now: Time, id: &NodeId, role: &Role) -> Option<Reading> {
        let horizon = wishes(self.params.roles.managed.get(role)?).horizon();
        let node = self.fleet.get(id)?;
        let usage = node.usage();
        let soon = Ahead::covering(SOON);
        Some(Reading {
            capacity: node.capacity().cpu,
            used: usage.total.cpu,
            jobs: usage.jobs.cpu,
            upper: node.safe_exogenous(soon).cpu,
            ahead_upper: node.safe_exogenous(Ahead::covering(horizon)).cpu,
            pressure: usage.pressure.map(|pressure| pressure.cpu),
            slow_down: self.fleet.factor(now, node),
        })
    }

    fn decide(&mut self, cx: &mut Context<'_>, role: &Role, holder: &NodeId) {
        let is_settled = self
            .leadership
            .since()
            .is_some_and(|since| cx.now.time.since(since) >= SETTLE);
        if !is_settled || self.roles.is_changing(role) {
            return;
        }
        let candidates = self.roles.candidates(cx.now.time, role);
        let judge = self.judging.judges.get_mut(role);
        let judge = judge.expect("roles are judged that have a judge");
        let verdict = judge.decide(cx.now.time, holder, &candidates);
        let assessment = verdict.assessment().clone();
        let figures = assessment.figures();
        self.judging
            .assessments
            .insert(role.clone(), assessment.clone());
        self.tell_limited(cx, role, assessment.obstacle);
        let (to, why) = match verdict {
            Verdict::Keep(_) => return,
            Verdict::Alert(_) => {
                let (role, hot, heard) = (role.clone(), assessment.hot, assessment.heard);
                cx.event(Event::GroupHot { role, hot, heard });
                return;
            }
            Verdict::Move { to, .. } => (to, Why::Bottleneck { figures }),
            Verdict::Restore { to, .. } => (to, Why::Restored { figures }),
        };
        let moved = Move {
            role: role.clone(),
            from: holder.clone(),
            to,
            why,
        };
        self.manage(cx, roles::Input::Move(moved));
    }

    /// Reports once that a role would move, had it not moved as often as it may.
    fn tell_limited(&mut self, cx: &mut Context<'_>, role: &Role, obstacle: Option<Obstacle>) {
        if obstacle != Some(Obstacle::TooManyChanges) {
            self.judging.limited_told.remove(role);
            return;
        }
        if self.judging.limited_told.insert(role.clone()) {
            let role = role.clone();
            cx.event(Event::RoleLimited { role });
        }
    }

    /// Passes an event of the coordinator to the judges.
    pub(super) fn note_role_event(&mut self, now: Now, event: &roles::Event) {
        match event {
            roles::Event::Finished(past) => self.judging.note(now, past),
            roles::Event::TakenOver { .. } => {
                if let Some(document) = self.roles.document() {
                    self.judging.resume(now, document);
                }
            }
            roles::Event::Step { .. }
            | roles::Event::Vacant { .. }
            | roles::Event::Filled { .. }
            | roles::Event::Claimed { .. }
            | roles::Event::EpochAhead { .. }
            | roles::Event::Overtaken { .. } => {}
        }
    }
}
