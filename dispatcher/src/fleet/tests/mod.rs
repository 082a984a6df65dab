//! Tests of heartbeats that must be refused, and of nodes that join and leave.

mod learning;
mod placing;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rolecast_common::id::{BootId, Category, Epoch, JobId, NodeId, Role, Sequence};
use rolecast_common::label::Requirement;
use rolecast_common::resource::Resource;
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::{ForecastMode, Heartbeat, JobUsage, Outcome, OutcomeStatus, VERSION};
use rolecast_forecast::{Model, Quantile};

use super::members::NODES_MAX;
use super::*;
use crate::category::{Backoff, Patience, Policy, Profile, Weights};
use crate::placement::CategoryIndex;

pub(crate) fn beat(node: &str, boot: &str, sequence: u64) -> Heartbeat {
    let (node, boot) = (NodeId::new(node).unwrap(), BootId::new(boot).unwrap());
    Heartbeat {
        roles: vec![Role::new("follower").unwrap()],
        capacity: Resources {
            cpu: Cores::clamped(4.0),
            memory: Bytes::from_mib(1024),
            ..Resources::default()
        },
        jobs_max: 4,
        categories: BTreeMap::from([(Category::new("ocr").unwrap(), 4)]),
        ..Heartbeat::new(node, boot, sequence)
    }
}

pub(crate) fn params() -> Params {
    Params {
        mode: ForecastMode::On,
        model: Model::Ensemble,
        step_s: 10,
        quantile: Quantile::P90,
    }
}

/// The only category.
pub(crate) const OCR: CategoryIndex = CategoryIndex::new(0);

/// Returns a fleet that serves the category `ocr`, whose jobs use half a core.
pub(crate) fn fleet() -> Fleet {
    let mut fleet = Fleet::new(Settings {
        forecast: params(),
        has_feedback: true,
        seed: 1,
    });
    fleet.serve(ocr());
    fleet
}

fn ocr() -> Policy {
    let average = Resources {
        cpu: Cores::clamped(0.5),
        memory: Bytes::from_mib(64),
        ..Resources::default()
    };
    policy("ocr", average)
}

/// Returns a category whose jobs run for a second and use this much.
pub(crate) fn policy(category: &str, average: Resources) -> Policy {
    Policy {
        category: Category::new(category).unwrap(),
        declared: true,
        roles: Vec::new(),
        profile: Profile {
            average,
            peak: average,
            duration: Duration::from_secs(1),
        },
        weights: Weights::default(),
        patience: Patience::default(),
        wait_max: Duration::from_secs(60),
        running_max: None,
        time_limit: None,
        attempts_max: 2,
        backoff: Backoff {
            min: Duration::from_secs(1),
            max: Duration::from_secs(8),
        },
        records_completed: true,
    }
}

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

fn outcome(run_us: u64) -> Outcome {
    Outcome {
        v: VERSION,
        job: None,
        status: OutcomeStatus::Completed,
        reason: String::new(),
        output: rolecast_common::wire::Blob::default(),
        output_truncated: false,
        log: rolecast_common::wire::Blob::default(),
        log_truncated: false,
        started_ms: None,
        run_us,
        usage: JobUsage {
            cpu_us: 50_000,
            memory_max: 1 << 26,
            ..JobUsage::default()
        },
        traceparent: None,
    }
}

fn at(seconds: f64) -> Time {
    Time::from_start(Duration::from_secs_f64(seconds))
}

fn now(seconds: f64) -> Now {
    let elapsed = Duration::from_secs_f64(seconds);
    Now {
        time: at(seconds),
        wall: WallTime::default() + elapsed,
    }
}

fn take(fleet: &mut Fleet, seconds: f64, beat: &Heartbeat) -> Result<Change, Refusal> {
    fleet.take(now(seconds), &beat.node, beat)
}

#[test]
fn nodes_beyond_the_bound_are_refused_until_others_are_forgotten() {
    let mut fleet = fleet();
    let name = |number: usize| format!("n{number}");
    let id = |number| NodeId::new(&name(number)).unwrap();
    for number in 0..NODES_MAX {
        let taken = fleet.take(now(0.0), &id(number), &beat(&name(number), "a", 1));
        assert!(taken.unwrap().joined);
    }
    let beyond = beat(&name(NODES_MAX), "a", 1);
    let refused = fleet.take(now(1.0), &id(NODES_MAX), &beyond);
    assert_eq!(refused, Err(Refusal::TooManyNodes));
    assert!(fleet.take(now(1.0), &id(1), &beat("n1", "a", 2)).is_ok());
    fleet.bounce(&id(0));
    fleet.forget(at(3600.0));
    assert!(fleet.take(now(3600.0), &id(NODES_MAX), &beyond).is_ok());
    assert_eq!(fleet.nodes().count(), NODES_MAX);
}

#[test]
fn a_replayed_heartbeat_is_refused() {
    let mut fleet = fleet();
    assert!(take(&mut fleet, 0.0, &beat("n1", "a", 1)).unwrap().joined);
    assert_eq!(
        take(&mut fleet, 1.0, &beat("n1", "a", 2)),
        Ok(Change::default())
    );
    for sequence in [1, 2] {
        let replayed = take(&mut fleet, 2.0, &beat("n1", "a", sequence));
        assert_eq!(replayed, Err(Refusal::Replayed));
    }
}

#[test]
fn one_heartbeat_far_ahead_locks_no_node_out() {
    let mut fleet = fleet();
    let id = NodeId::new("n1").unwrap();
    for second in 0..10u32 {
        let beat = beat("n1", "a", u64::from(second) + 1);
        take(&mut fleet, f64::from(second), &beat).unwrap();
    }
    // Anybody with its login knows its boot.
    take(&mut fleet, 9.5, &beat("n1", "a", u64::MAX)).unwrap();
    let mut refused = 0;
    for second in 10..30u32 {
        fleet.record_answer(at(f64::from(second)), &id);
        let beat = beat("n1", "a", u64::from(second) + 1);
        refused += u32::from(take(&mut fleet, f64::from(second), &beat).is_err());
        assert!(gone(&mut fleet, f64::from(second) + 0.5).is_empty());
    }
    assert_eq!(refused, 2);
}

#[test]
fn a_restarted_worker_is_distinguished_from_a_replay_of_its_former_boot() {
    let mut fleet = fleet();
    take(&mut fleet, 0.0, &beat("n1", "a", 9)).unwrap();
    assert!(take(&mut fleet, 2.4, &beat("n1", "b", 1)).unwrap().rebooted);
    let former = take(&mut fleet, 3.0, &beat("n1", "a", 10));
    assert_eq!(former, Err(Refusal::SupersededBoot));
}

#[test]
fn a_heartbeat_on_a_foreign_subject_is_refused() {
    let mut fleet = fleet();
    let foreign = fleet.take(
        Now::default(),
        &NodeId::new("n2").unwrap(),
        &beat("n1", "a", 1),
    );
    assert_eq!(foreign, Err(Refusal::ForeignNode));
    assert_eq!(fleet.nodes().count(), 0);
}

#[test]
fn a_capacity_no_machine_has_is_refused() {
    let mut fleet = fleet();
    for cpu in [0.0, 1e12] {
        let mut absurd = beat("n1", "a", 1);
        absurd.capacity.cpu = Cores::clamped(cpu);
        assert_eq!(take(&mut fleet, 0.0, &absurd), Err(Refusal::Implausible));
    }
}

#[test]
fn three_missed_heartbeats_and_the_node_is_gone_until_the_next() {
    let mut fleet = fleet();
    take(&mut fleet, 0.0, &beat("n1", "a", 1)).unwrap();
    assert!(gone(&mut fleet, 3.0).is_empty());
    assert_eq!(gone(&mut fleet, 3.1), [NodeId::new("n1").unwrap()]);
    assert!(gone(&mut fleet, 3.2).is_empty());
    assert!(take(&mut fleet, 4.0, &beat("n1", "a", 2)).unwrap().joined);
}

fn gone(fleet: &mut Fleet, seconds: f64) -> Vec<NodeId> {
    let missed = fleet.check_presence(at(seconds), Time::ZERO, |_| true);
    let gone = missed
        .into_iter()
        .filter(|missed| missed.presence != Presence::Late);
    gone.map(|missed| missed.node).collect()
}

#[test]
fn a_node_with_jobs_in_the_ledger_is_never_forgotten() {
    let mut fleet = fleet();
    take(&mut fleet, 0.0, &beat("n1", "a", 1)).unwrap();
    let id = NodeId::new("n1").unwrap();
    let slot = fleet.get(&id).unwrap().slot();
    fleet.send(at(1.0), slot, Sequence::new(1), OCR);
    gone(&mut fleet, 10.0);
    fleet.forget(at(10_000.0));
    assert!(fleet.get(&id).is_some());
    fleet.release(at(10.0), &id, Sequence::new(1));
    fleet.forget(at(10_010.0));
    assert!(fleet.get(&id).is_none());
}

proptest! {
    #[test]
    fn what_others_use_stays_within_capacity(total in any::<f64>(), jobs in any::<f64>()) {
        let mut fleet = fleet();
        let mut beat = beat("n1", "a", 1);
        beat.usage.total.cpu = Cores::clamped(total);
        beat.usage.jobs.cpu = Cores::clamped(jobs);
        take(&mut fleet, 0.0, &beat).unwrap();
        let node = fleet.nodes().next().unwrap();
        let figures = fleet.placer.board().figures(node.slot());
        prop_assert!(figures.present[Resource::Cpu] <= figures.capacity[Resource::Cpu]);
        for expected in figures.ahead.buckets() {
            prop_assert!((0.0..=figures.capacity[Resource::Cpu]).contains(&expected[Resource::Cpu]));
        }
    }
}
