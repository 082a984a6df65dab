//! Tests of whole runs with known answers.

pub(super) mod fixture;
mod heartbeats;

use fastrand::Rng;

use self::fixture::{Recorder, arrival, fixed, host, kind, poisson, run_on, world};
use super::engine::run;
use super::peers::create;
use super::policy::EndStatus;
use super::world::{Load, Sample, Sharing, World};

#[track_caller]
fn assert_near(value: f64, expected: f64, tolerance: f64) {
    let error = (value - expected).abs();
    assert!(
        error <= tolerance * expected.abs(),
        "{value} is not {expected}"
    );
}

/// Returns the mean slow-down of jobs of one core that arrive at random, by the theory of
/// state-dependent processor sharing: the number of jobs is distributed as the product of
/// arrival over service rates, whatever the jobs' sizes.
fn exact_slowdown(cores: f64, arrivals_in_work: f64) -> f64 {
    let (mut weight, mut sum, mut mean) = (1.0, 1.0, 0.0);
    for count in 1..20_000 {
        let count = f64::from(count);
        let utilization: f64 = count / cores;
        let slowdown = utilization.max(1.0) * (1.0 + 0.15 * utilization.min(1.0).powi(2));
        weight *= arrivals_in_work * slowdown / count;
        sum += weight;
        mean += weight * count;
    }
    mean / sum / arrivals_in_work
}

#[test]
fn the_mean_slowdown_is_that_of_processor_sharing() {
    const CORES: f64 = 8.0;
    for (load, length_s) in [(0.5, 5_000.0), (0.7, 10_000.0), (0.85, 25_000.0)] {
        // The most that the host can serve, because interference takes its part.
        let work = load * CORES / 1.15;
        let mut world = world(vec![host(CORES)], vec![kind("a")], vec![]);
        world.arrivals = poisson(&mut Rng::with_seed(7), work, 1.0, length_s);
        world.length_s = length_s;
        world.drain_s = 1000.0;
        let metrics = run(&world, &mut *create("random", &world).unwrap());
        // Jobs differ in size: all slow down alike, so the ratio of means is exact.
        let slowdown = metrics.kinds[0].response.mean / mean_work(&world);
        assert_near(slowdown, exact_slowdown(CORES, work), 0.03);
    }
}

fn mean_work(world: &World) -> f64 {
    let sum: f64 = world.arrivals.iter().map(|arrival| arrival.work_s).sum();
    sum / world.arrivals.len() as f64
}

/// Hosts and load of all sorts, and jobs that use everything.
fn mixed(seed: u64) -> World {
    let mut rng = Rng::with_seed(seed);
    let mut hosts: Vec<_> = [2.0, 4.0, 8.0].map(host).into();
    for host in &mut hosts {
        host.speed = 0.8 + 0.4 * rng.f64();
        host.latency_s = 0.01 * rng.f64();
        let mut sample = || Sample {
            cpu: 2.0 * rng.f32(),
            memory: 10e9 * rng.f32(),
            network: 5e7 * rng.f32(),
            disk: 1e8 * rng.f32(),
            speed_left: 0.25 + 0.75 * rng.f32(),
        };
        host.load = Load {
            start_s: 0.0,
            step_s: 0.5,
            samples: (0..200).map(|_| sample()).collect(),
        };
    }
    let arrivals = poisson(&mut rng, 1.5, 0.2, 100.0);
    let mut world = world(hosts, vec![kind("a"), kind("b")], arrivals);
    for (index, arrival) in world.arrivals.iter_mut().enumerate() {
        arrival.kind = index % 2;
        arrival.needs.memory = 4e9 * rng.f64();
        arrival.needs.disk = [0.0, 5e7][rng.usize(..2)];
        arrival.needs.network = [0.0, 5e7][rng.usize(..2)];
    }
    world.seed = seed;
    world.length_s = 100.0;
    world.drain_s = 1000.0;
    world
}

#[test]
fn every_job_ends_once_and_all_work_is_done() {
    for sharing in [Sharing::Fair, Sharing::Priority] {
        let mut world = mixed(3);
        world.sharing = sharing;
        for host in &mut world.hosts {
            for sample in &mut host.load.samples {
                sample.speed_left = 0.5;
            }
        }
        let mut recorder = Recorder::new("least-in-flight-weighted", &world);
        let metrics = run(&world, &mut recorder);
        let mut completed = vec![0; world.arrivals.len()];
        for ended in &recorder.ends {
            if ended.end.status == EndStatus::Completed {
                completed[ended.job] += 1;
                let speed = 0.5 * world.hosts[ended.host].speed;
                let work_s = world.arrivals[ended.job].work_s;
                assert!((ended.end.cpu_s * speed - work_s).abs() < 1e-6, "{ended:?}");
            }
        }
        let lost = completed.iter().position(|count| *count != 1);
        assert_eq!(lost, None, "a job that did not end once");
        let kills = recorder.ends.len() - world.arrivals.len();
        assert!(kills > 0, "memory is short in this world");
        assert_eq!(metrics.kills, kills as u64);
        assert_eq!(metrics.unfinished + metrics.failures, 0);
    }
}

#[test]
fn one_world_gives_one_result() {
    let world = mixed(5);
    let result = |world: &World| {
        let mut recorder = Recorder::new("random", world);
        let metrics = run(world, &mut recorder);
        (metrics, recorder.ends, recorder.heartbeats)
    };
    let first = result(&world);
    assert_eq!(first, result(&world));
    assert_ne!(first, result(&mixed(6)));
}

#[test]
fn others_slow_a_job_as_the_cpu_is_shared() {
    for (sharing, expected_s, squeeze) in [
        (Sharing::Fair, 1.25 * 1.15, 0.2),
        (Sharing::Priority, 2.0 * 1.15, 0.0),
    ] {
        let mut world = world(vec![host(2.0)], vec![kind("a")], vec![arrival(0.0, 1.0)]);
        world.sharing = sharing;
        world.length_s = 1.0;
        world.hosts[0].load = fixed(Sample {
            cpu: 1.5,
            speed_left: 1.0,
            ..Sample::default()
        });
        let (metrics, _) = run_on(&world);
        assert_near(metrics.kinds[0].response.mean, expected_s, 1e-6);
        assert!(
            (metrics.squeeze - squeeze).abs() < 1e-6,
            "{}",
            metrics.squeeze
        );
    }
}

#[test]
fn jobs_get_a_twentieth_beside_others_that_go_first() {
    let mut world = world(vec![host(2.0)], vec![kind("a")], vec![arrival(0.0, 1.0)]);
    world.sharing = Sharing::Priority;
    world.hosts[0].load = fixed(Sample {
        cpu: 3.0,
        speed_left: 1.0,
        ..Sample::default()
    });
    assert_near(run_on(&world).0.kinds[0].response.mean, 10.0 * 1.15, 1e-6);
}

#[test]
fn the_slowest_resource_rules() {
    // Three jobs on 16 cores: interference of 3 / 16, and the disk serves two of them.
    let mut world = world(
        vec![host(16.0)],
        vec![kind("a")],
        vec![arrival(0.0, 1.0); 3],
    );
    for arrival in &mut world.arrivals[..2] {
        arrival.needs.disk = 0.75 * world.hosts[0].disk;
    }
    let (_, recorder) = run_on(&world);
    let ends: Vec<_> = recorder
        .ends
        .iter()
        .map(|ended| (ended.job, ended.now_s))
        .collect();
    assert_eq!(
        ends.iter().map(|(job, _)| *job).collect::<Vec<_>>(),
        [2, 0, 1]
    );
    assert_near(ends[0].1, 1.0 + 0.15 * (3.0_f64 / 16.0).powi(2), 1e-6);
    assert_near(ends[1].1, 1.5, 1e-6);
    let end = recorder.ends[1].end;
    assert_near(end.disk_bytes, 0.75 * world.hosts[0].disk, 1e-6);
}

#[test]
fn a_host_thrashes_before_its_memory_is_full() {
    let mut world = world(vec![host(16.0)], vec![kind("a")], vec![arrival(0.0, 1.0)]);
    world.arrivals[0].needs.memory = 0.965 * world.hosts[0].memory;
    let (metrics, _) = run_on(&world);
    let alone = 1.0 + 0.15 / 256.0;
    assert_near(metrics.kinds[0].response.mean, 3.0 * alone, 1e-6);
    assert_near(metrics.thrash_s, 3.0 * alone, 1e-6);
}

#[test]
fn the_largest_job_is_killed_and_sent_again() {
    let mut world = world(vec![host(16.0)], vec![kind("a")], vec![]);
    world.arrivals = vec![arrival(0.0, 2.5), arrival(0.5, 1.0)];
    let memory = world.hosts[0].memory;
    world.arrivals[0].needs.memory = 0.4 * memory;
    world.arrivals[1].needs.memory = 0.7 * memory;
    let (metrics, recorder) = run_on(&world);
    let statuses = recorder
        .ends
        .iter()
        .map(|ended| (ended.job, ended.end.status));
    let killed = (1, EndStatus::Killed);
    let expected = [
        killed,
        killed,
        killed,
        (0, EndStatus::Completed),
        (1, EndStatus::Completed),
    ];
    assert_eq!(statuses.collect::<Vec<_>>(), expected);
    assert_eq!((metrics.kills, metrics.failures), (3, 0));
}

#[test]
fn a_job_that_never_fits_fails() {
    let mut world = world(vec![host(2.0)], vec![kind("a")], vec![arrival(0.0, 1.0); 2]);
    world.arrivals[1].needs.memory = 1.1 * world.hosts[0].memory;
    let (metrics, _) = run_on(&world);
    assert_eq!(
        (metrics.kills, metrics.failures, metrics.unfinished),
        (10, 1, 0)
    );
    assert_eq!(metrics.kinds[0].misses, 0.5);
    let end_s = world.length_s + world.drain_s;
    assert_near(metrics.kinds[0].response.p999, end_s, 1e-3);
}

#[test]
fn a_memory_check_lets_jobs_wait_instead_of_being_killed() {
    let mut world = world(vec![host(8.0)], vec![kind("a")], vec![arrival(0.0, 1.0); 4]);
    let memory = 0.4 * world.hosts[0].memory;
    world.kinds[0].average.memory = memory;
    for arrival in &mut world.arrivals {
        arrival.needs.memory = memory;
    }
    let name = "least-in-flight-weighted";
    for (name, is_killed) in [(format!("{name}+memory"), false), (name.to_owned(), true)] {
        let metrics = run(&world, &mut *create(&name, &world).unwrap());
        assert_eq!(metrics.kills > 0, is_killed);
        assert_eq!(metrics.unfinished, 0);
    }
}

#[test]
fn messages_take_their_time_both_ways() {
    let mut world = world(vec![host(16.0)], vec![kind("a")], vec![arrival(1.0, 1.0)]);
    world.hosts[0].latency_s = 0.25;
    let (metrics, recorder) = run_on(&world);
    let run_s = 1.0 + 0.15 / 256.0;
    assert_near(metrics.kinds[0].response.mean, 0.5 + run_s, 1e-6);
    assert_near(recorder.ends[0].end.started_s, 1.25, 1e-9);
    assert_near(recorder.ends[0].now_s, 1.5 + run_s, 1e-6);
}

#[test]
fn jobs_go_only_where_their_role_is() {
    let mut world = world(vec![host(1.0), host(1.0)], vec![kind("a")], vec![]);
    world.arrivals = (0..20).map(|i| arrival(f64::from(i), 0.1)).collect();
    let role = rolecast_common::id::Role::new("gpu").unwrap();
    world.hosts[1].roles = vec![role.clone()];
    world.kinds[0].roles = vec![role];
    let (metrics, recorder) = run_on(&world);
    assert!(recorder.ends.iter().all(|ended| ended.host == 1));
    assert_eq!(
        metrics.gm99, None,
        "only kinds that any role may run are averaged"
    );
}
