//! Tests of learning from heartbeats and outcomes.

use super::*;
use crate::fleet::forecasts::UNPROVEN_FORECASTS_MAX;
use crate::placement::Slot;

#[test]
fn a_node_where_jobs_take_longer_than_predicted_gets_fewer() {
    let mut fleet = three();
    let nodes = [("n1", 100_000), ("n2", 1_000_000), ("n3", 1_000_000)];
    for round in 0u32..200 {
        for (place, (name, run_us)) in nodes.iter().enumerate() {
            let id = NodeId::new(name).unwrap();
            let slot = fleet.get(&id).unwrap().slot();
            let job = Sequence::new(u64::from(round) * 3 + u64::try_from(place).unwrap());
            let now = at(1.0 + f64::from(round) / 100.0);
            fleet.send(now, slot, job, OCR);
            fleet.complete(now, &id, job, &outcome(*run_us));
        }
    }
    let status = |name: &str| {
        let node = fleet.get(&NodeId::new(name).unwrap()).unwrap();
        fleet.status(at(3.0), node)
    };
    assert_eq!(status("n1").feedback, 1.0);
    assert_eq!(status("n1").completed, 200);
    assert!(status("n3").feedback > 1.5, "{}", status("n3").feedback);
    let needs = fleet.learner(OCR).needs();
    assert!((0.1..1.0).contains(&needs.duration_s), "{needs:?}");
}

#[test]
fn an_outcome_that_no_run_can_have_teaches_nothing() {
    let mut fleet = three();
    let id = NodeId::new("n1").unwrap();
    let slot = fleet.get(&id).unwrap().slot();
    let mut job = 0;
    let mut run = |fleet: &mut Fleet, seconds, outcome: &Outcome| {
        job += 1;
        fleet.send(at(seconds), slot, Sequence::new(job), OCR);
        fleet.complete(at(seconds), &id, Sequence::new(job), outcome);
    };
    for _ in 0..100 {
        run(&mut fleet, 1.0, &outcome(1_000_000));
    }
    let learned = |fleet: &Fleet| {
        let node = fleet.get(&id).unwrap();
        (node.feedback, node.speed(), fleet.experience)
    };
    let before = learned(&fleet);
    for run_us in [0, u64::MAX, u64::MAX / 2] {
        run(&mut fleet, 1.0, &outcome(run_us));
    }
    assert_eq!(learned(&fleet), before);
    assert_eq!(fleet.get(&id).unwrap().counters.completed, 103);
    // A CPU time beyond the node's is limited before it teaches.
    let mut absurd = outcome(1_000_000);
    absurd.usage.cpu_us = u64::MAX;
    let mut limited = outcome(1_000_000);
    limited.usage.cpu_us = 4_050_000;
    let speeds = [absurd, limited].map(|outcome| {
        let mut fleet = three();
        for job in 0..60 {
            fleet.send(at(1.0), slot, Sequence::new(job), OCR);
            let outcome = if job < 50 {
                &self::outcome(1_000_000)
            } else {
                &outcome
            };
            fleet.complete(at(1.0), &id, Sequence::new(job), outcome);
        }
        fleet.get(&id).unwrap().speed()
    });
    assert_eq!(speeds[0], speeds[1]);
}

#[test]
fn a_worker_that_does_not_report_the_use_of_its_jobs_corrects_nothing() {
    let mut fleet = three();
    let id = NodeId::new("n1").unwrap();
    let slot = fleet.get(&id).unwrap().slot();
    fleet.send(at(0.0), slot, Sequence::new(1), OCR);
    let before = *fleet.learner(OCR).needs();
    for second in 1..300u32 {
        let mut silent = beat("n1", "a", u64::from(second) + 1);
        silent.usage.total.cpu = Cores::clamped(1.0);
        take(&mut fleet, f64::from(second), &silent).unwrap();
    }
    assert_eq!(*fleet.learner(OCR).needs(), before);
}

/// Sends this many jobs to a node at first, and takes heartbeats after this many seconds with
/// the use of all and of jobs.
fn after(jobs: u64, beats: &[(f64, f64, f64)]) -> (Fleet, Slot) {
    let mut fleet = fleet();
    take(&mut fleet, 0.0, &beat("n1", "a", 1)).unwrap();
    let slot = fleet.get(&NodeId::new("n1").unwrap()).unwrap().slot();
    for sequence in 0..jobs {
        fleet.send(at(0.0), slot, Sequence::new(sequence), OCR);
    }
    for (sequence, (second, total, jobs)) in (2..).zip(beats) {
        let mut beat = beat("n1", "a", sequence);
        beat.usage.total.cpu = Cores::clamped(*total);
        beat.usage.jobs.cpu = Cores::clamped(*jobs);
        take(&mut fleet, *second, &beat).unwrap();
    }
    (fleet, slot)
}

#[test]
fn a_job_that_uses_more_than_others_of_its_kind_counts_for_more() {
    let (mut fleet, slot) = after(1, &[(1.0, 2.0, 2.0)]);
    let reserved = |fleet: &Fleet| fleet.placer.board().figures(slot).reserved[Resource::Cpu];
    assert!(
        (reserved(&fleet) - 2.0).abs() < 0.01,
        "{}",
        reserved(&fleet)
    );
    fleet.release(at(1.5), &NodeId::new("n1").unwrap(), Sequence::new(0));
    assert_eq!(reserved(&fleet), 0.0);
    // On a full node what jobs want is not seen, and half forgotten in 7 s.
    let (fleet, _) = after(1, &[(1.0, 2.0, 2.0), (8.0, 4.0, 0.5)]);
    assert!(
        (reserved(&fleet) - 1.25).abs() < 0.05,
        "{}",
        reserved(&fleet)
    );
}

#[test]
fn others_on_a_full_node_want_more_than_they_get() {
    let others = |beats| {
        let (fleet, slot) = after(4, beats);
        fleet.placer.board().figures(slot).present[Resource::Cpu]
    };
    assert!((others(&[(1.0, 3.0, 1.5)]) - 1.5).abs() < 0.01);
    // Jobs want 2.0, and others share fairly or come first.
    let wanted = 2.5 * (1.0 + 2.1 / 1.6) / 2.0;
    let found = others(&[(1.0, 4.0, 1.5)]);
    assert!((found - wanted).abs() < 0.01, "{found}");
    assert_eq!(
        others(&[(1.0, 4.0, 0.1)]),
        4.0,
        "nobody has more than there is"
    );
}

#[test]
fn names_alone_take_no_memory_for_forecasts_and_a_completed_job_is_worth_it() {
    let mut fleet = fleet();
    for number in 0..=UNPROVEN_FORECASTS_MAX {
        let name = format!("n{number}");
        let from = NodeId::new(&name).unwrap();
        fleet.take(now(0.0), &from, &beat(&name, "a", 1)).unwrap();
    }
    let has_forecast = |fleet: &Fleet, number: usize| {
        let id = NodeId::new(&format!("n{number}")).unwrap();
        fleet.get(&id).unwrap().forecast().is_some()
    };
    assert!(has_forecast(&fleet, UNPROVEN_FORECASTS_MAX - 1));
    assert!(!has_forecast(&fleet, UNPROVEN_FORECASTS_MAX));
    for (number, unproven) in [
        (UNPROVEN_FORECASTS_MAX, UNPROVEN_FORECASTS_MAX),
        (0, UNPROVEN_FORECASTS_MAX - 1),
    ] {
        let id = NodeId::new(&format!("n{number}")).unwrap();
        let done = outcome(1_000_000);
        fleet.complete(at(1.0), &id, Sequence::new(1), &done);
        assert!(has_forecast(&fleet, number));
        assert_eq!(fleet.forecasts.unproven(), unproven);
    }
    for number in 1..UNPROVEN_FORECASTS_MAX {
        fleet.bounce(&NodeId::new(&format!("n{number}")).unwrap());
    }
    fleet.forget(at(3600.0));
    assert_eq!(fleet.forecasts.unproven(), 0);
}
