//! Times at which nodes are checked next, cheap for many nodes.
//!
//! Times are rounded up to ticks, so that ten thousand nodes do not cause ten thousand
//! wake-ups a second. An entry is not moved when a heartbeat arrives: the caller that takes
//! it checks whether the time has come, and if not enters it again. So a node costs one
//! entry in an interval.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::time::Time;

use crate::placement::Slot;

/// Length of a tick. It is added to the time until a dead node is noticed, twice at most.
const TICK: Duration = Duration::from_millis(10);

/// A point in time, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

impl Tick {
    /// Returns the first tick that is not before the time.
    pub(super) fn at(time: Time) -> Self {
        let nanos = time.since(Time::ZERO).as_nanos();
        let tick = nanos.div_ceil(TICK.as_nanos());
        Self(u64::try_from(tick).unwrap_or(u64::MAX))
    }

    /// Returns the last tick that is not after the time.
    pub(super) fn before(time: Time) -> Self {
        let nanos = time.since(Time::ZERO).as_nanos();
        let tick = nanos / TICK.as_nanos();
        Self(u64::try_from(tick).unwrap_or(u64::MAX))
    }

    fn time(self) -> Time {
        let nanos = u128::from(self.0) * TICK.as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Time::ZERO + Duration::from_nanos(nanos)
    }
}

/// The nodes to check, by tick.
#[derive(Debug, Default)]
pub(super) struct Rounds(BTreeMap<Tick, Vec<Slot>>);

impl Rounds {
    pub(super) fn add(&mut self, tick: Tick, slot: Slot) {
        self.0.entry(tick).or_default().push(slot);
    }

    /// Returns the time at which the first of them is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.first_key_value().map(|(tick, _)| tick.time())
    }

    /// Removes and returns the nodes of the first tick that is due.
    pub(super) fn take(&mut self, now: Time) -> Option<(Tick, Vec<Slot>)> {
        let first = self.0.first_entry()?;
        (first.key().time() <= now).then(|| first.remove_entry())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn nodes_are_due_at_their_tick_and_once() {
        let mut rounds = Rounds::default();
        for (millis, slot) in [(1051, 1), (1049, 2), (1060, 3), (2000, 4)] {
            rounds.add(Tick::at(at(millis)), Slot::new(slot));
        }
        assert_eq!(rounds.next(), Some(at(1050)));
        assert_eq!(Tick::before(at(1059)), Tick::at(at(1050)));
        assert_eq!(rounds.take(at(1049)), None);
        assert_eq!(rounds.take(at(1050)), Some((Tick(105), vec![Slot::new(2)])));
        assert_eq!(rounds.take(at(1055)), None);
        assert_eq!(
            rounds.take(at(1070)),
            Some((Tick(106), [1, 3].map(Slot::new).to_vec()))
        );
        assert_eq!(rounds.next(), Some(at(2000)));
    }
}
