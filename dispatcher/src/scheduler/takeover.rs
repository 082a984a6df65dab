//! Take-over: a new leader asks every node at once for its jobs in hand, and fetches when
//! all have answered.
//!
//! Jobs that were delivered to its predecessor and not sent to a node are redelivered
//! only when their acknowledgement is overdue. Once the jobs in hand are known, the
//! leader has the stream redeliver all the others ([`super::Output::Recover`]): twice,
//! because jobs delivered a moment ago are not overdue yet the first time. A dispatcher
//! that lost the lease to this one may have gone on to receive jobs until then.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

use super::{Context, Output, Scheduler};

/// Time from the first recovery to the second: longer than young deliveries are spared,
/// see `io/recovery`.
const YOUNG_MAX: Duration = Duration::from_millis(700);

#[derive(Debug, Default)]
pub(super) struct Takeover {
    /// Start of the present lead.
    since: Option<Time>,
    /// Nodes that were alive then and have not sent a heartbeat since.
    awaited: BTreeSet<NodeId>,
    /// Whether it had listened for long enough before to know every node.
    knew_all: bool,
    recovery: Recovery,
}

/// Progress of the recovery of jobs that were delivered to the former leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Recovery {
    #[default]
    Wanted,
    Asked,
    /// Deliveries that were young are to be recovered at that time.
    WantedAgain(Time),
    Over,
}

impl Takeover {
    fn begin(&mut self, now: Time, alive: BTreeSet<NodeId>, knew_all: bool) {
        *self = Self {
            since: Some(now),
            awaited: alive,
            knew_all,
            recovery: Recovery::Wanted,
        };
    }

    /// Records that a node has sent a heartbeat, or is gone.
    pub(super) fn settle(&mut self, node: &NodeId) {
        if !self.awaited.is_empty() {
            self.awaited.remove(node);
        }
    }

    /// Whether it may fetch: all nodes have answered, or had time to.
    pub(super) fn is_over(&self, now: Time, warm_up: Duration) -> bool {
        let is_answered = self.knew_all && self.awaited.is_empty();
        self.since
            .is_some_and(|since| is_answered || now.since(since) >= warm_up)
    }

    /// Whether jobs are to be recovered, as all in hand are known; true once for each
    /// recovery.
    fn may_recover(&mut self, now: Time, warm_up: Duration) -> bool {
        let next = match self.recovery {
            Recovery::Wanted if self.is_over(now, warm_up) && self.awaited.is_empty() => {
                Recovery::Asked
            }
            Recovery::WantedAgain(at) if now >= at => Recovery::Over,
            Recovery::Wanted | Recovery::Asked | Recovery::WantedAgain(_) | Recovery::Over => {
                return false;
            }
        };
        self.recovery = next;
        true
    }

    fn note_recovered(&mut self, now: Time) {
        if self.recovery == Recovery::Asked {
            self.recovery = Recovery::WantedAgain(now + YOUNG_MAX);
        }
    }

    /// Returns the time at which the second recovery is due.
    pub(super) fn due(&self) -> Option<Time> {
        match self.recovery {
            Recovery::WantedAgain(at) => Some(at),
            Recovery::Wanted | Recovery::Asked | Recovery::Over => None,
        }
    }
}

impl Scheduler {
    pub(super) fn begin_takeover(&mut self, cx: &mut Context<'_>) {
        let alive = self.fleet.nodes().filter(|node| !node.is_gone());
        let alive: BTreeSet<NodeId> = alive.map(|node| node.id().clone()).collect();
        for node in &alive {
            let number = self.pinging.next_number();
            let node = node.clone();
            cx.push(Output::AskReport { node, number });
        }
        let knew_all = cx.now.time.since(self.started) >= self.params.warm_up;
        self.takeover.begin(cx.now.time, alive, knew_all);
    }

    /// Orders the redelivery of the jobs that nobody has in hand, once these are known.
    /// The deliveries of those that are held or run are extended just before.
    pub(super) fn recover(&mut self, cx: &mut Context<'_>) {
        let is_again = self.takeover.due().is_some();
        if self.takeover.may_recover(cx.now.time, self.params.warm_up) {
            if is_again {
                self.revive_jobs(cx);
            }
            cx.push(Output::Recover);
        }
    }

    pub(super) fn note_recovered(&mut self, now: Time) {
        self.takeover.note_recovered(now);
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
        assert!(!takeover.may_recover(at(21), WARM_UP), "it was asked for");
    }

    #[test]
    fn what_was_delivered_a_moment_before_is_recovered_a_moment_later() {
        let mut takeover = Takeover::default();
        takeover.begin(at(0), nodes(&[]), true);
        assert!(takeover.may_recover(at(20), WARM_UP));
        assert_eq!(takeover.due(), None);
        takeover.note_recovered(at(300));
        assert_eq!(takeover.due(), Some(at(1000)));
        assert!(!takeover.may_recover(at(999), WARM_UP));
        assert!(takeover.may_recover(at(1000), WARM_UP));
        takeover.note_recovered(at(1300));
        assert!(!takeover.may_recover(at(9000), WARM_UP), "twice is enough");
    }

    #[test]
    fn a_node_that_does_not_answer_holds_up_fetching_for_a_while_only() {
        let mut takeover = Takeover::default();
        takeover.begin(at(0), nodes(&["a"]), true);
        assert!(takeover.is_over(at(1300), WARM_UP));
        // Its jobs may still run: they must not be redelivered yet.
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
