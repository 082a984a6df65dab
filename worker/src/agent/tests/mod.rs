//! Tests of the agent, rule by rule; `any_order` holds them all together.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks out the outputs it is about"
)]

mod admission;
mod any_order;
mod bench;
mod cancelling;
mod draining;
mod lengths;
mod outcomes;
mod progress;
mod roles;

use std::time::Duration;

use rolecast_common::assignment::Ack;
use rolecast_common::id::Epoch;
use rolecast_common::unit::{Cores, Resources};
use rolecast_common::wire::{Heartbeat, Message as _, Usage, encode};

use super::*;
use bench::{Bench, SECOND, ack, assignment, assignment_of, ended, with_ack, with_epoch};

#[test]
fn a_job_is_started_and_its_outcome_sent_until_it_is_confirmed() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    assert_eq!(bench.heartbeat().jobs, [assignment("a", 1)]);
    bench.end(run, OutcomeStatus::Completed);
    let (batch, outcomes) = bench.sent().remove(0);
    assert_eq!(outcomes[0].status, OutcomeStatus::Completed);
    assert_eq!(outcomes[0].output.0, "out");
    assert_eq!(bench.heartbeat().jobs, [assignment("a", 1)]);
    bench.pass(2 * SECOND);
    assert_eq!(bench.sent()[0].0, batch, "repeated under the same number");
    bench.input(Input::Confirmed { batch });
    assert!(bench.heartbeat().jobs.is_empty());
    bench.pass(60 * SECOND);
    assert!(bench.sent().is_empty());
}

#[test]
fn the_total_limit_and_the_limit_of_a_category_refuse() {
    let mut bench = Bench::new();
    bench.offer(assignment_of("pair", "a", 1));
    bench.offer(assignment_of("pair", "b", 1));
    bench.offer(assignment_of("pair", "c", 1));
    let reason = "2 pair jobs run here, which is the limit";
    assert_eq!(
        bench.refusal(),
        Some((OutcomeStatus::Refused, reason.to_owned()))
    );
    bench.start("d", 1);
    bench.offer(assignment("e", 1));
    let reason = "3 jobs run here, which is the limit";
    assert_eq!(
        bench.refusal(),
        Some((OutcomeStatus::Refused, reason.to_owned()))
    );
}

#[test]
fn a_category_nobody_runs_here_is_refused() {
    let mut bench = Bench::new();
    bench.offer(assignment_of("other", "a", 1));
    let reason = "category other is not run here";
    assert_eq!(
        bench.refusal(),
        Some((OutcomeStatus::Refused, reason.to_owned()))
    );
    assert!(bench.heartbeat().jobs.is_empty(), "it was never in hand");
}

#[test]
fn a_job_that_could_not_be_started_is_refused_and_may_come_again() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    let reason = "unable: cannot run /usr/bin/x: No such file or directory";
    let refused = Ended {
        reason: reason.to_owned(),
        ..ended(run, OutcomeStatus::Refused)
    };
    bench.input(Input::Ended(vec![refused]));
    let (batch, outcomes) = bench.sent().remove(0);
    let outcome = &outcomes[0];
    assert_eq!(
        (outcome.status, outcome.reason.as_str()),
        (OutcomeStatus::Refused, reason)
    );
    assert_eq!(outcome.started_ms, None, "it never ran");
    bench.input(Input::Confirmed { batch });
    assert_ne!(bench.start("a", 1), run, "the same attempt is run");
}

#[test]
fn a_job_whose_deadline_has_passed_is_refused() {
    let mut bench = Bench::new();
    let deadline = Some(bench.now.wall);
    bench.input(Input::Job(Offer {
        assignment: assignment("a", 1),
        deadline,
        time_limit: None,
        roles: Vec::new(),
        trace: None,
    }));
    let reason = "deadline passed".to_owned();
    assert_eq!(bench.refusal(), Some((OutcomeStatus::Refused, reason)));
}

#[test]
fn an_older_dispatcher_is_refused_and_a_newer_one_is_remembered() {
    let mut bench = Bench::new();
    let mut newer = assignment("a", 1);
    newer = with_epoch(&newer, 9);
    bench.offer(newer);
    bench.offer(assignment("b", 1));
    let reason = "stale epoch 7: this node has seen 9; if no dispatcher had that epoch, stop \
                  this worker and run rolecast-worker forget-epoch"
        .to_owned();
    assert_eq!(bench.refusal(), Some((OutcomeStatus::Refused, reason)));
    assert_eq!(bench.heartbeat().epoch, Epoch::new(9));
}

#[test]
fn a_job_in_hand_is_not_run_twice_and_answers_to_its_newest_assignment() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    let mut newest = assignment("a", 1);
    newest = with_ack(&newest, ack(77));
    bench.offer(newest.clone());
    assert!(bench.starts().is_empty());
    assert_eq!(bench.heartbeat().jobs, [newest.clone()]);
    bench.end(run, OutcomeStatus::Completed);
    assert_eq!(bench.sent()[0].1[0].job, Some(newest));
    let mut newest = assignment("a", 1);
    newest = with_ack(&newest, ack(78));
    bench.offer(newest.clone());
    assert!(bench.starts().is_empty() && bench.sent().is_empty());
    bench.pass(2 * SECOND);
    assert_eq!(bench.sent()[0].1[0].job, Some(newest));
}

#[test]
fn an_execution_counts_for_the_category_it_was_started_for() {
    let mut bench = Bench::new();
    bench.offer(assignment_of("pair", "a", 1));
    let run = bench.starts()[0];
    bench.offer(assignment("a", 1));
    bench.end(run, OutcomeStatus::Completed);
    bench.confirm_all();
    bench.offer(assignment_of("pair", "b", 1));
    bench.offer(assignment_of("pair", "c", 1));
    assert_eq!(bench.starts().len(), 2);
}

#[test]
fn a_heartbeat_shows_at_once_that_the_use_of_others_moved() {
    let mut bench = Bench::new();
    bench.pass(SECOND);
    assert_eq!(
        until_beat(&mut bench, 0.3),
        1000,
        "a little changes nothing"
    );
    assert_eq!(until_beat(&mut bench, 2.0), 100, "at a distance from any");
    assert_eq!(until_beat(&mut bench, 0.0), 250, "further from its kind");
    assert_eq!(until_beat(&mut bench, 0.1), 1000, "compared with the last");
    bench.pass(Duration::from_millis(300));
    assert_eq!(until_beat(&mut bench, 2.0), 0);
    assert_eq!(bench.heartbeat().usage.total.cpu, Cores::clamped(2.0));
    let mut bench = Bench::without_heartbeat_on_change();
    bench.pass(SECOND);
    assert_eq!(until_beat(&mut bench, 4.0), 1000);
}

/// Reports how many cores others use, and returns how many milliseconds later there is a
/// heartbeat.
fn until_beat(bench: &mut Bench, cpu: f64) -> u64 {
    let total = Resources {
        cpu: Cores::clamped(cpu),
        ..Resources::default()
    };
    bench.take();
    bench.input(Input::Usage(Usage {
        total,
        ..Usage::default()
    }));
    let is_beat = |output: &Output| matches!(output, Output::Heartbeat(_));
    for elapsed in 0.. {
        if bench.take().iter().any(is_beat) {
            return elapsed;
        }
        bench.pass(Duration::from_millis(1));
    }
    unreachable!("there is a heartbeat every second")
}

#[test]
fn a_settled_job_that_comes_again_is_answered_without_running() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.end(run, OutcomeStatus::Completed);
    bench.confirm_all();
    bench.take();
    bench.offer(assignment("a", 1));
    assert_eq!(bench.alive, []);
    let sent = bench.sent();
    assert_eq!(sent[0].1[0].status, OutcomeStatus::Completed);
    assert_eq!(sent[0].1[0].output.0, "out");
    bench.offer(assignment("a", 2));
    assert_eq!(
        bench.starts().len(),
        1,
        "another attempt is another execution"
    );
}

#[test]
fn a_job_submitted_again_under_its_id_runs_again() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.end(run, OutcomeStatus::GiveUp);
    bench.confirm_all();
    let mut retried = assignment("a", 1);
    retried = with_ack(&retried, Ack::parse("$JS.ACK.S.c.1.99.1.1.1").unwrap());
    bench.offer(retried);
    assert_eq!(bench.starts().len(), 1);
}

#[test]
fn a_refused_job_may_come_again_and_its_refusal_is_forgotten() {
    let mut bench = Bench::new();
    let runs: Vec<Run> = ["a", "b", "c"].map(|job| bench.start(job, 1)).into();
    bench.offer(assignment("d", 1));
    assert!(bench.refusal().is_some());
    bench.end(runs[0], OutcomeStatus::Completed);
    bench.confirm_newest();
    bench.offer(assignment("d", 1));
    assert_eq!(bench.starts().len(), 1);
    bench.pass(5 * SECOND);
    assert!(bench.sent().is_empty(), "the refusal is not repeated");
}

#[test]
fn a_job_is_stopped_at_its_time_limit_or_deadline_whichever_is_first() {
    let mut bench = Bench::new();
    for (job, deadline, offered, stop_after, reason) in [
        ("a", None, None, 10, "time limit of 10s reached"),
        ("b", Some(3), Some(5), 3, "deadline passed while it ran"),
        ("c", Some(30), None, 10, "time limit of 10s reached"),
        ("d", None, Some(4), 4, "time limit of 4s reached"),
        ("e", None, Some(40), 10, "time limit of 10s reached"),
    ] {
        bench.input(Input::Job(Offer {
            assignment: assignment_of("pair", job, 1),
            deadline: deadline.map(|seconds| bench.now.wall + seconds * SECOND),
            time_limit: offered.map(|seconds| seconds * SECOND),
            roles: Vec::new(),
            trace: None,
        }));
        let run = bench.starts()[0];
        bench.pass(stop_after * SECOND - Duration::from_millis(1));
        assert!(!bench.take().contains(&Output::Stop(run)));
        bench.pass(Duration::from_millis(1));
        assert!(bench.take().contains(&Output::Stop(run)));
        bench.input(Input::Ended(vec![Ended {
            failure: Some(Failure::Signal),
            ..ended(run, OutcomeStatus::Completed)
        }]));
        let failure = Failure::TimeLimit;
        let failed = Output::Event(Event::CommandFailed { failure });
        assert!(bench.out.contains(&failed), "{:?}", bench.out);
        let outcome = bench.sent()[0].1[0].clone();
        assert_eq!(outcome.status, OutcomeStatus::Retry);
        assert_eq!(outcome.reason, reason);
        bench.confirm_newest();
    }
}

#[test]
fn a_late_word_about_an_execution_that_ended_is_ignored() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.end(run, OutcomeStatus::Completed);
    bench.sent();
    bench.end(run, OutcomeStatus::GiveUp);
    assert!(bench.sent().is_empty());
}

#[test]
fn a_full_heartbeat_stays_below_its_limit() {
    let mut bench = Bench::with_jobs_max(1024);
    for n in 0..1024 {
        let mut long = assignment(&format!("{n:0>64}"), 1);
        let stream = "s".repeat(250);
        long = with_ack(
            &long,
            Ack::parse(&format!("$JS.ACK.{stream}.c.1.1.1.1.1")).unwrap(),
        );
        bench.offer(long);
    }
    let heartbeat = bench.heartbeat();
    let bytes = encode(Default::default(), &heartbeat);
    assert!(bytes.len() < Heartbeat::LEN_MAX, "{}", bytes.len());
    assert!(heartbeat.jobs.len() > 500, "{}", heartbeat.jobs.len());
}
