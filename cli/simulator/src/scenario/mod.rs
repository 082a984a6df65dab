//! Scenarios: files that describe a fleet, its load and its jobs, and the worlds drawn
//! from them.
//!
//! [`Scenario::read`] reads the text on top of another scenario, which `extends` names.
//! `build` makes a world from it: the same seed, the same world. Read on in `fleet`,
//! `kinds`, `arrivals`, `others` (the use by others) and `trace` (its samples);
//! `value` has the types of values that a key can have.

pub(crate) mod arrivals;
pub mod build;
pub mod fleet;
pub(crate) mod kinds;
pub(crate) mod others;
mod trace;
pub(crate) mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecast_common::settings::{Mistakes, Table, read};
use rolecast_common::wire::Share;

use super::world::{Heartbeats, Sharing};
use arrivals::Arrivals;
use build::Cell;
use fleet::Fleet;
use kinds::KindModel;
use others::Component;

/// The largest load of a fleet: above it waiting jobs would only accumulate.
const LOAD_MAX: f64 = 3.0;
/// The longest run, a day of virtual time; more is a mistake in the unit.
const LENGTH_MAX_S: f64 = 86_400.0;

/// Contents of a scenario file. The default has the defaults of all keys, and no kind of
/// jobs yet.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The hosts.
    pub fleet: Fleet,
    pub(crate) kinds: BTreeMap<String, KindModel>,
    pub(crate) arrivals: Arrivals,
    /// The use by others, by name.
    pub(crate) others: BTreeMap<String, Component>,
    pub(crate) heartbeats: Heartbeats,
    /// Wanted use over capacity, above 0 and at most 3; one world each.
    pub loads: Vec<f64>,
    /// The ways of sharing a CPU, one world each.
    pub sharings: Vec<Sharing>,
    /// Number of worlds of each load and way of sharing, above zero.
    pub seeds: u32,
    /// The parts of a run.
    pub times: Times,
    /// Delay of everything periodic from second 0 on, as a share of its period.
    pub(crate) phase_shift: f64,
    /// Declared needs and lengths over the true ones.
    pub(crate) declared_factor: f64,
}

/// Lengths of the parts of a run, in seconds of virtual time.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The use by others before the run, for forecasts to learn from.
    pub history_s: f64,
    /// The time in which jobs arrive, above zero.
    pub length_s: f64,
    /// Its beginning, whose jobs do not count; below `length_s`.
    pub warm_up_s: f64,
    /// Time after it for the last jobs to end.
    pub drain_s: f64,
    /// Length of a day.
    pub(crate) day_s: f64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            fleet: Fleet::default(),
            kinds: BTreeMap::new(),
            arrivals: Arrivals::default(),
            others: BTreeMap::new(),
            heartbeats: Heartbeats {
                interval_s: 1.0,
                delay_s: 0.02,
                noise: 0.03,
                loss: 0.0,
                on_change: true,
            },
            loads: vec![0.7],
            sharings: vec![Sharing::Fair, Sharing::Priority],
            seeds: 2,
            times: Times {
                history_s: 9_000.0,
                length_s: 1_800.0,
                warm_up_s: 120.0,
                drain_s: 300.0,
                day_s: 1_800.0,
            },
            phase_shift: 0.0,
            declared_factor: 1.0,
        }
    }
}

/// Returns the file that a scenario extends, as it is written there; `None` if the text is no
/// TOML or names none.
pub fn extends(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    Some(table.get("extends")?.as_str()?.to_owned())
}

impl Scenario {
    /// Reads a file's text (TOML); keys that it omits are as in `base`. The file that it
    /// extends is not read: see [`read_scenario`](crate::io::files::read_scenario).
    ///
    /// # Errors
    /// All mistakes in the text, each with its line and key.
    pub fn read(text: &str, base: &Scenario) -> Result<Self, Mistakes> {
        read(text, |root| {
            root.get::<String>("extends");
            let mut scenario = base.clone();
            scenario.fleet.read(root);
            let factor = root.get_or("declared_factor", base.declared_factor);
            scenario.declared_factor = above_zero(root, "declared_factor", factor);
            scenario.kinds.extend(kinds::read(root, &base.kinds));
            scenario.arrivals.read(root);
            scenario.others.extend(others::read(root));
            root.table("heartbeats", |table| {
                read_heartbeats(table, &mut scenario.heartbeats);
            });
            scenario.read_times(root);
            scenario.read_cells(root);
            scenario.check(root);
            scenario
        })
    }

    /// Returns the names of the kinds of jobs, in their order in the worlds.
    pub fn kind_names(&self) -> Vec<String> {
        self.kinds.keys().cloned().collect()
    }

    /// Returns whether `loads` decide how many jobs arrive, and no file does.
    pub fn has_loads(&self) -> bool {
        self.arrivals.file.is_none()
    }

    /// Returns the cells of its worlds: each way of sharing with each load and each seed, in
    /// this order. There are `seeds` seeds, from `first_seed` on.
    pub fn cells(&self, first_seed: u64) -> Vec<Cell> {
        let loads = match self.arrivals.file {
            Some(_) => vec![None],
            None => self.loads.iter().copied().map(Some).collect(),
        };
        let mut cells = Vec::new();
        for sharing in &self.sharings {
            for load in &loads {
                for seed in 0..u64::from(self.seeds) {
                    cells.push(Cell {
                        load: *load,
                        sharing: *sharing,
                        hosts: self.fleet.hosts,
                        seed: first_seed.wrapping_add(seed),
                    });
                }
            }
        }
        cells
    }

    fn read_times(&mut self, root: &mut Table<'_>) {
        for (key, value, is_needed) in [
            ("history", &mut self.times.history_s, false),
            ("length", &mut self.times.length_s, true),
            ("warm_up", &mut self.times.warm_up_s, false),
            ("drain", &mut self.times.drain_s, false),
            ("day", &mut self.times.day_s, true),
        ] {
            seconds(root, key, value);
            if is_needed && *value <= 0.0 {
                root.mistake(key, "must be above zero");
            }
            if *value > LENGTH_MAX_S {
                root.mistake(key, "at most one day");
            }
        }
        if self.times.warm_up_s >= self.times.length_s {
            root.mistake("warm_up", "must be below length");
        }
        let shift = root.get::<Share>("phase_shift");
        self.phase_shift = shift.map_or(self.phase_shift, Share::get);
    }

    fn read_cells(&mut self, root: &mut Table<'_>) {
        if let Some(loads) = root.get::<Vec<f64>>("loads") {
            if loads.is_empty() || !loads.iter().all(|load| is_load(*load)) {
                root.mistake("loads", format!("expected {LOAD_EXPECTED}"));
            }
            self.loads = loads;
        }
        if let Some(names) = root.get::<Vec<String>>("sharing") {
            let sharings: Option<Vec<_>> = names.iter().map(|name| Sharing::parse(name)).collect();
            match sharings.filter(|sharings| !sharings.is_empty()) {
                Some(sharings) => self.sharings = sharings,
                None => root.mistake("sharing", "expected a list of \"fair\" and \"priority\""),
            }
        }
        self.seeds = root.get_or("seeds", self.seeds);
        if self.seeds == 0 {
            root.mistake("seeds", "must be above zero");
        }
    }

    /// Reports relations between the parts that do not hold.
    fn check(&self, root: &mut Table<'_>) {
        if self.kinds.is_empty() {
            root.mistake("kinds", "missing; describe one kind of job at least");
        }
        let roles: BTreeSet<_> = self.fleet.roles.iter().collect();
        let unknown =
            |wanted: &[_]| !wanted.is_empty() && !wanted.iter().any(|r| roles.contains(r));
        for (name, kind) in &self.kinds {
            if unknown(&kind.roles) {
                let text = format!("{name}.roles: no host has one of them; see fleet.roles");
                root.mistake("kinds", text);
            }
        }
        for (name, component) in &self.others {
            if unknown(&component.roles) {
                let text = format!("{name}.roles: no host has one of them; see fleet.roles");
                root.mistake("others", text);
            }
        }
    }
}

/// Text for a load that [`is_load`] refuses.
pub const LOAD_EXPECTED: &str = "numbers above 0, at most 3";

/// Returns whether this can be the load of a fleet, demand over capacity: above 0, at most 3.
pub fn is_load(load: f64) -> bool {
    load > 0.0 && load <= LOAD_MAX
}

fn read_heartbeats(table: &mut Table<'_>, heartbeats: &mut Heartbeats) {
    seconds(table, "interval", &mut heartbeats.interval_s);
    if heartbeats.interval_s < 0.05 {
        table.mistake("interval", "at least 50ms");
    }
    seconds(table, "delay", &mut heartbeats.delay_s);
    for (key, value) in [
        ("noise", &mut heartbeats.noise),
        ("loss", &mut heartbeats.loss),
    ] {
        let share = table.get::<Share>(key);
        *value = share.map_or(*value, Share::get);
    }
    heartbeats.on_change = table.get_or("on_change", heartbeats.on_change);
}

/// Reads a length of time into `value`, if the key is present.
fn seconds(table: &mut Table<'_>, key: &str, value: &mut f64) {
    if let Some(length) = table.get::<Duration>(key) {
        *value = length.as_secs_f64();
    }
}

/// Returns the value, and reports it unless it is above zero.
fn above_zero(table: &mut Table<'_>, key: &str, value: f64) -> f64 {
    if value <= 0.0 {
        table.mistake(key, "must be above zero");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_states_only_what_differs_from_the_one_it_extends() {
        let calm = include_str!("../../../../tests/scenarios/calm.toml");
        let mixed = include_str!("../../../../tests/scenarios/mixed.toml");
        let small = include_str!("../../../../tests/scenarios/small.toml");
        assert_eq!(extends(mixed).as_deref(), Some("calm.toml"));
        assert_eq!(extends(calm), None);
        let calm = Scenario::read(calm, &Scenario::default()).unwrap();
        let mixed = Scenario::read(mixed, &calm).unwrap();
        let small = Scenario::read(small, &mixed).unwrap();
        assert_eq!((calm.others.len(), small.others.len()), (5, 11));
        assert_eq!((calm.loads, small.loads), (vec![0.8], vec![0.8]));
        assert_eq!((mixed.fleet.hosts, small.fleet.hosts), (100, 10));
        assert_eq!(small.kinds.len(), 4);
        let text = "[kinds.api]\nshare = 2\n";
        let other = Scenario::read(text, &mixed).unwrap();
        assert!((other.kinds["api"].share - 2.0).abs() < 1e-9);
        assert_eq!(other.kinds["api"].work, mixed.kinds["api"].work);
    }

    #[test]
    fn all_mistakes_are_reported_at_once_by_name() {
        let text = "\
loads = [0]
sharing = [\"fare\"]
warm_up = \"1h\"
speed = 3
[fleet]
hosts = 0
labels = [[\"zone\"]]
roles = [\"leader\"]
[kinds.a]
work = { mean = \"2s\", shape = \"gauss\" }
roles = [\"gpu\"]
burst = { factor = 3, length = \"1m\", every = \"30s\" }
[kinds.b]
work = { mean = \"2s\" }
memory = { mean = \"1MB\" }
roles = [\"gpu\"]
[others.c]
kind = \"tidal\"
[others.d]
kind = \"cron\"
period = \"10s\"
length = [\"5s\", \"20s\"]
[heartbeats]
loss = 2
";
        let error = Scenario::read(text, &Scenario::default()).map(|_| ());
        let error = error.unwrap_err().to_string();
        for line in [
            "line 1: loads: expected numbers above 0",
            "line 2: sharing: expected a list of \"fair\"",
            "line 3: warm_up: must be below length",
            "line 4: speed: unknown key",
            "line 6: fleet.hosts: from 1 to",
            "line 7: fleet.labels: expected lists of",
            "line 9: kinds.a.memory.mean: missing",
            "line 10: kinds.a.work.shape: there are fixed",
            "line 12: kinds.a.burst.every: must be above length",
            "line 9: kinds: b.roles: no host has one of them",
            "line 18: others.c.kind: there is no such kind; there are constant, noise",
            "line 21: others.d.period: must be longer than length",
            "line 24: heartbeats.loss: expected a number from 0 to 1",
        ] {
            assert!(error.contains(line), "{line:?} not in {error}");
        }
        let empty = Scenario::read("", &Scenario::default()).map(|_| ());
        let empty = empty.unwrap_err().to_string();
        assert!(empty.contains("describe one kind"), "{empty}");
    }
}
