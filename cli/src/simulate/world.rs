//! World of a simulation: everything that happens whatever the policy does.
//!
//! Times are seconds from the start of the measured run; history before it is negative.
//! Work is in seconds on a core of speed 1, memory in bytes, network and disk in bytes a
//! second.

use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::label::{Labels, Requirement};

/// One run, laid out completely before it begins.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) hosts: Vec<Host>,
    pub(crate) kinds: Vec<Kind>,
    /// In the order of their times.
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) sharing: Sharing,
    pub(crate) heartbeats: Heartbeats,
    /// How long before 0 heartbeats begin; no jobs arrive in it.
    pub(crate) history_s: f64,
    /// Jobs that arrive before this are run and not counted.
    pub(crate) warm_up_s: f64,
    /// When arrivals end. Jobs that have not ended by `length_s + drain_s`
    /// count as ended then.
    pub(crate) length_s: f64,
    pub(crate) drain_s: f64,
    /// Where calendars begin: milliseconds since the Unix epoch at second 0.
    pub(crate) epoch_ms: u64,
    /// Decides whatever the policy leaves to chance.
    pub(crate) seed: u64,
}

impl World {
    /// Whether the roles of the kind allow the host.
    pub(crate) fn may_run(&self, kind: usize, host: usize) -> bool {
        self.kinds[kind].suits(&self.hosts[host])
    }
}

/// A machine, what it says of itself, and what others do on it.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) id: NodeId,
    pub(crate) roles: Vec<Role>,
    /// What it is, for jobs that ask for it.
    pub(crate) labels: Labels,
    pub(crate) cores: f64,
    /// How fast one core is, relative to a core of speed 1.
    pub(crate) speed: f64,
    pub(crate) memory: f64,
    pub(crate) disk: f64,
    pub(crate) network: f64,
    /// What it tells the dispatcher, right or wrong.
    pub(crate) declared_cores: f64,
    pub(crate) declared_speed: f64,
    /// How long a message takes to it.
    pub(crate) latency_s: f64,
    pub(crate) load: Load,
}

impl Host {
    /// Returns what it has.
    pub(crate) fn capacity(&self) -> Needs {
        Needs {
            cores: self.cores,
            memory: self.memory,
            network: self.network,
            disk: self.disk,
        }
    }
}

/// What others use on a host: constant within each step.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// When the first sample begins: `-history_s`.
    pub(crate) start_s: f64,
    pub(crate) step_s: f64,
    /// The last sample holds for ever.
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
        // A step's own beginning is not lost to rounding.
        let steps = (at_s - self.start_s) / self.step_s + 1e-6;
        (steps as usize).min(self.samples.len() - 1)
    }

    /// Returns when a sample begins.
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
    /// What is left of the speed while something that no metric shows slows the
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

/// How others and jobs share a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// In proportion to what each wants.
    Fair,
    /// Others first; jobs get what is left, at least 5 %.
    Priority,
}

/// A category: what the config declares of it. What its jobs really are, the
/// arrivals say.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) category: Category,
    /// Roles that may run it, best first; empty means any.
    pub(crate) roles: Vec<Role>,
    /// What one job is declared to use on average and at its peak.
    pub(crate) average: Needs,
    pub(crate) peak: Needs,
    /// How long one is declared to run on a core of speed 1.
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

/// What a job uses while it runs.
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
    /// Its place among the kinds.
    pub(crate) kind: usize,
    /// How long it runs alone on a host of speed 1.
    pub(crate) work_s: f64,
    pub(crate) needs: Needs,
    /// Jobs with one key prefer one node.
    pub(crate) key: Option<u32>,
    pub(crate) priority: rolecast_common::id::Priority,
}

/// How heartbeats are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heartbeats {
    pub(crate) interval_s: f64,
    /// How long one is on its way: `delay_s` plus a tenth of the interval at most.
    pub(crate) delay_s: f64,
    /// Relative standard deviation of what it measures.
    pub(crate) noise: f64,
    /// The share that is lost.
    pub(crate) loss: f64,
    /// Whether one is also sent as soon as others' CPU moved by more than 10 %
    /// of the host.
    pub(crate) on_change: bool,
}
