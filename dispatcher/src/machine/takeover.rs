//! The first moments of a leader: it asks every node at once what it has in hand, and
//! fetches when all have answered.
//!
//! Jobs that were delivered to its predecessor and not sent to a node come back only
//! when their acknowledgement is overdue. Once it is known which jobs are in hand, the
//! leader has the stream deliver all the others again ([`super::Output::Recover`]).

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

use super::{Machine, Output};

#[derive(Debug, Default)]
pub(super) struct Takeover {
    /// Since when this one leads.
    since: Option<Time>,
    /// Nodes that were alive then and have not sent a heartbeat since.
    awaited: BTreeSet<NodeId>,
    /// Whether it listened for so long before that it knew every node.
    knew_all: bool,
    is_recovered: bool,
}

impl Takeover {
    fn begin(&mut self, now: Time, alive: BTreeSet<NodeId>, knew_all: bool) {
        *self = Self {
            since: Some(now),
            awaited: alive,
            knew_all,
            is_recovered: false,
        };
    }

    /// Notes that a node has sent a heartbeat, or is gone.
    pub(super) fn settle(&mut self, node: &NodeId) {
        if !self.awaited.is_empty() {
            self.awaited.remove(node);
        }
    }

    /// Returns whether it may fetch: all nodes have answered, or had time to.
    pub(super) fn is_over(&self, now: Time, warm_up: Duration) -> bool {
        let is_answered = self.knew_all && self.awaited.is_empty();
        self.since
            .is_some_and(|since| is_answered || now.since(since) >= warm_up)
    }

    /// Returns once that all jobs in hand are known.
    fn may_recover(&mut self, now: Time, warm_up: Duration) -> bool {
        let is_due = self.is_over(now, warm_up) && self.awaited.is_empty();
        is_due && !std::mem::replace(&mut self.is_recovered, true)
    }
}

impl Machine {
    pub(super) fn begin_takeover(&mut self, now: Time, out: &mut Vec<Output>) {
        let alive = self.fleet.nodes().filter(|node| !node.is_gone());
        let alive: BTreeSet<NodeId> = alive.map(|node| node.id().clone()).collect();
        for node in &alive {
            let number = self.pinging.next_number();
            let node = node.clone();
            out.push(Output::AskReport { node, number });
        }
        let knew_all = now.since(self.started) >= self.params.warm_up;
        self.takeover.begin(now, alive, knew_all);
    }

    /// Has the jobs come back that nobody has in hand, once that is known.
    pub(super) fn recover(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.takeover.may_recover(now, self.params.warm_up) {
            out.push(Output::Recover);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM_UP: Duration = Duration::from_millis(1300);

    fn at(millis: u64) -> Time {
        Time::from_start(Duration::from_millis(millis))
    }

    fn nodes(names: &[&str]) -> BTreeSet<NodeId> {
        names
            .iter()
            .map(|name| NodeId::new(name).unwrap())
            .collect()
    }

    #[test]
    fn it_is_over_when_all_who_were_alive_have_answered() {
        let mut takeover = Takeover::default();
        assert!(!takeover.is_over(at(9000), WARM_UP), "it does not lead yet");
        takeover.begin(at(0), nodes(&["a", "b"]), true);
        takeover.settle(&NodeId::new("a").unwrap());
        assert!(!takeover.is_over(at(10), WARM_UP));
        assert!(!takeover.may_recover(at(10), WARM_UP));
        takeover.settle(&NodeId::new("b").unwrap());
        assert!(takeover.is_over(at(20), WARM_UP));
        assert!(takeover.may_recover(at(20), WARM_UP));
        assert!(!takeover.may_recover(at(21), WARM_UP), "once is enough");
    }

    #[test]
    fn a_node_that_does_not_answer_holds_up_fetching_for_a_while_only() {
        let mut takeover = Takeover::default();
        takeover.begin(at(0), nodes(&["a"]), true);
        assert!(takeover.is_over(at(1300), WARM_UP));
        // Its jobs may still run: they must not come back yet.
        assert!(!takeover.may_recover(at(1300), WARM_UP));
        takeover.settle(&NodeId::new("a").unwrap());
        assert!(takeover.may_recover(at(1400), WARM_UP));
    }

    #[test]
    fn one_that_did_not_listen_before_waits_for_nodes_it_does_not_know() {
        let mut takeover = Takeover::default();
        takeover.begin(at(0), nodes(&[]), false);
        assert!(!takeover.is_over(at(1299), WARM_UP));
        assert!(takeover.is_over(at(1300), WARM_UP));
    }
}
