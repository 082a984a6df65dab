//! Pings: to each node that is not gone about every five seconds, and probes of late
//! ones.
//!
//! Each sweep pings the nodes whose turn it is, so that pings are spread over time and no
//! node needs a timer. The shell measures the round trips. Names where nobody seems to
//! listen take turns if there are many.

use rolecast_common::id::NodeId;
use rolecast_common::time::WallTime;

use crate::fleet::Fleet;
use crate::scheduler::context::Context;
use crate::scheduler::output::Output;

/// Sweeps from one ping of a node to the next; sweeps are 250 ms apart at least.
const TURNS: usize = 20;
/// Nodes pinged in one sweep of those where nobody seems to listen.
const UNHEARD_MAX: usize = 32;

/// The turn of the next sweep, and the last number.
#[derive(Debug)]
pub(super) struct Pings {
    /// Number of sweeps.
    turn: usize,
    number: u64,
}

impl Pings {
    pub(super) fn new(now: WallTime) -> Self {
        // An answer to a former dispatcher's ping must not count for one of ours: a
        // millisecond has more numbers than pings can be sent in it.
        let number = now.as_millis().saturating_mul(1 << 10);
        Self { turn: 0, number }
    }

    /// Pings the nodes whose turn it is in this sweep.
    pub(super) fn sweep(&mut self, cx: &mut Context<'_>, fleet: &Fleet) {
        self.turn = self.turn.wrapping_add(1);
        let (round, turn) = (self.turn / TURNS, self.turn % TURNS);
        let nodes = fleet.every(TURNS, turn);
        let nodes = nodes.filter(|node| !node.is_gone());
        let (unheard, heard): (Vec<_>, Vec<_>) = nodes.partition(|node| node.lacks_listener());
        let shares = unheard.len().div_ceil(UNHEARD_MAX).max(1);
        let unheard = unheard.into_iter().skip(round % shares).step_by(shares);
        for node in heard.into_iter().chain(unheard) {
            self.probe(cx, node.id());
        }
    }

    pub(super) fn probe(&mut self, cx: &mut Context<'_>, node: &NodeId) {
        let number = self.next_number();
        let node = node.clone();
        cx.push(Output::Ping { node, number });
    }

    pub(super) fn request_report(&mut self, cx: &mut Context<'_>, node: &NodeId) {
        let number = self.next_number();
        let node = node.clone();
        cx.push(Output::AskReport { node, number });
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}
