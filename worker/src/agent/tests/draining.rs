//! Tests of a worker that drains: its jobs end or are handed back, then it leaves.

use super::super::*;
use super::bench::{Bench, SECOND, assignment};

#[test]
fn draining_hands_new_jobs_back_and_ends_when_nothing_is_in_hand() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.take();
    bench.input(Input::Drain);
    let emitted = bench.take();
    assert!(
        emitted
            .iter()
            .any(|o| matches!(o, Output::Heartbeat(h) if h.draining))
    );
    bench.offer(assignment("b", 1));
    let reason = "the worker is draining".to_owned();
    assert_eq!(bench.refusal(), Some((OutcomeStatus::HandedBack, reason)));
    bench.end(run, OutcomeStatus::Completed);
    bench.pass(SECOND);
    assert!(!bench.has_left);
    bench.confirm_all();
    assert!(bench.has_left);
}

#[test]
fn a_drained_worker_stays_for_the_jobs_that_are_on_their_way() {
    let mut bench = Bench::new();
    bench.input(Input::Drain);
    bench.offer(assignment("a", 1));
    assert_eq!(bench.refusal().unwrap().0, OutcomeStatus::HandedBack);
    bench.confirm_all();
    assert!(!bench.has_left);
    bench.pass(duty::LINGER);
    assert!(bench.has_left);
}

#[test]
fn what_outlives_the_grace_time_is_stopped_and_handed_back_at_once() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.input(Input::Drain);
    bench.take();
    bench.pass(5 * SECOND);
    let out = bench.take();
    assert!(out.contains(&Output::Stop(run)));
    let handed_back = out.iter().any(|output| match output {
        Output::SendOutcomes { outcomes, .. } => {
            outcomes.outcomes[0].status == OutcomeStatus::HandedBack
        }
        _ => false,
    });
    assert!(handed_back);
    bench.end(run, OutcomeStatus::Completed);
    assert!(
        !bench
            .sent()
            .iter()
            .any(|(_, o)| o[0].status == OutcomeStatus::Completed)
    );
    assert!(!bench.has_left);
    bench.pass(2 * SECOND);
    assert!(bench.has_left, "it leaves though nobody confirmed");
}

#[test]
fn a_second_drain_ends_the_grace_time() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.input(Input::Drain);
    bench.input(Input::Drain);
    assert!(bench.take().contains(&Output::Stop(run)));
}
