//! Protocol simulator: the real leases, schedulers and agents under faults.
//!
//! Several dispatchers ([`Lease`] and [`Scheduler`], in it the coordinator of roles) and
//! workers ([`Agent`]) share a store with compare-and-set, a queue of jobs, and a network
//! that delays, drops, repeats, reorders and cuts. Clocks drift and start anywhere;
//! processes are stopped, killed and started again, with nothing left but their
//! persistent state. Buckets are away for as long as NATS elects leaders, and the key of
//! the lease is deleted or damaged. All of it follows from one seed.
//!
//! After every step (`checks`):
//!
//! 1. at most as many nodes act in a role as may hold it, each by its own clock; and at
//!    most as many services, which follow hooks, can believe that they do;
//! 2. a worker's epoch never falls, over restarts too;
//! 3. no job for a role starts at a node that does not act in it;
//! 4. under one epoch workers take commands of one dispatcher only, and never of an epoch
//!    below one they took before;
//! 5. a step of the roles' document is never lost or repeated;
//! 6. under one epoch one dispatcher leads, and an epoch that is led is above all that
//!    were led before;
//! 7. after the last fault, a dispatcher leads within [`LEADER_MAX`], and all roles have
//!    their holders within [`RECOVERY_MAX`];
//! 8. from then on a new job is recorded within [`FLOW_MAX`], and all jobs from before
//!    are recorded within [`BACKLOG_MAX`];
//! 9. a job leaves the queue only when it is recorded;
//! 10. when elections are the only faults, only the first dispatcher ever leads.
//!
//! [`Flaw`]s are planted by tampering with messages, outside the code under test.
//!
//! [`Lease`]: rolecast_dispatcher::lease::Lease
//! [`Scheduler`]: rolecast_dispatcher::scheduler::Scheduler
//! [`Agent`]: rolecast_worker::agent::Agent

mod checks;
mod clock;
mod dispatcher;
mod environment;
mod faults;
mod flaws;
mod host;
mod message;
mod network;
mod queue;
mod results;
mod schedule;
mod store;
mod world;

use std::fmt;
use std::time::Duration;

pub use faults::Faults;
use world::World;

/// Time limit until a dispatcher leads after the last fault, if the former one is dead: a
/// request that was lost, 0.41 s; the patience that begins then, 1.29 s, and its jitter,
/// 0.1 s, all on a slow clock; a read and a claim of 40 ms each; and the same again for
/// one that claimed in vain, 0.1 s.
pub const LEADER_MAX: Duration = Duration::from_millis(2500);
/// Time limit from the publication to the record of a job that any node may run, after
/// the last fault: until a dispatcher leads, [`LEADER_MAX`]; its setup, a second if the
/// first request was lost, and its warm-up, 1.3 s; or, if the pulls of a leader that
/// lived through the faults were lost, until they count as lost, 1.5 s and a sweep; and
/// the run itself, a third of a second.
pub const FLOW_MAX: Duration = Duration::from_secs(7);
/// Time limit until all earlier jobs are recorded after the last fault: those for a role
/// need its holder, [`RECOVERY_MAX`], and those that a dead dispatcher had fetched are
/// redelivered after 15 s, which is within that.
pub const BACKLOG_MAX: Duration = Duration::from_secs(44);
/// Time limit until everything is well after the last fault: a new dispatcher's lease, 5 s;
/// the lease of its predecessor's roles, 10.5 s; a node that failed recently is tried again
/// after 15 s; two changes of a hook each, in one group.
pub const RECOVERY_MAX: Duration = Duration::from_secs(40);

/// A mistake that is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A worker counts a role's lease from when it receives it.
    LeaseFromReceipt,
    /// A worker takes assignments of older dispatchers than it has seen.
    OldEpoch,
    /// A dispatcher promotes without waiting for the confirmation of the demotion.
    EarlyPromotion,
    /// A challenger counts time in which the bucket was away as the holder's silence.
    AbsenceCounted,
    /// A holder whose lease has lapsed makes no more requests.
    NoReturn,
}

/// Results of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    pub steps: u64,
    /// Changes of roles that were finished.
    pub changes: u64,
    pub job_starts: u64,
    /// Time after the last fault until everything was well for good.
    pub recovery: Duration,
    /// Time after the last fault until a dispatcher led for good.
    pub unled: Duration,
    /// Longest time of a new job after the last fault.
    pub flow: Duration,
    /// Time after the last fault until the last earlier job was recorded.
    pub backlog: Duration,
    /// Jobs that were recorded.
    pub recorded: u64,
}

impl Run {
    /// Adds the figures of another run: counts, and the longest of lengths.
    pub fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.changes += other.changes;
        self.job_starts += other.job_starts;
        self.recovery = self.recovery.max(other.recovery);
        self.unled = self.unled.max(other.unled);
        self.flow = self.flow.max(other.flow);
        self.backlog = self.backlog.max(other.backlog);
        self.recorded += other.recorded;
    }
}

/// A broken rule, with its time and seed.
#[derive(Clone, Debug)]
pub struct Violation {
    pub seed: u64,
    pub at: Duration,
    pub text: String,
    /// The last events.
    pub trace: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        let Self { seed, at, text, .. } = self;
        write!(f, "seed {seed}, at {at:.3?}: {text}")
    }
}

/// Runs one seed; one that fails is run again to report the events before.
pub fn run(seed: u64, faults: Faults, flaw: Option<Flaw>) -> Result<Run, Box<Violation>> {
    let result = World::new(seed, faults, flaw, false).run();
    match result {
        Ok(run) => Ok(run),
        Err(_) => World::new(seed, faults, flaw, true).run(),
    }
}
