//! Flaws that are planted in messages.

use rolecast_common::wire::{RoleAssignment, RolePhase};
use rolecast_dispatcher::roles::{self, Report};
use rolecast_dispatcher::scheduler::{Event, Output};

use super::Flaw;
use super::dispatcher::Outputs;
use super::host::Host;

/// The flaw that promotes early: the coordinator receives a forged confirmation.
pub(super) fn forge(flaw: Option<Flaw>, hosts: &[Host], out: &Outputs) -> Option<Report> {
    if flaw != Some(Flaw::EarlyPromotion) {
        return None;
    }
    let step = out.machine.iter().find_map(|output| {
        let Output::Event(Event::Roles(event)) = output else {
            return None;
        };
        let roles::Event::Step { change, .. } = &**event else {
            return None;
        };
        Some(change)
    })?;
    let RolePhase::Demoting { node, .. } = &step.phase else {
        return None;
    };
    let host = hosts.iter().find(|host| host.node == *node)?;
    let mut forged = Report::new(&host.last_heartbeat.clone()?);
    forged.roles.retain(|role| *role != step.role);
    forged.sequence += 1;
    forged.assigned.generation = step.generation;
    Some(forged)
}

/// The flaws of workers: assignments are changed so that they are accepted.
pub(super) fn tamper(
    flaw: Option<Flaw>,
    host: &Host,
    mut assignment: RoleAssignment,
) -> RoleAssignment {
    let Some(newest) = &host.last_heartbeat else {
        return assignment;
    };
    match flaw {
        Some(Flaw::LeaseFromReceipt) if newest.boot == assignment.boot => {
            assignment.answers = newest.sequence;
        }
        Some(Flaw::OldEpoch) if assignment.epoch < newest.epoch => {
            assignment.epoch = newest.epoch;
            assignment.generation += 1_000;
        }
        Some(_) | None => {}
    }
    assignment
}
