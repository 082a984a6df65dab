//! Cancels over a take-over, of categories, and their bounds.

use rolecast_common::wire::CancelCounts;

use super::cancelling::{
    answered, cancel, cancelled, of_job, order, ordered, records, stops, stored,
};
use super::*;

fn restored(cancel: Cancel) -> Input {
    Input::Cancel(CancelInput::Restored(vec![cancel]))
}

#[test]
fn a_new_leader_cancels_what_is_redelivered_and_what_it_adopts() {
    let (_, theirs) = running();
    let theirs = sent_as(4, &theirs, ack(1, 1));
    let mut successor = Scheduler::new(machine().params, now(0.0));
    successor.handle(now(0.0), restored(of_job(1)), &mut Vec::new());
    let mut successor = led(successor, 5);
    let beat = heartbeat("n1", "a", 9, vec![theirs.clone()]);
    let out = turn(&mut successor, 0.2, [beat]);
    assert_eq!(stops(&out), [("n1".to_owned(), 1, 5)]);
    let done = report("n1", &theirs, OutcomeStatus::Cancelled);
    cancelled(&turn(&mut successor, 0.3, [done]));

    let mut successor = Scheduler::new(machine().params, now(0.0));
    successor.handle(now(0.0), restored(of_job(1)), &mut Vec::new());
    let mut successor = led(successor, 5);
    let out = turn(&mut successor, 0.1, [delivery(1, 2)]);
    cancelled(&out);
    // The node had it all the same, and is found only afterwards.
    let beat = heartbeat("n1", "a", 9, vec![theirs]);
    let out = turn(&mut successor, 0.2, [beat]);
    assert_eq!(stops(&out).len(), 1);
}

#[test]
fn the_outcome_of_a_job_that_a_former_leader_cancelled_is_not_followed_by_a_retry() {
    let (_, theirs) = running();
    let theirs = sent_as(4, &theirs, ack(1, 1));
    let mut successor = Scheduler::new(machine().params, now(0.0));
    successor.handle(now(0.0), restored(of_job(1)), &mut Vec::new());
    let mut successor = led(successor, 5);
    let done = report("n1", &theirs, OutcomeStatus::Retry);
    cancelled(&turn(&mut successor, 0.1, [done]));
}

#[test]
fn a_category_is_cancelled_by_the_age_of_its_jobs() {
    let mut machine = machine();
    let scan = Input::Delivered(delivery_of("rolecast.jobs.scan", 3, 1));
    turn(&mut machine, 0.0, [delivery(1, 1), delivery(2, 1), scan]);
    let ocr = Category::new("ocr").unwrap();
    let before = |at| order(CancelTarget::Category(ocr.clone(), at));
    let out = turn(
        &mut machine,
        0.1,
        [ordered(1, before(now(0.0).wall)), stored(1)],
    );
    assert_eq!(answered(&out)[0].counts, Some(CancelCounts::default()));
    let later = before(now(0.1).wall);
    let dry = Input::Cancel(CancelInput::Order {
        id: 2,
        cancel: later.clone(),
        is_dry_run: true,
    });
    let expected = Some(CancelCounts {
        waiting: 2,
        ..CancelCounts::default()
    });
    let out = turn(&mut machine, 0.2, [dry]);
    assert_eq!(answered(&out)[0].counts, expected);
    assert_eq!(records(&out), []);
    let out = turn(&mut machine, 0.3, [ordered(3, later), stored(3)]);
    assert_eq!(answered(&out)[0].counts, expected);
    assert_eq!(records(&out).len(), 2);
    // Those behind in the stream follow as they are delivered; an older order changes
    // nothing, and does not take the place of the other in the bucket.
    let older = ordered(4, before(WallTime::from_millis(1)));
    let out = turn(&mut machine, 0.4, [older, delivery(4, 1)]);
    let is_store = |output: &Output| matches!(output, Output::Cancel(CancelOutput::Store { .. }));
    assert!(!out.iter().any(is_store), "{out:?}");
    assert_eq!(answered(&out)[0].counts, Some(CancelCounts::default()));
    assert_eq!(records(&out).len(), 1);
    let out = turn(&mut machine, 0.5, [heartbeat("n1", "a", 1, vec![])]);
    assert_eq!(forwarded(&out).len(), 1, "scan was not cancelled");
}

#[test]
fn a_job_of_the_same_name_that_is_stored_later_is_another_one() {
    let mut machine = machine();
    let mut early = of_job(1);
    early.at = WallTime::from_millis(START - 2_000);
    let beat = heartbeat("n1", "a", 1, vec![]);
    let out = turn(
        &mut machine,
        0.1,
        [ordered(1, early), stored(1), beat, delivery(1, 1)],
    );
    assert_eq!(forwarded(&out).len(), 1);
}

#[test]
fn cancels_are_bounded() {
    let mut machine = machine();
    let mut out = Vec::new();
    for id in 1..=10_001 {
        out.clear();
        machine.handle(now(0.1), cancel(id, id), &mut out);
        machine.handle(now(0.1), stored(id), &mut out);
    }
    let [
        Output::Cancel(CancelOutput::Answer {
            answer: Err(why), ..
        }),
    ] = &out[..]
    else {
        panic!("{out:?}");
    };
    assert!(why.starts_with("10000 cancels"), "{why}");
}

#[test]
fn a_worker_that_reports_a_cancel_nobody_ordered_has_failed() {
    let (mut machine, assignment) = running();
    let done = report("n1", &assignment, OutcomeStatus::Cancelled);
    let out = turn(&mut machine, 0.2, [done]);
    let is_back = |output: &Output| matches!(output, Output::GiveBack { .. });
    assert!(out.iter().any(is_back), "{out:?}");
}
