//! Tests of the batches of outcomes, and of their repetition until they are confirmed.

use std::time::Duration;

use super::super::*;
use super::bench::{BATCH_LEN_MAX, Bench, ended};

#[test]
fn outcomes_gather_while_four_batches_are_unconfirmed() {
    let mut bench = Bench::with_jobs_max(200);
    let runs: Vec<Run> = (0..150).map(|n| bench.start(&n.to_string(), 1)).collect();
    for run in &runs[..4] {
        bench.end(*run, OutcomeStatus::Completed);
    }
    let first: Vec<u64> = bench.sent().into_iter().map(|(batch, _)| batch).collect();
    assert_eq!(first.len(), 4);
    for run in &runs[4..] {
        bench.end(*run, OutcomeStatus::Completed);
    }
    assert!(bench.sent().is_empty());
    let sizes: Vec<usize> = first
        .iter()
        .flat_map(|batch| {
            bench.input(Input::Confirmed { batch: *batch });
            bench.sent()
        })
        .map(|(_, outcomes)| outcomes.len())
        .collect();
    assert_eq!(sizes, [64, 64, 18]);
}

#[test]
fn a_batch_of_several_outcomes_stays_below_its_size() {
    let mut bench = Bench::with_jobs_max(10);
    let runs: Vec<Run> = (0..6).map(|n| bench.start(&n.to_string(), 1)).collect();
    let ended = runs.iter().map(|run| Ended {
        output: vec![0; BATCH_LEN_MAX * 2 / 5].into(),
        ..ended(*run, OutcomeStatus::Completed)
    });
    bench.input(Input::Ended(ended.collect()));
    let sizes: Vec<usize> = bench.sent().iter().map(|(_, o)| o.len()).collect();
    assert_eq!(sizes, [2, 2, 2]);
}

#[test]
fn what_lacks_a_listener_is_sent_again_ever_more_slowly() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.end(run, OutcomeStatus::Completed);
    let mut delays = Vec::new();
    for _ in 0..7 {
        let batch = bench.sent().pop().unwrap().0;
        bench.input(Input::Unreceived { batch });
        let start = bench.now.time;
        while !bench
            .out
            .iter()
            .any(|o| matches!(o, Output::SendOutcomes { .. }))
        {
            bench.pass(Duration::from_millis(100));
        }
        delays.push(bench.now.time.since(start).as_millis());
    }
    assert_eq!(delays, [500, 1000, 2000, 4000, 5000, 5000, 5000]);
}

#[test]
fn a_new_connection_sends_everything_unconfirmed_at_once() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.end(run, OutcomeStatus::Completed);
    let first = bench.sent();
    bench.input(Input::Connected);
    assert_eq!(bench.sent(), first);
}
