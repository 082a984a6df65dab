//! Tests that each policy follows the literature, in worlds small enough to know the
//! answer.

mod fixture;

use rolecast_common::id::Role;

use super::{NAMES, create};
use crate::engine::run;
use crate::world::{Arrival, Sharing, World};
use fixture::{GB, Sent, busy, fleet, host, job, kind, on_hosts, sends, world};

/// Jobs that outlast the test, every 10 ms from `from_s` on.
fn long_jobs(from_s: f64, count: u32) -> Vec<Arrival> {
    let at = |number| job(from_s + 0.01 * f64::from(number), 100.0);
    (0..count).map(at).collect()
}

#[test]
fn round_robin_gives_each_host_a_turn() {
    let world = world(vec![host(1.0), host(4.0), host(1.0)], long_jobs(0.0, 6));
    assert_eq!(on_hosts(&sends("round-robin", &world)), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn weighted_round_robin_follows_capacity_and_spreads_evenly() {
    let world = world(vec![host(1.0), host(3.0)], long_jobs(0.0, 8));
    let hosts = on_hosts(&sends("weighted-round-robin", &world));
    assert_eq!(hosts, [1, 0, 1, 1, 1, 0, 1, 1]);
}

#[test]
fn two_choices_fill_hosts_by_capacity() {
    let world = world(vec![host(4.0), host(1.0)], long_jobs(0.0, 10));
    let hosts = on_hosts(&sends("p2c", &world));
    assert_eq!(
        hosts.iter().filter(|host| **host == 0).count(),
        8,
        "{hosts:?}"
    );
}

#[test]
fn peak_ewma_keeps_away_from_a_slow_host() {
    let mut slow = host(4.0);
    slow.speed = 0.2;
    let jobs = (0..200).map(|number| job(0.1 * f64::from(number), 0.2));
    let world = world(vec![slow, host(4.0)], jobs.collect());
    let late = on_hosts(&sends("p2c-peak-ewma", &world)[100..]);
    let on_slow = late.iter().filter(|host| **host == 0).count();
    assert!(on_slow <= 10, "{on_slow} of 100");
}

#[test]
fn what_heeds_heartbeats_alone_herds() {
    for name in ["least-reported-cpu", "threshold-score"] {
        let mut hosts = fleet(4, 4.0);
        hosts[1].load = busy(0.0, &[]);
        for host in [0, 2, 3] {
            hosts[host].load = busy(1.0, &[]);
        }
        // All hosts have sent a heartbeat by then, and jobs are reported later.
        let world = world(hosts, long_jobs(1.2, 20));
        assert_eq!(on_hosts(&sends(name, &world)), [1; 20], "{name}");
    }
}

#[test]
fn threshold_score_lets_jobs_wait_while_nobody_has_room() {
    let mut hosts = fleet(2, 4.0);
    for host in &mut hosts {
        host.load = busy(3.8, &[(10.0, 0.4)]);
    }
    let sent = sends("threshold-score", &world(hosts, long_jobs(1.2, 3)));
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|sent| sent.at_s > 10.0), "{sent:?}");
}

#[test]
fn prequal_prefers_the_fast_and_spares_the_hot() {
    let mut hosts = fleet(4, 2.0);
    hosts[2].speed = 0.25;
    let jobs = (0..2000).map(|number| job(0.02 * f64::from(number), 0.05));
    let sent = sends("prequal", &world(hosts, jobs.collect()));
    let count = |place| sent.iter().filter(|sent| sent.host == place).count();
    let counts = [count(0), count(1), count(2), count(3)];
    assert!(counts[2] < 100, "{counts:?}");
    assert!(
        [0, 1, 3].iter().all(|place| counts[*place] > 400),
        "{counts:?}"
    );
}

#[test]
fn pulling_hosts_fill_their_slots_and_no_more() {
    for (name, slots) in [("pull", 4), ("pull-2", 8)] {
        let world = world(vec![host(1.0), host(3.0)], long_jobs(0.0, 20));
        let sent = sends(name, &world);
        let first: Vec<&Sent> = sent.iter().filter(|sent| sent.at_s < 50.0).collect();
        assert_eq!(first.len(), slots, "{name}");
        let on_small = first.iter().filter(|sent| sent.host == 0).count();
        assert_eq!(on_small * 4, slots, "{name}");
    }
}

#[test]
fn slots_for_each_category_keep_long_jobs_from_blocking_short_ones() {
    let mut world = world(vec![host(4.0)], long_jobs(0.0, 10));
    world.kinds = vec![kind("long", 100.0), kind("short", 0.1)];
    let mut short = job(1.0, 0.1);
    short.kind = 1;
    world.arrivals.push(short);
    let at_s = |name| {
        sends(name, &world)
            .iter()
            .find(|sent| sent.job == 10)
            .map(|sent| sent.at_s)
    };
    assert!(at_s("pull").is_none_or(|at_s| at_s > 50.0));
    assert_eq!(at_s("pull-percat"), Some(1.0));
    assert_eq!(at_s("pull-cpu"), Some(1.0));
}

#[test]
fn hosts_that_pull_by_cpu_look_at_themselves_and_take_one_job_at_a_time() {
    let mut hosts = fleet(2, 4.0);
    hosts[0].load = busy(3.8, &[]);
    let jobs = (0..3).map(|_| job(1.0, 100.0)).collect();
    let mut world = world(hosts, jobs);
    world.kinds[0].duration_s = 100.0;
    let sent = sends("pull-cpu", &world);
    let expected = [(1.0, 1), (1.01, 1), (1.02, 1)];
    for (sent, (at_s, host)) in sent.iter().zip(expected) {
        assert!(
            (sent.at_s - at_s).abs() < 1e-4 && sent.host == host,
            "{sent:?}"
        );
    }
}

#[test]
fn the_oracle_knows_what_others_will_do() {
    let mut hosts = fleet(2, 2.0);
    hosts[0].load = busy(0.0, &[(2.0, 2.0), (30.0, 0.0)]);
    hosts[1].load = busy(0.8, &[]);
    let mut world = world(hosts, vec![job(1.0, 0.1), job(1.2, 10.0)]);
    world.sharing = Sharing::Priority;
    assert_eq!(on_hosts(&sends("oracle", &world)), [0, 1]);
}

#[test]
fn the_oracle_knows_how_long_jobs_are() {
    // Both hosts have a job, declared alike; one is nearly done.
    let mut jobs = vec![job(0.0, 1.0), job(0.0, 60.0)];
    jobs.push(job(0.9, 5.0));
    let sent = sends("oracle", &world(fleet(2, 1.0), jobs));
    assert_eq!(sent[2].host, sent[0].host);
}

#[test]
fn a_memory_check_prevents_kills() {
    let mut jobs = long_jobs(1.2, 12);
    for job in &mut jobs {
        job.work_s = 2.0;
        job.needs.memory = 4.0 * GB;
    }
    let mut world = world(fleet(2, 16.0), jobs);
    world.kinds[0].average.memory = 4.0 * GB;
    let kills = |name: &str| run(&world, &mut *create(name, &world).unwrap()).kills;
    for name in ["prequal", "p2c-peak-ewma", "least-in-flight-weighted"] {
        assert!(kills(name) > 0, "{name}");
        assert_eq!(kills(&format!("{name}+memory")), 0, "{name}");
    }
    assert_eq!(kills("oracle"), 0);
}

#[test]
fn a_killed_job_keeps_its_age() {
    // Two fit by declaration. The first needs more and is killed beside the second; it is
    // sent again a second later, when others wait already.
    let mut jobs = vec![job(1.2, 5.0)];
    jobs.extend((0..4).map(|number| job(1.3 + 0.1 * f64::from(number), 5.0)));
    for job in &mut jobs {
        job.needs.memory = 6.0 * GB;
    }
    jobs[0].needs.memory = 11.0 * GB;
    let mut world = world(fleet(1, 16.0), jobs);
    world.kinds[0].average.memory = 6.0 * GB;
    let sent = sends("least-in-flight-weighted+memory", &world);
    let order: Vec<_> = sent.iter().map(|sent| sent.job).collect();
    assert_eq!(order[..4], [0, 1, 2, 0], "{sent:?}");
}

#[test]
fn a_killed_job_comes_again_after_a_second() {
    let mut large = job(1.0, 1.0);
    large.needs.memory = 20.0 * GB;
    let mut world = world(fleet(1, 4.0), vec![large]);
    world.hosts[0].latency_s = 0.0;
    world.length_s = 20.0;
    for (name, _) in NAMES {
        if *name == "oracle" {
            // It knows that the job fits nowhere.
            continue;
        }
        let sent = sends(name, &world);
        assert!((10..=11).contains(&sent.len()), "{name}: {}", sent.len());
        let waits = sent.windows(2).map(|pair| pair[1].at_s - pair[0].at_s);
        let tolerance = if name.starts_with("rolecast") {
            0.34
        } else {
            0.1
        };
        for wait_s in waits {
            assert!((wait_s - 1.0).abs() < tolerance, "{name}: {wait_s}");
        }
    }
}

/// Ten hosts with spikes that come and go, two roles, three kinds of jobs.
fn lively() -> World {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut hosts = fleet(10, 4.0);
    for (place, host) in hosts.iter_mut().enumerate() {
        host.roles = vec![Role::new(if place == 0 { "gpu" } else { "any" }).unwrap()];
        host.latency_s = 0.001;
        host.speed = [0.8, 1.0, 1.2][place % 3];
        host.declared_speed = host.speed;
        let mut changes = Vec::new();
        let mut at_s = 5.0 * rng.f64();
        while at_s < 60.0 {
            changes.push((at_s, 3.5));
            changes.push((at_s + 5.0, 0.5));
            at_s += 15.0;
        }
        host.load = busy(0.5, &changes);
    }
    let mut jobs = Vec::new();
    let mut at_s = 0.0;
    while at_s < 60.0 {
        at_s += -0.1 * (1.0 - rng.f64()).ln();
        let kind = [0, 0, 0, 0, 1, 1, 1, 1, 1, 2][rng.usize(..10)];
        let mean_s = [0.05, 2.0, 1.0][kind];
        let mut job = job(at_s, -mean_s * (1.0 - rng.f64()).ln());
        job.kind = kind;
        job.needs.memory = 0.2 * GB;
        jobs.push(job);
    }
    let mut world = world(hosts, jobs);
    world.sharing = Sharing::Priority;
    world.kinds = vec![kind("short", 0.05), kind("long", 2.0), kind("gpu", 1.0)];
    world.kinds[2].roles = vec![Role::new("gpu").unwrap()];
    world.length_s = 60.0;
    world
}

#[test]
fn every_policy_ends_every_job_and_does_the_same_again() {
    let world = lively();
    for (name, _) in NAMES {
        let run = || run(&world, &mut *create(name, &world).unwrap());
        let metrics = run();
        assert_eq!((metrics.unfinished, metrics.failures), (0, 0), "{name}");
        assert_eq!(metrics, run(), "{name}");
    }
}

/// The same where memory is short: jobs differ in it, and others take more of it while
/// they are busy.
fn tight() -> World {
    let mut rng = fastrand::Rng::with_seed(8);
    let mut world = lively();
    for host in &mut world.hosts {
        host.memory = 5.0 * GB;
        for sample in &mut host.load.samples {
            sample.memory = if sample.cpu > 1.0 { 2e9 } else { 1e9 };
        }
    }
    for arrival in &mut world.arrivals {
        arrival.needs.memory = (0.1 + 0.8 * rng.f64()) * GB;
        if arrival.kind == 1 {
            arrival.needs.memory *= 2.0;
        }
    }
    for (kind, memory) in world.kinds.iter_mut().zip([0.5, 1.0, 0.5]) {
        kind.average.memory = memory * GB;
        kind.peak.memory = 1.8 * memory * GB;
    }
    world
}

#[test]
fn nobody_does_better_than_the_oracle() {
    for world in [lively(), tight()] {
        let metrics = |name: &str| run(&world, &mut *create(name, &world).unwrap());
        let oracle = metrics("oracle");
        assert_eq!((oracle.kills, oracle.unfinished), (0, 0));
        let oracle = oracle.gm99.unwrap();
        for (name, _) in NAMES.iter().filter(|(name, _)| *name != "oracle") {
            let other = metrics(name).gm99.unwrap();
            // It is greedy, and so no bound.
            assert!(oracle < 1.05 * other, "oracle {oracle}, {name} {other}");
        }
    }
}

#[test]
fn an_unknown_name_is_no_policy() {
    let world = world(fleet(1, 1.0), vec![]);
    for name in [
        "",
        "prequa",
        "oracle+memory",
        "rolecast+memory",
        "pull+memory",
    ] {
        assert!(create(name, &world).is_none(), "{name}");
    }
}
