//! Tests of jobs that run longer than their category allows, and are taken from their
//! node.

use super::*;

use rolecast_common::wire::{OutcomeStatus, RecordStatus};

/// Starts with node n1 and job 1 running on it, which may take a minute.
fn limited() -> (Scheduler, Assignment) {
    let limited = Policy {
        time_limit: Some(Duration::from_secs(60)),
        attempts_max: 2,
        ..policy("ocr")
    };
    let mut machine = machine_of(vec![limited, policy("scan")]);
    let inputs = [heartbeat("n1", "a", 1, vec![]), delivery(1, 1)];
    let out = turn(&mut machine, 0.0, inputs);
    let limits = out.iter().filter_map(|output| {
        let Output::Forward { time_limit, .. } = output else {
            return None;
        };
        Some(*time_limit)
    });
    let limits: Vec<Option<Duration>> = limits.collect();
    assert_eq!(limits, [Some(Duration::from_secs(60))]);
    let (_, assignment) = forwarded(&out).remove(0);
    (machine, assignment)
}

/// Lets the node list the job once a second, and returns the commands of that time.
fn list(machine: &mut Scheduler, seconds: std::ops::Range<u32>, job: &Assignment) -> Vec<Output> {
    let mut out = Vec::new();
    for second in seconds {
        let beat = heartbeat("n1", "a", u64::from(second) + 1, vec![job.clone()]);
        out.extend(turn(machine, f64::from(second), [beat]));
    }
    out.retain(|output| !matches!(output, Output::KeepAlive(_)));
    out
}

#[test]
fn a_job_that_outlives_its_limit_and_the_grace_has_failed_and_its_late_outcome_is_stale() {
    let (mut machine, assignment) = limited();
    let out = list(&mut machine, 1..70, &assignment);
    assert_eq!(out, [], "it is within its limit and the grace");
    let out = list(&mut machine, 70..72, &assignment);
    let [
        Output::SaveHistory { history, .. },
        Output::GiveBack { delay, .. },
    ] = &out[..]
    else {
        panic!("{out:?}");
    };
    let reason = "time limit of 1m passed, and 10s later node n1 had reported no end";
    assert_eq!(history.failures[0].reason, reason);
    assert!(!history.failures[0].gave_up && history.losses.is_empty());
    assert!(!delay.is_zero());
    let fleet = &machine.fleet;
    let status = fleet.status(Time::ZERO, fleet.get(&node("n1")).unwrap());
    assert_eq!(status.failed, 1, "it counts as a failure of its node");

    // The node still lists it, and reports it completed in the end.
    let out = list(&mut machine, 72..73, &assignment);
    assert_eq!(out, []);
    assert_eq!(slots(&machine), 1);
    let late = report("n1", &assignment, OutcomeStatus::Completed);
    let out = turn(&mut machine, 73.0, [late]);
    assert_eq!(out, [Output::Confirm("confirm".to_owned())]);
    assert_eq!(machine.reporting.counters().outcomes_stale, 1);
    assert_eq!(slots(&machine), 0);
}

/// Returns the number of taken slots of the node.
fn slots(machine: &Scheduler) -> u32 {
    machine.fleet.get(&node("n1")).unwrap().jobs()
}

/// A heartbeat of the node that has one slot.
fn narrow(sequence: u32, jobs: Vec<Assignment>) -> Input {
    let mut beat = heartbeat("n1", "a", u64::from(sequence), jobs);
    if let Input::Heartbeat { heartbeat, .. } = &mut beat {
        heartbeat.jobs_max = 1;
    }
    beat
}

#[test]
fn a_job_that_was_taken_away_holds_its_slot_for_as_long_as_the_node_lists_it() {
    let (mut machine, hung) = limited();
    for second in 1..72 {
        let beat = narrow(second + 1, vec![hung.clone()]);
        turn(&mut machine, f64::from(second), [beat]);
    }
    let other = || Input::Delivered(delivery_of("rolecast.jobs.scan", 2, 1));
    let out = turn(&mut machine, 72.0, [other()]);
    assert_eq!(forwarded(&out), [], "it has no room");
    assert_eq!(slots(&machine), 1);
    for second in 72..80 {
        let beat = narrow(second + 1, vec![hung.clone()]);
        let out = turn(&mut machine, f64::from(second) + 0.5, [beat]);
        assert_eq!(forwarded(&out), [], "at {second} s");
    }
    // It was killed at last, or it was never there.
    let out = turn(&mut machine, 80.5, [narrow(81, vec![])]);
    let sent = forwarded(&out);
    assert_eq!(sent[0].1.category().as_str(), "scan");
    assert_eq!((sent.len(), slots(&machine)), (1, 1));
}

#[test]
fn the_slots_of_a_node_that_was_restarted_or_is_gone_are_free() {
    for is_restarted in [true, false] {
        let (mut machine, hung) = limited();
        list(&mut machine, 1..72, &hung);
        assert_eq!(slots(&machine), 1);
        match is_restarted {
            true => drop(turn(&mut machine, 74.0, [heartbeat("n1", "b", 1, vec![])])),
            false => drop(turn(&mut machine, 90.0, [])),
        }
        assert_eq!(slots(&machine), 0, "{is_restarted}");
    }
}

/// Starts with node n1 and job 1 running on it, with a deadline after 30 s.
fn wanted_for_a_while(attempts_max: u32) -> (Scheduler, Assignment) {
    let mut machine = machine_of(vec![Policy {
        attempts_max,
        ..policy("ocr")
    }]);
    let mut delivery = delivery_of("rolecast.jobs.ocr", 1, 1);
    let deadline = now(30.0).wall;
    delivery.options.as_mut().unwrap().deadline = Some(deadline);
    let inputs = [heartbeat("n1", "a", 1, vec![]), Input::Delivered(delivery)];
    let (_, assignment) = forwarded(&turn(&mut machine, 0.0, inputs)).remove(0);
    (machine, assignment)
}

#[test]
fn a_job_that_a_node_does_not_end_at_its_deadline_expires() {
    let (mut machine, assignment) = wanted_for_a_while(3);
    let out = list(&mut machine, 1..40, &assignment);
    assert_eq!(out, [], "it may be on its way");
    let out = list(&mut machine, 40..42, &assignment);
    let Some(Output::DeadLetter { record, .. }) = out.first() else {
        panic!("{out:?}");
    };
    assert_eq!((out.len(), record.status), (1, RecordStatus::Expired));
    assert_eq!(record.node, Some(node("n1")));
    assert_eq!(
        record.failures[0].reason,
        "deadline passed while it ran, and 10s later node n1 had reported no end"
    );
    assert_eq!(slots(&machine), 1);
    let dead_lettered = Input::DeadLettered {
        sequence: Sequence::new(1),
        is_done: true,
    };
    turn(&mut machine, 42.0, [dead_lettered]);
    // A later report of it changes nothing.
    let late = report("n1", &assignment, OutcomeStatus::Completed);
    let out = turn(&mut machine, 43.0, [late]);
    assert_eq!(out, [Output::Confirm("confirm".to_owned())]);
    assert_eq!(slots(&machine), 0);
}

#[test]
fn a_node_that_ends_a_job_at_its_deadline_is_believed() {
    let (mut machine, assignment) = wanted_for_a_while(3);
    list(&mut machine, 1..31, &assignment);
    // As from a worker that stops it then.
    let stopped = report("n1", &assignment, OutcomeStatus::Retry);
    let out = turn(&mut machine, 31.0, [stopped]);
    let Some(Output::DeadLetter { record, .. }) = out.first() else {
        panic!("{out:?}");
    };
    assert_eq!(record.status, RecordStatus::Expired);
    assert_eq!((record.failures.len(), slots(&machine)), (1, 0));
}

#[test]
fn the_last_attempt_that_hangs_makes_the_job_dead_with_that_reason() {
    let (mut machine, first) = limited();
    list(&mut machine, 1..72, &first);
    let beat = heartbeat("n1", "a", 80, vec![]);
    let out = turn(&mut machine, 80.0, [beat, delivery(1, 2)]);
    let (_, second) = forwarded(&out).remove(0);
    assert_eq!(second.attempt().get(), 2);
    let out = list(&mut machine, 81..152, &second);
    let [Output::DeadLetter { record, .. }] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(record.status, RecordStatus::Dead);
    assert!(
        record
            .reason
            .starts_with("2 attempts failed, the last: time limit of 1m passed"),
        "{}",
        record.reason
    );
}

#[test]
fn nothing_is_overdue_before_what_ended_during_an_outage_can_be_here() {
    let (mut machine, assignment) = limited();
    list(&mut machine, 1..50, &assignment);
    turn(&mut machine, 50.0, [Input::Disconnected]);
    let out = turn(&mut machine, 100.0, [Input::Reconnected]);
    let is_given_back = |out: &[Output]| {
        let mut out = out.iter();
        out.any(|output| matches!(output, Output::GiveBack { .. }))
    };
    assert!(!is_given_back(&out), "{out:?}");
    // Workers have 5 s to be back, and then the grace.
    let out = list(&mut machine, 101..115, &assignment);
    assert_eq!(out, []);
    let out = list(&mut machine, 115..117, &assignment);
    assert!(is_given_back(&out), "{out:?}");
}

#[test]
fn categories_without_a_limit_may_run_for_ever() {
    let (mut machine, _) = limited();
    let other = Input::Delivered(delivery_of("rolecast.jobs.scan", 2, 1));
    let out = turn(&mut machine, 0.1, [other]);
    let (_, assignment) = forwarded(&out).remove(0);
    let mut beats = 1..200u32;
    let is_ended = beats.any(|second| {
        let beat = heartbeat("n1", "a", u64::from(second) + 1, vec![assignment.clone()]);
        let out = turn(&mut machine, f64::from(second), [beat]);
        out.iter().any(
            |output| matches!(output, Output::GiveBack { sequence, .. } if sequence.get() == 2),
        )
    });
    assert!(!is_ended);
}
