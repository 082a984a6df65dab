//! World of a simulation: everything that happens whatever the policy does.
//!
//! Times are seconds from the start of the measured run; history before it is negative.
//! Work is in seconds on a core of speed 1, memory in bytes, network and disk in bytes a
//! second.

use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::label::{Labels, Requirement};

/// One run, completely drawn before it begins.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) hosts: Vec<Host>,
    pub(crate) kinds: Vec<Kind>,
    /// In the order of their times.
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) sharing: Sharing,
    pub(crate) heartbeats: Heartbeats,
    /// The length of the heartbeats before 0; no jobs arrive in it.
    pub(crate) history_s: f64,
    /// Jobs that arrive before this are run and not counted.
    pub(crate) warm_up_s: f64,
    /// The end of arrivals. Jobs that have not ended by `length_s + drain_s` count as
    /// ended then.
    pub(crate) length_s: f64,
    pub(crate) drain_s: f64,
    /// The start of calendars: milliseconds since the Unix epoch at second 0.
    pub(crate) epoch_ms: u64,
    /// Seed of the policy's random choices.
    pub(crate) seed: u64,
}

impl World {
    /// Returns whether the roles of the kind allow the host.
    pub(crate) fn may_run(&self, kind: usize, host: usize) -> bool {
        self.kinds[kind].suits(&self.hosts[host])
    }
}

/// A machine, its declarations, and the use by others on it.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) id: NodeId,
    pub(crate) roles: Vec<Role>,
    /// Labels of the host, for jobs that require some.
    pub(crate) labels: Labels,
    pub(crate) cores: f64,
    /// Speed of one core, relative to a core of speed 1.
    pub(crate) speed: f64,
    pub(crate) memory: f64,
    pub(crate) disk: f64,
    pub(crate) network: f64,
    /// Its declaration to the dispatcher, right or wrong.
    pub(crate) declared_cores: f64,
    pub(crate) declared_speed: f64,
    /// Latency of a message to it.
    pub(crate) latency_s: f64,
    pub(crate) load: Load,
}

impl Host {
    /// Returns its capacity.
    pub(crate) fn capacity(&self) -> Needs {
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
pub(crate) struct Load {
    /// The start of the first sample: `-history_s`.
    pub(crate) start_s: f64,
    pub(crate) step_s: f64,
    /// The last sample holds without end.
    pub(crate) samples: Vec<Sample>,
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
pub(crate) struct Sample {
    /// Cores that others want; more than the host has is possible.
    pub(crate) cpu: f32,
    pub(crate) memory: f32,
    pub(crate) network: f32,
    pub(crate) disk: f32,
    /// The share of the speed that is left while something that no metric shows slows the
    /// host down: 1 is all of it.
    pub(crate) speed_left: f32,
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
pub(crate) enum Sharing {
    /// In proportion to the demand of each.
    Fair,
    /// Others first; jobs get the rest, at least 5 %.
    Priority,
}

/// A category with the declarations of its config. The true needs of its jobs are in the
/// arrivals.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) category: Category,
    /// Roles that may run it, best first; empty means any.
    pub(crate) roles: Vec<Role>,
    /// Declared use of one job on average and at its peak.
    pub(crate) average: Needs,
    pub(crate) peak: Needs,
    /// Declared run time of one job on a core of speed 1.
    pub(crate) duration_s: f64,
    /// The slow-down above which a job misses its objective.
    pub(crate) objective: f64,
    /// The labels its jobs require.
    pub(crate) require: Requirement,
}

impl Kind {
    /// Returns whether the host has a role and the labels for it.
    pub(crate) fn suits(&self, host: &Host) -> bool {
        let has_role = self.roles.iter().any(|role| host.roles.contains(role));
        (self.roles.is_empty() || has_role) && self.require.matches(&host.labels)
    }
}

/// Use by a job while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Needs {
    pub(crate) cores: f64,
    pub(crate) memory: f64,
    pub(crate) network: f64,
    pub(crate) disk: f64,
}

impl Needs {
    /// Adds so many times `needs`.
    pub(crate) fn add(&mut self, needs: Needs, times: f64) {
        self.cores += times * needs.cores;
        self.memory += times * needs.memory;
        self.network += times * needs.network;
        self.disk += times * needs.disk;
    }
}

/// A job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Arrival {
    pub(crate) at_s: f64,
    /// Its index among the kinds.
    pub(crate) kind: usize,
    /// Run time alone on a host of speed 1.
    pub(crate) work_s: f64,
    pub(crate) needs: Needs,
    /// Jobs with one key prefer one node.
    pub(crate) key: Option<u32>,
    pub(crate) priority: rolecast_common::id::Priority,
}

/// Settings of the heartbeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heartbeats {
    pub(crate) interval_s: f64,
    /// The delay of one: `delay_s` plus a tenth of the interval at most.
    pub(crate) delay_s: f64,
    /// Relative standard deviation of the measurements.
    pub(crate) noise: f64,
    /// The share of lost heartbeats.
    pub(crate) loss: f64,
    /// Whether one is also sent as soon as others' CPU changed by more than 10 % of the
    /// host.
    pub(crate) on_change: bool,
}
