//! Policy under comparison: receives the events and emits which job goes to which host.

use rolecast_common::wire::Usage;

use super::world::{Arrival, World};

/// A job's place among the arrivals.
pub(crate) type JobIndex = usize;
/// A host's place among the hosts.
pub(crate) type HostIndex = usize;

/// A job that was killed so often has failed.
pub(crate) const KILLS_MAX: u8 = 10;

/// A policy under simulation. Whatever it queues, it keeps itself.
pub(crate) trait Policy {
    /// Takes what happened at `now_s` and adds what is to be sent to `sends`.
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>);

    /// Returns when [`Event::Turn`] is wanted at the latest.
    fn next_deadline_s(&self) -> Option<f64> {
        None
    }

    /// Whether it wants the heartbeats of the history too.
    fn learns(&self) -> bool {
        false
    }
}

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Event<'a> {
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
    /// The deadline asked for has come, or everything there is to hear of this
    /// moment was told.
    Turn,
}

/// What a heartbeat says.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// Counts heartbeats of the host.
    pub(crate) sequence: u64,
    /// What is used in all and by jobs: means since the last heartbeat, of
    /// memory the value at its end.
    pub(crate) usage: Usage,
    /// The jobs in hand.
    pub(crate) jobs: &'a [JobIndex],
}

/// How one execution ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct End {
    /// When the host began with it.
    pub(crate) started_s: f64,
    pub(crate) status: EndStatus,
    /// CPU time it used, in core-seconds of the host's own cores. A slow-down
    /// that no metric shows lengthens it.
    pub(crate) cpu_s: f64,
    pub(crate) memory_max: f64,
    /// Bytes moved.
    pub(crate) network_bytes: f64,
    pub(crate) disk_bytes: f64,
}

/// Whether it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndStatus {
    Completed,
    /// Killed for want of memory: to be sent again after a second, until it was
    /// killed [`KILLS_MAX`] times. The policy does that; the engine counts.
    Killed,
}

/// A job goes to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) job: JobIndex,
    pub(crate) host: HostIndex,
}

/// What can be seen on the hosts at this very moment: for policies that run or
/// probe there, and for the oracle.
pub(crate) trait Live {
    fn world(&self) -> &World;
    /// Wanted CPU over cores, of others and jobs together; above 1 they wait.
    fn utilization(&self, host: HostIndex) -> f64;
    fn memory_share(&self, host: HostIndex) -> f64;
    fn in_flight(&self, host: HostIndex) -> usize;
    /// Jobs on the host with the work that is left of each, in seconds at speed 1.
    fn remaining(&self, host: HostIndex, visit: &mut dyn FnMut(JobIndex, f64));
}
