//! Pings: to each node that is not gone about every five seconds, and to late ones.
//!
//! Each sweep pings the nodes whose name falls to its turn, so that pings are
//! spread over time and no node needs a timer. The shell takes the round trips.

use rolecast_common::fnv::fnv1a;
use rolecast_common::id::NodeId;
use rolecast_common::time::WallTime;

use super::{Machine, Output};

/// Sweeps from one ping of a node to the next; sweeps are 250 ms apart at least.
const TURNS: u64 = 20;

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Pinging {
    turn: u64,
    number: u64,
}

impl Pinging {
    pub(super) fn new(now: WallTime) -> Self {
        // An answer to a former dispatcher's ping must not be taken for one of
        // ours: a millisecond is worth more numbers than can be sent in it.
        let number = now.as_millis().saturating_mul(1 << 10);
        Self { turn: 0, number }
    }
}

impl Pinging {
    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

impl Machine {
    pub(super) fn ping(&mut self, out: &mut Vec<Output>) {
        self.pinging.turn = (self.pinging.turn + 1) % TURNS;
        let turn = self.pinging.turn;
        let nodes = self.fleet.nodes().filter(|node| !node.is_gone());
        let nodes = nodes.filter(|node| turn_of(node.id()) == turn);
        let nodes: Vec<NodeId> = nodes.map(|node| node.id().clone()).collect();
        for node in &nodes {
            self.probe(node, out);
        }
    }

    /// Asks a node for an answer.
    pub(super) fn probe(&mut self, node: &NodeId, out: &mut Vec<Output>) {
        let number = self.pinging.next_number();
        let node = node.clone();
        out.push(Output::Ping { node, number });
    }
}

fn turn_of(node: &NodeId) -> u64 {
    fnv1a(node.as_str().as_bytes()) % TURNS
}
