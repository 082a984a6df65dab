//! World of a simulation: everything that happens whatever the policy does.
//!
//! Times are seconds from the start of the measured run; history before it is negative.
//! Work is in seconds on a core of speed 1, memory in bytes, network and disk in bytes a
//! second.

use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::label::{Labels, Requirement};

/// One run, completely drawn before it begins.
///
/// [`build`](crate::scenario::build::build) and
/// [`Cluster::world`](crate::cluster::Cluster::world) make one that is valid. In one made
/// by hand some host must suit each kind, and each host needs some of every resource.
#[derive(Clone, Debug)]
pub struct World {
    /// The hosts; a [`HostIndex`](crate::policy::HostIndex) counts them.
    pub hosts: Vec<Host>,
    /// The kinds of jobs; an arrival names its kind by the index.
    pub kinds: Vec<Kind>,
    /// The jobs, in the order of their times; a [`JobIndex`](crate::policy::JobIndex)
    /// counts them.
    pub arrivals: Vec<Arrival>,
    /// The way in which others and jobs share the CPU of every host.
    pub sharing: Sharing,
    /// Settings of the heartbeats of every host.
    pub heartbeats: Heartbeats,
    /// The length of the heartbeats before 0, in seconds; no jobs arrive in it.
    pub history_s: f64,
    /// Jobs that arrive before this are run and not counted.
    pub warm_up_s: f64,
    /// The end of arrivals. Jobs that have not ended by `length_s + drain_s` count as
    /// ended then.
    pub length_s: f64,
    /// Time after it for the last jobs to end.
    pub drain_s: f64,
    /// The start of calendars: milliseconds since the Unix epoch at second 0.
    pub epoch_ms: u64,
    /// Seed of the policy's random choices.
    pub seed: u64,
}

impl World {
    /// Returns whether the roles and labels of the host suit the kind.
    ///
    /// # Panics
    /// If there is no such kind or host.
    pub fn may_run(&self, kind: usize, host: usize) -> bool {
        self.kinds[kind].suits(&self.hosts[host])
    }
}

/// A machine, its declarations, and the use by others on it.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name, another one for each host.
    pub id: NodeId,
    /// The roles that it has.
    pub roles: Vec<Role>,
    /// Labels of the host, for jobs that require some.
    pub labels: Labels,
    /// Number of its cores, above zero; it need not be whole.
    pub cores: f64,
    /// Speed of one core, relative to a core of speed 1; above zero.
    pub speed: f64,
    /// Bytes, above zero.
    pub memory: f64,
    /// Bytes a second, above zero.
    pub disk: f64,
    /// Bytes a second, above zero.
    pub network: f64,
    /// Number of cores that it declares to the dispatcher, right or wrong.
    pub declared_cores: f64,
    /// Speed of a core that it declares, right or wrong.
    pub declared_speed: f64,
    /// Latency of a message, each way, in seconds.
    pub latency_s: f64,
    /// Use by others.
    pub load: Load,
}

impl Host {
    /// Returns its true capacity.
    pub fn capacity(&self) -> Needs {
        Needs {
            cores: self.cores,
            memory: self.memory,
            network: self.network,
            disk: self.disk,
        }
    }
}

/// Use by others on a host: constant within each step.
#[derive(Clone, Debug)]
pub struct Load {
    /// The start of the first sample: `-history_s`.
    pub start_s: f64,
    /// Length of a step, above zero.
    pub step_s: f64,
    /// One for each step, at least one; the last one holds without end.
    pub samples: Vec<Sample>,
}

impl Load {
    /// Returns the sample that holds at this time.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the last sample holds for ever"
    )]
    pub(crate) fn index_at(&self, at_s: f64) -> usize {
        // A time at the beginning of a step is not rounded into the step before.
        let steps = (at_s - self.start_s) / self.step_s + 1e-6;
        (steps as usize).min(self.samples.len() - 1)
    }

    /// Returns the start of a sample.
    pub(crate) fn begin_s(&self, sample: usize) -> f64 {
        self.start_s + sample as f64 * self.step_s
    }

    /// Returns the next sample that differs from this one.
    pub(crate) fn next_change(&self, sample: usize) -> Option<usize> {
        let mut later = sample + 1..self.samples.len();
        later.find(|later| self.samples[*later] != self.samples[sample])
    }
}

/// One step of a [`Load`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Cores that others want; more than the host has is possible.
    pub cpu: f32,
    /// Bytes that others hold.
    pub memory: f32,
    /// Bytes a second that others want.
    pub network: f32,
    /// Bytes a second that others want.
    pub disk: f32,
    /// The share of the speed that is left while something that no metric shows slows the
    /// host down: 1 is all of it. Always above zero.
    pub speed_left: f32,
}

impl Sample {
    pub(crate) fn needs(self) -> Needs {
        Needs {
            cores: f64::from(self.cpu),
            memory: f64::from(self.memory),
            network: f64::from(self.network),
            disk: f64::from(self.disk),
        }
    }
}

/// The way in which others and jobs share a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// In proportion to the demand of each.
    Fair,
    /// Others first; jobs get the rest, at least 5 %.
    Priority,
}

impl Sharing {
    /// Returns the way with this name in scenarios, `fair` or `priority`.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Sharing::Fair, Sharing::Priority];
        all.into_iter().find(|sharing| sharing.name() == name)
    }

    /// Returns its name in scenarios and reports.
    pub fn name(self) -> &'static str {
        match self {
            Sharing::Fair => "fair",
            Sharing::Priority => "priority",
        }
    }
}

/// A category with the declarations of its config. The true needs of its jobs are in the
/// arrivals.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Its name, another one for each kind.
    pub category: Category,
    /// Roles that may run it, best first; empty means any.
    pub roles: Vec<Role>,
    /// Declared use of one job on average.
    pub average: Needs,
    /// Declared use of one job at its peak.
    pub peak: Needs,
    /// Declared run time of one job on a core of speed 1; not negative.
    pub duration_s: f64,
    /// The slow-down above which a job misses its objective.
    pub objective: f64,
    /// The labels its jobs require.
    pub require: Requirement,
}

impl Kind {
    /// Returns whether the host has a role and the labels for it.
    pub fn suits(&self, host: &Host) -> bool {
        let has_role = self.roles.iter().any(|role| host.roles.contains(role));
        (self.roles.is_empty() || has_role) && self.require.matches(&host.labels)
    }
}

/// Use by a job while it runs; also the capacity of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Needs {
    /// Cores that it keeps busy.
    pub cores: f64,
    /// Bytes.
    pub memory: f64,
    /// Bytes a second.
    pub network: f64,
    /// Bytes a second.
    pub disk: f64,
}

impl Needs {
    /// Adds this many times `needs`.
    pub(crate) fn add(&mut self, needs: Needs, times: f64) {
        self.cores += times * needs.cores;
        self.memory += times * needs.memory;
        self.network += times * needs.network;
        self.disk += times * needs.disk;
    }
}

/// A job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// The time of its arrival, not negative.
    pub at_s: f64,
    /// The index of its kind.
    pub kind: usize,
    /// Run time alone on a host of speed 1, above zero.
    pub work_s: f64,
    /// Its true use while it runs.
    pub needs: Needs,
    /// Jobs with the same key prefer the same node.
    pub key: Option<u32>,
    /// Its priority, which orders waiting jobs; only `rolecast` knows it.
    pub priority: rolecast_common::id::Priority,
}

/// Settings of the heartbeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heartbeats {
    /// Time from one to the next, above zero.
    pub interval_s: f64,
    /// The delay of one: `delay_s` plus a tenth of the interval at most.
    pub delay_s: f64,
    /// Relative standard deviation of the measurements.
    pub noise: f64,
    /// The share of lost heartbeats, from 0 to 1.
    pub loss: f64,
    /// Whether one is also sent as soon as others' CPU changed by more than 10 % of the
    /// host.
    pub on_change: bool,
}
