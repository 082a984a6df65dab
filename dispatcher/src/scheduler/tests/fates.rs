//! Tests of jobs that complete, fail, or take their node down, and of the blame for that.

use rolecast_common::unit::Bytes;
use rolecast_common::wire::Record;

use super::hosts::{Run, World};
use super::*;
use crate::scheduler::suspects;

/// A category whose jobs have this many attempts.
fn attempts(attempts_max: u32) -> Policy {
    Policy {
        attempts_max,
        ..policy("ocr")
    }
}

#[test]
fn a_job_that_takes_its_nodes_down_is_found_and_those_beside_it_complete() {
    for workers in [1, 3] {
        for neighbours in [0u64, 1, 2, 5, 13, 32] {
            for pill in [1, neighbours / 2 + 1] {
                let run = |_: &str, job: u64| match job {
                    job if job == pill => Run::Kills(0.3),
                    _ => Run::Completes(3.0, 10),
                };
                let slots = u32::try_from(neighbours).unwrap() + 1;
                let mut world = World::new(attempts(3), workers, slots, &run);
                world.submit(1..=neighbours + 1);
                world.run(600.0);
                let what = format!("{pill} of {} on {workers}", neighbours + 1);
                assert!(world.queue.is_empty(), "{what}: {:?} are left", world.queue);
                let dead = world.dead();
                assert_eq!(dead.len(), 1, "{what}: {dead:?}");
                assert_eq!(dead[0].sequence.get(), pill, "{what}");
                assert!(
                    dead[0].reason.contains("alone on it the last 3 times"),
                    "{what}"
                );
                let rounds = (neighbours + 1).next_power_of_two().ilog2() as usize + 1;
                let losses = dead[0].losses.len();
                // It may have been alone, or with jobs that were not there before, at first.
                // Where there is no other node, all share it once more after the first loss.
                let shared = usize::from(workers == 1);
                let most = rounds.max(3) - 1 + shared + suspects::ALONE_MAX;
                assert!(losses <= most, "{what}: {losses}");
                let failed = world.records.values().map(|record| record.failures.len());
                assert_eq!(failed.sum::<usize>(), 0, "{what}");
            }
        }
    }
}

#[test]
fn after_a_power_cut_all_jobs_complete_soon() {
    let run = |_: &str, _: u64| Run::Completes(10.0, 10);
    let mut world = World::new(attempts(1), 4, 8, &run);
    world.submit(1..=64);
    for _ in 0..100 {
        world.step();
    }
    for worker in &mut world.workers {
        worker.running.clear();
        worker.boot += 1;
        worker.up = world.seconds + 3.0;
        worker.next = worker.up;
    }
    world.run(100.0);
    assert!(world.queue.is_empty() && world.dead().is_empty());
    // Two rounds of 10 s, one of which was cut after 5 s.
    assert!(world.seconds < 5.0 + 3.0 + 20.0 + 3.0, "{}", world.seconds);
}

/// Runs jobs of a second on three nodes of three slots, one of which does this with all
/// its jobs; returns the world and the time that it took.
fn with_a_bad_host(bad: Run, jobs: u64) -> (Vec<Record>, usize, f64, usize) {
    let run = |name: &str, _: u64| match name {
        "n1" => bad,
        _ => Run::Completes(1.0, 10),
    };
    let mut world = World::new(attempts(3), 3, 3, &run);
    world.submit(1..=jobs);
    world.run(300.0);
    assert!(world.queue.is_empty());
    let dead = world.dead().into_iter().cloned().collect();
    (dead, world.failures_on("n1"), world.seconds, world.doubts())
}

#[test]
fn a_host_that_fails_all_at_once_spoils_little() {
    for (status, jobs) in [(OutcomeStatus::Retry, 90), (OutcomeStatus::GiveUp, 120)] {
        let (_, _, healthy, _) = with_a_bad_host(Run::Completes(1.0, 10), jobs);
        let (dead, failures, seconds, doubts) = with_a_bad_host(Run::Ends(0.01, status), jobs);
        let what = format!("{status:?}: {failures} failures, {seconds} s after {healthy} s");
        assert!(dead.len() * 50 <= usize::try_from(jobs).unwrap(), "{what}");
        assert!(healthy / seconds >= 0.6, "{what}");
        assert!(doubts >= 1, "{what}");
    }
}

#[test]
fn a_host_that_drops_what_it_accepts_is_given_little() {
    let (dead, _, seconds, doubts) = with_a_bad_host(Run::IsDropped, 120);
    assert!(dead.is_empty() && doubts >= 1, "{dead:?}");
    // Two nodes of three slots need 20 s; each loss is noticed after three heartbeats.
    assert!(seconds < 35.0, "{seconds}");
}

#[test]
fn a_retry_goes_to_a_node_where_the_job_did_not_fail() {
    let run = |name: &str, _: u64| match name {
        "n1" => Run::Ends(0.5, OutcomeStatus::Retry),
        _ => Run::Completes(0.5, 10),
    };
    let mut world = World::new(attempts(3), 3, 30, &run);
    // One at a time, so that there is always room everywhere.
    for job in 1..=30 {
        world.submit(job..=job);
        world.run(1000.0);
    }
    assert!(world.dead().is_empty());
    let again = world.records.values().map(|record| record.failures.len());
    assert!(again.max() <= Some(1), "{:?}", world.records);
}

#[test]
fn where_all_nodes_fail_alike_no_node_is_distrusted() {
    let run = |_: &str, job: u64| match job % 3 {
        0 => Run::Completes(1.0, 10),
        1 => Run::Ends(0.2, OutcomeStatus::Retry),
        _ => Run::Ends(0.2, OutcomeStatus::GiveUp),
    };
    let mut world = World::new(attempts(2), 3, 3, &run);
    world.submit(1..=300);
    world.run(1000.0);
    assert!(world.queue.is_empty());
    assert_eq!((world.dead().len(), world.doubts()), (200, 0));
}

#[test]
fn a_host_that_cannot_start_a_command_costs_no_attempts() {
    let run = |name: &str, _: u64| match name {
        "n1" => Run::CannotStart,
        _ => Run::Completes(1.0, 10),
    };
    let mut world = World::new(attempts(1), 3, 3, &run);
    world.submit(1..=90);
    world.run(100.0);
    assert!(world.queue.is_empty() && world.dead().is_empty());
    let told = world.events.iter();
    let told = told.filter(|event| matches!(event, Event::Verdict(Verdict::NodeUnable(_))));
    assert!((1..=6).contains(&told.count()), "{:?}", world.events);
}

#[test]
fn where_no_host_can_start_a_command_jobs_wait_and_that_is_reported() {
    let run = |_: &str, _: u64| Run::CannotStart;
    let mut world = World::new(attempts(1), 2, 3, &run);
    world.submit(1..=10);
    world.run(120.0);
    assert_eq!((world.queue.len(), world.records.len()), (10, 0));
    // Tried after 1, 2, 4 ... seconds, and not all the time.
    let tried = world.machine.reporting.counters().jobs_unable;
    assert!((8..=30).contains(&tried), "{tried}");
    let is_told = |event: &Event| matches!(event, Event::JobsWait(wait) if wait.why == "2 unable to start it");
    assert!(world.events.iter().any(is_told), "{:?}", world.events);
    let status = world.machine.status(now(world.seconds));
    let doubt = &status.nodes[0].distrusted[0];
    assert_eq!(doubt.reason, "unable: no such file");
}

#[test]
fn a_job_given_up_by_a_host_alone_is_tried_on_another_one() {
    let run = |name: &str, job: u64| match (name, job) {
        (_, 1) | ("n1", 2) => Run::Ends(0.1, OutcomeStatus::GiveUp),
        _ => Run::Completes(1.0, 10),
    };
    let mut world = World::new(attempts(5), 1, 3, &run);
    world.submit(1..=1);
    world.run(10.0);
    // There is no other host to ask.
    assert_eq!(world.dead()[0].failures.len(), 1);
    let mut world = World::new(attempts(5), 2, 3, &run);
    world.submit(1..=2);
    world.run(10.0);
    let dead = world.dead();
    assert_eq!((dead.len(), dead[0].sequence.get()), (1, 1));
    let asked: Vec<bool> = dead[0]
        .failures
        .iter()
        .map(|failed| failed.gave_up)
        .collect();
    assert_eq!(asked, [true, true], "two hosts agree");
    assert_ne!(dead[0].failures[0].node, dead[0].failures[1].node);
}

#[test]
fn one_odd_job_does_not_close_its_category() {
    let sizes = [10, 10, 10, 10, 10, 285, 10];
    let run = |_: &str, job: u64| Run::Completes(0.5, sizes[usize::try_from(job).unwrap() - 1]);
    let mut world = World::new(attempts(1), 1, 3, &run);
    world.memory = Bytes::from_mib(300);
    for job in 1..=7 {
        world.submit(job..=job);
        world.run(100.0);
    }
    assert_eq!(world.records.len(), 7);
    assert!(world.seconds < 10.0, "{}", world.seconds);
}

#[test]
fn what_was_learned_of_memory_and_fits_nowhere_is_tried_alone_and_unlearned() {
    let sizes = |job: u64| if job <= 3 { 285 } else { 10 };
    let run = |_: &str, job: u64| Run::Completes(0.5, sizes(job));
    let mut world = World::new(attempts(1), 2, 3, &run);
    world.memory = Bytes::from_mib(300);
    world.submit(1..=40);
    for _ in 0..100 {
        world.step();
    }
    let waiting = JobId::new("job-30").unwrap();
    let view = world.machine.job(now(world.seconds), &waiting).unwrap();
    assert_eq!(view.state, JobState::Waiting, "{view:?}");
    world.run(300.0);
    assert!(world.queue.is_empty(), "{:?}", world.queue);
    let is_told = |event: &&Event| matches!(event, Event::Verdict(Verdict::TriedAlone { why, .. }) if why.contains("memory"));
    assert!(world.events.iter().filter(is_told).count() > 0);
    // Once fewer than one in twenty were large, the category runs side by side again.
    world.submit(41..=70);
    world.run(600.0);
    let started = world.seconds;
    world.submit(71..=130);
    world.run(900.0);
    assert!(world.queue.is_empty());
    assert!(
        world.seconds - started < 10.0,
        "{}",
        world.seconds - started
    );
}
