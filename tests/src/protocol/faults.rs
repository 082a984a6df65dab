//! What goes wrong, and when.

use std::time::Duration;

use fastrand::Rng;

use super::network::Place;

/// Until then things go wrong.
pub(super) const FAULTS_END: Duration = Duration::from_secs(60);

/// Something that goes wrong for a while, or that somebody does.
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
    /// A node and all dispatchers do not hear each other.
    Isolate(usize, Duration),
    /// An operator gives a role to a node.
    Order(usize, usize),
    /// The judge wants a role elsewhere.
    Move(usize, usize),
    /// An operator drains the first node, or takes it back.
    Drain(bool),
}

/// Returns what goes wrong in a run, by the time.
pub(super) fn plan(rng: &mut Rng, nodes: usize, dispatchers: usize) -> Vec<(Duration, Fault)> {
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
    match rng.u8(..12) {
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
        _ => Fault::Drain(rng.bool()),
    }
}
