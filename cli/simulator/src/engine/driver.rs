//! Driver of the policy: passes events to it, and keeps the time of its next turn.

use crate::fleet::Fleet;
use crate::moment::Moment;
use crate::policy::{Event, Policy, Send};

/// The least time from one turn to the next deadline, in seconds: a policy whose deadline
/// has passed makes progress nevertheless.
pub(super) const TURN_GAP_S: f64 = 1e-6;

/// The policy of a run.
pub(super) struct Driver<'a> {
    policy: &'a mut dyn Policy,
    /// Whether the policy received an event since its last turn.
    is_stirred: bool,
    /// The deadline of the policy, as of its last turn.
    deadline: Option<Moment>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(policy: &'a mut dyn Policy) -> Self {
        Self {
            policy,
            is_stirred: false,
            deadline: None,
        }
    }

    pub(super) fn learns(&self) -> bool {
        self.policy.learns()
    }

    pub(super) fn next_deadline_s(&self) -> Option<f64> {
        self.policy.next_deadline_s()
    }

    /// Returns the time of the next turn that the policy requested.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    pub(super) fn is_turn_due(&self, now: Moment) -> bool {
        self.is_stirred || self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Passes an event to the policy, and adds the jobs that it sends.
    pub(super) fn pass(
        &mut self,
        now_s: f64,
        event: Event<'_>,
        fleet: &Fleet<'_>,
        sends: &mut Vec<Send>,
    ) {
        self.is_stirred = true;
        self.policy.handle(now_s, event, fleet, sends);
    }

    /// Ends a turn: the next one is due after an event, or at the policy's deadline.
    pub(super) fn end_turn(&mut self, now: Moment) {
        self.is_stirred = false;
        let soonest = now + TURN_GAP_S;
        let deadline_s = self.policy.next_deadline_s();
        self.deadline = deadline_s.map(|at_s| Moment::at(at_s).max(soonest));
    }
}
