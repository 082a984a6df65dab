//! Judges whether roles with a single holder are where they should be: at each
//! heartbeat of a holder, by what all heartbeats tell.
//!
//! They observe while another dispatcher leads too, so that a successor knows what
//! is usual; they decide only some seconds after it took the lead.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire::{Figures, PastRoleChange, RoleChangeResult, RoleDocument, Why};

use super::{Event, Machine, Output};
use crate::forecast::Ahead;
use crate::roles::judge::{self, Assessment, Judge, Reading, Verdict};
use crate::roles::{self, Move, RoleSettings, Settings};

/// A dispatcher that just began to lead does not judge yet: nodes may still be
/// catching up with it.
const SETTLE: Duration = Duration::from_secs(5);
/// Which forecast a load is compared with: that of the next ten seconds.
const SOON: Duration = Duration::from_secs(10);
/// Enough for the new holder to be heard of; what holds changes back beyond that is
/// what they cost. With 60 s mixed bottlenecks cost a third more where a change costs 2.5 s
/// (`bench-roles --first-seed 1001`, with that in its settings).
const COOL_DOWN: Duration = Duration::from_secs(10);
/// If more nodes of a group than this share are hot, nothing is gained by a change.
const HOT_SHARE: f64 = 0.5;
const HOUR: Duration = Duration::from_secs(3600);

/// The judges, and what each said last.
#[derive(Debug, Default)]
pub(super) struct Judging {
    judges: BTreeMap<Role, Judge>,
    assessments: BTreeMap<Role, Assessment>,
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
        }
    }

    /// Goes on where the dispatcher before ended.
    pub(super) fn resume(&mut self, now: Now, document: &RoleDocument) {
        for (role, judge) in &mut self.judges {
            let moves = done(document, role).filter(|past| past.why.is_for_load());
            let ages = moves.map(|past| now.wall.since(past.ended_ms));
            let home = home(document, role, now.wall);
            judge.resume(now.time, ages.filter(|age| *age < HOUR), home);
        }
    }

    fn note(&mut self, now: Time, past: &PastRoleChange) {
        if let Some(judge) = self.judges.get_mut(&past.role)
            && past.result == RoleChangeResult::Done
            && past.why.is_for_load()
        {
            judge.note_change(now, past.ended_ms.since(past.began_ms));
        }
    }

    /// Returns what is known of the need to relieve the holder of this role.
    pub(super) fn figures(&self, role: &Role) -> Figures {
        self.assessments
            .get(role)
            .map(Assessment::figures)
            .unwrap_or_default()
    }
}

/// Returns the changes of the role that were carried out, oldest first.
fn done<'a>(
    document: &'a RoleDocument,
    role: &'a Role,
) -> impl DoubleEndedIterator<Item = &'a PastRoleChange> {
    let is_done = |past: &&PastRoleChange| past.result == RoleChangeResult::Done;
    let of_role = document.history.iter().filter(|past| past.role == *role);
    of_role.filter(is_done)
}

/// Returns who is to have the role back, and how long ago it lost it. If it moved last
/// for another reason than load, it is where somebody wants it.
fn home(document: &RoleDocument, role: &Role, now: WallTime) -> Option<(NodeId, Duration)> {
    let last = done(document, role).next_back()?;
    let is_relieved = matches!(last.why, Why::Bottleneck { .. });
    let from = last.from.clone().filter(|_| is_relieved)?;
    Some((from, now.since(last.ended_ms)))
}

fn wishes(role: &RoleSettings) -> judge::Settings {
    judge::Settings {
        change_cost: role.change_cost,
        role_load: role.cost,
        term: role.term,
        cool_down: COOL_DOWN.min(role.term),
        changes_per_hour: role.changes_per_hour,
        hot_share: HOT_SHARE,
    }
}

impl Machine {
    /// Lets the judges see the heartbeat that was just taken, and decide if it is of
    /// a holder.
    pub(super) fn judge_roles(&mut self, now: Now, id: &NodeId, out: &mut Vec<Output>) {
        for role in self.judged_roles() {
            if self.roles.is_offered(&role, id)
                && let Some(reading) = self.reading(now.time, id, &role)
            {
                let judge = self.judging.judges.get_mut(&role);
                let judge = judge.expect("roles are judged that have a judge");
                judge.observe(now.time, id, &reading);
            }
            if self.roles.sole_holder(&role) == Some(id) {
                self.decide(now, &role, id, out);
            }
        }
    }

    fn judged_roles(&self) -> Vec<Role> {
        self.judging.judges.keys().cloned().collect()
    }

    fn reading(&self, now: Time, id: &NodeId, role: &Role) -> Option<Reading> {
        let term = self.params.roles.managed.get(role)?.term;
        let node = self.fleet.get(id)?;
        let usage = node.usage();
        let soon = Ahead::covering(SOON);
        Some(Reading {
            capacity: node.capacity().cpu,
            used: usage.total.cpu,
            jobs: usage.jobs.cpu,
            expected: node.likely_exogenous(soon).cpu,
            upper: node.safe_exogenous(soon).cpu,
            ahead_upper: node.safe_exogenous(Ahead::covering(term)).cpu,
            pressure: usage.pressure.map(|pressure| pressure.cpu),
            slow_down: self.fleet.factor(now, node),
        })
    }

    fn decide(&mut self, now: Now, role: &Role, holder: &NodeId, out: &mut Vec<Output>) {
        let is_settled = self
            .led_since
            .is_some_and(|since| now.time.since(since) >= SETTLE);
        if !is_settled || self.roles.is_changing(role) {
            return;
        }
        let candidates = self.roles.candidates(now.time, role);
        let judge = self.judging.judges.get_mut(role);
        let judge = judge.expect("roles are judged that have a judge");
        let verdict = judge.decide(now.time, holder, &candidates);
        let assessment = verdict.assessment().clone();
        let figures = assessment.figures();
        self.judging
            .assessments
            .insert(role.clone(), assessment.clone());
        let (to, why) = match verdict {
            Verdict::Keep(_) => return,
            Verdict::Alert(_) => {
                let (role, hot, heard) = (role.clone(), assessment.hot, assessment.heard);
                out.push(Output::Event(Event::GroupHot { role, hot, heard }));
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
        self.manage(now, roles::Input::Move(moved), out);
    }

    /// Lets the judges know what the manager did.
    pub(super) fn note_role_event(&mut self, now: Now, event: &roles::Event) {
        match event {
            roles::Event::Finished(past) => self.judging.note(now.time, past),
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
            | roles::Event::Overtaken { .. }
            | roles::Event::Limited { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::{Epoch, Group};
    use rolecast_common::wire::VERSION;

    use super::*;

    fn document(reasons: Vec<Why>) -> RoleDocument {
        let change = |why| PastRoleChange {
            group: Group::new("default").unwrap(),
            role: Role::new("leader").unwrap(),
            from: NodeId::new("a").ok(),
            to: NodeId::new("b").ok(),
            why,
            result: RoleChangeResult::Done,
            began_ms: WallTime::from_millis(1_000),
            ended_ms: WallTime::from_millis(2_000),
            epoch: Epoch::new(1),
            generation: 1,
            trouble: None,
        };
        RoleDocument {
            v: VERSION,
            epoch: Epoch::new(1),
            generation: 1,
            roles: BTreeMap::new(),
            changes: BTreeMap::new(),
            history: reasons.into_iter().map(change).collect(),
            drained: Default::default(),
        }
    }

    #[test]
    fn a_successor_gives_back_what_load_took_unless_somebody_moved_it_since() {
        let (role, now) = (Role::new("leader").unwrap(), WallTime::from_millis(5_000));
        let figures = Figures::default();
        let relieved = Why::Bottleneck { figures };
        let expected = NodeId::new("a").ok().zip(Some(Duration::from_secs(3)));
        assert_eq!(
            home(&document(vec![relieved.clone()]), &role, now),
            expected
        );
        let moved_since = document(vec![relieved, Why::Operator]);
        assert_eq!(home(&moved_since, &role, now), None);
        assert_eq!(home(&document(Vec::new()), &role, now), None);
    }
}
