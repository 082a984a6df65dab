//! Tests of sealed assignments, and of the nodes that may report their end.

use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::id::Epoch;
use rolecast_common::wire::{OutcomeStatus, SealKey};

use super::{Output, heartbeat, node, report, running, turn};
use crate::seal::Seals;

/// The seals of a dispatcher that leads under this epoch.
pub(super) fn seals(epoch: u64) -> Seals {
    let key = |epoch| SealKey::new(u128::from(epoch).to_be_bytes());
    let with = |seals: Seals, epoch| seals.with(Epoch::new(epoch), key(epoch));
    (1..=epoch).fold(Seals::default(), with)
}

/// An assignment of this epoch that was sent to the node n1 with this ack subject.
pub(super) fn sent_as(epoch: u64, like: &Assignment, ack: Ack) -> Assignment {
    Assignment::sealed(
        Epoch::new(epoch),
        like.category().clone(),
        like.job().clone(),
        like.attempt(),
        ack,
        |text| seals(epoch).seal(&node("n1"), text),
    )
}

#[test]
fn only_the_node_that_has_a_job_ends_it_and_only_the_attempt_that_runs() {
    let (mut machine, assignment) = running();
    turn(&mut machine, 0.1, [heartbeat("n2", "a", 1, vec![])]);
    let next = assignment.as_str().replace("job-1.1.", "job-1.2.");
    let next: Assignment = next.parse().unwrap();
    assert_ne!(next, assignment);
    for (from, said) in [("n2", &assignment), ("n1", &next), ("n2", &next)] {
        let done = report(from, said, OutcomeStatus::Completed);
        let out = turn(&mut machine, 0.2, [done]);
        let answer = Output::Confirm("confirm".to_owned());
        assert_eq!(out, [answer], "{from} reports {said}");
    }
    assert_eq!(machine.reporting.counters().outcomes_stale, 3);
    let done = report("n1", &assignment, OutcomeStatus::Completed);
    let out = turn(&mut machine, 0.3, [done]);
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
}
