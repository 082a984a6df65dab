//! Tests of worlds that are built from scenarios.

use super::*;

const JOB: &str = "[kinds.job]\nwork = { mean = \"1s\" }\nmemory = { mean = \"1MB\" }\n";

#[test]
fn the_load_is_what_was_asked_for() {
    let text = include_str!("../../../../../tests/scenarios/calm.toml");
    let mut scenario = parse(&format!("{text}\n[others.spikes]\n{SPIKES}"));
    scenario.times.history_s = 0.0;
    // There would be millions of them.
    scenario.kinds.get_mut("api").unwrap().share = 0.001;
    for load in [0.5, 0.95] {
        let world = build(&scenario, &cell(load, 300), &Files::default()).unwrap();
        let capacity: f64 = world.hosts.iter().map(|host| host.cores * host.speed).sum();
        let others = world.hosts.iter().map(|host| {
            let samples = (0..).zip(&host.load.samples);
            let during = samples.filter(|(step, _)| f64::from(*step) * STEP_S < world.length_s);
            let sum: f64 = during.map(|(_, sample)| f64::from(sample.cpu)).sum();
            sum * STEP_S / world.length_s * host.speed
        });
        let others: f64 = others.sum();
        let jobs = world
            .arrivals
            .iter()
            .map(|job| job.work_s * job.needs.cores);
        let jobs = jobs.sum::<f64>() / world.length_s * (1.0 + 0.15 * load * load);
        let measured = (others + jobs) / capacity;
        assert!((measured / load - 1.0).abs() < 0.03, "{load}: {measured}");
    }
    let error = build(&scenario, &cell(0.5, 3), &Files::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("none has a role for gpu"), "{text}");
    let error = build(&scenario, &cell(0.1, 300), &Files::default()).unwrap_err();
    assert!(
        matches!(error, Unbuildable::OthersTakeAll { .. }),
        "{error}"
    );
}

const SPIKES: &str = "kind = \"periodic\"\nperiod = \"100s\"\nlength = \"20s\"\ncpu = 0.5\n";

#[test]
fn the_same_seed_makes_the_same_world() {
    let text = include_str!("../../../../../tests/scenarios/calm.toml");
    let mut scenario = parse(text);
    scenario.times.history_s = 60.0;
    let worlds = [1, 1, 2].map(|seed| {
        let cell = Cell {
            seed,
            ..cell(0.7, 10)
        };
        format!("{:?}", build(&scenario, &cell, &Files::default()).unwrap())
    });
    assert_eq!(worlds[0], worlds[1]);
    assert_ne!(worlds[0], worlds[2]);
}

#[test]
fn periods_have_their_length_their_jitter_and_their_hosts() {
    for (extra, least, most) in [("", 0.0, 0.3), ("jitter = 0.1\n", 8.0, 20.0)] {
        let text = format!("{SPIKES}hosts = 0.25\n{extra}");
        let world = alone(&text, 40);
        let busy: Vec<&Host> = world.hosts.iter().filter(|host| mean(host) > 0.0).collect();
        assert_eq!(busy.len(), 10);
        for host in busy {
            // A pulse of 20 s and half of all cores, each 100 s.
            assert!(
                (mean(host) / host.cores - 0.1).abs() < 0.02,
                "{}",
                mean(host)
            );
            let gaps = gaps(host);
            let average = gaps.iter().sum::<f64>() / gaps.len() as f64;
            assert!((average - 100.0).abs() < 3.0, "{extra}: {average}");
            let deviation = deviation(&gaps);
            assert!((least..most).contains(&deviation), "{extra}: {deviation}");
        }
    }
}

#[test]
fn random_gaps_report_nothing_of_the_next() {
    let world = alone(&format!("{SPIKES}random_gaps = true"), 20);
    let gaps: Vec<f64> = world.hosts.iter().flat_map(gaps).collect();
    let average = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!((average - 100.0).abs() < 5.0, "{average}");
    // A gap is exponential: its deviation is its mean, 80 s.
    assert!((deviation(&gaps) / 80.0 - 1.0).abs() < 0.1);
}

#[test]
fn what_is_common_begins_together_and_the_rest_does_not() {
    let starts = |text: &str| -> Vec<f64> {
        let world = alone(text, 10);
        world.hosts.iter().map(|host| starts(host)[0]).collect()
    };
    let common = starts(&SPIKES.replace("periodic", "cron"));
    assert!(common.iter().all(|start| *start == common[0]), "{common:?}");
    let own = starts(SPIKES);
    assert!(deviation(&own) > 10.0, "{own:?}");
}

#[test]
fn a_phase_shift_begins_with_the_jobs() {
    let text = format!("phase_shift = 0.35\n{JOB}[others.a]\n{SPIKES}");
    let world = build(&parse(&text), &cell(0.7, 3), &Files::default()).unwrap();
    for host in &world.hosts {
        let phases: Vec<(f64, f64)> = starts(host)
            .into_iter()
            .map(|at_s| (at_s, at_s.rem_euclid(100.0)))
            .collect();
        let before = phases.iter().find(|(at_s, _)| *at_s > -8_000.0).unwrap().1;
        let after = phases.iter().rfind(|(at_s, _)| *at_s > 200.0).unwrap().1;
        let shift = (after - before).rem_euclid(100.0);
        assert!((shift - 35.0).abs() < 1.0, "{before} {after}");
    }
}

#[test]
fn what_no_metric_shows_leaves_less_speed() {
    let text = "kind = \"bursts\"\nevery = \"300s\"\nlength = \"30s\"\nspeed_left = [0.25, 0.6]";
    let world = alone(text, 30);
    let samples = world.hosts.iter().flat_map(|host| &host.load.samples);
    let (mut slow, mut all) = (0.0, 0.0);
    for sample in samples {
        assert!(sample.cpu == 0.0 && sample.speed_left > 0.24);
        all += 1.0;
        slow += if sample.speed_left < 0.7 { 1.0 } else { 0.0 };
    }
    assert!((slow / all - 0.1_f64).abs() < 0.015, "{}", slow / all);
}

#[test]
fn noise_has_its_deviation_and_a_series_its_maximum() {
    let world = alone(
        "kind = \"constant\"\ncpu = 0.5\n[others.b]\nkind = \"noise\"\ncorrelation = \"10s\"\ncpu = 0.03",
        10,
    );
    for host in &world.hosts {
        let samples = &host.load.samples;
        let shares: Vec<f64> = samples
            .iter()
            .map(|s| f64::from(s.cpu) / host.cores)
            .collect();
        assert!((deviation(&shares) - 0.03).abs() < 0.004);
    }
    let text = format!("{JOB}[others.a]\nkind = \"series\"\nfile = \"a.csv\"\ncpu = 0.8\n");
    let rows: String = (0..200)
        .map(|row| format!("{row},{},7\n", row % 50))
        .collect();
    let mut files = Files::default();
    let table = Table::read(format!("time,rising,flat\n{rows}").as_bytes()).unwrap();
    files.series.insert("a.csv".to_owned(), table);
    let world = build(&parse(&text), &cell(0.9, 2), &files).unwrap();
    let mut means: Vec<f64> = world
        .hosts
        .iter()
        .map(|host| mean(host) / host.cores)
        .collect();
    means.sort_by(f64::total_cmp);
    assert!(
        (means[0] - 0.4).abs() < 0.01 && (means[1] - 0.8).abs() < 0.01,
        "{means:?}"
    );
    let error = build(&parse(&text), &cell(0.9, 2), &Files::default()).unwrap_err();
    assert_eq!(error.to_string(), "a.csv was not read");
}

#[test]
fn declared_and_true_needs_differ_by_the_factor() {
    let scenario = parse(&format!(
        "declared_factor = 0.5\n{JOB}[fleet]\ncapacity_error = 0.3\n"
    ));
    let world = build(&scenario, &cell(0.7, 50), &Files::default()).unwrap();
    let kind = &world.kinds[0];
    assert_eq!((kind.duration_s, kind.average.cores), (0.5, 0.5));
    let errors: Vec<f64> = world
        .hosts
        .iter()
        .map(|host| host.declared_cores * host.declared_speed / (host.cores * host.speed))
        .collect();
    assert!(errors.iter().all(|error| (0.7..=1.3).contains(error)));
    assert!(deviation(&errors) > 0.1);
}

fn parse(text: &str) -> Scenario {
    Scenario::read(text, &Scenario::default()).unwrap()
}

fn cell(load: f64, hosts: u32) -> Cell {
    Cell {
        load: Some(load),
        sharing: Sharing::Fair,
        hosts,
        seed: 1,
    }
}

/// Builds a world with one component of others.
fn alone(component: &str, hosts: u32) -> World {
    let scenario = parse(&format!("{JOB}[others.a]\n{component}\n"));
    build(&scenario, &cell(0.9, hosts), &Files::default()).unwrap()
}

fn mean(host: &Host) -> f64 {
    let samples = &host.load.samples;
    samples
        .iter()
        .map(|sample| f64::from(sample.cpu))
        .sum::<f64>()
        / samples.len() as f64
}

/// Returns the times when the CPU in use rises from none, to a step.
fn starts(host: &Host) -> Vec<f64> {
    let pairs = host.load.samples.windows(2).enumerate();
    pairs
        .filter(|(_, pair)| pair[0].cpu == 0.0 && pair[1].cpu > 0.0)
        .map(|(index, pair)| {
            // A pulse that begins within a step has its share of the step.
            let late = 1.0 - (f64::from(pair[1].cpu) / (host.cores * 0.5)).min(1.0);
            host.load.start_s + STEP_S * (index as f64 + 1.0 + late)
        })
        .collect()
}

fn gaps(host: &Host) -> Vec<f64> {
    starts(host)
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect()
}

fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean) * (value - mean));
    (squares.sum::<f64>() / count).sqrt()
}
