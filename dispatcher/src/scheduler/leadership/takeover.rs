//! Take-over: a new leader asks every node at once for its jobs in hand, and fetches when
//! all have answered.
//!
//! Jobs that were delivered to its predecessor and not sent to a node are redelivered only
//! when their acknowledgement is overdue. Once the jobs in hand are known, the leader has
//! the stream redeliver all the others ([`super::Output::Recover`]): twice, because jobs
//! delivered a moment ago are not overdue yet the first time. A dispatcher that lost the
//! lease to this one may have received jobs until then.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

/// Time from the first recovery to the second: longer than the time for which new
/// deliveries are not overdue, see `io/recovery`.
const YOUNG_MAX: Duration = Duration::from_millis(700);

#[derive(Debug)]
pub(super) struct Takeover {
    /// Start of the process.
    started: Time,
    /// The longest wait for the jobs in hand.
    warm_up: Duration,
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
    pub(super) fn new(now: Time, warm_up: Duration) -> Self {
        Self {
            started: now,
            warm_up,
            since: None,
            awaited: BTreeSet::new(),
            knew_all: false,
            recovery: Recovery::Wanted,
        }
    }

    pub(super) fn begin(&mut self, now: Time, alive: BTreeSet<NodeId>) {
        self.since = Some(now);
        self.awaited = alive;
        self.knew_all = now.since(self.started) >= self.warm_up;
        self.recovery = Recovery::Wanted;
    }

    /// Records that a node has sent a heartbeat, or is gone.
    pub(super) fn record_answer(&mut self, node: &NodeId) {
        if !self.awaited.is_empty() {
            self.awaited.remove(node);
        }
    }

    /// Whether it may fetch: all nodes have answered, or had time to.
    pub(super) fn is_over(&self, now: Time) -> bool {
        let is_answered = self.knew_all && self.awaited.is_empty();
        self.since
            .is_some_and(|since| is_answered || now.since(since) >= self.warm_up)
    }

    /// Whether jobs must be recovered, as all in hand are known; true once for each
    /// recovery.
    pub(super) fn may_recover(&mut self, now: Time) -> bool {
        let next = match self.recovery {
            Recovery::Wanted if self.is_over(now) && self.awaited.is_empty() => Recovery::Asked,
            Recovery::WantedAgain(at) if now >= at => Recovery::Over,
            Recovery::Wanted | Recovery::Asked | Recovery::WantedAgain(_) | Recovery::Over => {
                return false;
            }
        };
        self.recovery = next;
        true
    }

    pub(super) fn record_recovered(&mut self, now: Time) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const WARM_UP: Duration = Duration::from_millis(1300);

    /// A time after the start by which all nodes are known.
    fn at(millis: u64) -> Time {
        Time::from_start(WARM_UP + Duration::from_millis(millis))
    }

    fn nodes(names: &[&str]) -> BTreeSet<NodeId> {
        names
            .iter()
            .map(|name| NodeId::new(name).unwrap())
            .collect()
    }

    #[test]
    fn it_is_over_when_all_who_were_alive_have_answered() {
        let mut takeover = Takeover::new(Time::ZERO, WARM_UP);
        assert!(!takeover.is_over(at(9000)), "it does not lead yet");
        takeover.begin(at(0), nodes(&["a", "b"]));
        takeover.record_answer(&NodeId::new("a").unwrap());
        assert!(!takeover.is_over(at(10)));
        assert!(!takeover.may_recover(at(10)));
        takeover.record_answer(&NodeId::new("b").unwrap());
        assert!(takeover.is_over(at(20)));
        assert!(takeover.may_recover(at(20)));
        assert!(!takeover.may_recover(at(21)), "it was asked for");
    }

    #[test]
    fn what_was_delivered_a_moment_before_is_recovered_a_moment_later() {
        let mut takeover = Takeover::new(Time::ZERO, WARM_UP);
        takeover.begin(at(0), nodes(&[]));
        assert!(takeover.may_recover(at(20)));
        assert_eq!(takeover.due(), None);
        takeover.record_recovered(at(300));
        assert_eq!(takeover.due(), Some(at(1000)));
        assert!(!takeover.may_recover(at(999)));
        assert!(takeover.may_recover(at(1000)));
        takeover.record_recovered(at(1300));
        assert!(!takeover.may_recover(at(9000)), "twice is enough");
    }

    #[test]
    fn a_node_that_does_not_answer_holds_up_fetching_for_a_while_only() {
        let mut takeover = Takeover::new(Time::ZERO, WARM_UP);
        takeover.begin(at(0), nodes(&["a"]));
        assert!(takeover.is_over(at(1300)));
        // Its jobs may still run: they must not be redelivered yet.
        assert!(!takeover.may_recover(at(1300)));
        takeover.record_answer(&NodeId::new("a").unwrap());
        assert!(takeover.may_recover(at(1400)));
    }

    #[test]
    fn one_that_did_not_listen_before_waits_for_nodes_it_does_not_know() {
        let mut takeover = Takeover::new(at(0), WARM_UP);
        takeover.begin(at(0), nodes(&[]));
        assert!(!takeover.is_over(at(1299)));
        assert!(takeover.is_over(at(1300)));
    }
}
