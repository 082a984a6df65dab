//! World of a simulation: everything that happens whatever the policy does.
//!
//! Times are seconds from the start of the measured run; history before it is negative.
//! Work is in seconds on a core of speed 1, memory in bytes, network and disk in bytes a
//! second.

use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::label::{Labels, Requirement};

/// One run, completely drawn before it begins.
#[derive(Clone, Debug)]
pub struct World {
    pub hosts: Vec<Host>,
    pub kinds: Vec<Kind>,
    /// In the order of their times.
    pub arrivals: Vec<Arrival>,
    pub sharing: Sharing,
    pub heartbeats: Heartbeats,
    /// The length of the heartbeats before 0; no jobs arrive in it.
    pub history_s: f64,
    /// Jobs that arrive before this are run and not counted.
    pub warm_up_s: f64,
    /// The end of arrivals. Jobs that have not ended by `length_s + drain_s` count as
    /// ended then.
    pub length_s: f64,
    pub drain_s: f64,
    /// The start of calendars: milliseconds since the Unix epoch at second 0.
    pub epoch_ms: u64,
    /// Seed of the policy's random choices.
    pub seed: u64,
}

impl World {
    /// Returns whether the roles of the kind allow the host.
    pub fn may_run(&self, kind: usize, host: usize) -> bool {
        self.kinds[kind].suits(&self.hosts[host])
    }
}

/// A machine, its declarations, and the use by others on it.
#[derive(Clone, Debug)]
pub struct Host {
    pub id: NodeId,
    pub roles: Vec<Role>,
    /// Labels of the host, for jobs that require some.
    pub labels: Labels,
    pub cores: f64,
    /// Speed of one core, relative to a core of speed 1.
    pub speed: f64,
    pub memory: f64,
    pub disk: f64,
    pub network: f64,
    /// Its declaration to the dispatcher, right or wrong.
    pub declared_cores: f64,
    pub declared_speed: f64,
    /// Latency of a message to it.
    pub latency_s: f64,
    pub load: Load,
}

impl Host {
    /// Returns its capacity.
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
    pub step_s: f64,
    /// The last sample holds without end.
    pub samples: Vec<Sample>,
}

impl Load {
    /// Returns the sample that holds at this time.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the last sample holds for ever"
    )]
    pub fn index_at(&self, at_s: f64) -> usize {
        // A time at the beginning of a step is not rounded into the step before.
        let steps = (at_s - self.start_s) / self.step_s + 1e-6;
        (steps as usize).min(self.samples.len() - 1)
    }

    /// Returns the start of a sample.
    pub fn begin_s(&self, sample: usize) -> f64 {
        self.start_s + sample as f64 * self.step_s
    }

    /// Returns the next sample that differs from this one.
    pub fn next_change(&self, sample: usize) -> Option<usize> {
        let mut later = sample + 1..self.samples.len();
        later.find(|later| self.samples[*later] != self.samples[sample])
    }
}

/// One step of a [`Load`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Cores that others want; more than the host has is possible.
    pub cpu: f32,
    pub memory: f32,
    pub network: f32,
    pub disk: f32,
    /// The share of the speed that is left while something that no metric shows slows the
    /// host down: 1 is all of it.
    pub speed_left: f32,
}

impl Sample {
    pub fn needs(self) -> Needs {
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
    /// Returns the way with this name in scenarios.
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
    pub category: Category,
    /// Roles that may run it, best first; empty means any.
    pub roles: Vec<Role>,
    /// Declared use of one job on average and at its peak.
    pub average: Needs,
    pub peak: Needs,
    /// Declared run time of one job on a core of speed 1.
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

/// Use by a job while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Needs {
    pub cores: f64,
    pub memory: f64,
    pub network: f64,
    pub disk: f64,
}

impl Needs {
    /// Adds this many times `needs`.
    pub fn add(&mut self, needs: Needs, times: f64) {
        self.cores += times * needs.cores;
        self.memory += times * needs.memory;
        self.network += times * needs.network;
        self.disk += times * needs.disk;
    }
}

/// A job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    pub at_s: f64,
    /// Its index among the kinds.
    pub kind: usize,
    /// Run time alone on a host of speed 1.
    pub work_s: f64,
    pub needs: Needs,
    /// Jobs with the same key prefer the same node.
    pub key: Option<u32>,
    pub priority: rolecast_common::id::Priority,
}

/// Settings of the heartbeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heartbeats {
    pub interval_s: f64,
    /// The delay of one: `delay_s` plus a tenth of the interval at most.
    pub delay_s: f64,
    /// Relative standard deviation of the measurements.
    pub noise: f64,
    /// The share of lost heartbeats.
    pub loss: f64,
    /// Whether one is also sent as soon as others' CPU changed by more than 10 % of the
    /// host.
    pub on_change: bool,
}
