//! The protocol simulator: the real leases, role managers and agents in a bad world.
//!
//! Several dispatchers ([`Lease`] and [`Manager`]) and workers ([`Agent`]) share a
//! store with compare-and-set and a network that delays, drops, repeats, reorders and
//! cuts. Clocks drift and start anywhere; processes are stopped, killed and started
//! again, with nothing left but what they keep. All of it follows from one seed.
//!
//! After every step (`checks`):
//!
//! 1. at most as many nodes act in a role as may hold it, each by its own clock; and
//!    at most as many services, which follow hooks, can believe that they do;
//! 2. a worker's epoch never falls, over restarts too;
//! 3. no job for a role starts at a node that does not act in it;
//! 4. under one epoch workers take commands of one dispatcher only, and never of an
//!    epoch below one they took before;
//! 5. a step of the roles' document is never lost or repeated;
//! 6. when nothing goes wrong any more, all roles have their holders within
//!    [`RECOVERY_MAX`].
//!
//! [`Flaw`]s are planted by tampering with messages, outside the code under test.
//!
//! [`Lease`]: rolecast_dispatcher::lease::Lease
//! [`Manager`]: rolecast_dispatcher::roles::Manager
//! [`Agent`]: rolecast_worker::agent::Agent

mod checks;
mod clock;
mod desk;
mod faults;
mod host;
mod network;
mod store;
mod world;

use std::fmt;
use std::time::Duration;

use world::World;

/// How soon after the last fault all must be well: a new dispatcher's lease, 5 s; the
/// lease of its predecessor's roles, 10.5 s; a node that failed lately is asked again
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
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    pub steps: u64,
    /// Changes of roles that were finished.
    pub changes: u64,
    pub job_starts: u64,
    /// How long after the last fault all was well for good.
    pub recovery: Duration,
}

/// What was broken, when and by what seed.
#[derive(Clone, Debug)]
pub struct Violation {
    pub seed: u64,
    pub at: Duration,
    pub text: String,
    /// The last things that happened.
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

/// Runs one seed; one that fails is run again to tell what happened before.
pub fn run(seed: u64, flaw: Option<Flaw>) -> Result<Run, Box<Violation>> {
    let result = World::new(seed, flaw, false).run();
    match result {
        Ok(run) => Ok(run),
        Err(_) => World::new(seed, flaw, true).run(),
    }
}
