//! Tests that no message is longer than the server takes.

use std::collections::BTreeSet;

use rolecast_common::wire::{Encoding, OutcomeBatch, VERSION, encode};

use super::super::*;
use super::bench::{Bench, MAX_PAYLOAD, SECOND, assignment, ended};

#[test]
fn an_outcome_longer_than_any_message_is_cut_and_reports_it() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    let (output, reason) = (vec![7; 2 * MAX_PAYLOAD], "ü".repeat(4000));
    bench.input(Input::Ended(vec![Ended {
        output: output.into(),
        reason,
        ..ended(run, OutcomeStatus::Retry)
    }]));
    let cut = bench.out.iter().find_map(|output| match output {
        Output::Event(Event::OutputCut { whole, kept, .. }) => Some((*whole, *kept)),
        _ => None,
    });
    let sent = bench.sent();
    let outcome = &sent[0].1[0];
    assert!(outcome.output_truncated);
    assert_eq!(outcome.reason.len(), 1024);
    let (whole, kept) = cut.unwrap();
    assert_eq!((whole, kept), (2 * MAX_PAYLOAD, outcome.output.0.len()));
    let length = longest(&sent);
    assert!(length < MAX_PAYLOAD, "{length}");
    assert!(
        length > MAX_PAYLOAD - 2048,
        "{length}: no more is cut than must be"
    );
}

#[test]
fn the_log_is_cut_before_the_output_and_keeps_its_end() {
    for (output_len, log_is_left) in [(MAX_PAYLOAD - 32 * 1024, true), (MAX_PAYLOAD, false)] {
        let mut bench = Bench::new();
        let run = bench.start("a", 1);
        let log: Vec<u8> = (b'a'..=b'z').cycle().take(64 * 1024).collect();
        bench.input(Input::Ended(vec![Ended {
            output: vec![7; output_len].into(),
            log: log.clone().into(),
            ..ended(run, OutcomeStatus::Retry)
        }]));
        let sent = bench.sent();
        let outcome = &sent[0].1[0];
        assert!(outcome.log_truncated);
        assert!(log.ends_with(&outcome.log.0));
        assert_eq!(!outcome.log.is_empty(), log_is_left);
        assert_eq!(outcome.output_truncated, !log_is_left);
        let length = longest(&sent);
        assert!(
            (MAX_PAYLOAD - 2048..MAX_PAYLOAD).contains(&length),
            "{length}"
        );
    }
}

#[test]
fn an_outcome_that_just_fits_is_left_as_it_is() {
    let mut bench = Bench::new();
    let run = bench.start("a", 1);
    bench.input(Input::Ended(vec![Ended {
        output: vec![7; MAX_PAYLOAD - 2048].into(),
        ..ended(run, OutcomeStatus::Completed)
    }]));
    let outcome = &bench.sent()[0].1[0];
    assert!(!outcome.output_truncated);
    assert_eq!(outcome.output.0.len(), MAX_PAYLOAD - 2048);
}

#[test]
fn what_a_server_takes_no_more_is_gathered_and_cut_anew() {
    let mut bench = Bench::with_jobs_max(8);
    let jobs = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let runs = jobs.map(|job| bench.start(job, 1));
    let large = |run| Ended {
        output: vec![7; 40_000].into(),
        ..ended(run, OutcomeStatus::Completed)
    };
    // Four go alone, because each is sent at once; the others wait, and then go together.
    for run in runs {
        bench.input(Input::Ended(vec![large(run)]));
    }
    bench.confirm_newest();
    assert_eq!(bench.sent().last().unwrap().1.len(), 4);
    bench.input(Input::MaxPayload(32 * 1024));
    let mut outcomes = Vec::new();
    for _ in 0..16 {
        let sent = bench.sent();
        if !sent.is_empty() {
            assert!(longest(&sent) <= 32 * 1024, "{}", longest(&sent));
        }
        outcomes.extend(sent.into_iter().flat_map(|(_, outcomes)| outcomes));
        if !bench.unconfirmed.is_empty() {
            bench.confirm_newest();
        }
    }
    let named: BTreeSet<String> = outcomes
        .iter()
        .map(|outcome| outcome.job.as_ref().unwrap().job().to_string())
        .collect();
    assert_eq!(named.len(), 7, "each that was not confirmed: {named:?}");
    assert!(outcomes.iter().all(|outcome| outcome.output_truncated));
    bench.pass(60 * SECOND);
    bench.confirm_all();
    assert!(bench.heartbeat().jobs.is_empty());
}

#[test]
fn a_heartbeat_fits_a_server_that_takes_short_messages() {
    let mut bench = Bench::with_jobs_max(1024);
    bench.input(Input::MaxPayload(16 * 1024));
    for n in 0..1000 {
        bench.offer(assignment(&format!("{n:050}"), 1));
    }
    let bytes = encode(Encoding::MessagePack, &bench.heartbeat());
    assert!(bytes.len() < 16 * 1024, "{}", bytes.len());
    assert!(bench.heartbeat().jobs.len() > 50);
}

/// Returns the longest message that these outcomes make.
fn longest(sent: &[(u64, Vec<Outcome>)]) -> usize {
    let lengths = sent.iter().map(|(_, outcomes)| {
        let batch = OutcomeBatch {
            v: VERSION,
            outcomes: outcomes.clone(),
        };
        encode(Encoding::MessagePack, &batch).len()
    });
    lengths.max().unwrap()
}
