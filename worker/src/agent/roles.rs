//! Roles that this node acts in: those of its configuration, and assigned ones for a
//! lease.
//!
//! 1. An assignment answers a heartbeat of ours, and is valid for its lease, counted from
//!    when that heartbeat was *sent*. So when a dispatcher has waited for the length of the
//!    lease since it *received* the heartbeat, the lease is over here. An assignment that
//!    answers no known heartbeat of this boot changes nothing.
//! 2. Epochs below the largest ever seen are refused, over restarts too; so is a version
//!    older than the newest accepted one.
//! 3. To give up a role: stop acting in it, then run the hook, then report it. Without a
//!    new assignment the role is given up one `hook_limit` before its lease ends, so that
//!    the hook has ended by then.
//! 4. To take on a role: run the hook, act in the role, then report it; only while the
//!    lease leaves time for this hook and for another one that undoes it. If the hook
//!    fails, it is run once more, to report to the service that the role is not held after
//!    all, and the version is reported as failed and not tried again.
//! 5. One hook runs at a time; after it the newest assignment counts. If the lease of a
//!    role does not leave time for two hooks, the role is given up with the first of them.
//! 6. The first hook of a boot reports that no managed role is held: the service may not
//!    have been notified of this when the previous boot ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::id::{BootId, Epoch, Role};
use rolecast_common::time::Time;
use rolecast_common::wire::{RoleAssignment, RoleFailure, RoleVersion};

use super::epochs::Epochs;
use super::hooks::{Hooks, with_fixed};
use super::input::HookRun;
use super::output::{Event, Output, RoleObjection};

/// The longest lease accepted; dispatchers give 10 s.
const LEASE_MAX: Duration = Duration::from_secs(60);
/// Heartbeats remembered, to date their answers: those of a lease of 10 s when use
/// changes all the time, and more.
const SENT_MAX: usize = 128;

/// Constant settings of the roles of a node.
#[derive(Clone, Debug, Default)]
pub struct RoleParams {
    /// The roles that are held always.
    pub fixed: Vec<Role>,
    /// The managed roles that may be given to this node.
    pub offers: Vec<Role>,
    /// Time limit of the hook, after which it is killed; `None` if there is no hook.
    pub hook_limit: Option<Duration>,
    /// The largest epoch that earlier boots have seen.
    pub epoch: Epoch,
}

/// The managed roles of a node, and the epochs it has seen.
#[derive(Debug)]
pub(super) struct Roles {
    params: RoleParams,
    boot: BootId,
    epochs: Epochs,
    /// The newest assignment taken.
    wish: Wish,
    /// The time until which each role of the wish is held.
    leases: BTreeMap<Role, Time>,
    /// Roles that it acts in; some of those that the hook reported.
    acting: BTreeSet<Role>,
    hooks: Hooks,
    failure: Option<RoleFailure>,
    assigned: RoleVersion,
    /// Heartbeats of this boot, oldest first: number and time of sending.
    sent: VecDeque<(u64, Time)>,
    /// Whether the worker leaves, and gives all of them up.
    is_released: bool,
    /// Fixed roles and those it acts in, for all readers.
    shown: Arc<[Role]>,
}

#[derive(Debug, Default)]
struct Wish {
    version: RoleVersion,
    roles: BTreeSet<Role>,
    /// Roles that this node could not take on.
    refused: BTreeSet<Role>,
    /// The reason of the last refusal to take on a role.
    refusal: String,
}

impl Roles {
    pub(super) fn new(params: RoleParams, boot: BootId) -> Self {
        Self {
            boot,
            epochs: Epochs::new(params.epoch),
            wish: Wish::default(),
            leases: BTreeMap::new(),
            acting: BTreeSet::new(),
            hooks: Hooks::new(params.hook_limit),
            failure: None,
            assigned: RoleVersion::default(),
            sent: VecDeque::new(),
            is_released: false,
            shown: params.fixed.clone().into(),
            params,
        }
    }

    pub(super) fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    pub(super) fn epochs_mut(&mut self) -> &mut Epochs {
        &mut self.epochs
    }

    pub(super) fn offers(&self) -> &[Role] {
        &self.params.offers
    }

    pub(super) fn assigned(&self) -> RoleVersion {
        self.assigned
    }

    pub(super) fn failure(&self) -> Option<&RoleFailure> {
        self.failure.as_ref()
    }

    /// Returns the roles that this node acts in, if nothing is due.
    pub(super) fn shown(&self) -> &Arc<[Role]> {
        &self.shown
    }

    /// Returns whether this node acts in a role, whatever is due.
    pub(super) fn acts_in(&self, now: Time, role: &Role) -> bool {
        let lease = self.leases.get(role);
        let is_leased = lease.is_some_and(|until| now < self.ends(*until));
        self.params.fixed.contains(role) || self.acting.contains(role) && is_leased
    }

    /// Returns whether no managed role is held or promised, and no hook is under way.
    pub(super) fn is_free(&self) -> bool {
        let has_reported = self.hooks.reported().is_some_and(|roles| !roles.is_empty());
        !self.hooks.is_running()
            && !has_reported
            && (self.wish.roles.is_empty() || self.leases.is_empty())
    }

    /// Records that a heartbeat is sent.
    pub(super) fn record_sent(&mut self, now: Time, sequence: u64) {
        if self.params.offers.is_empty() {
            return;
        }
        if self.sent.len() == SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back((sequence, now));
    }

    /// Takes an assignment, or returns why not; [`Roles::advance`] acts upon it.
    pub(super) fn take(
        &mut self,
        now: Time,
        assigned: &RoleAssignment,
        out: &mut Vec<Output>,
    ) -> Result<(), RoleObjection> {
        let version = RoleVersion {
            epoch: assigned.epoch,
            generation: assigned.generation,
        };
        if assigned.boot != self.boot {
            return Err(RoleObjection::OtherBoot);
        }
        let is_possible = self.epochs.largest().may_reach(assigned.epoch);
        if assigned.epoch < self.epochs.largest() || !is_possible || version < self.wish.version {
            return Err(RoleObjection::Stale);
        }
        let roles: BTreeSet<Role> = assigned.roles.iter().cloned().collect();
        if version == self.wish.version && roles != self.wish.roles {
            return Err(RoleObjection::Contradiction);
        }
        let mut sent = self.sent.iter();
        let answered = sent.find(|(sequence, _)| *sequence == assigned.answers);
        let (_, sent) = answered.ok_or(RoleObjection::Unasked)?;
        let lease = Duration::from_millis(u64::from(assigned.lease_ms)).min(LEASE_MAX);
        let until = *sent + lease;
        if until <= now {
            return Err(RoleObjection::TooLate);
        }
        self.epochs.see(assigned.epoch, out);
        if version > self.wish.version {
            self.wish = Wish {
                version,
                roles,
                ..Wish::default()
            };
            self.refuse_unoffered();
            self.leases.retain(|role, _| self.wish.roles.contains(role));
        }
        for role in &self.wish.roles {
            let lease = self.leases.entry(role.clone()).or_insert(until);
            *lease = until.max(*lease);
        }
        Ok(())
    }

    fn refuse_unoffered(&mut self) {
        let is_offered = |role: &&Role| self.params.offers.contains(role);
        let refused = self.wish.roles.iter().filter(|role| !is_offered(role));
        self.wish.refused = refused.cloned().collect();
        if let Some(role) = self.wish.refused.first() {
            self.wish.refusal = format!("role {role} is not offered here");
        }
    }

    /// Gives all managed roles up for good.
    pub(super) fn release(&mut self) {
        self.is_released = true;
    }

    /// Records that a hook is over; a second report of it has no effect.
    pub(super) fn end_hook(
        &mut self,
        run: HookRun,
        result: Result<(), String>,
        out: &mut Vec<Output>,
    ) {
        let Some(failed) = self.hooks.end(run, result, out) else {
            return;
        };
        if failed.generation == self.wish.version.generation {
            self.wish.refused.extend(failed.roles);
        }
        self.wish.refusal = failed.reason;
    }

    /// Returns when [`Roles::advance`] has something to do without an input.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        if self.hooks.reported().is_none() && !self.hooks.is_running() {
            return Some(Time::ZERO);
        }
        let held = self.acting.iter().filter_map(|role| self.leases.get(role));
        held.min().map(|until| self.ends(*until))
    }

    /// Does what is due: drops roles whose lease ends or that are not wanted, and starts
    /// the hook. Returns whether a heartbeat should report the result.
    pub(super) fn advance(&mut self, now: Time, out: &mut Vec<Output>) -> bool {
        let before = (self.assigned, self.failure.clone());
        let wanted = self.wanted(now);
        self.acting.retain(|role| wanted.contains(role));
        while !self.hooks.is_running() {
            let target = self.target(now, &wanted);
            if self.hooks.reported() == Some(&target) {
                self.settle(target);
                break;
            }
            self.acting.retain(|role| target.contains(role));
            let generation = self.wish.version.generation;
            self.hooks
                .report(target, generation, &self.params.fixed, out);
        }
        let is_shown = self.show(out);
        is_shown || before != (self.assigned, self.failure.clone())
    }

    /// Returns the roles that the node may act in.
    fn wanted(&self, now: Time) -> BTreeSet<Role> {
        let held = self.leases.iter();
        let held = held.filter(|(role, until)| {
            !self.is_released && !self.wish.refused.contains(*role) && self.ends(**until) > now
        });
        held.map(|(role, _)| role.clone()).collect()
    }

    /// Returns the roles that the hook should report: those it has reported, as far as
    /// they are still wanted, and those that are wanted and leave the time for two hooks.
    /// Once a hook must run nothing else is kept either: a running hook delays the hook
    /// that takes a role back, and that one would be over after the lease.
    fn target(&self, now: Time, wanted: &BTreeSet<Role>) -> BTreeSet<Role> {
        let Some(reported) = self.hooks.reported() else {
            return BTreeSet::new();
        };
        let limit = self.hooks.limit();
        let is_long = |role: &Role| {
            let lease = self.leases.get(role);
            lease.is_some_and(|until| self.ends(*until).since(now) >= limit)
        };
        let may_act = |role: &&Role| {
            !self.hooks.retracts(role) && (reported.contains(*role) || is_long(role))
        };
        let target: BTreeSet<Role> = wanted.iter().filter(may_act).cloned().collect();
        if target == *reported {
            return target;
        }
        target.into_iter().filter(is_long).collect()
    }

    /// Returns when acting in a role ends whose lease ends at `until`.
    fn ends(&self, until: Time) -> Time {
        let limit = self.hooks.limit();
        Time::ZERO + until.since(Time::ZERO + limit)
    }

    /// Records that everything that can be done for the wish is done.
    fn settle(&mut self, held: BTreeSet<Role>) {
        let RoleVersion { epoch, generation } = self.wish.version;
        self.failure = (!self.wish.refused.is_empty()).then(|| RoleFailure {
            epoch,
            generation,
            roles: self.wish.refused.iter().cloned().collect(),
            reason: self.wish.refusal.clone(),
        });
        if held == self.wish.roles {
            self.assigned = self.wish.version;
        }
        self.acting = held;
    }

    fn show(&mut self, out: &mut Vec<Output>) -> bool {
        let shown = with_fixed(&self.params.fixed, &self.acting);
        if *shown == *self.shown {
            return false;
        }
        self.shown = shown.into();
        out.push(Output::Event(Event::Roles {
            epoch: self.wish.version.epoch,
            generation: self.wish.version.generation,
            roles: Arc::clone(&self.shown),
        }));
        true
    }
}
