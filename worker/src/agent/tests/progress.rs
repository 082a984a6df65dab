//! Tests of the progress in heartbeats.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::wire::{Encoding, JobProgress, Progress, Share, encode};

use super::super::*;
use super::bench::{Bench, SECOND, assignment};

fn progress(done: f64, text: &str) -> Progress {
    Progress::clamped(done, text)
}

fn entry(job: u32, done: f64, text: &str) -> JobProgress {
    JobProgress {
        job,
        done: Share::clamped(done),
        text: text.to_owned(),
    }
}

/// Lets a second pass, and returns the progress in its heartbeat.
fn next(bench: &mut Bench) -> Vec<JobProgress> {
    bench.take();
    bench.pass(SECOND);
    let beats = bench.take().into_iter().filter_map(|output| match output {
        Output::Heartbeat(beat) => Some(beat.progress),
        _ => None,
    });
    let mut beats: Vec<Vec<JobProgress>> = beats.collect();
    assert_eq!(beats.len(), 1);
    beats.remove(0)
}

#[test]
fn a_heartbeat_has_the_last_progress_of_each_job_and_no_other() {
    let mut bench = Bench::new();
    let (one, two) = (bench.start("a", 1), bench.start("b", 1));
    assert_eq!(next(&mut bench), []);
    for n in 0..1000 {
        let done = f64::from(n) / 1000.0;
        bench.input(Input::Progress(vec![(two, progress(done, "x"))]));
    }
    let beats = bench.take();
    assert!(beats.is_empty(), "no report makes a message: {beats:?}");
    assert_eq!(next(&mut bench), [entry(1, 0.999, "x")]);
    bench.input(Input::Progress(vec![(one, progress(0.5, ""))]));
    assert_eq!(next(&mut bench), [entry(0, 0.5, ""), entry(1, 0.999, "x")]);
    bench.end(one, OutcomeStatus::Completed);
    bench.input(Input::Progress(vec![(one, progress(0.7, ""))]));
    // Its outcome is not confirmed, so it is in hand, behind the one that runs.
    assert_eq!(next(&mut bench), [entry(0, 0.999, "x")]);
    assert_eq!(
        bench.heartbeat().jobs,
        [assignment("b", 1), assignment("a", 1)]
    );
}

#[test]
fn changes_go_first_and_the_rest_is_repeated_in_turn() {
    let mut bench = Bench::with_jobs_max(100);
    let runs: Vec<Run> = (0..100).map(|n| bench.start(&n.to_string(), 1)).collect();
    let all = |done| runs.iter().map(move |run| (*run, progress(done, "")));
    bench.input(Input::Progress(all(0.1).collect()));
    assert_eq!(next(&mut bench).len(), 100);
    let mut repeated = BTreeSet::new();
    for _ in 0..7 {
        bench.input(Input::Progress(vec![(runs[99], progress(0.1, ""))]));
        let beat = next(&mut bench);
        assert_eq!(beat.len(), 16);
        repeated.extend(beat.iter().map(|entry| entry.job));
    }
    assert_eq!(repeated.len(), 100);
    bench.input(Input::Progress(vec![(runs[50], progress(0.2, ""))]));
    assert_eq!(next(&mut bench)[0], entry(50, 0.2, ""));
    for input in [Input::ReportAsked, Input::Connected] {
        bench.take();
        bench.input(input);
        bench.pass(Duration::from_millis(200));
        let beat = bench.take().into_iter().find_map(|output| match output {
            Output::Heartbeat(beat) => Some(beat.progress.len()),
            _ => None,
        });
        assert_eq!(beat, Some(100), "a new dispatcher gets all at once");
    }
}

#[test]
fn a_heartbeat_is_bounded_and_nothing_waits_for_ever() {
    for max_payload in [1 << 20, 64 * 1024] {
        let mut bench = Bench::with_jobs_max(1024);
        bench.input(Input::MaxPayload(max_payload));
        let runs: Vec<Run> = (0..1024).map(|n| bench.start(&n.to_string(), 1)).collect();
        let mut seen = BTreeSet::new();
        for second in 0..40 {
            let done = f64::from(second) / 100.0;
            let text = "é".repeat(100);
            let all = runs.iter().map(|run| (*run, progress(done, &text)));
            bench.input(Input::Progress(all.collect()));
            let beat = next(&mut bench);
            let mut heartbeat = bench.heartbeat();
            assert!(beat.iter().all(|e| (e.job as usize) < heartbeat.jobs.len()));
            seen.extend(beat.iter().map(|entry| entry.job));
            let without = encode(Encoding::MessagePack, &heartbeat).len();
            heartbeat.progress = beat;
            let len = encode(Encoding::MessagePack, &heartbeat).len();
            assert!(len <= max_payload && len - without <= 17 * 1024, "{len}");
        }
        if max_payload == 1 << 20 {
            assert_eq!(seen.len(), 1024);
        }
    }
}
