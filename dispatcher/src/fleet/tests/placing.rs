//! Tests of placing jobs on nodes and recording the choice.

use super::*;
use crate::placement::decision::{Author, replay};
use crate::placement::{Choice, Fit, Request};

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
    let shortfall = fleet.placer().shortfall(&request(&other, None));
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
