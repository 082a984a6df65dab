//! Managed roles: the coordinator receives the machine's inputs on roles, and nodes get jobs
//! only for roles that it gave them.

use std::time::Duration;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::Time;
use rolecast_common::wire::{Heartbeat, ManagedRole, RolesView, VERSION};
use rolecast_forecast::Ahead;

use super::{Context, Event, Output, Scheduler};
use crate::roles;

/// Horizon within which a node that is to hold a role should have room.
const HORIZON: Duration = Duration::from_secs(600);
/// Interval between comparisons of all nodes for that: forecasts so far ahead change
/// slowly.
const RANK_INTERVAL: Duration = Duration::from_secs(2);

impl Scheduler {
    /// Passes an input to the coordinator, and its commands on.
    pub(super) fn manage(&mut self, cx: &mut Context<'_>, input: roles::Input) {
        let mut outputs = Vec::new();
        self.roles.handle(cx.now, input, &mut outputs);
        for output in &outputs {
            if let roles::Output::Event(event) = output {
                self.note_role_event(cx.now, event);
                if let roles::Event::Overtaken { ours, found } = event {
                    self.leadership.yield_to_document(cx, *ours, *found);
                }
            }
        }
        cx.extend(outputs.into_iter().map(|output| match output {
            roles::Output::Event(event) => Output::Event(Event::Roles(Box::new(event))),
            roles::Output::Read { .. }
            | roles::Output::Store { .. }
            | roles::Output::Assign { .. }
            | roles::Output::Answer { .. } => Output::Roles(output),
        }));
    }

    /// Removes the roles that do not count from those that the node claims to act in.
    pub(super) fn strip_roles(&self, beat: &mut Heartbeat) {
        if self.params.roles.managed.is_empty() {
            return;
        }
        beat.roles = self.roles.effective_roles(&beat.node, &beat.roles);
    }

    /// Passes a heartbeat as received to the coordinator.
    pub(super) fn tell_roles(&mut self, cx: &mut Context<'_>, heard: roles::Heard) {
        let node = heard.node.clone();
        self.manage(cx, roles::Input::Heard(heard));
        let is_drained = self.roles.is_drained(&node);
        self.fleet.set_drained(&node, is_drained);
    }

    /// Does what is due by time alone.
    pub(super) fn sweep_roles(&mut self, cx: &mut Context<'_>) {
        let is_due = self
            .ranked
            .is_none_or(|at| cx.now.time.since(at) >= RANK_INTERVAL);
        if self.params.roles.managed.is_empty() || !is_due {
            return;
        }
        self.ranked = Some(cx.now.time);
        self.manage(cx, roles::Input::Ranked(self.rank()));
    }

    pub(super) fn tick_roles(&mut self, cx: &mut Context<'_>) {
        if self
            .roles
            .next_deadline()
            .is_some_and(|due| due <= cx.now.time)
        {
            self.manage(cx, roles::Input::Tick);
        }
    }

    /// Returns the nodes by the CPU that others will leave, most first.
    fn rank(&self) -> Vec<NodeId> {
        let nodes = self.fleet.nodes().filter(|node| !node.is_gone());
        let mut ranked: Vec<(f64, &NodeId)> = nodes
            .map(|node| {
                let others = node.likely_exogenous(Ahead::covering(HORIZON)).cpu.get();
                (node.capacity().cpu.get() - others, node.id())
            })
            .collect();
        ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        ranked.into_iter().map(|(_, id)| id.clone()).collect()
    }

    /// Returns the holders of managed roles; `None` before they are known.
    pub fn roles_view(&self) -> Option<RolesView> {
        let document = self.roles.document()?.clone();
        let managed = self.params.roles.managed.iter();
        let view = |(role, settings): (&Role, &roles::RoleSettings)| {
            let managed = ManagedRole {
                group: settings.group.clone(),
                holders_wanted: settings.holders.get(),
                acting: self.roles.acting(role),
                offered_by: self.roles.offered_by(role),
                judgement: self.judging.figures(role),
                acting_left_out: 0,
                offered_left_out: 0,
            };
            (role.clone(), managed)
        };
        Some(RolesView {
            v: VERSION,
            epoch: self.leadership.epoch(),
            roles: managed.map(view).collect(),
            document,
            drained_left_out: 0,
        })
    }

    /// Returns the time at which the coordinator is due again.
    pub(super) fn roles_deadline(&self) -> Option<Time> {
        self.roles.next_deadline()
    }
}
