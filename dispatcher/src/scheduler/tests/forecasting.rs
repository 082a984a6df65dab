//! Tests of the scheduler's forecast duties beside placement.

use std::collections::BTreeMap;

use rolecast_common::id::Role;
use rolecast_common::wire::ForecastMode;

use super::*;
use crate::category::{Policy, Profile};

fn machine_in(mode: ForecastMode, policies: Vec<Policy>) -> Scheduler {
    let params = Params {
        forecast: rolecast_forecast::Params { mode, ..params() },
        policies,
        ..machine().params
    };
    led(Scheduler::new(params, now(0.0)), 5)
}

fn handle(machine: &mut Scheduler, seconds: f64, input: Input) -> Vec<Output> {
    let mut out = Vec::new();
    machine.handle(now(seconds), input, &mut out);
    out
}

/// Sends heartbeats for half an hour from two nodes: the follower bursts for a
/// minute in three and is idle at the end, the backup is steady.
fn hear_bursts(machine: &mut Scheduler) {
    for second in 0..1800u32 {
        for (name, role) in [("n1", "follower"), ("n2", "backup")] {
            let mut beat = beat(name, "a", u64::from(second) + 1);
            beat.roles = vec![Role::new(role).unwrap()];
            let is_busy = name == "n1" && second % 180 < 60;
            beat.usage.total.cpu =
                rolecast_common::unit::Cores::clamped(if is_busy { 3.9 } else { 0.3 });
            let from = node(name);
            let heartbeat = Box::new(beat);
            handle(
                machine,
                f64::from(second),
                Input::Heartbeat { from, heartbeat },
            );
        }
    }
}

fn long_policy() -> Policy {
    Policy {
        roles: ["follower", "backup"]
            .map(|role| Role::new(role).unwrap())
            .to_vec(),
        profile: Profile {
            average: rolecast_common::unit::Resources {
                cpu: rolecast_common::unit::Cores::clamped(1.0),
                ..Default::default()
            },
            duration: Duration::from_secs(300),
            ..policy("ocr").profile
        },
        ..policy("ocr")
    }
}

#[test]
fn advice_is_counted_and_changes_nothing() {
    let mut sent = Vec::new();
    for mode in ForecastMode::ALL {
        let mut machine = machine_in(mode, vec![long_policy()]);
        hear_bursts(&mut machine);
        let out = turn(&mut machine, 1800.0, [delivery(1, 1)]);
        sent.push(forwarded(&out).remove(0).0.to_string());
        let status = machine.status(now(1800.0));
        assert_eq!(status.forecast_mode, mode);
        let counted = (
            status.counters.advisory_decisions,
            status.counters.advisory_diverted,
        );
        let expected = match mode {
            ForecastMode::Advisory => (1, 1),
            ForecastMode::On | ForecastMode::Off => (0, 0),
        };
        assert_eq!(counted, expected, "{mode}");
        let counters = status.counters;
        let of_n1 = status.nodes[0].diverted;
        let expected = match mode {
            ForecastMode::On => (1, 1, 1),
            ForecastMode::Advisory | ForecastMode::Off => (0, 0, 0),
        };
        assert_eq!(
            (counters.compared, counters.diverted, of_n1),
            expected,
            "{mode}"
        );
    }
    assert_eq!(sent, ["n2", "n1", "n1"]);
}

#[test]
fn the_map_is_published_every_ten_seconds() {
    let mut machine = machine_in(ForecastMode::On, vec![long_policy()]);
    let mut published = 0;
    for tick in 0..100u32 {
        let out = handle(&mut machine, 0.3 + f64::from(tick) * 0.3, Input::Turn);
        let maps = out
            .iter()
            .filter(|output| matches!(output, Output::PublishCapacity(_)));
        published += maps.count();
    }
    assert_eq!(published, 3);
}

#[test]
fn jobs_that_keep_coming_are_a_demand_on_their_best_role() {
    let mut machine = machine_in(ForecastMode::On, vec![long_policy()]);
    hear_bursts(&mut machine);
    let category = Category::new("ocr").unwrap();
    assert_eq!(
        machine.status(now(1800.0)).categories[0].expected_per_minute,
        None
    );
    for minute in 0..30u32 {
        let held = BTreeMap::from([(category.clone(), u64::from(minute) * 6)]);
        let seconds = 1800.0 + f64::from(minute) * 60.0;
        handle(&mut machine, seconds, Input::Backlogs(held));
    }
    let status = machine.status(now(1800.0));
    let rate = status.categories[0].expected_per_minute.unwrap();
    assert!((rate - 6.0).abs() < 0.5, "{rate}");
    let roles: Vec<(&str, bool)> = status
        .roles
        .iter()
        .map(|role| (role.role.as_str(), role.at_horizon_s.is_some()))
        .collect();
    // Six a minute that each hold a core for five minutes are thirty cores.
    assert_eq!(roles, [("backup", false), ("follower", true)]);
    let map = machine.capacity(now(1800.0));
    let follower = &map.roles[&Role::new("follower").unwrap()];
    let demand = follower.horizons[0].demand.cpu.get();
    assert!((demand - 30.0).abs() < 3.0, "{demand}");
    assert_eq!(follower.horizons[0].nodes.len(), 1);
}

#[test]
fn checkpoints_are_made_when_due_and_when_stopping() {
    let mut machine = machine_in(ForecastMode::On, vec![long_policy()]);
    hear_bursts(&mut machine);
    let saved = |out: &[Output]| -> Vec<String> {
        let saves = out.iter().filter_map(|output| {
            let Output::SaveForecast { node, bytes } = output else {
                return None;
            };
            assert!(!bytes.is_empty());
            Some(node.to_string())
        });
        saves.collect()
    };
    assert!(handle(&mut machine, 1801.0, Input::CheckpointsDue).is_empty());
    let out = handle(&mut machine, 1801.5, Input::Turn);
    assert_eq!(saved(&out), ["n1", "n2"]);
    assert!(saved(&handle(&mut machine, 1803.0, Input::Turn)).is_empty());
    let out = handle(&mut machine, 1804.0, Input::Stop);
    assert_eq!(saved(&out), ["n1", "n2"]);
}

#[test]
fn lessons_are_passed_on_once_and_only_where_a_stack_is_used() {
    for (mode, is_taught) in [(ForecastMode::On, true), (ForecastMode::Off, false)] {
        let mut machine = machine_in(mode, vec![long_policy()]);
        hear_bursts(&mut machine);
        let lessons = |out: Vec<Output>| {
            out.iter()
                .any(|output| matches!(output, Output::Learn(lessons) if !lessons.is_empty()))
        };
        assert_eq!(
            lessons(handle(&mut machine, 1801.0, Input::Turn)),
            is_taught
        );
        assert!(!lessons(handle(&mut machine, 1802.0, Input::Turn)));
    }
}
