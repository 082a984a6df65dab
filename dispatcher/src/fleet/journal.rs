//! Recent events of one node, for people: the begin of its health, and the jobs that it
//! refused.

use std::collections::VecDeque;

use rolecast_common::time::{Now, WallTime};
use rolecast_common::wire::{NodeHealth, NodeRefusal};

/// Refusals that are kept: enough to see a pattern.
const REFUSALS_MAX: usize = 5;

/// The recent events of one node.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Its health as of the last heartbeat, and since when.
    health: Option<(NodeHealth, WallTime)>,
    refusals: VecDeque<NodeRefusal>,
}

impl Journal {
    /// Records its health.
    pub(super) fn record_health(&mut self, now: Now, health: NodeHealth) {
        if self.health.is_none_or(|(last, _)| last != health) {
            self.health = Some((health, now.wall));
        }
    }

    /// Returns the time since which it has this health, as far as it is known.
    pub(super) fn since(&self, health: NodeHealth) -> Option<WallTime> {
        let (last, since) = self.health?;
        (last == health).then_some(since)
    }

    pub(super) fn record_refusal(&mut self, refusal: NodeRefusal) {
        if self.refusals.len() == REFUSALS_MAX {
            self.refusals.pop_back();
        }
        self.refusals.push_front(refusal);
    }

    /// Returns the last refusals, the latest first.
    pub(super) fn refusals(&self) -> Vec<NodeRefusal> {
        self.refusals.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rolecast_common::id::{Category, JobId};
    use rolecast_common::time::Time;

    use super::*;

    fn at(seconds: u64) -> Now {
        Now {
            time: Time::from_start(Duration::from_secs(seconds)),
            wall: WallTime::from_millis(seconds * 1000),
        }
    }

    #[test]
    fn health_counts_from_its_last_change_and_the_last_refusals_are_kept() {
        let mut journal = Journal::default();
        assert_eq!(journal.since(NodeHealth::Ready), None);
        for second in 1..5 {
            journal.record_health(at(second), NodeHealth::Ready);
        }
        assert_eq!(journal.since(NodeHealth::Ready), Some(at(1).wall));
        assert_eq!(journal.since(NodeHealth::Gone), None);
        journal.record_health(at(7), NodeHealth::Draining);
        assert_eq!(journal.since(NodeHealth::Draining), Some(at(7).wall));
        for number in 0..2 * REFUSALS_MAX {
            journal.record_refusal(NodeRefusal {
                at_ms: at(9).wall,
                job: JobId::new(&format!("j{number}")).unwrap(),
                category: Category::new("ocr").unwrap(),
                reason: "no room".to_owned(),
            });
        }
        let kept = journal.refusals();
        assert_eq!(kept.len(), REFUSALS_MAX);
        assert_eq!(kept[0].job.as_str(), "j9");
    }
}
