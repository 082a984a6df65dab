//! Makes a world from a scenario: the same seed, the same world.
//!
//! The load is what others and jobs want, over what there is:
//! `(others + work * (1 + 0.15 * min(load, 1)^2)) / capacity`, all in core-seconds at
//! speed 1 a second. `others` is the mean of the traces while jobs arrive, no host above
//! its cores, and the bracket is how much longer jobs take on hosts that are as busy as
//! this. Solved for `work`, it gives the number of jobs that arrive.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::Scenario;
use super::arrivals::{self, ArrivalRow};
use super::others::{Component, Signal};
use super::trace::{Common, Drawing, Recording, Timeline, scale};
use crate::count::whole;
use crate::pressure::interference;
use crate::recording::Table;
use crate::world::{Arrival, Host, Load, Sample, Sharing, World};

/// Time for which others' use is assumed to stay the same.
const STEP_S: f64 = 0.5;
/// Monday, 5 January 2026: calendars begin with a week.
const EPOCH_MS: u64 = 1_767_571_200_000;

/// One of a scenario's worlds. [`Scenario::cells`] lists them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Wanted use over capacity; `None` if a file or a recording has the arrivals.
    pub load: Option<f64>,
    /// The way in which others and jobs share a CPU.
    pub sharing: Sharing,
    /// Number of hosts.
    pub hosts: u32,
    /// Seed of everything that is drawn, and of the policy.
    pub seed: u64,
}

/// The files that a scenario names, by these names. The default has none, which suffices for
/// a scenario that names none; [`read_files`](crate::io::files::read_files) reads them.
#[derive(Debug, Default)]
pub struct Files {
    pub(crate) series: BTreeMap<String, Table>,
    pub(crate) arrivals: BTreeMap<String, Vec<ArrivalRow>>,
}

/// The reason why there is no such world.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unbuildable {
    /// No host has a role and the labels for a kind.
    #[error("of {hosts} hosts none has a role for {kind}; choose more")]
    NoHostFor {
        /// The name of the kind.
        kind: String,
        /// The number of hosts.
        hosts: usize,
    },
    /// The cell has no load, and the scenario no file of arrivals.
    #[error("choose a load: the scenario has no file of arrivals")]
    NoLoad,
    /// Others alone want as much as the load of the cell, or more.
    #[error("others alone load the fleet with {others:.2}; choose a load above that")]
    OthersTakeAll {
        /// What they want, over the capacity.
        others: f64,
    },
    /// A recording has no column that the scenario names.
    #[error("{file} has no column {column:?}")]
    NoSuchColumn {
        /// The file, as the scenario names it.
        file: String,
        /// The missing column.
        column: String,
    },
    /// A file of arrivals has a category that is no kind.
    #[error("{file} has jobs of {category:?}, which is no kind of the scenario")]
    NoSuchKind {
        /// The file, as the scenario names it.
        file: String,
        /// The unknown category.
        category: String,
    },
    /// A file that the scenario names is not among the [`Files`].
    #[error("{file} was not read")]
    NoSuchFile {
        /// The file, as the scenario names it.
        file: String,
    },
}

/// Makes the world of a cell: the same scenario, cell and files, the same world.
///
/// # Errors
/// If no host may run some kind, if others alone exceed the load of the cell, or if a file
/// that the scenario names is missing in `files`, or lacks a column or has an unknown
/// category.
pub fn build(scenario: &Scenario, cell: &Cell, files: &Files) -> Result<World, Unbuildable> {
    let mut rng = Rng::with_seed(cell.seed);
    let mut fleet = scenario.fleet.clone();
    fleet.hosts = cell.hosts;
    let mut hosts = fleet.build(&mut rng.fork());
    check_roles(scenario, &hosts)?;
    draw_loads(scenario, &mut hosts, files, &mut rng.fork())?;
    let arrivals = match &scenario.arrivals.file {
        None => {
            let load = cell.load.ok_or(Unbuildable::NoLoad)?;
            let work = work(scenario, load, &hosts)?;
            let times = (scenario.times.length_s, scenario.times.day_s);
            let kinds = &scenario.kinds;
            arrivals::draw(&scenario.arrivals, kinds, work, times, &mut rng.fork())
        }
        Some(file) => replay(scenario, file, files, &mut rng.fork())?,
    };
    let kinds = scenario.kinds.values();
    Ok(World {
        hosts,
        kinds: kinds
            .map(|kind| kind.build(scenario.declared_factor))
            .collect(),
        arrivals,
        sharing: cell.sharing,
        heartbeats: scenario.heartbeats,
        history_s: scenario.times.history_s,
        warm_up_s: scenario.times.warm_up_s,
        length_s: scenario.times.length_s,
        drain_s: scenario.times.drain_s,
        epoch_ms: EPOCH_MS,
        seed: cell.seed,
    })
}

fn check_roles(scenario: &Scenario, hosts: &[Host]) -> Result<(), Unbuildable> {
    for (name, kind) in &scenario.kinds {
        let built = kind.build(1.0);
        if !hosts.iter().any(|host| built.suits(host)) {
            let (kind, hosts) = (name.clone(), hosts.len());
            return Err(Unbuildable::NoHostFor { kind, hosts });
        }
    }
    Ok(())
}

fn replay(
    scenario: &Scenario,
    file: &str,
    files: &Files,
    rng: &mut Rng,
) -> Result<Vec<Arrival>, Unbuildable> {
    let rows = files.arrivals.get(file).ok_or_else(|| no_such_file(file))?;
    let length_s = scenario.times.length_s;
    arrivals::replay(&scenario.arrivals, &scenario.kinds, rows, length_s, rng).map_err(|category| {
        Unbuildable::NoSuchKind {
            file: file.to_owned(),
            category: category.to_owned(),
        }
    })
}

/// Returns the work that jobs must bring for the load, in core-seconds a second.
fn work(scenario: &Scenario, load: f64, hosts: &[Host]) -> Result<f64, Unbuildable> {
    let capacity: f64 = hosts.iter().map(|host| host.cores * host.speed).sum();
    let others: f64 = hosts
        .iter()
        .map(|host| mean_cpu(host, scenario.times.length_s) * host.speed)
        .sum();
    if others >= load * capacity {
        let others = others / capacity;
        return Err(Unbuildable::OthersTakeAll { others });
    }
    Ok((load * capacity - others) / interference(load))
}

/// Returns the cores that others want while jobs arrive, in the mean and at most all.
fn mean_cpu(host: &Host, length_s: f64) -> f64 {
    let start_s = host.load.start_s;
    let times = (0..).map(|index| start_s + STEP_S * f64::from(index));
    let samples = host.load.samples.iter().zip(times);
    let (mut sum, mut count) = (0.0, 0.0);
    for (sample, _) in samples.filter(|(_, at_s)| (0.0..length_s).contains(at_s)) {
        sum += f64::from(sample.cpu).min(host.cores);
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

fn draw_loads(
    scenario: &Scenario,
    hosts: &mut [Host],
    files: &Files,
    rng: &mut Rng,
) -> Result<(), Unbuildable> {
    let recordings = recordings(&scenario.others, files)?;
    let length_s = scenario.times.history_s + scenario.times.length_s + scenario.times.drain_s;
    let count = whole((length_s / STEP_S).ceil());
    let timeline = Timeline {
        start_s: -scenario.times.history_s,
        step_s: STEP_S,
        count,
        day_s: scenario.times.day_s,
        phase_shift: scenario.phase_shift,
    };
    let idle = Sample {
        speed_left: 1.0,
        ..Sample::default()
    };
    for host in hosts.iter_mut() {
        host.load = Load {
            start_s: timeline.start_s,
            step_s: STEP_S,
            samples: vec![idle; count],
        };
    }
    for (name, component) in &scenario.others {
        let common = Common::draw(component, rng);
        for (place, index) in chosen(component, hosts, rng).into_iter().enumerate() {
            let drawing = Drawing {
                timeline,
                component,
                common,
                place,
                rng: rng.fork(),
                samples: &mut hosts[index].load.samples,
            };
            drawing.add(recordings.get(name));
        }
    }
    for host in hosts {
        let mut samples = std::mem::take(&mut host.load.samples);
        scale(&mut samples, host);
        host.load.samples = samples;
    }
    Ok(())
}

/// Chooses the hosts that have the component: as many as its share demands.
fn chosen(component: &Component, hosts: &[Host], rng: &mut Rng) -> Vec<usize> {
    let has_role = |host: &Host| {
        let roles = &component.roles;
        roles.is_empty() || host.roles.iter().any(|role| roles.contains(role))
    };
    let all = 0..hosts.len();
    let mut places: Vec<usize> = all.filter(|index| has_role(&hosts[*index])).collect();
    rng.shuffle(&mut places);
    places.truncate(whole((places.len() as f64 * component.hosts).round()));
    places
}

fn recordings(
    others: &BTreeMap<String, Component>,
    files: &Files,
) -> Result<BTreeMap<String, Recording>, Unbuildable> {
    let mut recordings = BTreeMap::new();
    for (name, component) in others {
        let Signal::Series { file, columns, .. } = &component.signal else {
            continue;
        };
        let table = files.series.get(file).ok_or_else(|| no_such_file(file))?;
        let recording =
            Recording::new(table, columns).map_err(|column| Unbuildable::NoSuchColumn {
                file: file.clone(),
                column: column.to_owned(),
            })?;
        recordings.insert(name.clone(), recording);
    }
    Ok(recordings)
}

fn no_such_file(file: &str) -> Unbuildable {
    let file = file.to_owned();
    Unbuildable::NoSuchFile { file }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "[kinds.job]\nwork = { mean = \"1s\" }\nmemory = { mean = \"1MB\" }\n";

    #[test]
    fn the_load_is_what_was_asked_for() {
        let text = include_str!("../../../../tests/scenarios/calm.toml");
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
        let text = include_str!("../../../../tests/scenarios/calm.toml");
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
        let text =
            "kind = \"bursts\"\nevery = \"300s\"\nlength = \"30s\"\nspeed_left = [0.25, 0.6]";
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
}
