//! Cancelled jobs, in each of their states.

use rolecast_common::wire::{CancelAnswer, CancelFate, Record};

use super::*;

pub(super) fn order(target: CancelTarget) -> Cancel {
    Cancel {
        target,
        by: "alice".to_owned(),
        reason: "twice".to_owned(),
        at: now(0.0).wall,
    }
}

pub(super) fn of_job(sequence: u64) -> Cancel {
    let job = JobId::new(&format!("job-{sequence}")).unwrap();
    order(CancelTarget::Job(job))
}

/// Returns the request of an operator to cancel a job.
pub(super) fn cancel(id: u64, sequence: u64) -> Input {
    ordered(id, of_job(sequence))
}

pub(super) fn ordered(id: u64, cancel: Cancel) -> Input {
    Input::Cancel(CancelInput::Order {
        id,
        cancel,
        is_dry_run: false,
    })
}

pub(super) fn stored(id: u64) -> Input {
    let result = Ok(());
    Input::Cancel(CancelInput::Stored { id, result })
}

fn removed(sequence: u64, is_done: bool) -> Input {
    let sequence = Sequence::new(sequence);
    Input::Cancel(CancelInput::Removed { sequence, is_done })
}

fn recorded(sequence: u64, result: Recorded) -> Input {
    let sequence = Sequence::new(sequence);
    Input::Recorded { sequence, result }
}

pub(super) fn answered(out: &[Output]) -> Vec<CancelAnswer> {
    let answers = out.iter().filter_map(|output| {
        let Output::Cancel(CancelOutput::Answer { answer, .. }) = output else {
            return None;
        };
        answer.clone().ok()
    });
    answers.map(|answer| *answer).collect()
}

pub(super) fn fate(out: &[Output]) -> Option<CancelFate> {
    answered(out)[0].fate
}

pub(super) fn records(out: &[Output]) -> Vec<Record> {
    let is_dead = |output: &Output| matches!(output, Output::DeadLetter { .. });
    assert!(!out.iter().any(is_dead), "{out:?}");
    let records = out.iter().filter_map(|output| {
        let (Output::Record(record) | Output::Cancel(CancelOutput::Remove(record))) = output else {
            return None;
        };
        Some((**record).clone())
    });
    records.collect()
}

/// Returns the only record, which is of a cancel.
pub(super) fn cancelled(out: &[Output]) -> Record {
    let mut records = records(out);
    assert_eq!(records.len(), 1, "{out:?}");
    let record = records.remove(0);
    assert_eq!(record.status, RecordStatus::Cancelled);
    assert_eq!(record.reason, "cancelled by alice: twice");
    record
}

pub(super) fn stops(out: &[Output]) -> Vec<(String, u32, u64)> {
    let stops = out.iter().filter_map(|output| {
        let Output::Cancel(CancelOutput::Stop { node, order }) = output else {
            return None;
        };
        Some((node.to_string(), order.attempt.get(), order.epoch.get()))
    });
    stops.collect()
}

/// Stores the cancel of job 1, and puts it in force.
pub(super) fn cancel_first(machine: &mut Scheduler, seconds: f64) -> Vec<Output> {
    turn(machine, seconds, [cancel(1, 1), stored(1)])
}

#[test]
fn a_cancel_has_no_effect_before_it_is_stored() {
    let mut machine = machine();
    turn(&mut machine, 0.0, [delivery(1, 1)]);
    let out = turn(&mut machine, 0.1, [cancel(7, 1)]);
    let [Output::Cancel(CancelOutput::Store { id: 7, cancel })] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(**cancel, of_job(1));
    let failed = Input::Cancel(CancelInput::Stored {
        id: 7,
        result: Err("no quorum".to_owned()),
    });
    let out = turn(&mut machine, 0.2, [failed]);
    let answer = Output::Cancel(CancelOutput::Answer {
        id: 7,
        answer: Err("no quorum".to_owned()),
    });
    assert_eq!(out, [answer]);
    let out = turn(&mut machine, 0.3, [heartbeat("n1", "a", 1, vec![])]);
    assert_eq!(forwarded(&out).len(), 1);
}

#[test]
fn a_waiting_job_is_recorded_acknowledged_and_its_cancel_deleted() {
    let mut machine = machine();
    turn(&mut machine, 0.0, [delivery(1, 1)]);
    let out = cancel_first(&mut machine, 0.1);
    assert_eq!(fate(&out), Some(CancelFate::Recording));
    assert_eq!(cancelled(&out).attempt, None);
    let out = turn(&mut machine, 0.2, [heartbeat("n1", "a", 1, vec![])]);
    assert_eq!(forwarded(&out), []);
    let out = turn(&mut machine, 0.3, [recorded(1, Recorded::Stored)]);
    let expected = [
        Output::Cancel(CancelOutput::Forget(of_job_id())),
        Output::Ack {
            sequence: Sequence::new(1),
            ack: ack(1, 1),
        },
    ];
    assert_eq!(out, expected);
    let ocr = Category::new("ocr").unwrap();
    let counts = machine.queue.category(&ocr).unwrap().counts();
    assert_eq!((counts.cancelled, counts.dead), (1, 0));
    let out = turn(&mut machine, 0.4, [delivery(1, 2)]);
    assert!(matches!(out[..], [Output::Ack { .. }]), "{out:?}");
}

fn of_job_id() -> JobId {
    JobId::new("job-1").unwrap()
}

#[test]
fn a_running_job_is_stopped_with_each_heartbeat_until_its_outcome() {
    let (mut machine, assignment) = running();
    let out = cancel_first(&mut machine, 0.1);
    let answer = &answered(&out)[0];
    assert_eq!(
        (answer.fate, answer.node.clone()),
        (Some(CancelFate::Stopping), Some(node("n1")))
    );
    assert_eq!(stops(&out), [("n1".to_owned(), 1, 5)]);
    let beat = heartbeat("n1", "a", 2, vec![assignment.clone()]);
    let out = turn(&mut machine, 0.5, [beat]);
    assert_eq!(stops(&out).len(), 1);
    let view = machine.job(now(0.5), assignment.job()).unwrap();
    assert_eq!(view.state, JobState::Running);
    assert_eq!(view.reason, "cancelled by alice: twice");
    let done = report("n1", &assignment, OutcomeStatus::Cancelled);
    let out = turn(&mut machine, 1.0, [done]);
    let record = cancelled(&out);
    assert_eq!((record.node, record.run_us), (Some(node("n1")), 1));
    let out = turn(&mut machine, 1.0, [recorded(1, Recorded::Stored)]);
    assert!(
        out.contains(&Output::Confirm("confirm".to_owned())),
        "{out:?}"
    );
}

#[test]
fn of_cancel_and_completion_the_record_decides() {
    for (status, expected) in [
        (OutcomeStatus::Completed, RecordStatus::Completed),
        (OutcomeStatus::Retry, RecordStatus::Cancelled),
        (OutcomeStatus::GiveUp, RecordStatus::Cancelled),
        (OutcomeStatus::Refused, RecordStatus::Cancelled),
        (OutcomeStatus::HandedBack, RecordStatus::Cancelled),
    ] {
        let (mut machine, assignment) = running();
        cancel_first(&mut machine, 0.1);
        let done = report("n1", &assignment, status);
        let out = turn(&mut machine, 0.2, [done]);
        assert_eq!(records(&out)[0].status, expected, "{status:?}");
        let given_back = |output: &Output| matches!(output, Output::GiveBack { .. });
        assert!(!out.iter().any(given_back), "{out:?}");
        let out = turn(&mut machine, 0.3, [recorded(1, Recorded::Stored)]);
        let forget = Output::Cancel(CancelOutput::Forget(of_job_id()));
        assert!(out.contains(&forget), "{out:?}");
    }
}

#[test]
fn a_completion_that_is_being_recorded_is_not_cancelled() {
    let (mut machine, assignment) = running();
    let done = report("n1", &assignment, OutcomeStatus::Completed);
    turn(&mut machine, 0.1, [done]);
    let out = cancel_first(&mut machine, 0.2);
    assert_eq!(fate(&out), Some(CancelFate::Ended));
    assert_eq!(records(&out), []);
    assert_eq!(stops(&out), []);
}

#[test]
fn an_outcome_that_a_former_leader_recorded_is_no_cancel() {
    let mut machine = machine();
    turn(&mut machine, 0.0, [delivery(1, 1)]);
    cancel_first(&mut machine, 0.1);
    let out = all(&mut machine, 0.2, [recorded(1, Recorded::Already)]);
    let reported = |output: &Output| matches!(output, Output::Event(Event::JobCancelled { .. }));
    assert!(!out.iter().any(reported));
    let ocr = Category::new("ocr").unwrap();
    assert_eq!(machine.queue.category(&ocr).unwrap().counts().cancelled, 0);
}

#[test]
fn a_cancelled_job_is_not_run_again_when_its_node_is_lost() {
    let (mut machine, assignment) = running();
    cancel_first(&mut machine, 0.1);
    let out = turn(&mut machine, 4.0, [heartbeat("n1", "b", 1, vec![])]);
    let record = cancelled(&out);
    assert_eq!(record.losses.len(), 1);
    turn(&mut machine, 4.1, [recorded(1, Recorded::Stored)]);
    // A node that returns with it, as after a partition, is asked to stop it.
    let beat = heartbeat("n1", "b", 2, vec![assignment]);
    let out = turn(&mut machine, 4.2, [beat]);
    assert_eq!(stops(&out).len(), 1);
}

#[test]
fn a_cancelled_job_that_bounces_or_is_not_sent_does_not_wait_again() {
    let bounced = |assignment: &Assignment| Input::Bounced {
        node: node("n1"),
        assignment: assignment.clone(),
    };
    let unsent = |assignment: &Assignment| Input::Unsent {
        sequence: assignment.ack().sequence(),
        attempt: assignment.attempt(),
    };
    let unsendable = |assignment: &Assignment| Input::Unsendable {
        sequence: assignment.ack().sequence(),
        attempt: assignment.attempt(),
        why: "too large".to_owned(),
    };
    let inputs: [&dyn Fn(&Assignment) -> Input; 3] = [&bounced, &unsent, &unsendable];
    for input in inputs {
        let (mut machine, assignment) = running();
        cancel_first(&mut machine, 0.1);
        let out = turn(&mut machine, 0.2, [input(&assignment)]);
        cancelled(&out);
        assert_eq!(forwarded(&out), []);
    }
}

#[test]
fn an_attempt_that_outlives_its_limit_is_not_followed_by_another() {
    let (mut machine, assignment) = running();
    cancel_first(&mut machine, 0.1);
    let ocr = Category::new("ocr").unwrap();
    let policy = machine.queue.categories_mut().policy_mut(&ocr);
    policy.time_limit = Some(Duration::from_secs(1));
    let mut out = Vec::new();
    for second in 1..15u32 {
        let beat = heartbeat("n1", "a", u64::from(second) + 1, vec![assignment.clone()]);
        out.extend(turn(&mut machine, f64::from(second), [beat]));
    }
    let first = records(&out).remove(0);
    assert_eq!(first.status, RecordStatus::Cancelled);
    assert_eq!(first.failures.len(), 1);
}

/// A job that was given back after its first attempt.
fn delayed() -> Scheduler {
    let (mut machine, assignment) = running();
    let failed = report("n1", &assignment, OutcomeStatus::Retry);
    turn(&mut machine, 0.1, [failed]);
    machine
}

#[test]
fn a_delayed_job_is_recorded_and_deleted_until_that_succeeds() {
    let mut machine = delayed();
    let out = cancel_first(&mut machine, 0.2);
    assert_eq!(fate(&out), Some(CancelFate::Recording));
    let record = cancelled(&out);
    assert_eq!(
        (record.category.as_str(), record.failures.len()),
        ("ocr", 1)
    );
    assert!(!machine.is_idle(), "it is stored first");
    turn(&mut machine, 0.3, [removed(1, false)]);
    let out = turn(&mut machine, 2.5, []);
    cancelled(&out);
    // Its delay ends while it is removed.
    let out = turn(&mut machine, 2.6, [delivery(1, 2)]);
    assert_eq!(out, [Output::Drop(Sequence::new(1))]);
    let out = turn(&mut machine, 2.7, [removed(1, true)]);
    let expected = [
        Output::ForgetHistory(Sequence::new(1)),
        Output::Cancel(CancelOutput::Forget(of_job_id())),
    ];
    assert_eq!(out, expected);
    let out = turn(&mut machine, 2.8, [delivery(1, 3)]);
    assert!(matches!(out[..], [Output::Ack { .. }]), "{out:?}");
}

#[test]
fn a_job_that_is_not_held_is_cancelled_when_it_is_delivered() {
    let mut machine = machine();
    let out = cancel_first(&mut machine, 0.1);
    assert_eq!(fate(&out), Some(CancelFate::Pending));
    let beat = heartbeat("n1", "a", 1, vec![]);
    let out = turn(&mut machine, 0.2, [beat, delivery(1, 1), delivery(2, 1)]);
    cancelled(&out);
    let sent = forwarded(&out);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1.job().as_str(), "job-2");
}

#[test]
fn the_cancel_of_a_job_that_was_not_found_ends_after_a_day() {
    let mut machine = machine();
    cancel_first(&mut machine, 0.1);
    let mut out = Vec::new();
    let beat = heartbeat("n1", "a", 1, vec![]);
    machine.handle(now(24.0 * 3600.0 + 1.0), beat, &mut out);
    machine.handle(now(24.0 * 3600.0 + 1.0), Input::Turn, &mut out);
    let forget = Output::Cancel(CancelOutput::Forget(of_job_id()));
    assert!(out.contains(&forget));
}
