//! Pings in flight, and the round trips from their answers.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

/// Time after which an answer is late and no longer used.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Pings that are not answered, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Pings(BTreeMap<u64, (NodeId, Time)>);

impl Pings {
    /// Records a ping; its number is larger than those before it.
    pub(super) fn sent(&mut self, now: Time, node: NodeId, number: u64) {
        while let Some(oldest) = self.0.first_entry()
            && now.since(oldest.get().1) >= ANSWER_MAX
        {
            oldest.remove();
        }
        self.0.insert(number, (node, now));
    }

    /// Returns the round trip of an answered ping.
    pub(super) fn answered(&mut self, now: Time, node: &NodeId, number: u64) -> Option<Duration> {
        let (_, sent) = self.0.get(&number).filter(|(to, _)| to == node)?;
        let round_trip = now.since(*sent);
        self.0.remove(&number);
        (round_trip < ANSWER_MAX).then_some(round_trip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_in_time_and_from_whom_it_was_asked() {
        let at = |millis| Time::from_start(Duration::from_millis(millis));
        let [one, two] = ["n1", "n2"].map(|name| NodeId::new(name).unwrap());
        let mut pings = Pings::default();
        for number in 1..=3 {
            pings.sent(at(0), one.clone(), number);
        }
        assert_eq!(pings.answered(at(3), &two, 1), None);
        assert_eq!(pings.answered(at(3), &one, 9), None);
        assert_eq!(
            pings.answered(at(3), &one, 1),
            Some(Duration::from_millis(3))
        );
        assert_eq!(pings.answered(at(4), &one, 1), None);
        assert_eq!(pings.answered(at(5000), &one, 2), None);
        pings.sent(at(5000), two, 4);
        assert_eq!(pings.0.len(), 1, "late ones are forgotten");
    }
}
