//! The standing of an outcome: its relation to the known state of its job.

use rolecast_common::assignment::Assignment;
use rolecast_common::id::NodeId;

use super::Jobs;
use super::job::State;
use crate::claim::Claimed;
use crate::scheduler::context::Context;
use crate::seal::Seals;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scheduler) enum Standing {
    /// Of the known execution, or of one from before this dispatcher's time.
    Current,
    /// Of one ordered by a former dispatcher, or at a node that counted as gone; the job
    /// waits to be sent again.
    Returned,
    /// Of one that is settled, or being settled: a repetition.
    Repeated,
    /// Of one that was revoked: it changes nothing.
    Stale,
    /// Of one whose job was in a stream that is gone.
    Orphaned,
    /// Of one that was never sent there.
    Forged,
}

/// Returns the standing of an outcome. For a job that is held here its own record
/// decides, for every other one the seal.
pub(super) fn of(
    jobs: &Jobs,
    cx: &Context<'_>,
    from: &NodeId,
    claimed: &Claimed<Assignment>,
    seals: &Seals,
) -> Standing {
    let assignment = claimed.unchecked();
    let sequence = assignment.ack().sequence();
    let attempt = assignment.attempt().get();
    let is_genuine = || claimed.genuine(from, seals).is_some();
    let held = jobs.held.get(&sequence);
    if let Some(job) = held.filter(|job| job.id == *assignment.job()) {
        return match &job.state {
            State::Running { node, .. } if node == from && job.past.attempt == attempt => {
                Standing::Current
            }
            State::Recording { .. } | State::DeadLettering { .. }
                if job.past.attempt == attempt =>
            {
                Standing::Repeated
            }
            State::Waiting if jobs.is_waiting_here(cx, from, assignment) && is_genuine() => {
                Standing::Returned
            }
            State::Running { .. }
            | State::Waiting
            | State::Recording { .. }
            | State::DeadLettering { .. } => Standing::Stale,
        };
    }
    if !is_genuine() {
        return Standing::Forged;
    }
    if jobs.is_orphan(assignment) {
        return Standing::Orphaned;
    }
    if held.is_some() {
        return Standing::Stale;
    }
    if jobs.recent.contains(sequence) {
        return Standing::Repeated;
    }
    match jobs.away.get(&sequence) {
        Some(away) if away.history.is_lost_to(from, assignment) => Standing::Current,
        Some(away) if away.history.attempt >= attempt => Standing::Stale,
        Some(_) | None => Standing::Current,
    }
}
