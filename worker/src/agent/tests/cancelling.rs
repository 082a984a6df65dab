//! Cancelled jobs.

use rolecast_common::id::{Attempt, Epoch};
use rolecast_common::wire::{AttemptCancel, VERSION};

use super::*;

fn order(assignment: &Assignment) -> AttemptCancel {
    AttemptCancel {
        v: VERSION,
        epoch: assignment.epoch(),
        job: assignment.job().clone(),
        sequence: assignment.ack().sequence(),
        attempt: assignment.attempt(),
        reason: "cancelled by alice: duplicate".to_owned(),
    }
}

#[test]
fn a_cancelled_job_is_stopped_once_and_reported_as_cancelled() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    let order = order(&assignment("a", 1));
    bench.input(Input::Cancel(order.clone()));
    assert!(bench.take().contains(&Output::Cancel(run)));
    bench.input(Input::Cancel(order.clone()));
    assert!(!bench.take().contains(&Output::Cancel(run)), "a repetition");
    assert_eq!(
        bench.heartbeat().jobs.len(),
        1,
        "it is in hand until it ends"
    );
    bench.end(run, OutcomeStatus::Retry);
    let outcome = bench.sent()[0].1[0].clone();
    assert_eq!(outcome.status, OutcomeStatus::Cancelled);
    assert_eq!(outcome.reason, order.reason);
}

#[test]
fn a_job_that_completes_in_spite_of_its_cancel_has_completed() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.input(Input::Cancel(order(&assignment("a", 1))));
    bench.end(run, OutcomeStatus::Completed);
    assert_eq!(bench.sent()[0].1[0].status, OutcomeStatus::Completed);
    bench.input(Input::Cancel(order(&assignment("a", 1))));
    assert_eq!(bench.stopped.len(), 1, "it is over");
}

#[test]
fn a_command_that_was_asked_to_end_has_not_completed_whatever_it_exits_with() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.input(Input::Cancel(order(&assignment("a", 1))));
    bench.input(Input::Ended(vec![Ended {
        failure: Some(Failure::TimeLimit),
        ..ended(run, OutcomeStatus::Completed)
    }]));
    assert_eq!(bench.sent()[0].1[0].status, OutcomeStatus::Cancelled);
}

#[test]
fn a_cancel_of_another_attempt_submission_or_dispatcher_stops_nothing() {
    let mut bench = Bench::new();
    bench.start("a", 2);
    let running = order(&assignment("a", 2));
    for other in [
        AttemptCancel {
            attempt: Attempt::new(1),
            ..running.clone()
        },
        AttemptCancel {
            sequence: assignment("b", 1).ack().sequence(),
            ..running.clone()
        },
        AttemptCancel {
            job: assignment("b", 1).job().clone(),
            ..running.clone()
        },
        AttemptCancel {
            epoch: Epoch::new(6),
            ..running
        },
    ] {
        bench.input(Input::Cancel(other.clone()));
        assert_eq!(bench.stopped.len(), 0, "{other:?}");
    }
}

#[test]
fn a_cancelled_job_that_also_runs_too_long_stays_cancelled() {
    let mut bench = Bench::new();
    bench.offer(assignment_of("pair", "a", 1));
    let run = bench.starts()[0];
    bench.input(Input::Cancel(order(&assignment_of("pair", "a", 1))));
    bench.pass(11 * SECOND);
    assert!(!bench.take().contains(&Output::Stop(run)));
    bench.end(run, OutcomeStatus::Retry);
    assert_eq!(bench.sent()[0].1[0].status, OutcomeStatus::Cancelled);
}
