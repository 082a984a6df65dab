//! Most recent confirmed outcomes, kept in case their jobs are sent again.
//!
//! A server or dispatcher that lost its last moments may send a job whose outcome was
//! confirmed; it is answered from here and does not run twice.

use bytes::Bytes;
use rolecast_common::assignment::Assignment;
use rolecast_common::wire::{Blob, Outcome, OutcomeStatus};

use super::execution::Execution;
use super::outcomes::{assignment, has_run};

/// Slots, one for each sequence that many apart: as many as may be in hand.
const SLOTS: usize = 1024;
/// The longest output remembered, so that all slots together stay at 8 MiB. A job with
/// more output runs again.
const OUTPUT_LEN_MAX: usize = 8 * 1024;

#[derive(Debug)]
pub(super) struct Settled {
    slots: Box<[Option<Outcome>]>,
}

impl Default for Settled {
    fn default() -> Self {
        Self {
            slots: vec![None; SLOTS].into(),
        }
    }
}

impl Settled {
    /// Remembers an outcome if its execution is over for good. One that was
    /// refused or handed back may be offered again under the same attempt.
    pub(super) fn remember(&mut self, mut outcome: Outcome) {
        let is_over = has_run(&outcome) && outcome.status != OutcomeStatus::HandedBack;
        if !is_over || outcome.output.0.len() > OUTPUT_LEN_MAX {
            return;
        }
        // The dispatcher has stored it.
        outcome.log = Blob::default();
        if !outcome.output.is_empty() {
            // A copy, because the output may be a small part of a large buffer.
            outcome.output.0 = Bytes::copy_from_slice(&outcome.output.0);
        }
        let slot = slot(assignment(&outcome));
        self.slots[slot] = Some(outcome);
    }

    /// Returns the outcome of this execution, if it is remembered.
    pub(super) fn get(&self, execution: &Execution) -> Option<&Outcome> {
        let outcome = self.slots[slot(&execution.0)].as_ref()?;
        execution.is_of(assignment(outcome)).then_some(outcome)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a remainder is smaller than the count of slots"
)]
fn slot(assignment: &Assignment) -> usize {
    // Half a round lies between two attempts at a job, so that the second does
    // not at once displace the first.
    let half = SLOTS as u64 / 2;
    let attempt = u64::from(assignment.attempt().get());
    let sequence = assignment.ack().sequence().get();
    (sequence.wrapping_add(attempt * half) % SLOTS as u64) as usize
}
