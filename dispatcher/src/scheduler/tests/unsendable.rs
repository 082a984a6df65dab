//! Tests of a job that is larger on its way to a node than the server takes.

use rolecast_common::id::{Attempt, Sequence};
use rolecast_common::wire::RecordStatus;

use super::super::{Input, Output};
use super::{node, running, turn};

#[test]
fn a_job_that_cannot_be_sent_is_dead_lettered_and_its_node_not_blamed() {
    let (mut machine, assignment) = running();
    let unsendable = |attempt| Input::Unsendable {
        sequence: Sequence::new(1),
        attempt: Attempt::new(attempt),
        why: "too large".to_owned(),
    };
    assert_eq!(assignment.attempt(), Attempt::new(1));
    // A report on another attempt is ignored.
    assert!(turn(&mut machine, 0.1, [unsendable(2)]).is_empty());
    let out = turn(&mut machine, 0.1, [unsendable(1)]);
    let [Output::DeadLetter { record, ack }] = &out[..] else {
        panic!("{out:?}");
    };
    assert!(ack.is_some());
    assert_eq!(record.status, RecordStatus::Dead);
    assert_eq!(record.reason, "too large");
    assert_eq!((record.attempt, &record.node), (None, &None));
    assert!(record.failures.is_empty());
    let n1 = machine.fleet.get(&node("n1")).unwrap();
    assert_eq!((n1.jobs(), n1.is_gone()), (0, false));
    assert!(turn(&mut machine, 0.2, [unsendable(1)]).is_empty());
}
