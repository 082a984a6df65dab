//! Tests with systems made by hand, and the worlds that are made from them.

use rolecast_common::id::Category;
use rolecast_common::time::WallTime;
use serde_json::{Value, json};

use super::{Changes, Cluster, RecordedJob, Recording, Unusable};
use crate::engine;
use crate::peers;
use crate::scenario::build::Cell;
use crate::world::{Sharing, World};

const NOW_MS: u64 = 1_767_600_000_000;
const AS_IT_WAS: Changes = Changes {
    jobs: 1.0,
    hosts: None,
    length_s: None,
};
const CELL: Cell = Cell {
    load: None,
    sharing: Sharing::Fair,
    hosts: 2,
    seed: 1,
};

#[test]
fn hosts_are_as_they_are_and_used_as_they_were() {
    let mut system = system(30);
    let minutes: Vec<f64> = (0..20).map(f64::from).collect();
    remember(&mut system, 0, &minutes);
    remember(&mut system, 1, &[3.0, 3.0, 2.0, 1.0]);
    let world = world(&system, &AS_IT_WAS);
    let [n1, n2] = &world.hosts[..] else {
        panic!("n3 is gone: {:?}", world.hosts);
    };
    assert_eq!((n1.cores, n1.declared_speed, n1.speed), (4.0, 1.0, 0.5));
    assert_eq!(n1.latency_s, 0.0002);
    assert!(n1.network > 1e12, "not known, and so no limit");
    // Half of twenty minutes is history, and second 0 is in the middle.
    assert_eq!((world.history_s, world.length_s), (600.0, 600.0));
    assert_eq!(world.epoch_ms, NOW_MS - 600_000);
    let cpu = |host: &super::Host, at_s| host.load.samples[host.load.index_at(at_s)].cpu;
    let at = [-600.0, -1.0, 0.0, 599.0, 800.0];
    assert_eq!(at.map(|at_s| cpu(n1, at_s)), [0.0, 9.0, 10.0, 19.0, 19.0]);
    // It appeared four minutes ago, and is assumed constant before.
    let at = [-600.0, 0.0, 479.0, 481.0, 599.0];
    assert_eq!(at.map(|at_s| cpu(n2, at_s)), [3.0, 3.0, 3.0, 2.0, 1.0]);
    let notes = Cluster::new(&system, &AS_IT_WAS).unwrap().notes.join("\n");
    for part in [
        "present: n3",
        "the last 10m; the 10m before",
        "means of 1m",
        "echo: 1 of 2 nodes with its roles can run it",
    ] {
        assert!(notes.contains(part), "{part:?} not in {notes}");
    }
    // A run twice as long repeats the records.
    let changes = Changes {
        length_s: Some(1_200.0),
        hosts: Some(5),
        ..AS_IT_WAS
    };
    let world = self::world(&system, &changes);
    let at = [0.0, 599.0, 600.0, 1_199.0];
    assert_eq!(
        at.map(|at_s| cpu(&world.hosts[0], at_s)),
        [10.0, 19.0, 10.0, 19.0]
    );
    let ids: Vec<&str> = world.hosts.iter().map(|host| host.id.as_str()).collect();
    assert_eq!(ids, ["n1", "n2", "added-1", "added-2", "added-3"]);
    assert_eq!(world.hosts[3].load.samples, world.hosts[1].load.samples);
}

#[test]
fn jobs_come_when_they_came() {
    let mut system = system(0);
    remember(&mut system, 0, &[0.5; 3]);
    for (index, age_s) in [200.0, 150.0, 100.5, 100.0, 0.0].into_iter().enumerate() {
        for _ in 0..4 {
            let job = job(age_s, "");
            let key = Some([7, u64::MAX][index % 2]);
            system.jobs.push(RecordedJob { key, ..job });
        }
    }
    let world = world(&system, &AS_IT_WAS);
    assert_eq!((world.history_s, world.length_s), (60.0, 180.0));
    let times = |world: &World| -> Vec<f64> {
        let all = world.arrivals.iter().map(|arrival| arrival.at_s);
        all.step_by(4).collect()
    };
    // Those before the run, and at its very end, are not part of it.
    assert_eq!(times(&world), [30.0, 79.5, 80.0]);
    let keys = world.arrivals.iter().map(|arrival| arrival.key);
    let keys: Vec<_> = keys.step_by(4).flatten().collect();
    assert!(keys[0] == keys[2] && keys[0] != keys[1], "{keys:?}");
    let length_s = Some(360.0);
    let twice = self::world(
        &system,
        &Changes {
            length_s,
            ..AS_IT_WAS
        },
    );
    assert_eq!(
        times(&twice),
        [30.0, 79.5, 80.0, 180.0, 210.0, 259.5, 260.0]
    );
    let more = self::world(
        &system,
        &Changes {
            jobs: 2.5,
            ..AS_IT_WAS
        },
    );
    assert!(
        (24..=36).contains(&more.arrivals.len()),
        "{}",
        more.arrivals.len()
    );
    assert!(more.arrivals.is_sorted_by_key(|arrival| arrival.at_s));
    let last = Changes {
        length_s: Some(120.0),
        ..AS_IT_WAS
    };
    assert_eq!(times(&self::world(&system, &last)), [19.5, 20.0]);
}

#[test]
fn the_oldest_job_is_run_whatever_its_age() {
    for age_ms in 1_001..3_000 {
        let mut system = system(0);
        system.jobs = vec![job(f64::from(age_ms) / 1000.0, ""); 10];
        assert!(Cluster::new(&system, &AS_IT_WAS).is_ok(), "{age_ms} ms");
    }
}

#[test]
fn sizes_are_drawn_from_what_was_learned() {
    let mut system = system(100);
    let many = Changes {
        jobs: 100.0,
        ..AS_IT_WAS
    };
    let works = |system: &Recording| -> Vec<f64> {
        let world = world(system, &many);
        world
            .arrivals
            .iter()
            .map(|arrival| arrival.work_s)
            .collect()
    };
    let share = |works: &[f64], limit_s: f64| {
        let within = works.iter().filter(|work_s| **work_s <= limit_s).count();
        within as f64 / works.len() as f64
    };
    let learned = works(&system);
    assert!(learned.len() > 9_000);
    assert!((share(&learned, 2.0) - 0.5).abs() < 0.02);
    assert!((share(&learned, 6.0) - 0.95).abs() < 0.01);
    assert_eq!(works(&system), learned, "the same seed, the same world");
    let kinds = world(&system, &many).kinds;
    let kind = &kinds[0];
    assert_eq!((kind.duration_s, kind.average.cores), (2.5, 0.75));
    assert_eq!(kind.peak.memory, 9e8);
    // Before any has completed only the declaration is known.
    system.status.categories[0].profile.learned = Default::default();
    let declared = works(&system);
    let mean = declared.iter().sum::<f64>() / declared.len() as f64;
    assert!((mean - 10.0).abs() < 0.3, "{mean}");
}

#[test]
fn jobs_that_are_not_written_down_are_put_beside_those_that_are() {
    let mut system = system(0);
    // Two minutes: every second the first three, or the first twenty.
    for (per_second, expected) in [(3, 3.0), (20, 100.0)] {
        system.jobs.clear();
        for second in 0..120 {
            let age_s = f64::from(second) + 0.5;
            system.jobs.extend((0..per_second).map(|_| job(age_s, "")));
        }
        system.status.categories[0].expected_per_minute = Some(6_000.0);
        let cluster = Cluster::new(&system, &AS_IT_WAS).unwrap();
        let seconds = cluster.world(&CELL).arrivals.len() as f64 / 120.0;
        assert!((seconds / expected - 1.0).abs() < 0.03, "{seconds}");
        let note = "of 6000 jobs a minute are recorded";
        let is_noted = cluster.notes.iter().any(|found| found.contains(note));
        assert_eq!(is_noted, per_second == 20, "{:?}", cluster.notes);
    }
}

#[test]
fn what_cannot_be_run_is_left_out_or_reported() {
    let refused = |system: &Recording, changes: Changes| {
        let refused = Cluster::new(system, &changes).map(|_| ());
        refused.unwrap_err().to_string()
    };
    let mut some = system(30);
    some.jobs.push(job(5.0, "gpu=h100"));
    some.jobs.push(RecordedJob {
        category: Category::new("gone").unwrap(),
        ..job(5.0, "")
    });
    let cluster = Cluster::new(&some, &AS_IT_WAS).unwrap();
    assert_eq!(cluster.kinds(), ["echo"]);
    let notes = cluster.notes.last().unwrap();
    assert!(
        notes.contains("1 (no host has the role and labels"),
        "{notes}"
    );
    assert!(
        notes.contains("1 (its category is no longer served"),
        "{notes}"
    );

    let none = system(0);
    assert!(refused(&none, AS_IT_WAS).starts_with("no job arrived in the last 1h"));
    let mut few = system(5);
    remember(&mut few, 0, &[0.0; 20]);
    let text = refused(&few, AS_IT_WAS);
    assert!(
        text.starts_with("only 5 of the jobs that arrived in the last 10m"),
        "{text}"
    );
    assert!(text.ends_with("enough in 10m"), "{text}");
    let mut wrong = system(30);
    wrong.status.categories[0].roles = vec!["other".parse().unwrap()];
    assert!(refused(&wrong, AS_IT_WAS).contains("30 (no host has the role"));
    let many = Changes {
        jobs: 1000.0,
        length_s: Some(86_400.0),
        ..AS_IT_WAS
    };
    assert!(refused(&system(30), many).contains("choose --length"));
    let mut empty = system(30);
    empty.status.nodes.clear();
    let error = Cluster::new(&empty, &AS_IT_WAS).map(|_| ()).unwrap_err();
    assert_eq!(error, Unusable::NoNode);
}

#[test]
fn policies_run_what_was_recorded_in_less_than_a_minute() {
    let mut system = system(60);
    let gpu = (0..20).map(|index| job(f64::from(index), "gpu"));
    system.jobs.extend(gpu);
    let cluster = Cluster::new(&system, &AS_IT_WAS).unwrap();
    assert_eq!(cluster.kinds(), ["echo", "echo gpu"]);
    let cells = cluster.cells(&[Sharing::Fair, Sharing::Priority], 2, 1);
    assert_eq!(cells.len(), 4);
    let world = cluster.world(&cells[3]);
    assert_eq!(
        world.hosts[0].load.samples[0].cpu, 1.0,
        "the last heartbeat's"
    );
    for policy in ["rolecast", "round-robin", "oracle"] {
        let mut chosen = peers::create(policy, &world).unwrap();
        let metrics = engine::run(&world, chosen.as_mut());
        let jobs: Vec<u64> = metrics.kinds.iter().map(|kind| kind.jobs).collect();
        // The last of each arrives when the run is over.
        assert_eq!((jobs, metrics.unfinished), (vec![59, 19], 0), "{policy}");
    }
}

fn world(system: &Recording, changes: &Changes) -> World {
    Cluster::new(system, changes).unwrap().world(&CELL)
}

/// Two nodes that are ready and one that is gone, one category of jobs, and one
/// job of it in each of the last seconds.
fn system(jobs: u32) -> Recording {
    let node = |node: &str, health: &str| {
        json!({
            "node": node, "roles": ["main"], "health": health, "heartbeat_age_ms": 300,
            "round_trip_us": 400, "labels": { "gpu": "a100" }, "speed": 1.0,
            "learned_speed": 0.5, "feedback": 1.0,
            "capacity": { "cpu": 4.0, "memory": 8_000_000_000_u64, "disk": 1e8 },
            "usage": {
                "total": { "cpu": 3.0, "memory": 2_000_000_000_u64 },
                "jobs": { "cpu": 2.0, "memory": 1_000_000_000_u64 },
            },
            "reserved": {}, "jobs": 2, "jobs_max": 8, "completed": 0, "failed": 0,
        })
    };
    let learned = json!({
        "jobs": 500, "average": { "cpu": 0.75, "memory": 500_000_000_u64 }, "duration_s": 2.5,
        "duration_p50_s": 2.0, "duration_p95_s": 6.0, "memory_p50": 4e8, "memory_p95": 9e8,
    });
    let status = json!({
        "v": 1, "dispatcher": "here", "epoch": 1, "at_ms": NOW_MS,
        "nodes": [node("n1", "ready"), node("n2", "ready"), node("n3", "gone")],
        "categories": [{
            "category": "echo", "declared": true, "roles": ["main"], "backlog": 0,
            "waiting": 0, "running": 0, "nodes_eligible": 1, "completed": 0, "retried": 0,
            "dead": 0, "expired": 0,
            "profile": { "average": { "cpu": 1.0 }, "duration_s": 10.0, "learned": learned },
        }],
        "counters": {},
    });
    Recording {
        status: serde_json::from_value(status).unwrap(),
        forecasts: Vec::new(),
        jobs: (0..jobs).map(|age_s| job(f64::from(age_s), "")).collect(),
    }
}

/// Gives the node a history of CPU in minutes.
fn remember(system: &mut Recording, node: usize, cpu: &[f64]) {
    let resource = |history: &[f64]| -> Value {
        json!({
            "capacity": 4.0, "step_s": 60, "history": history, "history_5m": [],
            "horizons": [], "weights": [], "accuracy": [],
        })
    };
    let view = json!({
        "v": 1, "node": system.status.nodes[node].node, "at_ms": NOW_MS, "mode": "on",
        "health": "ready", "resources": { "cpu": resource(cpu) },
    });
    system.forecasts.push(serde_json::from_value(view).unwrap());
}

fn job(age_s: f64, require: &str) -> RecordedJob {
    let at = WallTime::from_millis(NOW_MS - crate::count::whole(age_s * 1000.0) as u64);
    RecordedJob {
        category: Category::new("echo").unwrap(),
        require: require.to_owned(),
        key: None,
        arrived: at,
        decided: at,
    }
}
