//! Relocation of managed roles: the coordinator moves a role when an operator orders it or
//! its holder is gone, and because of load when its judge decides so.
//!
//! - [`crate::roles`]: the coordinator;
//! - [`judge`]: the decision when a role with a single holder should move;
//! - `judges`: the judges of all such roles, with their last results.
//!
//! One heartbeat is one call, `Relocation::receive`, which returns commands. The judges
//! also observe while another dispatcher leads, so that a successor knows the usual load;
//! they decide only some seconds after it took the lead.

pub mod judge;
mod judges;
mod vacancies;

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{Epoch, NodeId, Role};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{ManagedRole, RolesView, VERSION, VacantRole, Why};
use rolecast_forecast::Ahead;

use crate::fleet::Fleet;
use crate::metrics::{RoleFigures, RoleTally};
use crate::roles::{self, Coordinator, Input, Move, Report, RoleSettings, Settings};
use judge::{Objection, Reading, Verdict};
use judges::Judges;
use vacancies::Vacancies;

/// Time after taking the lead without judgements: nodes may still be catching up.
const SETTLE: Duration = Duration::from_secs(5);
/// Horizon of the forecast that a load is compared with: the next ten seconds.
const SOON: Duration = Duration::from_secs(10);
/// Horizon within which a node that gets a role should have room.
const HORIZON: Duration = Duration::from_secs(600);
/// Interval between comparisons of all nodes for that: forecasts so far ahead change
/// slowly.
const RANK_INTERVAL: Duration = Duration::from_secs(2);
/// Vacant roles that are listed; there are few managed roles.
const VACANT_MAX: usize = 16;

/// A command or an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// One of the coordinator.
    Roles(Box<roles::Output>),
    /// A role should move, but the limit of changes within the hour is reached.
    Limited(Role),
    /// So many of the nodes that may hold the role are overloaded that no change helps.
    GroupHot { role: Role, hot: u32, heard: u32 },
}

/// The coordinator of managed roles, and the judges of their loads.
#[derive(Debug)]
pub(crate) struct Relocation {
    settings: Settings,
    coordinator: Coordinator,
    judges: Judges,
    vacancies: Vacancies,
    /// Time when the coordinator last received the nodes by room.
    ranked: Option<Time>,
    /// Start of the present lead.
    led_since: Option<Time>,
    tallies: BTreeMap<Role, RoleTally>,
}

impl Relocation {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            coordinator: Coordinator::new(settings.clone()),
            judges: Judges::new(&settings),
            settings,
            vacancies: Vacancies::default(),
            ranked: None,
            led_since: None,
            tallies: BTreeMap::new(),
        }
    }

    /// Whether no role is managed.
    fn has_none(&self) -> bool {
        self.settings.managed.is_empty()
    }

    /// Whether the role is a managed one.
    pub(crate) fn manages(&self, role: &Role) -> bool {
        self.settings.managed.contains_key(role)
    }

    /// Returns the roles whose jobs the node may get, among those that it reports.
    pub(crate) fn effective_roles(&self, node: &NodeId, reported: &[Role]) -> Vec<Role> {
        if self.has_none() {
            return reported.to_vec();
        }
        self.coordinator.effective_roles(node, reported)
    }

    /// Whether the node was drained: nothing is to be placed there.
    pub(crate) fn is_drained(&self, node: &NodeId) -> bool {
        self.coordinator.is_drained(node)
    }

    /// Returns the time at which [`Relocation::tick`] is due at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.coordinator.next_deadline()
    }

    /// Begins to lead.
    pub(crate) fn lead(&mut self, now: Now, epoch: Epoch, until: Time, out: &mut Vec<Output>) {
        self.led_since = Some(now.time);
        self.handle(now, Input::Lead { epoch, until }, out);
    }

    /// Handles a heartbeat that the fleet has taken: the coordinator receives it as it was
    /// sent, and the judges the figures of the node.
    pub(crate) fn receive(
        &mut self,
        now: Now,
        report: Report,
        fleet: &Fleet,
        out: &mut Vec<Output>,
    ) {
        let node = report.node.clone();
        self.handle(now, Input::Heartbeat(report), out);
        for role in self.judges.roles() {
            if self.coordinator.is_offered(&role, &node)
                && let Some(reading) = self.reading(now.time, &node, &role, fleet)
            {
                self.judges.observe(now.time, &role, &node, &reading);
            }
            if self.coordinator.sole_holder(&role) == Some(&node) {
                self.decide(now, &role, &node, out);
            }
        }
    }

    /// Handles an input of the coordinator; the judges learn of the changes.
    pub(crate) fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        let mut outputs = Vec::new();
        self.coordinator.handle(now, input, &mut outputs);
        for output in &outputs {
            match output {
                roles::Output::Event(roles::Event::Finished(past)) => {
                    self.judges.record(now, past);
                    let tally = self.tallies.entry(past.role.clone()).or_default();
                    *tally.changes.entry(past.why.name()).or_default() += 1;
                }
                roles::Output::Event(roles::Event::TakenOver { .. }) => {
                    if let Some(document) = self.coordinator.document() {
                        self.judges.resume(now, document);
                    }
                }
                roles::Output::Event(_)
                | roles::Output::Read { .. }
                | roles::Output::Store { .. }
                | roles::Output::Assign { .. }
                | roles::Output::Answer { .. } => {}
            }
        }
        let outputs = outputs.into_iter().map(Box::new);
        out.extend(outputs.map(Output::Roles));
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.next_deadline().is_some_and(|due| due <= now.time) {
            self.handle(now, Input::Tick, out);
        }
    }

    /// Compares all nodes by their room, at intervals.
    pub(crate) fn sweep(&mut self, now: Now, fleet: &Fleet, out: &mut Vec<Output>) {
        let ranked = self.ranked;
        let is_due = ranked.is_none_or(|at| now.time.since(at) >= RANK_INTERVAL);
        if !self.has_none() && is_due {
            self.ranked = Some(now.time);
            self.count_vacancies(ranked.map(|at| now.time.since(at)));
            self.handle(now, Input::Ranked(rank(fleet)), out);
            let vacant = self.found_vacant(now).map(|found| found.role);
            let vacant: Vec<Role> = vacant.collect();
            self.vacancies.observe(now, vacant.into_iter());
        }
    }

    /// Returns the managed roles that lack holders.
    pub(crate) fn vacant(&self, now: Now) -> Vec<VacantRole> {
        let vacant = self.found_vacant(now).take(VACANT_MAX);
        vacant.map(|found| self.vacancies.date(found)).collect()
    }

    fn found_vacant(&self, now: Now) -> impl Iterator<Item = VacantRole> {
        let managed = self.settings.managed.keys();
        managed.filter_map(move |role| self.coordinator.vacancy(now, role))
    }

    /// Returns the managed roles that the node offers.
    pub(crate) fn offers(&self, node: &NodeId) -> Vec<Role> {
        self.coordinator.offers(node)
    }

    /// Adds the time since the last call to the vacancies that there are, if it leads.
    fn count_vacancies(&mut self, passed: Option<Duration>) {
        if self.coordinator.document().is_none() {
            return;
        }
        for (role, settings) in &self.settings.managed {
            let acting = self.coordinator.acting(role).len();
            let is_vacant =
                u32::try_from(acting).is_ok_and(|acting| acting < settings.holders.get());
            let tally = self.tallies.entry(role.clone()).or_default();
            if is_vacant {
                tally.vacant += passed.unwrap_or_default();
            }
        }
    }

    /// Returns the figures of the managed roles; none if this dispatcher does not lead.
    pub(crate) fn figures(&self) -> Vec<RoleFigures> {
        if self.coordinator.document().is_none() {
            return Vec::new();
        }
        let managed = self.settings.managed.iter();
        let figures = managed.map(|(role, settings)| RoleFigures {
            role: role.clone(),
            wanted: u64::from(settings.holders.get()),
            acting: self.coordinator.acting(role),
            tally: self.tallies.get(role).cloned().unwrap_or_default(),
        });
        figures.collect()
    }

    /// Forgets a node that has been gone for long.
    pub(crate) fn forget(&mut self, node: &NodeId) {
        self.judges.forget(node);
    }

    /// Returns the holders of managed roles; `None` before they are known.
    pub(crate) fn view(&self, epoch: Epoch) -> Option<RolesView> {
        let document = self.coordinator.document()?.clone();
        let managed = self.settings.managed.iter();
        let view = |(role, settings): (&Role, &RoleSettings)| {
            let managed = ManagedRole {
                group: settings.group.clone(),
                holders_wanted: settings.holders.get(),
                acting: self.coordinator.acting(role),
                offered_by: self.coordinator.offered_by(role),
                judgement: self.judges.figures(role),
                acting_left_out: 0,
                offered_left_out: 0,
            };
            (role.clone(), managed)
        };
        Some(RolesView {
            v: VERSION,
            epoch,
            roles: managed.map(view).collect(),
            document,
            drained_left_out: 0,
        })
    }

    fn reading(&self, now: Time, id: &NodeId, role: &Role, fleet: &Fleet) -> Option<Reading> {
        let horizon = judges::settings(self.settings.managed.get(role)?).horizon();
        let node = fleet.get(id)?;
        let usage = node.usage();
        Some(Reading {
            capacity: node.capacity().cpu,
            used: usage.total.cpu,
            jobs: usage.jobs.cpu,
            upper: node.safe_exogenous(Ahead::covering(SOON)).cpu,
            ahead_upper: node.safe_exogenous(Ahead::covering(horizon)).cpu,
            pressure: usage.pressure.map(|pressure| pressure.cpu),
            slow_down: fleet.factor(now, node),
        })
    }

    fn decide(&mut self, now: Now, role: &Role, holder: &NodeId, out: &mut Vec<Output>) {
        let led_since = self.led_since;
        let is_settled = led_since.is_some_and(|since| now.time.since(since) >= SETTLE);
        if !is_settled || self.coordinator.is_changing(role) {
            return;
        }
        let candidates = self.coordinator.candidates(now.time, role);
        let verdict = self.judges.decide(now.time, role, holder, &candidates);
        let assessment = verdict.assessment();
        let is_limited = assessment.objection == Some(Objection::TooManyChanges);
        if self.judges.set_limited(role, is_limited) {
            out.push(Output::Limited(role.clone()));
        }
        let figures = assessment.figures();
        let (to, why) = match verdict {
            Verdict::Keep(_) => return,
            Verdict::Alert(assessment) => {
                let (role, hot, heard) =
                    (role.clone(), assessment.group.hot, assessment.group.fresh);
                out.push(Output::GroupHot { role, hot, heard });
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
        self.handle(now, Input::Move(moved), out);
    }
}

/// Returns the nodes by the CPU that others will leave, most first.
fn rank(fleet: &Fleet) -> Vec<NodeId> {
    let nodes = fleet.nodes().filter(|node| !node.is_gone());
    let mut ranked: Vec<(f64, &NodeId)> = nodes
        .map(|node| {
            let others = node.likely_exogenous(Ahead::covering(HORIZON)).cpu.get();
            (node.capacity().cpu.get() - others, node.id())
        })
        .collect();
    ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    ranked.into_iter().map(|(_, id)| id.clone()).collect()
}
