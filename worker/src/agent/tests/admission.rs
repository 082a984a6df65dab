//! Tests of the admission of a worker, and of one whose name is in use.

use rolecast_common::id::{BootId, Epoch};
use rolecast_common::wire::{Admission, AdmissionVerdict};

use super::super::*;
use super::bench::{Bench, SECOND};

#[test]
fn a_worker_that_starts_takes_no_jobs_until_it_is_admitted() {
    let mut bench = Bench::joining();
    let beat = bench.heartbeat();
    assert!(beat.joining && beat.jobs_max == 0 && !beat.draining);
    bench.pass(SECOND);
    let beats = bench.take();
    let is_beat = |output: &&Output| matches!(output, Output::Heartbeat(_));
    assert!(beats.iter().filter(is_beat).count() >= 4, "{beats:?}");
    for _ in 0..10 {
        bench.admission(AdmissionVerdict::Wait);
        bench.pass(2 * SECOND);
    }
    assert!(!bench.take().contains(&Output::Listen));
    bench.admission(AdmissionVerdict::Admitted);
    let [Output::Listen, Output::Heartbeat(beat)] = &bench.take()[..] else {
        panic!("it listens, and then reports that it takes jobs");
    };
    assert!(!beat.joining && beat.jobs_max == 3);
    bench.admission(AdmissionVerdict::Wait);
    bench.start("a", 1);
}

#[test]
fn without_any_word_a_worker_serves_after_a_time() {
    let mut bench = Bench::joining();
    bench.pass(3 * SECOND);
    assert!(bench.take().contains(&Output::Listen));
    bench.start("a", 1);
}

#[test]
fn a_worker_whose_name_is_in_use_gives_back_what_it_has_and_fails() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.input(Input::Admission(Admission {
        boot: BootId::new("another").unwrap(),
        ..bench.admission_of(AdmissionVerdict::Refused)
    }));
    assert!(bench.stopped.is_empty(), "it is not meant");
    bench.admission(AdmissionVerdict::Refused);
    assert!(bench.stopped.contains(&run));
    let (status, _) = bench.refusal().unwrap();
    assert_eq!(status, OutcomeStatus::HandedBack);
    bench.end(run, OutcomeStatus::Retry);
    bench.confirm_all();
    bench.pass(SECOND);
    let out = bench.take();
    let Some(Output::Fail(reason)) = out.iter().find(|o| matches!(o, Output::Fail(_))) else {
        panic!("{out:?}");
    };
    let expected = "the name of node n1 is in use: boot b1 of it sent a heartbeat 0.4 s ago";
    assert!(reason.starts_with(expected), "{reason}");
    assert!(!out.contains(&Output::Exit));
}

#[test]
fn a_worker_that_joins_and_is_refused_ends_soon() {
    let mut bench = Bench::joining();
    bench.admission(AdmissionVerdict::Refused);
    bench.pass(SECOND);
    let out = bench.take();
    assert!(out.iter().any(|output| matches!(output, Output::Fail(_))));
    assert!(!out.contains(&Output::Listen));
}

#[test]
fn a_worker_whose_epoch_is_refuted_follows_it_all_the_same_and_reports_it_once() {
    let mut bench = Bench::with_offers(None);
    let refuted_epochs = |bench: &mut Bench| {
        let out = bench.take();
        let refuted_epochs = out.into_iter().filter_map(|output| match output {
            Output::Event(Event::EpochRefuted { kept, led }) => Some((kept.get(), led.get())),
            _ => None,
        });
        refuted_epochs.collect::<Vec<_>>()
    };
    // It keeps epoch 5; a dispatcher leads under 3.
    let admission = |bench: &Bench, epoch, refuted| Admission {
        epoch: Epoch::new(epoch),
        refuted: Some(Epoch::new(refuted)),
        ..bench.admission_of(AdmissionVerdict::Admitted)
    };
    for _ in 0..3 {
        let admission = admission(&bench, 3, 5);
        bench.input(Input::Admission(admission));
    }
    assert_eq!(refuted_epochs(&mut bench), [(5, 3)]);
    assert_eq!(bench.heartbeat().epoch, Epoch::new(5));
    // Of another epoch than it follows, or by a later dispatcher: no evidence.
    for (epoch, refuted) in [(3, 4), (6, 5), (3, 9)] {
        let admission = admission(&bench, epoch, refuted);
        bench.input(Input::Admission(admission));
    }
    assert_eq!(refuted_epochs(&mut bench), []);
    let next = admission(&bench, 4, 5);
    bench.input(Input::Admission(next));
    assert_eq!(refuted_epochs(&mut bench), [(5, 4)]);
    assert_eq!(bench.heartbeat().epoch, Epoch::new(5));
}
