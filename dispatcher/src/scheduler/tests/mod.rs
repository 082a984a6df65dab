//! Tests of the scheduler, one situation at a time.

mod absence;
mod admission;
mod cancelling;
mod cancels;
mod epochs;
mod explaining;
mod fates;
mod figures;
mod forecasting;
mod hosts;
mod life;
mod listing;
mod liveness;
mod losses;
mod nodes;
mod outages;
mod overdue;
mod pinging;
mod progress;
mod sealed;
mod status;
mod traces;
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
    Blob, JobState, JobUsage, NodeHealth, Outcome, OutcomeStatus, RecordStatus, VERSION,
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

/// Gives the scheduler the lead at its start.
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
        options: Ok(Options::new(job.clone())),
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
        log: Blob::default(),
        log_truncated: false,
        started_ms: None,
        run_us: 1,
        usage: JobUsage::default(),
        traceparent: None,
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
                | Output::Trace(_)
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
