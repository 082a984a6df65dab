//! Heartbeats that must not be believed, and nodes that come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rolecast_common::id::{BootId, Category, Epoch, NodeId, Role, Sequence};
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::{Heartbeat, Usage, VERSION};

use super::*;
use crate::forecast::{Model, Quantile};

pub(crate) fn beat(node: &str, boot: &str, sequence: u64) -> Heartbeat {
    Heartbeat {
        v: VERSION,
        node: NodeId::new(node).unwrap(),
        boot: BootId::new(boot).unwrap(),
        sequence,
        epoch: Epoch::default(),
        interval_ms: 1000,
        roles: vec![Role::new("follower").unwrap()],
        draining: false,
        labels: Labels::default(),
        speed: Speed::default(),
        capacity: Resources {
            cpu: Cores::clamped(4.0),
            memory: Bytes::from_mib(1024),
            ..Resources::default()
        },
        usage: Usage::default(),
        jobs_max: 4,
        categories: BTreeMap::from([(Category::new("ocr").unwrap(), 4)]),
        jobs: Vec::new(),
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
fn a_replayed_heartbeat_is_refused() {
    let mut fleet = Fleet::new(params());
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
fn a_restarted_worker_is_told_from_a_replay_of_its_former_boot() {
    let mut fleet = Fleet::new(params());
    take(&mut fleet, 0.0, &beat("n1", "a", 9)).unwrap();
    assert!(take(&mut fleet, 1.0, &beat("n1", "b", 1)).unwrap().rebooted);
    let former = take(&mut fleet, 2.0, &beat("n1", "a", 10));
    assert_eq!(former, Err(Refusal::SupersededBoot));
}

#[test]
fn a_heartbeat_on_a_foreign_subject_is_refused() {
    let mut fleet = Fleet::new(params());
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
    let mut fleet = Fleet::new(params());
    for cpu in [0.0, 1e12] {
        let mut absurd = beat("n1", "a", 1);
        absurd.capacity.cpu = Cores::clamped(cpu);
        assert_eq!(take(&mut fleet, 0.0, &absurd), Err(Refusal::Implausible));
    }
}

#[test]
fn three_missed_heartbeats_and_the_node_is_gone_until_the_next() {
    let mut fleet = Fleet::new(params());
    take(&mut fleet, 0.0, &beat("n1", "a", 1)).unwrap();
    assert!(fleet.mark_gone(at(3.0)).is_empty());
    assert_eq!(fleet.mark_gone(at(3.1)), [NodeId::new("n1").unwrap()]);
    assert!(fleet.mark_gone(at(3.2)).is_empty());
    assert!(take(&mut fleet, 4.0, &beat("n1", "a", 2)).unwrap().joined);
}

#[test]
fn a_node_with_jobs_in_the_ledger_is_never_forgotten() {
    let mut fleet = Fleet::new(params());
    take(&mut fleet, 0.0, &beat("n1", "a", 1)).unwrap();
    let id = NodeId::new("n1").unwrap();
    let ocr = Category::new("ocr").unwrap();
    let node = fleet.get_mut(&id).unwrap();
    node.ledger
        .reserve(Sequence::new(1), &ocr, Resources::default());
    fleet.mark_gone(at(10.0));
    fleet.forget(at(10_000.0));
    assert!(fleet.get(&id).is_some());
    fleet.get_mut(&id).unwrap().release(Sequence::new(1));
    fleet.forget(at(10_000.0));
    assert!(fleet.get(&id).is_none());
}

proptest! {
    #[test]
    fn what_others_use_stays_within_capacity(total in any::<f64>(), jobs in any::<f64>()) {
        let mut fleet = Fleet::new(params());
        let mut beat = beat("n1", "a", 1);
        beat.usage.total.cpu = Cores::clamped(total);
        beat.usage.jobs.cpu = Cores::clamped(jobs);
        take(&mut fleet, 0.0, &beat).unwrap();
        let node = fleet.nodes().next().unwrap();
        prop_assert!(node.present_use().cpu <= beat.capacity.cpu);
        for ahead in Ahead::all() {
            prop_assert!(node.predicted_use(ahead).cpu <= beat.capacity.cpu);
        }
    }
}
