//! Policy under comparison: receives the events and emits which job goes to which host.
//!
//! ```
//! use rolecast_simulator::policy::{Event, Live, Policy, Send};
//! use rolecast_simulator::run;
//! # use rolecast_simulator::scenario::Scenario;
//! # use rolecast_simulator::scenario::build::{Files, build};
//!
//! /// Sends every job to the host that is least busy.
//! struct LeastBusy;
//!
//! impl Policy for LeastBusy {
//!     fn handle(&mut self, _: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>) {
//!         // Jobs that were killed for lack of memory are given up here.
//!         let Event::Arrived { job, arrival } = event else { return };
//!         let hosts = 0..live.world().hosts.len();
//!         let hosts = hosts.filter(|host| live.world().may_run(arrival.kind, *host));
//!         let busy = |host: &usize| live.utilization(*host);
//!         let host = hosts.min_by(|a, b| busy(a).total_cmp(&busy(b)));
//!         sends.push(Send { job, host: host.unwrap() });
//!     }
//! }
//!
//! # let text = "length = '300s'\nhistory = '0s'\nfleet.hosts = 2\n\
//! #     kinds.api = { work = { mean = '1s' }, memory = { mean = '1MB' } }";
//! # let scenario = Scenario::read(text, &Scenario::default()).unwrap();
//! # let world = build(&scenario, &scenario.cells(1)[0], &Files::default()).unwrap();
//! let metrics = run(&world, &mut LeastBusy);
//! assert!(metrics.kinds[0].jobs > 0 && metrics.queued == 0);
//! ```

use rolecast_common::wire::Usage;

use super::world::{Arrival, World};

/// A job's index among the [arrivals](World::arrivals).
pub type JobIndex = usize;
/// A host's index among the [hosts](World::hosts).
pub type HostIndex = usize;

/// The number of kills after which a job has failed.
pub const KILLS_MAX: u8 = 10;

/// A policy under simulation. It keeps its own queues.
pub trait Policy {
    /// Takes an event at `now_s`, in seconds of the run, and adds the jobs to send to
    /// `sends`.
    ///
    /// It may send jobs that have arrived and are neither on a host nor completed, each to
    /// a host that [may run](World::may_run) it, at any event from second 0 on.
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>);

    /// Returns the latest time of the next [`Event::Turn`], in seconds of the run; `None` if
    /// it needs none but those after other events. A time that has passed is put off by a
    /// microsecond.
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
    /// A job arrived; it waits until the policy sends it.
    Arrived {
        /// The job.
        job: JobIndex,
        /// Its contents. Only a policy that is to know the future may read `work_s` and
        /// `needs`.
        arrival: &'a Arrival,
    },
    /// The end of an execution was reported, the latency of the host after it.
    Ended {
        /// The job.
        job: JobIndex,
        /// The host that ran it.
        host: HostIndex,
        /// Its end.
        end: End,
    },
    /// A heartbeat arrived.
    Heartbeat {
        /// The host that sent it.
        host: HostIndex,
        /// Its contents.
        report: Report<'a>,
    },
    /// The requested deadline has passed, or all events of this moment were delivered.
    Turn,
}

/// The contents of a heartbeat.
#[derive(Debug)]
pub struct Report<'a> {
    /// Counts heartbeats of the host from 1, lost ones too.
    pub sequence: u64,
    /// Total use and use by jobs: means since the last heartbeat, of memory the value at
    /// its end; with noise.
    pub usage: Usage,
    /// The jobs that it runs, in any order.
    pub jobs: &'a [JobIndex],
}

/// The end of one execution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End {
    /// The start on the host, in seconds of the run.
    pub started_s: f64,
    /// Its result.
    pub status: EndStatus,
    /// CPU time it used, in core-seconds of the host's own cores. A slow-down that no
    /// metric shows lengthens it.
    pub cpu_s: f64,
    /// The most memory it used, in bytes.
    pub memory_max: f64,
    /// Bytes sent and received.
    pub network_bytes: f64,
    /// Bytes read and written.
    pub disk_bytes: f64,
}

/// Result of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndStatus {
    /// It did its work.
    Completed,
    /// Killed for lack of memory: to be sent again after a second, until it was killed
    /// [`KILLS_MAX`] times. The policy does that; the engine counts.
    Killed,
}

/// A job that goes to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// A job that waits.
    pub job: JobIndex,
    /// A host that may run it.
    pub host: HostIndex,
}

/// Present state of the hosts: for policies that run or probe there, and for the oracle.
///
/// All methods panic if there is no such host.
pub trait Live {
    /// Returns the whole world, its future included.
    fn world(&self) -> &World;
    /// Returns wanted CPU over cores, of others and jobs together; above 1 they wait.
    fn utilization(&self, host: HostIndex) -> f64;
    /// Returns memory that others and jobs hold over the capacity; above 1 jobs are killed.
    fn memory_share(&self, host: HostIndex) -> f64;
    /// Returns the number of jobs that run on the host.
    fn in_flight(&self, host: HostIndex) -> usize;
    /// Visits the jobs on the host with the work that is left of each, in seconds at
    /// speed 1.
    fn remaining(&self, host: HostIndex, visit: &mut dyn FnMut(JobIndex, f64));
}
