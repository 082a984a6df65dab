//! Runs of the hook that reports the roles of this node to its service: one at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::id::Role;

use super::input::HookRun;
use super::output::{Event, Output};

/// The longest text of a failed hook that is reported.
const REASON_LEN_MAX: usize = 200;

#[derive(Debug)]
pub(super) struct Hooks {
    /// Time limit of a run; `None` if there is no hook.
    limit: Option<Duration>,
    /// Roles that the last run reported; `None` before the first one.
    reported: Option<BTreeSet<Role>>,
    /// Roles that a failed run may have given: the next one takes them back.
    retract: BTreeSet<Role>,
    running: Option<Hook>,
    next: HookRun,
}

/// A hook that runs.
#[derive(Debug)]
struct Hook {
    run: HookRun,
    old: BTreeSet<Role>,
    new: BTreeSet<Role>,
    /// The generation of the wish that it is for.
    generation: u64,
}

/// Roles that a failed run did not take on.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) generation: u64,
    pub(super) roles: BTreeSet<Role>,
    pub(super) reason: String,
}

impl Hooks {
    /// Without a hook there is nothing to report, and every report succeeds at once.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            reported: limit.is_none().then(BTreeSet::new),
            retract: BTreeSet::new(),
            running: None,
            next: HookRun::FIRST,
        }
    }

    /// Returns the longest time that a run takes.
    pub(super) fn limit(&self) -> Duration {
        self.limit.unwrap_or_default()
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Returns the roles that the last run reported; `None` before the first one.
    pub(super) fn reported(&self) -> Option<&BTreeSet<Role>> {
        self.reported.as_ref()
    }

    /// Returns whether the next run takes this role back.
    pub(super) fn retracts(&self, role: &Role) -> bool {
        self.retract.contains(role)
    }

    /// Reports new roles, for a wish of this generation; `fixed` are the roles that are
    /// held always.
    pub(super) fn report(
        &mut self,
        new: BTreeSet<Role>,
        generation: u64,
        fixed: &[Role],
        out: &mut Vec<Output>,
    ) {
        if self.limit.is_none() {
            self.reported = Some(new);
            return;
        }
        let run = self.next;
        self.next = run.next();
        // Before the first run the service was not notified of any role, whatever it
        // believes.
        let before = self.reported.as_ref();
        out.push(Output::Hook {
            run,
            old: before.map_or_else(Vec::new, |old| with_fixed(fixed, old)),
            new: with_fixed(fixed, &new),
        });
        self.running = Some(Hook {
            run,
            old: self.reported.clone().unwrap_or_default(),
            new,
            generation,
        });
    }

    /// Records that a run is over, and returns the roles that it did not take on; a
    /// second report of its end has no effect.
    pub(super) fn end(
        &mut self,
        run: HookRun,
        result: Result<(), String>,
        out: &mut Vec<Output>,
    ) -> Option<Failed> {
        let hook = self.running.take_if(|hook| hook.run == run)?;
        self.retract.clear();
        let Err(reason) = result else {
            self.reported = Some(hook.new);
            return None;
        };
        let reason: String = reason.chars().take(REASON_LEN_MAX).collect();
        let generation = hook.generation;
        out.push(Output::Event(Event::HookFailed {
            generation,
            reason: reason.clone(),
        }));
        self.retract = hook.new.difference(&hook.old).cloned().collect();
        if self.retract.is_empty() {
            self.reported = Some(hook.new);
            return None;
        }
        self.reported = Some(hook.old.union(&hook.new).cloned().collect());
        Some(Failed {
            generation,
            roles: self.retract.clone(),
            reason,
        })
    }
}

/// Returns the fixed roles, and after them those that are not fixed.
pub(super) fn with_fixed(fixed: &[Role], roles: &BTreeSet<Role>) -> Vec<Role> {
    let added = roles.iter().filter(|role| !fixed.contains(role));
    fixed.iter().chain(added).cloned().collect()
}
