//! Faults of a run, and their times.

use std::time::Duration;

use fastrand::Rng;

use super::network::Place;

/// End of the faults.
pub(super) const FAULTS_END: Duration = Duration::from_secs(60);

/// An election takes NATS 4 to 9 s; two in a row take longer.
const AWAY_MS_MAX: u64 = 15_000;

/// Faults that a run may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    All,
    /// Only the bucket of the lease is away now and then, so nobody but the first leader
    /// may ever lead.
    Elections,
}

/// A fault for a while, or an action of a person.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// SIGSTOP, and SIGCONT later.
    Pause(Place, Duration),
    /// SIGKILL, and another start later.
    Crash(Place, Duration),
    /// SIGTERM, and another start later.
    Leave(usize, Duration),
    /// Messages one way are lost.
    Cut(Place, Place, Duration),
    /// A node and all dispatchers do not receive each other's messages.
    Isolate(usize, Duration),
    /// A bucket does not answer: its stream has no leader.
    Away(Bucket, Duration),
    /// Somebody damages the key of the lease.
    Harm(Harm),
    /// An operator gives a role to a node.
    Order(usize, usize),
    /// The judge requests another holder.
    Move(usize, usize),
    /// An operator drains the first node, or takes it back.
    Drain(bool),
}

/// The part that is away: each bucket, and the queue of jobs, is a stream with a leader
/// of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bucket {
    Lease,
    Roles,
    Jobs,
    All,
}

/// Ways to damage a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    /// It is deleted, and the marker of the deletion stays.
    Delete,
    /// Nothing is left of it.
    Purge,
    /// It gets a content that no dispatcher wrote.
    Damage,
}

/// Returns the faults of a run, by their time.
pub(super) fn plan(
    rng: &mut Rng,
    world: Faults,
    nodes: usize,
    dispatchers: usize,
) -> Vec<(Duration, Fault)> {
    match world {
        Faults::All => plan_all(rng, nodes, dispatchers),
        Faults::Elections => plan_elections(rng),
    }
}

/// Returns elections only: a bucket is away for up to 15 s, and back for a while.
fn plan_elections(rng: &mut Rng) -> Vec<(Duration, Fault)> {
    let mut plan = Vec::new();
    let mut at = Duration::from_secs(8);
    while at < FAULTS_END {
        let length = Duration::from_millis(rng.u64(..AWAY_MS_MAX));
        plan.push((at, Fault::Away(Bucket::Lease, length)));
        // As long as a holder takes to return, or much longer.
        let pause = [1_500, 5_000][rng.usize(..2)];
        at += length + Duration::from_millis(rng.u64(1_000..pause));
    }
    plan
}

fn plan_all(rng: &mut Rng, nodes: usize, dispatchers: usize) -> Vec<(Duration, Fault)> {
    let mut plan = Vec::new();
    let mut at = Duration::from_secs(3);
    let pace = [1_000, 3_000, 8_000][rng.usize(..3)];
    while at < FAULTS_END {
        plan.push((at, fault(rng, nodes, dispatchers)));
        at += Duration::from_millis(rng.u64(50..pace * 2));
    }
    plan
}

fn fault(rng: &mut Rng, nodes: usize, dispatchers: usize) -> Fault {
    let node = rng.usize(..nodes);
    let dispatcher = Place::Dispatcher(rng.usize(..dispatchers));
    let process = if rng.bool() {
        Place::Node(node)
    } else {
        dispatcher
    };
    // As long as a blink, a missed heartbeat, a lease, or more than a role's lease.
    let scale = [400, 4_000, 16_000][rng.usize(..3)];
    let length = Duration::from_millis(rng.u64(50..scale));
    match rng.u8(..15) {
        0 | 1 => Fault::Pause(process, length),
        2 | 3 => Fault::Crash(process, length),
        4 => Fault::Leave(node, length),
        5 => Fault::Cut(Place::Node(node), dispatcher, length),
        6 => Fault::Cut(dispatcher, Place::Node(node), length),
        7 => Fault::Isolate(node, length),
        8 if rng.bool() => Fault::Cut(dispatcher, Place::Store, length),
        8 => Fault::Cut(Place::Store, dispatcher, length),
        9 => Fault::Order(rng.usize(..3), node),
        10 => Fault::Move(rng.usize(..3), node),
        11 => Fault::Drain(rng.bool()),
        12 => Fault::Harm([Harm::Delete, Harm::Purge, Harm::Damage][rng.usize(..3)]),
        _ => {
            let bucket = [Bucket::Lease, Bucket::Roles, Bucket::Jobs, Bucket::All][rng.usize(..4)];
            Fault::Away(bucket, Duration::from_millis(rng.u64(..AWAY_MS_MAX)))
        }
    }
}
