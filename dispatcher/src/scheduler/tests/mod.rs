//! Tests of the machine, one situation at a time.

mod absence;
mod epochs;
mod explaining;
mod fates;
mod forecasting;
mod liveness;
mod losses;
mod nodes;
mod overdue;
mod pinging;
mod sealed;
mod status;
mod unsendable;
mod waiting;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::id::{Category, Epoch, JobId, NodeId, Sequence};
use rolecast_common::label::Requirement;
use rolecast_common::options::{self, Headers, InvalidOption, Options};
use rolecast_common::subjects::Source;
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::unit::Resources;
use rolecast_common::wire::{
    Blob, JobState, JobUsage, Outcome, OutcomeStatus, RecordStatus, VERSION,
};

use super::*;
use crate::allowance::Allowances;
use crate::claim::Claimed;
use crate::fleet::tests::{beat, params};
use sealed::{seals, sent_as};

const START: u64 = 1_700_000_000_000;

fn now(seconds: f64) -> Now {
    let elapsed = Duration::from_secs_f64(seconds);
    Now {
        time: Time::from_start(elapsed),
        wall: WallTime::from_millis(START) + elapsed,
    }
}

/// A category whose jobs are declared to need nothing.
fn policy(category: &str) -> Policy {
    fleet::tests::policy(category, Resources::default())
}

fn machine() -> Scheduler {
    machine_of(vec![policy("ocr"), policy("scan")])
}

fn machine_of(policies: Vec<Policy>) -> Scheduler {
    let params = Params {
        name: "d".to_owned(),
        forecast: params(),
        roles: crate::roles::Settings::default(),
        policies,
        allowances: Allowances::default(),
        has_feedback: true,
        undeclared: Some(policy("any")),
        warm_up: Duration::ZERO,
        ack_wait: Duration::from_secs(15),
        seed: 7,
    };
    led(Scheduler::new(params, now(0.0)), 5)
}

/// Gives the machine the lead at its start.
fn led(mut machine: Scheduler, epoch: u64) -> Scheduler {
    let lead = Input::Lead {
        epoch: Epoch::new(epoch),
        until: Time::from_start(Duration::MAX),
        seals: seals(epoch),
        histories: Vec::new(),
    };
    machine.handle(now(0.0), lead, &mut Vec::new());
    machine
}

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn ack(sequence: u64, delivered: u64) -> Ack {
    let stored = START * 1_000_000;
    let subject = format!("$JS.ACK.ROLECAST_JOBS.normal-ocr.{delivered}.{sequence}.1.{stored}.0");
    Ack::parse(&subject).unwrap()
}

fn delivery_of(source: &str, sequence: u64, delivered: u64) -> Delivery {
    let job = JobId::new(&format!("job-{sequence}")).unwrap();
    Delivery {
        source: Source::parse(source).unwrap(),
        ack: ack(sequence, delivered),
        options: Ok(Options {
            job: job.clone(),
            deadline: None,
            not_before: None,
            require: Requirement::default(),
            key: None,
        }),
        job,
    }
}

fn delivery(sequence: u64, delivered: u64) -> Input {
    Input::Delivered(delivery_of("rolecast.jobs.ocr", sequence, delivered))
}

fn heartbeat(name: &str, boot: &str, sequence: u64, jobs: Vec<Assignment>) -> Input {
    let mut beat = beat(name, boot, sequence);
    beat.jobs = jobs;
    for category in ["ocr", "scan", "new"] {
        beat.categories.insert(Category::new(category).unwrap(), 4);
    }
    Input::Heartbeat {
        from: node(name),
        heartbeat: Box::new(beat),
    }
}

fn outcome(status: OutcomeStatus) -> Outcome {
    Outcome {
        v: VERSION,
        job: None,
        status,
        reason: "because".to_owned(),
        output: Blob::default(),
        output_truncated: false,
        started_ms: None,
        run_us: 1,
        usage: JobUsage::default(),
    }
}

fn report(from: &str, assignment: &Assignment, status: OutcomeStatus) -> Input {
    Input::Outcomes {
        from: node(from),
        reply: Some("confirm".to_owned()),
        outcomes: vec![(Claimed::new(assignment.clone()), outcome(status))],
    }
}

/// Lets the time pass, as with a shell that is never late.
fn pass(machine: &mut Scheduler, seconds: f64, out: &mut Vec<Output>) {
    let until = now(seconds).time;
    while machine.next_deadline() < until {
        let elapsed = machine.next_deadline().since(Time::ZERO).as_secs_f64();
        machine.handle(now(elapsed), Input::Turn, out);
    }
}

/// Returns all commands.
fn all(
    machine: &mut Scheduler,
    seconds: f64,
    inputs: impl IntoIterator<Item = Input>,
) -> Vec<Output> {
    let mut out = Vec::new();
    pass(machine, seconds, &mut out);
    for input in inputs.into_iter().chain([Input::Turn]) {
        machine.handle(now(seconds), input, &mut out);
    }
    out
}

/// Passes the inputs in one turn and returns the commands.
fn turn(
    machine: &mut Scheduler,
    seconds: f64,
    inputs: impl IntoIterator<Item = Input>,
) -> Vec<Output> {
    let mut out = all(machine, seconds, inputs);
    // Records of decisions have tests of their own.
    out.retain(|output| !matches!(output, Output::RecordDecision(_)));
    out.retain(|output| {
        let is_aside = matches!(
            output,
            Output::Fetch { .. }
                | Output::Ping { .. }
                | Output::AskReport { .. }
                | Output::Recover
                | Output::Event(_)
                | Output::PublishCapacity(_)
                | Output::Learn(_)
                // None of these tests has a document of roles.
                | Output::Roles(_)
        );
        !is_aside
    });
    out
}

fn forwarded(out: &[Output]) -> Vec<(NodeId, Assignment)> {
    let forwards = out.iter().filter_map(|output| {
        let Output::Forward {
            node, assignment, ..
        } = output
        else {
            return None;
        };
        Some((node.clone(), assignment.clone()))
    });
    forwards.collect()
}

/// Starts with node n1 and job 1 running on it.
fn running() -> (Scheduler, Assignment) {
    let mut machine = machine();
    let out = turn(
        &mut machine,
        0.0,
        [heartbeat("n1", "a", 1, vec![]), delivery(1, 1)],
    );
    let (at, assignment) = forwarded(&out).remove(0);
    assert_eq!(at, node("n1"));
    (machine, assignment)
}

#[test]
fn a_completed_job_is_recorded_then_acknowledged_then_confirmed() {
    let (mut machine, assignment) = running();
    let out = turn(
        &mut machine,
        1.0,
        [report("n1", &assignment, OutcomeStatus::Completed)],
    );
    let [Output::Record(record)] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(
        (record.status, record.epoch),
        (RecordStatus::Completed, Epoch::new(5))
    );
    let recorded = Input::Recorded {
        sequence: Sequence::new(1),
        result: Recorded::Stored,
    };
    let out = turn(&mut machine, 1.0, [recorded]);
    let expected = [
        Output::Ack {
            sequence: Sequence::new(1),
            ack: ack(1, 1),
        },
        Output::Confirm("confirm".to_owned()),
    ];
    assert_eq!(out, expected);
    assert!(machine.is_idle());
}

#[test]
fn an_unanswered_record_is_asked_for_again() {
    let (mut machine, assignment) = running();
    turn(
        &mut machine,
        1.0,
        [report("n1", &assignment, OutcomeStatus::Completed)],
    );
    assert!(turn(&mut machine, 2.5, [heartbeat("n1", "a", 2, vec![])]).is_empty());
    let out = turn(&mut machine, 3.1, []);
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
}

#[test]
fn a_category_without_records_is_acknowledged_at_once() {
    let (mut machine, assignment) = running();
    let ocr = Category::new("ocr").unwrap();
    let policy = machine.queue.categories_mut().policy_mut(&ocr);
    policy.records_completed = false;
    let out = turn(
        &mut machine,
        1.0,
        [report("n1", &assignment, OutcomeStatus::Completed)],
    );
    assert!(
        matches!(out[..], [Output::Ack { .. }, Output::Confirm(_)]),
        "{out:?}"
    );
}

#[test]
fn a_failed_job_goes_back_with_a_delay_until_its_attempts_are_used_up() {
    let (mut machine, first) = running();
    let out = turn(
        &mut machine,
        1.0,
        [report("n1", &first, OutcomeStatus::Retry)],
    );
    let [
        Output::SaveHistory { history, .. },
        Output::GiveBack { delay, .. },
        Output::Confirm(_),
    ] = &out[..]
    else {
        panic!("{out:?}");
    };
    assert_eq!(history.failures.len(), 1);
    assert!((1000..=1500).contains(&delay.as_millis()), "{delay:?}");
    assert_eq!(
        machine.job(now(0.0), first.job()).unwrap().state,
        JobState::Delayed
    );
    let out = turn(&mut machine, 2.6, [delivery(1, 2)]);
    let (_, second) = forwarded(&out).remove(0);
    assert_eq!(second.attempt().get(), 2);
    let out = turn(
        &mut machine,
        3.0,
        [report("n1", &second, OutcomeStatus::Retry)],
    );
    let [
        Output::Bury {
            record,
            ack: Some(_),
        },
        Output::Confirm(_),
    ] = &out[..]
    else {
        panic!("{out:?}");
    };
    assert_eq!(
        (record.status, record.failures.len()),
        (RecordStatus::Dead, 2)
    );
    let buried = Input::Buried {
        sequence: Sequence::new(1),
        is_done: true,
    };
    let out = turn(&mut machine, 3.0, [buried]);
    assert_eq!(out, [Output::ForgetHistory(Sequence::new(1))]);
}

#[test]
fn a_failed_burial_is_tried_again() {
    let (mut machine, assignment) = running();
    turn(
        &mut machine,
        1.0,
        [report("n1", &assignment, OutcomeStatus::GiveUp)],
    );
    let failed = Input::Buried {
        sequence: Sequence::new(1),
        is_done: false,
    };
    assert!(turn(&mut machine, 1.1, [failed, heartbeat("n1", "a", 2, vec![])]).is_empty());
    let out = turn(&mut machine, 3.5, []);
    assert!(matches!(out[..], [Output::Bury { .. }]), "{out:?}");
}

#[test]
fn a_settled_job_that_is_delivered_again_is_acknowledged_and_not_run() {
    let (mut machine, assignment) = running();
    let recorded = Input::Recorded {
        sequence: Sequence::new(1),
        result: Recorded::Already,
    };
    let done = report("n1", &assignment, OutcomeStatus::Completed);
    turn(&mut machine, 1.0, [done, recorded]);
    assert_eq!(machine.reporting.counters().duplicates, 1);
    let out = turn(&mut machine, 1.1, [delivery(1, 2)]);
    assert!(matches!(out[..], [Output::Ack { .. }]), "{out:?}");
}

#[test]
fn a_flood_in_one_category_leaves_room_for_the_others() {
    let mut machine = machine();
    turn(&mut machine, 0.0, (1..9).map(|job| delivery(job, 1)));
    let scan = Input::Delivered(delivery_of("rolecast.jobs.scan", 100, 1));
    let urgent = Input::Delivered(delivery_of("rolecast.jobs.scan.high", 101, 1));
    turn(&mut machine, 0.1, [scan, urgent]);
    let out = turn(&mut machine, 0.2, [heartbeat("n1", "a", 1, vec![])]);
    let jobs: Vec<u64> = forwarded(&out)
        .iter()
        .map(|(_, assignment)| assignment.ack().sequence().get())
        .collect();
    assert_eq!(jobs.len(), 4);
    assert_eq!(jobs[0], 101);
    assert!(jobs.contains(&100), "{jobs:?}");
}

#[test]
fn delays_deadlines_and_bad_options_are_judged_on_arrival_and_while_waiting() {
    let mut machine = machine();
    let with = |sequence, options: Result<Options, InvalidOption>| {
        Input::Delivered(Delivery {
            options,
            ..delivery_of("rolecast.jobs.ocr", sequence, 1)
        })
    };
    let options = |deadline: Option<u64>, not_before: Option<u64>| {
        Ok(Options {
            job: JobId::new("j").unwrap(),
            deadline: deadline.map(|s| now(0.0).wall + Duration::from_secs(s)),
            not_before: not_before.map(|s| now(0.0).wall + Duration::from_secs(s)),
            require: Requirement::default(),
            key: None,
        })
    };
    let bad = options::parse(
        options::Origin {
            sequence: Sequence::new(3),
            stored: WallTime::default(),
            stream_created: WallTime::default(),
        },
        &Headers::read([("rolecast-delay", "soon")]),
    );
    let inputs = [
        with(1, options(None, Some(10))),
        with(2, options(Some(1), None)),
        with(3, bad),
        with(4, options(Some(5), None)),
    ];
    let out = turn(&mut machine, 2.0, inputs);
    let [
        Output::GiveBack { delay, .. },
        Output::Bury { record: late, .. },
        Output::Bury { record: bad, .. },
    ] = &out[..]
    else {
        panic!("{out:?}");
    };
    assert_eq!(*delay, Duration::from_secs(8));
    assert_eq!(late.status, RecordStatus::Expired);
    assert!(bad.reason.contains("soon"), "{}", bad.reason);
    let out = turn(&mut machine, 5.1, []);
    assert!(
        matches!(&out[..], [Output::Bury { record, .. }] if record.status == RecordStatus::Expired),
        "{out:?}"
    );
}

#[test]
fn without_a_node_jobs_wait_and_only_a_few_are_fetched() {
    let mut machine = machine();
    let mut out = Vec::new();
    machine.handle(now(0.0), Input::Turn, &mut out);
    let batches: BTreeSet<u32> = out
        .iter()
        .filter_map(|output| {
            let Output::Fetch { batch, .. } = output else {
                return None;
            };
            Some(*batch)
        })
        .collect();
    assert_eq!(batches, BTreeSet::from([16]));
    out.clear();
    machine.handle(now(0.1), delivery(1, 1), &mut out);
    machine.handle(now(0.1), Input::Turn, &mut out);
    assert!(
        out.iter()
            .any(|o| matches!(o, Output::Event(Event::NoEligibleNode { .. }))),
        "{out:?}"
    );
    let status = machine.status(now(0.2));
    assert_eq!(status.categories[0].waiting, 1);
    assert_eq!(status.categories[0].nodes_eligible, 0);
}

#[test]
fn an_undeclared_category_is_served_with_the_default_policy() {
    let mut machine = machine();
    let new = Category::new("new").unwrap();
    turn(&mut machine, 0.0, [Input::Found(new)]);
    let job = Input::Delivered(delivery_of("rolecast.jobs.new", 1, 1));
    let out = turn(&mut machine, 0.1, [heartbeat("n1", "a", 1, vec![]), job]);
    assert_eq!(forwarded(&out).len(), 1);
}

#[test]
fn a_stopping_machine_gives_back_what_it_has_not_sent() {
    let mut machine = machine();
    turn(&mut machine, 0.0, [delivery(1, 1), delivery(2, 1)]);
    let out = turn(&mut machine, 0.1, [Input::Stop, delivery(3, 1)]);
    let given_back = out.iter().filter(|o| matches!(o, Output::GiveBack { .. }));
    assert_eq!(given_back.count(), 3);
    assert!(machine.is_idle());
}
