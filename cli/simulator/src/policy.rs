//! Policy under comparison: receives the events and emits which job goes to which host.

use rolecast_common::wire::Usage;

use super::world::{Arrival, World};

/// A job's index among the arrivals.
pub type JobIndex = usize;
/// A host's index among the hosts.
pub type HostIndex = usize;

/// The number of kills after which a job has failed.
pub const KILLS_MAX: u8 = 10;

/// A policy under simulation. It keeps its own queues.
pub trait Policy {
    /// Takes an event at `now_s` and adds the jobs to send to `sends`.
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>);

    /// Returns the latest time of the next [`Event::Turn`].
    fn next_deadline_s(&self) -> Option<f64> {
        None
    }

    /// Returns whether it needs the heartbeats of the history too.
    fn learns(&self) -> bool {
        false
    }
}

/// An event.
#[derive(Debug)]
pub enum Event<'a> {
    Arrived {
        job: JobIndex,
        arrival: &'a Arrival,
    },
    Ended {
        job: JobIndex,
        host: HostIndex,
        end: End,
    },
    Heartbeat {
        host: HostIndex,
        report: Report<'a>,
    },
    /// The requested deadline has passed, or all events of this moment were delivered.
    Turn,
}

/// The contents of a heartbeat.
#[derive(Debug)]
pub struct Report<'a> {
    /// Counts heartbeats of the host.
    pub sequence: u64,
    /// Total use and use by jobs: means since the last heartbeat, of memory the value at
    /// its end.
    pub usage: Usage,
    /// The jobs in hand.
    pub jobs: &'a [JobIndex],
}

/// The end of one execution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End {
    /// The start on the host.
    pub started_s: f64,
    pub status: EndStatus,
    /// CPU time it used, in core-seconds of the host's own cores. A slow-down that no
    /// metric shows lengthens it.
    pub cpu_s: f64,
    pub memory_max: f64,
    /// Bytes moved.
    pub network_bytes: f64,
    pub disk_bytes: f64,
}

/// Result of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndStatus {
    Completed,
    /// Killed for lack of memory: to be sent again after a second, until it was killed
    /// [`KILLS_MAX`] times. The policy does that; the engine counts.
    Killed,
}

/// A job that goes to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    pub job: JobIndex,
    pub host: HostIndex,
}

/// Present state of the hosts: for policies that run or probe there, and for the oracle.
pub trait Live {
    fn world(&self) -> &World;
    /// Returns wanted CPU over cores, of others and jobs together; above 1 they wait.
    fn utilization(&self, host: HostIndex) -> f64;
    fn memory_share(&self, host: HostIndex) -> f64;
    fn in_flight(&self, host: HostIndex) -> usize;
    /// Visits the jobs on the host with the work that is left of each, in seconds at
    /// speed 1.
    fn remaining(&self, host: HostIndex, visit: &mut dyn FnMut(JobIndex, f64));
}
