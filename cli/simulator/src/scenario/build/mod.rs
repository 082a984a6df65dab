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
mod tests;
