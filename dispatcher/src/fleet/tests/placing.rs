//! Tests of placing jobs on nodes, recording the choice and learning from it.

use super::*;
use crate::fleet::forecasts::UNPROVEN_FORECASTS_MAX;
use crate::placement::decision::{Author, replay};
use crate::placement::{CPU, Choice, Fit, Request, Slot};

/// Three nodes, of which the second is busy.
fn three() -> Fleet {
    let mut fleet = fleet();
    for (name, used) in [("n1", 0.5), ("n2", 3.5), ("n3", 0.5)] {
        let mut beat = beat(name, "a", 1);
        beat.usage.total.cpu = Cores::clamped(used);
        if name == "n3" {
            beat.labels.insert("gpu", "a100").unwrap();
        }
        take(&mut fleet, 0.0, &beat).unwrap();
    }
    fleet
}

fn request<'a>(requirement: &'a Requirement, key: Option<u64>) -> Request<'a> {
    Request {
        key,
        ..Request::new(OCR, requirement, Duration::ZERO)
    }
}

fn chosen(fleet: &mut Fleet, job: &Request<'_>) -> Option<String> {
    match fleet.choose(job) {
        Choice::Node(slot) => Some(fleet.id_of(slot).to_string()),
        Choice::Held { .. } | Choice::Nowhere => None,
    }
}

#[test]
fn a_job_goes_where_its_labels_are_or_nowhere() {
    let mut fleet = three();
    let gpu = Requirement::parse("gpu=a100").unwrap();
    assert_eq!(
        chosen(&mut fleet, &request(&gpu, None)).as_deref(),
        Some("n3")
    );
    let other = Requirement::parse("gpu=h100").unwrap();
    assert_eq!(chosen(&mut fleet, &request(&other, None)), None);
    let shortfall = fleet.shortfall(&request(&other, None));
    assert_eq!(shortfall.to_string(), "3 without the labels");
    assert!(shortfall.is_hopeless());
    // The label arrives with a heartbeat, and the index notices.
    let mut labelled = beat("n1", "a", 2);
    labelled.labels.insert("gpu", "h100").unwrap();
    take(&mut fleet, 1.0, &labelled).unwrap();
    assert_eq!(
        chosen(&mut fleet, &request(&other, None)).as_deref(),
        Some("n1")
    );
}

#[test]
fn a_key_keeps_its_node_until_that_costs_too_much() {
    let mut fleet = three();
    let any = Requirement::default();
    let mut preferred = std::collections::BTreeSet::new();
    for key in 0..50 {
        let job = request(&any, Some(key * 7919));
        let node = chosen(&mut fleet, &job).unwrap();
        assert_eq!(chosen(&mut fleet, &job), Some(node.clone()));
        preferred.insert(node);
    }
    assert!(preferred.len() >= 2);
    let job = request(&any, Some(7919));
    let node = chosen(&mut fleet, &job).unwrap();
    let slot = fleet.get(&NodeId::new(&node).unwrap()).unwrap().slot();
    for sequence in 0..4 {
        fleet.send(at(1.0), slot, Sequence::new(sequence), OCR);
    }
    assert_ne!(chosen(&mut fleet, &job), Some(node), "it is full");
}

#[test]
fn a_recorded_decision_made_again_is_the_same() {
    let mut fleet = three();
    let any = Requirement::default();
    let id = JobId::new("j").unwrap();
    for key in [None, Some(5), Some(77)] {
        for sequence in 0..4 {
            let job = request(&any, key);
            let choice = fleet.choose(&job);
            let author = Author {
                epoch: Epoch::default(),
                job: Some(&id),
                ..Author::default()
            };
            let record = fleet.record(now(1.0), author, &job, &choice);
            let made_again = replay(&record);
            let Choice::Node(slot) = choice else {
                panic!("{choice:?}");
            };
            assert_eq!(made_again, record.node.as_ref(), "{record:?}");
            assert_eq!(record.considered, 3);
            let sequence = 100 * key.unwrap_or_default() + sequence;
            fleet.send(at(1.0), slot, Sequence::new(sequence), OCR);
        }
        for node in ["n1", "n2", "n3"].map(|name| NodeId::new(name).unwrap()) {
            let jobs: Vec<_> = fleet.get(&node).unwrap().ledger().jobs().collect();
            jobs.iter()
                .for_each(|job| fleet.release(at(1.0), &node, *job));
        }
    }
}

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

fn outcome(run_us: u64) -> Outcome {
    Outcome {
        v: VERSION,
        job: None,
        status: OutcomeStatus::Completed,
        reason: String::new(),
        output: rolecast_common::wire::Blob::default(),
        output_truncated: false,
        started_ms: None,
        run_us,
        usage: JobUsage {
            cpu_us: 50_000,
            memory_max: 1 << 26,
            ..JobUsage::default()
        },
    }
}

#[test]
fn memory_is_kept_free_for_a_job_that_waits_for_it() {
    let mut fleet = three();
    let any = Requirement::default();
    for name in ["n1", "n2", "n3"] {
        let mut full = beat(name, "a", 2);
        full.usage.total.memory = Bytes::from_mib(900);
        take(&mut fleet, 1.0, &full).unwrap();
    }
    let job = request(&any, None);
    assert_eq!(chosen(&mut fleet, &job), None);
    let slot = fleet.claim(&job).unwrap();
    let owner = fleet.id_of(slot).clone();
    let mut freed = beat(owner.as_str(), "a", 3);
    freed.usage.total.memory = Bytes::from_mib(860);
    take(&mut fleet, 2.0, &freed).unwrap();
    assert_eq!(chosen(&mut fleet, &job), None, "others may not take it");
    let claimer = Request {
        claim: Some(slot),
        ..job
    };
    assert_eq!(chosen(&mut fleet, &claimer), Some(owner.to_string()));
    fleet.unclaim(slot);
    assert_eq!(chosen(&mut fleet, &job), Some(owner.to_string()));
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

#[test]
fn a_key_gives_way_where_its_job_would_be_held() {
    let mut fleet = Fleet::new(Settings {
        forecast: params(),
        has_feedback: true,
        seed: 1,
    });
    let mut policy = ocr();
    policy.patience = Patience::Above(1.2);
    policy.weights.others = 0.0;
    fleet.serve(policy);
    for name in ["n1", "n2"] {
        take(&mut fleet, 0.0, &beat(name, "a", 1)).unwrap();
    }
    let any = Requirement::default();
    let job = request(&any, Some(7919));
    let node = chosen(&mut fleet, &job).unwrap();
    let id = NodeId::new(&node).unwrap();
    let slot = fleet.get(&id).unwrap().slot();
    // Jobs are known to use 1.5 cores.
    for sequence in 0..200 {
        fleet.send(at(1.0), slot, Sequence::new(sequence), OCR);
        let mut seen = outcome(1_000_000);
        seen.usage.cpu_us = 1_500_000;
        fleet.complete(at(1.0), &id, Sequence::new(sequence), &seen);
    }
    fleet.refresh();
    assert_eq!(chosen(&mut fleet, &job), Some(node));
    for sequence in 300..302 {
        fleet.send(at(1.0), slot, Sequence::new(sequence), OCR);
    }
    let estimate = |fleet: &Fleet, slot| {
        fleet
            .placer
            .board()
            .estimate(
                slot,
                OCR,
                Fit {
                    rank: 0,
                    jobs_max: 4,
                },
                fleet.placer.board().outlook(),
            )
            .unwrap()
    };
    let warm = estimate(&fleet, slot);
    let choice = fleet.choose(&job);
    let Choice::Node(other) = choice else {
        panic!("{choice:?}");
    };
    assert_ne!(other, slot, "{warm:?}");
    assert!(
        warm.cost < 2.0 * estimate(&fleet, other).cost,
        "the key alone would choose it"
    );
    let author = Author {
        epoch: Epoch::default(),
        job: None,
        ..Author::default()
    };
    let record = fleet.record(now(1.0), author, &job, &choice);
    let made_again = replay(&record);
    assert_eq!(made_again, record.node.as_ref(), "{record:?}");
}

#[test]
fn the_record_of_a_job_sent_to_its_claimed_node_leads_there_again() {
    let mut fleet = three();
    let any = Requirement::default();
    for name in ["n1", "n2"] {
        let mut full = beat(name, "a", 2);
        full.usage.total.memory = Bytes::from_mib(900);
        take(&mut fleet, 1.0, &full).unwrap();
    }
    let mut full = beat("n3", "a", 2);
    full.usage.total.memory = Bytes::from_mib(900);
    take(&mut fleet, 1.0, &full).unwrap();
    let job = request(&any, None);
    let slot = fleet.claim(&job).unwrap();
    // All have room by then, and its own is the busiest.
    for name in ["n1", "n2", "n3"] {
        let mut freed = beat(name, "a", 3);
        if *name == *fleet.id_of(slot).as_str() {
            freed.usage.total.cpu = Cores::clamped(3.5);
        }
        take(&mut fleet, 2.0, &freed).unwrap();
    }
    let job = Request {
        claim: Some(slot),
        ..job
    };
    let choice = fleet.choose(&job);
    assert_eq!(choice, Choice::Node(slot));
    let author = Author {
        epoch: Epoch::default(),
        job: None,
        ..Author::default()
    };
    let record = fleet.record(now(2.0), author, &job, &choice);
    assert_eq!(record.node.as_ref(), Some(fleet.id_of(slot)));
    let is_chosen =
        |node: &rolecast_common::wire::DecisionNode| Some(&node.node) == record.node.as_ref();
    assert!(record.best.iter().any(is_chosen), "{record:?}");
    assert!(record.refusals.is_empty(), "{record:?}");
    let made_again = replay(&record);
    assert_eq!(made_again, record.node.as_ref());
}

/// Sends so many jobs to a node at first, and takes heartbeats after so many seconds with
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
    let reserved = |fleet: &Fleet| fleet.placer.board().figures(slot).reserved[CPU];
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
        fleet.placer.board().figures(slot).present[CPU]
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
