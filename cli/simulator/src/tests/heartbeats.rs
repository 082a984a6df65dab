//! Tests of the heartbeats in whole runs.

use super::assert_near;
use super::fixture::{Recorder, arrival, fixed, host, kind, run_on, world};
use crate::engine::run;
use crate::world::{Heartbeats, Load, Sample, World};

/// One host whose others use 1 core from second 10 on.
fn stepping(heartbeats: Heartbeats) -> World {
    let mut world = world(vec![host(4.0)], vec![kind("a")], vec![]);
    let sample = |cpu| Sample {
        cpu,
        speed_left: 1.0,
        ..Sample::default()
    };
    let samples = (0..40).map(|index| sample(if index < 20 { 0.0 } else { 1.0 }));
    world.hosts[0].load = Load {
        start_s: -10.0,
        step_s: 0.5,
        samples: samples.collect(),
    };
    world.history_s = 10.0;
    world.length_s = 100.0;
    world.heartbeats = heartbeats;
    world
}

const HEARTBEATS: Heartbeats = Heartbeats {
    interval_s: 1.0,
    delay_s: 0.02,
    noise: 0.0,
    loss: 0.0,
    on_change: false,
};

#[test]
fn a_heartbeat_shows_the_mean_since_the_last_one() {
    let mut world = stepping(HEARTBEATS);
    world.hosts[0].load.start_s = 0.0;
    world.arrivals = vec![arrival(50.0, 10.0)];
    let (_, recorder) = run_on(&world);
    let heartbeats = &recorder.heartbeats;
    assert_eq!(heartbeats.len(), 100);
    let others = |index: usize| {
        let usage = heartbeats[index].usage;
        usage.total.cpu.get() - usage.jobs.cpu.get()
    };
    let phase_s = heartbeats[0].sent_s(&HEARTBEATS);
    assert!(
        (others(10) - phase_s).abs() < 0.11,
        "{phase_s}: {}",
        others(10)
    );
    assert_eq!((others(9), others(11)), (0.0, 1.0));
    assert_eq!(heartbeats[55].usage.jobs.cpu.get(), 1.0);
    assert_eq!(
        (&heartbeats[55].jobs, &heartbeats[65].jobs),
        (&vec![0], &vec![])
    );
    for (index, heartbeat) in heartbeats.iter().enumerate() {
        let late_s = heartbeat.now_s - phase_s - index as f64;
        assert!((-0.1..=0.1).contains(&late_s), "{heartbeat:?}");
        assert_eq!(heartbeat.sequence, index as u64 + 11, "10 s of history");
    }
}

#[test]
fn a_change_is_reported_at_once() {
    let mut world = stepping(Heartbeats {
        on_change: true,
        interval_s: 20.0,
        ..HEARTBEATS
    });
    world.hosts[0].load.start_s = 0.0;
    let (_, recorder) = run_on(&world);
    let report = recorder
        .heartbeats
        .iter()
        .find(|heartbeat| heartbeat.usage.total.cpu.get() > 0.0);
    let report = report.unwrap();
    assert!((10.12..=12.12).contains(&report.now_s), "{report:?}");
    assert_near(report.usage.total.cpu.get(), 1.0, 1e-9);
    assert_eq!(recorder.heartbeats.len(), 6, "one in 20 s, and one more");
}

#[test]
fn heartbeats_are_lost_and_noisy_as_often_as_planned() {
    let mut world = stepping(Heartbeats {
        loss: 0.5,
        noise: 0.03,
        ..HEARTBEATS
    });
    world.hosts[0].load = fixed(Sample {
        cpu: 2.0,
        speed_left: 1.0,
        ..Sample::default()
    });
    world.length_s = 4000.0;
    let (_, recorder) = run_on(&world);
    let count = recorder.heartbeats.len() as f64;
    assert_near(count, 2000.0, 0.1);
    assert!(recorder.heartbeats.last().unwrap().sequence > 3990);
    let errors = recorder
        .heartbeats
        .iter()
        .map(|heartbeat| heartbeat.usage.total.cpu.get() / 2.0 - 1.0);
    let variance = errors.map(|error| error * error).sum::<f64>() / count;
    assert_near(variance.sqrt(), 0.03, 0.1);
}

#[test]
fn the_history_is_given_to_those_who_learn() {
    let mut world = stepping(HEARTBEATS);
    world.hosts[0].load.start_s = -15.0;
    for learns in [false, true] {
        let mut recorder = Recorder::new("random", &world);
        recorder.learns = learns;
        run(&world, &mut recorder);
        let history = recorder
            .heartbeats
            .iter()
            .filter(|heartbeat| heartbeat.now_s <= 0.0);
        let history: Vec<_> = history.collect();
        assert_eq!(history.len(), if learns { 10 } else { 0 });
        assert!(
            recorder
                .heartbeats
                .is_sorted_by(|a, b| a.now_s <= b.now_s && a.sequence < b.sequence)
        );
        if learns {
            let cores: Vec<f64> = history
                .iter()
                .map(|heartbeat| heartbeat.usage.total.cpu.get())
                .collect();
            let phase_s = history[0].now_s + 10.0 - HEARTBEATS.delay_s;
            assert_near(cores[5], phase_s, 1e-6);
            assert_eq!((cores[4], cores[6]), (0.0, 1.0));
        }
    }
}
