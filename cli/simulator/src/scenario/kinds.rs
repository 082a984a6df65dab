//! The kinds of jobs of a scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{Category, Priority, Role};
use rolecast_common::label::Requirement;
use rolecast_common::settings::Table;
use rolecast_common::unit::{Bytes, BytesPerSecond};

use super::value::{Distribution, Weighted};
use crate::world::{self, Needs};

/// A category of jobs, with the distributions that its jobs are drawn from.
#[derive(Clone, Debug)]
pub(crate) struct KindModel {
    pub(crate) category: Category,
    /// Its weight in the work of all jobs, in core-seconds.
    pub(crate) share: f64,
    /// Seconds at speed 1.
    pub(crate) work: Distribution,
    pub(crate) cores: Weighted,
    /// Bytes.
    pub(crate) memory: Distribution,
    pub(crate) rates: Rates,
    /// The slow-down above which a job misses its objective.
    objective: f64,
    pub(crate) roles: Vec<Role>,
    /// The labels its jobs require.
    require: Requirement,
    pub(crate) priority: Priority,
    /// The number of different keys of its jobs; zero is no key at all.
    pub(crate) keys: u32,
    pub(crate) burst: Burst,
}

/// Bytes per second of a job while it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    pub(crate) network: BytesPerSecond,
    pub(crate) disk: BytesPerSecond,
}

/// Bursts, in which many jobs of a kind arrive together: a Markov-modulated Poisson
/// process of two states, whose mean rate is the kind's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Burst {
    /// Rate in a burst over that between bursts; 1 is no burst.
    pub(crate) factor: f64,
    /// Mean length of a burst.
    pub(crate) length_s: f64,
    /// Mean time from one to the next.
    pub(crate) every_s: f64,
}

const NO_BURST: Burst = Burst {
    factor: 1.0,
    length_s: 1.0,
    every_s: 2.0,
};

/// Reads `[kinds.<name>]`; keys that one omits are as in the base of that name.
pub(super) fn read(
    root: &mut Table<'_>,
    base: &BTreeMap<String, KindModel>,
) -> Vec<(String, KindModel)> {
    let kinds = root.tables("kinds", |name, table| {
        let kind = KindModel::read(name, table, base.get(name));
        kind.map(|kind| (name.to_owned(), kind))
    });
    kinds.into_iter().flatten().collect()
}

fn read_require(table: &mut Table<'_>, base: Option<&KindModel>) -> Requirement {
    let Some(text) = table.get::<String>("require") else {
        return base.map_or_else(Requirement::default, |base| base.require.clone());
    };
    Requirement::parse(&text).unwrap_or_else(|| {
        table.mistake("require", "expected labels such as \"gpu=a100, zone\"");
        Requirement::default()
    })
}

impl KindModel {
    fn read(name: &str, table: &mut Table<'_>, base: Option<&KindModel>) -> Option<Self> {
        let category = Category::new(name);
        if let Err(error) = &category {
            table.mistake(name, error.to_string());
        }
        let work = match base.filter(|_| !table.has("work")) {
            Some(base) => Some(base.work),
            None => table.table("work", Distribution::read::<Duration>),
        };
        let memory = match base.filter(|_| !table.has("memory")) {
            Some(base) => Some(base.memory),
            None => table.table("memory", Distribution::read::<Bytes>),
        };
        let rate = |table: &mut Table<'_>, key, base: Option<BytesPerSecond>| {
            table.get_or(key, base.unwrap_or(BytesPerSecond::ZERO))
        };
        let share = table.get_or("share", base.map_or(1.0, |base| base.share));
        let objective = table.get_or("objective", base.map_or(3.0, |base| base.objective));
        for (key, value) in [("share", share), ("objective", objective)] {
            super::above_zero(table, key, value);
        }
        let cores = base.map_or_else(|| Weighted::fixed(1.0), |base| base.cores.clone());
        let roles = base.map_or_else(Vec::new, |base| base.roles.clone());
        Some(Self {
            share,
            objective,
            cores: table.get_or("cores", cores),
            rates: Rates {
                network: rate(table, "network", base.map(|base| base.rates.network)),
                disk: rate(table, "disk", base.map(|base| base.rates.disk)),
            },
            roles: table.get_or("roles", roles),
            require: read_require(table, base),
            priority: read_priority(table, base.map_or(Priority::Normal, |base| base.priority)),
            keys: table.get_or("keys", base.map_or(0, |base| base.keys)),
            burst: read_burst(table, base.map_or(NO_BURST, |base| base.burst)),
            category: category.ok()?,
            work: work?,
            memory: memory?,
        })
    }

    /// Returns the kind of the world, with declarations that are wrong by the factor.
    pub(super) fn build(&self, declared_factor: f64) -> world::Kind {
        let average = Needs {
            cores: self.cores.mean(),
            memory: self.memory.mean,
            network: self.rates.network.get(),
            disk: self.rates.disk.get(),
        };
        let peak = Needs {
            memory: self.memory.p99(),
            ..average
        };
        world::Kind {
            category: self.category.clone(),
            roles: self.roles.clone(),
            average: scaled(average, declared_factor),
            peak: scaled(peak, declared_factor),
            duration_s: self.work.mean * declared_factor,
            objective: self.objective,
            require: self.require.clone(),
        }
    }

    /// Returns the mean work of a job in core-seconds at speed 1.
    pub(super) fn core_seconds(&self) -> f64 {
        self.work.mean * self.cores.mean()
    }
}

fn scaled(needs: Needs, factor: f64) -> Needs {
    Needs {
        cores: needs.cores * factor,
        memory: needs.memory * factor,
        network: needs.network * factor,
        disk: needs.disk * factor,
    }
}

fn read_priority(table: &mut Table<'_>, base: Priority) -> Priority {
    let Some(name) = table.get::<String>("priority") else {
        return base;
    };
    name.parse().unwrap_or_else(|_| {
        table.mistake("priority", "expected \"high\", \"normal\" or \"low\"");
        base
    })
}

fn read_burst(table: &mut Table<'_>, base: Burst) -> Burst {
    table.table("burst", |table| {
        let mut burst = base;
        burst.factor = table.get_or("factor", base.factor);
        super::seconds(table, "length", &mut burst.length_s);
        super::seconds(table, "every", &mut burst.every_s);
        super::above_zero(table, "factor", burst.factor);
        super::above_zero(table, "length", burst.length_s);
        if burst.length_s >= burst.every_s {
            table.mistake("every", "must be above length");
        }
        burst
    })
}
