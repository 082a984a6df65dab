//! Refused messages: counted, reported at a bounded rate, with their senders.

use std::collections::BTreeMap;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::NodeId;
use rolecast_common::time::WallTime;
use rolecast_common::wire::RefusedSender;

use super::Reporting;
use crate::scheduler::context::Context;
use crate::scheduler::input::Malformed;
use crate::scheduler::output::Event;

/// Senders that are remembered, the most recent ones: enough to find the fault, and few
/// enough for every answer about the status.
const SENDERS_MAX: usize = 16;
/// The characters of a sender and of a reason that are kept.
const FROM_CHARS_MAX: usize = 100;
const WHY_CHARS_MAX: usize = 300;

/// The senders of refused messages with the last reason, by subject or node.
#[derive(Debug, Default)]
pub(super) struct Senders(BTreeMap<String, RefusedSender>);

impl Senders {
    fn record(&mut self, at: WallTime, from: &str, why: &str) {
        if !self.0.contains_key(from) && self.0.len() >= SENDERS_MAX {
            let quietest = self.0.iter().min_by_key(|(_, sender)| sender.at_ms);
            let quietest = quietest.map(|(from, _)| from.clone());
            quietest.map(|from| self.0.remove(&from));
        }
        let sender = self.0.entry(from.to_owned());
        let sender = sender.or_insert_with(|| RefusedSender {
            from: from.to_owned(),
            count: 0,
            why: String::new(),
            at_ms: at,
        });
        sender.count += 1;
        sender.why = why.chars().take(WHY_CHARS_MAX).collect();
        sender.at_ms = at;
    }

    /// Returns them, the most recent first.
    pub(super) fn list(&self) -> Vec<RefusedSender> {
        let mut all: Vec<RefusedSender> = self.0.values().cloned().collect();
        all.sort_by_key(|sender| std::cmp::Reverse(sender.at_ms));
        all
    }
}

impl Reporting {
    /// Counts a malformed message and records its sender; reports it at a bounded rate.
    pub(in crate::scheduler) fn refuse(
        &mut self,
        cx: &mut Context<'_>,
        what: Malformed,
        from: &str,
        why: String,
    ) {
        self.refuse_for(cx, (what, "malformed"), from, why);
    }

    /// Does the same for a reason that is one of a few.
    pub(in crate::scheduler) fn refuse_for(
        &mut self,
        cx: &mut Context<'_>,
        (what, reason): (Malformed, &'static str),
        from: &str,
        why: String,
    ) {
        *self.refused.entry((what.name(), reason)).or_default() += 1;
        let from: String = from.chars().take(FROM_CHARS_MAX).collect();
        self.senders.record(cx.now.wall, &from, &why);
        match what {
            Malformed::Heartbeat => {
                self.count(|counters| &mut counters.heartbeats_refused);
                if let Some(count) = self.rates.heartbeats.count(cx.now.time) {
                    cx.event(Event::HeartbeatsRefused { from, why, count });
                }
            }
            Malformed::Outcome => {
                self.count(|counters| &mut counters.outcomes_malformed);
                if let Some(count) = self.rates.outcomes.count(cx.now.time) {
                    cx.event(Event::OutcomesMalformed { from, why, count });
                }
            }
            Malformed::Request => {
                self.count(|counters| &mut counters.requests_refused);
                if let Some(count) = self.rates.requests.count(cx.now.time) {
                    cx.event(Event::RequestsRefused { from, why, count });
                }
            }
        }
    }

    /// Refuses an assignment that no dispatcher sent to the node, or one from before the
    /// last few take-overs.
    pub(in crate::scheduler) fn refuse_forged(
        &mut self,
        cx: &mut Context<'_>,
        node: &NodeId,
        assignment: &Assignment,
    ) {
        let (job, attempt) = (assignment.job(), assignment.attempt());
        let why = format!("job {job}, attempt {attempt}, was never sent to node {node}");
        let from = format!("rolecast.done.{node}");
        self.refuse_for(cx, (Malformed::Outcome, "not_sent"), &from, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sender_is_kept_with_its_last_reason_and_the_quiet_ones_go() {
        let mut senders = Senders::default();
        for second in 0..40 {
            let at = WallTime::from_millis(second * 1000);
            senders.record(at, &format!("n{second}"), "older");
            senders.record(at, "loud", &"x".repeat(1000));
        }
        let list = senders.list();
        assert_eq!(list.len(), SENDERS_MAX);
        let loud = list.iter().find(|sender| sender.from == "loud").unwrap();
        assert_eq!((loud.count, loud.why.len()), (40, WHY_CHARS_MAX));
        assert!(list.iter().any(|sender| sender.from == "n39"));
        assert!(!list.iter().any(|sender| sender.from == "n0"));
        assert!(list.is_sorted_by_key(|sender| std::cmp::Reverse(sender.at_ms)));
    }
}
