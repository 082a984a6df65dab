//! Ledger of the outcomes that no dispatcher has confirmed yet.
//!
//! 1. Outcomes wait in the order in which they occurred.
//! 2. While fewer than [`BATCHES_MAX`] batches are unconfirmed, waiting ones are sent at
//!    once: under light load each alone, under heavy load many together.
//! 3. A batch that is not confirmed in time, or that no dispatcher received, is sent
//!    again under the same number, at growing intervals, without end.
//! 4. No message is longer than the server takes: several outcomes go in several messages,
//!    and if a single one is too long, its log is cut, then its output, each marked. If the server
//!    takes less than before, the unconfirmed outcomes are put into new batches.
//! 5. A confirmation returns the batch's outcomes to the caller and frees its place.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use foldhash::{HashSet, HashSetExt as _};
use rolecast_common::assignment::Assignment;
use rolecast_common::time::Time;
use rolecast_common::wire::{Blob, JobUsage, Outcome, OutcomeBatch, OutcomeStatus, VERSION};

use super::execution::Execution;
use super::output::{Event, Output};

/// Unconfirmed batches at once: enough to fill the way to the dispatcher and back, few
/// enough that a busy worker's outcomes gather into large batches.
const BATCHES_MAX: usize = 4;
/// Outcomes in a batch; from there on the cost per outcome hardly falls (measured).
const BATCH_COUNT_MAX: usize = 64;
/// Time limit for a confirmation: far above any round trip, below the time in which a
/// person gets impatient (guessed).
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(2);
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// The most bytes of several outcomes in one message: beyond it the cost of a
/// message no longer matters, and a lost one costs much to repeat.
const BATCH_LEN_MAX: usize = 256 * 1024;
/// Bytes of an outcome in a batch besides its output, reason and the names in its
/// assignment: 220 bytes of keys and numbers, 37 of the assignment (derived).
const OUTCOME_OVERHEAD: usize = 288;
/// Bytes of a `traceparent` with its key, in JSON: a little less in MessagePack.
const TRACE_LEN: usize = 72;
/// Bytes that are left in a message beside an outcome: its record, which the dispatcher
/// stores, has the names and times of the job too, some 350 bytes. Records that have
/// failed attempts as well may be longer, and are cut by the dispatcher.
const ROOM: usize = 1024;
/// The most bytes of a reason in an outcome whose output is cut; a thousand characters
/// are kept of any.
const REASON_LEN_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct Ledger {
    /// The most bytes of one outcome.
    outcome_len_max: usize,
    /// The most bytes of a batch of several outcomes.
    batch_len_max: usize,
    batch_next: u64,
    batches: BTreeMap<u64, Batch>,
    waiting: VecDeque<Outcome>,
    /// Executions that ran here and whose outcome is unconfirmed.
    ran: HashSet<Execution>,
}

#[derive(Debug)]
struct Batch {
    outcomes: Arc<OutcomeBatch>,
    /// Number of times it was sent.
    tries: u32,
    /// The time when it is sent (again).
    due: Time,
}

impl Ledger {
    pub(super) fn new(batch_first: u64, max_payload: usize) -> Self {
        Self {
            outcome_len_max: outcome_len_max(max_payload),
            batch_len_max: BATCH_LEN_MAX.min(max_payload / 2),
            batch_next: batch_first,
            batches: BTreeMap::new(),
            waiting: VecDeque::new(),
            ran: HashSet::new(),
        }
    }

    pub(super) fn push(&mut self, outcome: Outcome) {
        if has_run(&outcome) {
            self.ran.insert(Execution::of(assignment(&outcome)));
        }
        self.waiting.push_back(outcome);
    }

    /// Sets the length of the longest message that the server takes.
    pub(super) fn limit(&mut self, max_payload: usize) {
        self.outcome_len_max = outcome_len_max(max_payload);
        self.batch_len_max = BATCH_LEN_MAX.min(max_payload / 2);
        let fits = |batch: &Batch| match batch.outcomes.outcomes.as_slice() {
            [outcome] => outcome_len(outcome) <= self.outcome_len_max,
            outcomes => outcomes.iter().map(outcome_len).sum::<usize>() <= self.batch_len_max,
        };
        let batches = self.batches.iter().rev();
        let too_long = batches.filter(|(_, batch)| !fits(batch));
        let too_long: Vec<u64> = too_long.map(|(number, _)| *number).collect();
        // They keep their order: the oldest batch is put in front last.
        for number in too_long {
            let batch = self.batches.remove(&number);
            let batch = batch.expect("its number was just read");
            let outcomes = Arc::unwrap_or_clone(batch.outcomes).outcomes;
            outcomes
                .into_iter()
                .rev()
                .for_each(|outcome| self.waiting.push_front(outcome));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn outcome_count(&self) -> usize {
        let sent: usize = self
            .batches
            .values()
            .map(|b| b.outcomes.outcomes.len())
            .sum();
        sent + self.waiting.len()
    }

    /// Returns the assignments that ran here and are not confirmed.
    pub(super) fn in_hand(&self) -> impl Iterator<Item = &Assignment> {
        let sent = self
            .batches
            .values()
            .flat_map(|b| b.outcomes.outcomes.iter());
        sent.chain(&self.waiting)
            .filter(|outcome| has_run(outcome))
            .map(assignment)
    }

    /// Stores the newest assignment of an execution that ran here; `false` if there is
    /// none unconfirmed.
    pub(super) fn update(&mut self, execution: &Execution, newest: &Assignment) -> bool {
        if !self.ran.contains(execution) {
            return false;
        }
        let is_it = |outcome: &Outcome| has_run(outcome) && execution.is_of(assignment(outcome));
        for outcome in self.waiting.iter_mut().filter(|outcome| is_it(outcome)) {
            outcome.job = Some(newest.clone());
        }
        for batch in self.batches.values_mut() {
            if !batch.outcomes.outcomes.iter().any(is_it) {
                continue;
            }
            let outcomes = &mut Arc::make_mut(&mut batch.outcomes).outcomes;
            for outcome in outcomes.iter_mut().filter(|outcome| is_it(outcome)) {
                outcome.job = Some(newest.clone());
            }
        }
        true
    }

    /// Forgets that this execution was refused: it is offered again, so the dispatcher
    /// has received the refusal, and a repetition would refuse the new offer.
    pub(super) fn forget_refusals(&mut self, execution: &Execution) {
        if self.ran.len() == self.outcome_count() {
            return;
        }
        let is_it = |outcome: &Outcome| !has_run(outcome) && execution.is_of(assignment(outcome));
        self.waiting.retain(|outcome| !is_it(outcome));
        for batch in self.batches.values_mut() {
            if batch.outcomes.outcomes.iter().any(is_it) {
                let outcomes = &mut Arc::make_mut(&mut batch.outcomes).outcomes;
                outcomes.retain(|outcome| !is_it(outcome));
            }
        }
        self.batches
            .retain(|_, batch| !batch.outcomes.outcomes.is_empty());
    }

    /// Returns the outcomes of a batch, which the dispatcher is responsible for from here
    /// on.
    pub(super) fn confirm(&mut self, number: u64) -> Option<Vec<Outcome>> {
        let batch = self.batches.remove(&number)?;
        let outcomes = Arc::unwrap_or_clone(batch.outcomes).outcomes;
        for outcome in outcomes.iter().filter(|outcome| has_run(outcome)) {
            self.ran.remove(&Execution::of(assignment(outcome)));
        }
        Some(outcomes)
    }

    /// Sends a batch that no dispatcher received again, after a delay.
    pub(super) fn retry_later(&mut self, now: Time, number: u64) {
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.due = now + retry_delay(batch.tries);
        }
    }

    /// Makes every unconfirmed batch due: the connection that carried it is gone.
    pub(super) fn resend(&mut self, now: Time) {
        for batch in self.batches.values_mut() {
            batch.due = now;
        }
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.batches.values().map(|batch| batch.due).min()
    }

    /// Sends what is due.
    pub(super) fn send(&mut self, now: Time, out: &mut Vec<Output>) {
        while self.batches.len() < BATCHES_MAX && !self.waiting.is_empty() {
            let outcomes = Arc::new(self.gather(out));
            let batch = Batch {
                outcomes,
                tries: 0,
                due: now,
            };
            self.batches.insert(self.batch_next, batch);
            self.batch_next += 1;
        }
        for (number, batch) in &mut self.batches {
            if batch.due > now {
                continue;
            }
            batch.tries += 1;
            batch.due = now + CONFIRM_TIMEOUT.max(retry_delay(batch.tries));
            if batch.tries > 1 {
                out.push(Output::Event(Event::Repeated {
                    batch: *number,
                    outcomes: batch.outcomes.outcomes.len(),
                    tries: batch.tries,
                }));
            }
            out.push(Output::SendOutcomes {
                batch: *number,
                outcomes: Arc::clone(&batch.outcomes),
            });
        }
    }

    /// Takes the next batch from the waiting outcomes: at least one.
    fn gather(&mut self, out: &mut Vec<Output>) -> OutcomeBatch {
        let mut len = 0;
        let mut count = 0;
        for outcome in self.waiting.iter_mut().take(BATCH_COUNT_MAX) {
            let whole = outcome.output.0.len();
            if cut(outcome, self.outcome_len_max) {
                out.push(Output::Event(Event::OutputCut {
                    assignment: assignment(outcome).clone(),
                    whole,
                    kept: outcome.output.0.len(),
                }));
            }
            len += outcome_len(outcome);
            if count > 0 && len > self.batch_len_max {
                break;
            }
            count += 1;
        }
        OutcomeBatch {
            v: VERSION,
            outcomes: self.waiting.drain(..count).collect(),
        }
    }
}

/// Returns the most bytes of an outcome: at least half of what the server takes, even if it
/// takes only short messages.
fn outcome_len_max(max_payload: usize) -> usize {
    max_payload.saturating_sub(ROOM).max(max_payload / 2)
}

/// Cuts the reason, the beginning of the log and the end of the output of an outcome that
/// is too long, until it fits; returns whether the output was cut.
fn cut(outcome: &mut Outcome, len_max: usize) -> bool {
    if outcome_len(outcome) <= len_max {
        return false;
    }
    let end = outcome.reason.floor_char_boundary(REASON_LEN_MAX);
    outcome.reason.truncate(end);
    let excess = outcome_len(outcome).saturating_sub(len_max);
    let log = &mut outcome.log.0;
    outcome.log_truncated |= excess > 0 && !log.is_empty();
    *log = log.slice(excess.min(log.len())..);
    let excess = outcome_len(outcome).saturating_sub(len_max);
    if excess > 0 {
        let kept = outcome.output.0.len().saturating_sub(excess);
        outcome.output.0.truncate(kept);
        outcome.output_truncated = true;
    }
    excess > 0
}

/// Returns the delay after this many tries.
fn retry_delay(tries: u32) -> Duration {
    // Beyond this exponent the delay is at its maximum anyway.
    let exponent = tries.saturating_sub(1).min(8);
    (RETRY_MIN * 2u32.pow(exponent)).min(RETRY_MAX)
}

fn outcome_len(outcome: &Outcome) -> usize {
    let assignment = assignment(outcome);
    let trace = outcome.traceparent.map_or(0, |_| TRACE_LEN);
    let ids = assignment.job().as_str().len() + assignment.category().as_str().len();
    OUTCOME_OVERHEAD
        + outcome.output.0.len()
        + outcome.log.0.len()
        + outcome.reason.len()
        + assignment.ack().as_str().len()
        + ids
        + trace
}

/// Returns an outcome with nothing but its status.
pub(super) fn empty_outcome(assignment: Assignment, status: OutcomeStatus) -> Outcome {
    Outcome {
        v: VERSION,
        job: Some(assignment),
        status,
        reason: String::new(),
        output: Blob::default(),
        output_truncated: false,
        log: Blob::default(),
        log_truncated: false,
        started_ms: None,
        run_us: 0,
        usage: JobUsage::default(),
        traceparent: None,
    }
}

pub(super) fn assignment(outcome: &Outcome) -> &Assignment {
    let named = outcome.job.as_ref();
    named.expect("the agent names the assignment of every outcome")
}

/// Returns whether the execution was accepted; a job handed back may not have been.
pub(super) fn has_run(outcome: &Outcome) -> bool {
    outcome.started_ms.is_some() && outcome.status != OutcomeStatus::Refused
}
