//! Sequence numbers of a boot's heartbeats: one that does not rise is old or a duplicate.
//!
//! But anybody who can publish in the node's name, such as a broken second process, can
//! send a number far above all, and every genuine heartbeat would be below it for ever.
//! So lower numbers count again when none above has arrived for as long as two missed
//! heartbeats, and they themselves rose all the time, at the pace of heartbeats. Replayed
//! old messages do neither while the worker lives; old messages that arrive late all at
//! once have no pace.

use std::time::Duration;

use rolecast_common::time::Time;

use super::boots::MISSED_TENTHS;

/// The least number of rising heartbeats below the highest one.
const RISEN_MIN: u32 = 3;
/// The least time over which they arrive, in tenths of an interval. Three heartbeats are
/// two intervals apart; this leaves room for one that was late.
const PACE_TENTHS: u32 = 15;

#[derive(Debug)]
pub(super) struct Sequence {
    highest: u64,
    below: Option<Below>,
}

/// A row of rising heartbeats below the highest one.
#[derive(Clone, Copy, Debug)]
struct Below {
    last: u64,
    since: Time,
    count: u32,
}

impl Sequence {
    pub(super) fn new(first: u64) -> Self {
        Self {
            highest: first,
            below: None,
        }
    }

    /// Processes a heartbeat's number; returns whether it counts. `seen` is the time of
    /// the last one that counted, and `interval` the time between two.
    pub(super) fn take(
        &mut self,
        now: Time,
        sequence: u64,
        seen: Time,
        interval: Duration,
    ) -> bool {
        if sequence > self.highest {
            *self = Self::new(sequence);
            return true;
        }
        let rising = self.below.filter(|below| sequence > below.last);
        let below = Below {
            last: sequence,
            since: rising.map_or(now, |below| below.since),
            count: rising.map_or(1, |below| below.count.saturating_add(1)),
        };
        let is_silent_above = now.since(seen) >= interval * MISSED_TENTHS / 10;
        let has_pace = now.since(below.since) >= interval * PACE_TENTHS / 10;
        if is_silent_above && has_pace && below.count >= RISEN_MIN {
            *self = Self::new(sequence);
            return true;
        }
        self.below = Some(below);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A boot whose heartbeats are a second apart; the first one arrived at 0 s.
    struct World {
        sequence: Sequence,
        seen: Time,
    }

    impl World {
        fn new(first: u64) -> Self {
            let (sequence, seen) = (Sequence::new(first), at(0.0));
            Self { sequence, seen }
        }

        fn beat(&mut self, seconds: f64, number: u64) -> bool {
            let (now, interval) = (at(seconds), Duration::from_secs(1));
            let counts = self.sequence.take(now, number, self.seen, interval);
            if counts {
                self.seen = now;
            }
            counts
        }
    }

    #[test]
    fn a_number_far_above_all_locks_nobody_out() {
        let mut world = World::new(10);
        assert!(world.beat(0.1, u64::MAX));
        let genuine = [(1.0, 11), (2.0, 12), (3.0, 13), (4.0, 14), (5.0, 15)];
        let counted = genuine.map(|(seconds, number)| world.beat(seconds, number));
        assert_eq!(counted, [false, false, true, true, true]);
    }

    #[test]
    fn old_ones_that_are_sent_again_never_count_while_the_worker_lives() {
        let mut world = World::new(1000);
        for beat in 1..60u32 {
            let (seconds, number) = (f64::from(beat), u64::from(beat));
            assert!(world.beat(seconds, 1000 + number));
            for tenth in 1..10u32 {
                let seconds = seconds + f64::from(tenth) / 10.0;
                assert!(!world.beat(seconds, 10 * number + u64::from(tenth)));
            }
        }
    }

    #[test]
    fn old_ones_that_come_late_all_at_once_do_not_count() {
        let mut world = World::new(50);
        for number in 40..50 {
            assert!(!world.beat(9.0, number), "{number}");
        }
        // Nor does one that arrives again and again.
        for tenth in 0..100u32 {
            assert!(!world.beat(10.0 + f64::from(tenth) / 10.0, 49));
        }
        assert!(world.beat(21.0, 51));
    }

    fn at(seconds: f64) -> Time {
        Time::from_start(Duration::from_secs_f64(seconds))
    }
}
