//! The most recent confirmed outcomes, kept in case their jobs come again.
//!
//! A server or dispatcher that lost its last moments may send a job whose
//! outcome was confirmed; it is answered from here and does not run twice.

use std::collections::VecDeque;

use bytes::Bytes;
use foldhash::HashMap;
use rolecast_common::wire::{Outcome, OutcomeStatus};

use super::Execution;
use super::outcomes::{assignment, has_run};

/// As many as may be in hand: each may come again once.
const COUNT_MAX: usize = 1024;
/// Output kept altogether. Older outcomes make room, and their jobs would run again.
const LEN_MAX: usize = 8 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Settled {
    outcomes: HashMap<Execution, Outcome>,
    /// Oldest first.
    order: VecDeque<Execution>,
    len: usize,
}

impl Settled {
    /// Remembers an outcome if its execution is over for good. One that was
    /// refused or handed back may be offered again under the same attempt.
    pub(super) fn remember(&mut self, mut outcome: Outcome) {
        if !has_run(&outcome) || outcome.status == OutcomeStatus::HandedBack {
            return;
        }
        // A copy, for the output may be a small part of a large buffer.
        outcome.output.0 = Bytes::copy_from_slice(&outcome.output.0);
        let execution = Execution::of(assignment(&outcome));
        self.len += outcome.output.0.len();
        if let Some(older) = self.outcomes.insert(execution.clone(), outcome) {
            self.len -= older.output.0.len();
            return;
        }
        self.order.push_back(execution);
        while self.order.len() > COUNT_MAX || self.len > LEN_MAX {
            self.forget_oldest();
        }
    }

    /// Returns the outcome of this execution, if it is remembered.
    pub(super) fn get(&self, execution: &Execution) -> Option<&Outcome> {
        self.outcomes.get(execution)
    }

    fn forget_oldest(&mut self) {
        let oldest = self.order.pop_front();
        let oldest = oldest.expect("the caller saw more than the limits allow");
        if let Some(outcome) = self.outcomes.remove(&oldest) {
            self.len -= outcome.output.0.len();
        }
    }
}
