//! Tests of workers that start, restart, or use the name of another.

use std::time::Duration;

use rolecast_common::wire::{AdmissionVerdict, OutcomeStatus};

use super::super::{Input, Output};
use super::{all, beat, heartbeat, machine, node, report, running, turn};

#[test]
fn a_restarted_worker_has_lost_what_its_former_boot_had() {
    let (mut machine, _) = running();
    // The former one may still live, so nothing is judged yet.
    let out = turn(&mut machine, 0.3, [heartbeat("n1", "b", 1, vec![])]);
    assert_eq!(admissions(&out), [AdmissionVerdict::Wait]);
    assert_eq!(out.len(), 1, "{out:?}");
    let out = turn(&mut machine, 2.4, [joining("n1", "b", 2)]);
    assert_eq!(admissions(&out), [AdmissionVerdict::Admitted]);
    assert!(
        out.iter()
            .any(|output| matches!(output, Output::GiveBack { .. })),
        "{out:?}"
    );
}

#[test]
fn a_second_worker_of_a_name_is_refused_and_the_first_keeps_its_jobs() {
    let (mut machine, assignment) = running();
    let out = turn(&mut machine, 0.3, [joining("n1", "b", 1)]);
    assert_eq!(admissions(&out), [AdmissionVerdict::Wait]);
    let first = heartbeat("n1", "a", 2, vec![assignment.clone()]);
    let out = turn(&mut machine, 1.0, [first, joining("n1", "b", 2)]);
    assert_eq!(admissions(&out), [AdmissionVerdict::Refused]);
    assert_eq!(machine.reporting.counters().heartbeats_refused, 1);
    let out = turn(
        &mut machine,
        1.2,
        [report("n1", &assignment, OutcomeStatus::Completed)],
    );
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
}

#[test]
fn a_worker_that_starts_is_admitted_at_once_where_nobody_has_its_name() {
    let mut machine = machine();
    let out = turn(&mut machine, 0.0, [joining("n1", "a", 1)]);
    assert_eq!(admissions(&out), [AdmissionVerdict::Admitted]);
    let out = turn(&mut machine, 0.1, [heartbeat("n1", "a", 2, vec![])]);
    assert!(admissions(&out).is_empty());
}

#[test]
fn a_worker_that_starts_is_asked_again_once_it_can_answer() {
    let mut machine = machine();
    all(&mut machine, 0.0, [joining("n1", "a", 1)]);
    let is_ping = |output: &Output| matches!(output, Output::Ping { .. });
    let out = all(&mut machine, 0.1, [heartbeat("n1", "a", 2, vec![])]);
    assert!(out.iter().any(is_ping), "{out:?}");
    let Some(Output::Ping { node, number: _ }) = out.into_iter().find(is_ping) else {
        panic!("it was just found");
    };
    let round_trip = Duration::from_millis(1);
    all(&mut machine, 0.11, [Input::Latency { node, round_trip }]);
    let out = all(&mut machine, 0.2, [heartbeat("n1", "a", 3, vec![])]);
    assert!(!out.iter().any(is_ping), "{out:?}");
}

fn joining(name: &str, boot: &str, sequence: u64) -> Input {
    let mut beat = beat(name, boot, sequence);
    beat.joining = true;
    Input::Heartbeat {
        from: node(name),
        heartbeat: Box::new(beat),
    }
}

fn admissions(out: &[Output]) -> Vec<AdmissionVerdict> {
    let admissions = out.iter().filter_map(|output| {
        let Output::Admit { admission, .. } = output else {
            return None;
        };
        Some(admission.verdict)
    });
    admissions.collect()
}
