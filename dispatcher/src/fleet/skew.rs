//! Clock skew of a node against this dispatcher, from the times at which its heartbeats
//! were sent and received.
//!
//! A heartbeat takes time, never less than none, so each shows a difference that is too
//! small by that time. So of the last few the largest is the nearest to the truth. The
//! heartbeats of an outage arrive all at once after it: one that catches up with those
//! before it shows that they were delayed, and they no longer count.

use std::collections::VecDeque;

use rolecast_common::time::WallTime;

/// Heartbeats that are remembered. One of this many was surely not delayed.
const SAMPLES_MAX: usize = 8;
/// Heartbeats from which on the difference is reported.
const SAMPLES_MIN: usize = 3;
/// Milliseconds above which a clock is wrong, and below which it is right again. Guessed:
/// far above what messages take, and what time servers keep.
const WRONG_MS: i64 = 2000;
const RIGHT_MS: i64 = 1000;
/// Milliseconds by which one heartbeat has caught up with another. Guessed: more than a
/// busy host delays one, and less than heartbeats are apart.
const CAUGHT_UP_MS: i64 = 500;

#[derive(Debug, Default)]
pub(super) struct Skew {
    samples: VecDeque<i64>,
    is_reported: bool,
}

impl Skew {
    /// Adds a heartbeat; returns the difference if the clock is newly found wrong.
    pub(super) fn observe(&mut self, sent: WallTime, received: WallTime) -> Option<i64> {
        let millis = |time: WallTime| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let ahead = millis(sent).saturating_sub(millis(received));
        let is_late = |former: &i64| ahead.saturating_sub(*former) > CAUGHT_UP_MS;
        while self.samples.back().is_some_and(is_late) {
            self.samples.pop_back();
        }
        self.samples.push_back(ahead);
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
        let skew = self.get()?;
        if skew.abs() < RIGHT_MS {
            self.is_reported = false;
        }
        let is_news = skew.abs() > WRONG_MS && !self.is_reported;
        self.is_reported |= is_news;
        is_news.then_some(skew)
    }

    /// Forgets all samples: another boot of the worker may be on another host.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Returns the milliseconds by which the node's clock is ahead of ours.
    pub(super) fn get(&self) -> Option<i64> {
        let is_known = self.samples.len() >= SAMPLES_MIN;
        self.samples.iter().copied().max().filter(|_| is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_messages_take_is_not_mistaken_for_a_wrong_clock() {
        let mut skew = Skew::default();
        for (n, delay) in [5000, 3, 9000, 2, 2500, 4].into_iter().enumerate() {
            let sent = 1_000_000 + 1000 * n as u64;
            assert_eq!(skew.observe(wall(sent), wall(sent + delay)), None);
        }
        assert_eq!(skew.get(), Some(-2));
    }

    #[test]
    fn what_was_held_up_by_an_outage_is_not_mistaken_for_a_wrong_clock() {
        for length in 1..30u64 {
            let mut skew = Skew::default();
            let mut reported = Vec::new();
            for second in 0..60 {
                let sent = 1_000_000 + 1000 * second;
                // All messages of an outage arrive when it is over.
                let is_held = (10..10 + length).contains(&second);
                let received = if is_held {
                    1_010_000 + 1000 * length
                } else {
                    sent
                };
                reported.extend(skew.observe(wall(sent), wall(received)));
            }
            assert!(reported.is_empty(), "after {length} s: {reported:?}");
        }
    }

    #[test]
    fn a_wrong_clock_is_reported_once_until_it_was_right_again() {
        for ahead in [600_000i64, -600_000] {
            let mut skew = Skew::default();
            let mut news = Vec::new();
            for n in 0..30i64 {
                let error = if (10..20).contains(&n) { 0 } else { ahead };
                let received = 1_700_000_000_000 + 1000 * n;
                let reported = skew.observe(
                    wall((received + error).unsigned_abs()),
                    wall(received.unsigned_abs()),
                );
                news.extend(reported.map(|skew| (n, skew)));
            }
            let again = if ahead > 0 { 22 } else { 27 };
            assert_eq!(news, [(2, ahead), (again, ahead)]);
        }
    }

    #[test]
    fn one_heartbeat_shows_nothing() {
        let mut skew = Skew::default();
        assert_eq!(skew.observe(wall(0), wall(u64::MAX)), None);
        assert_eq!(skew.get(), None);
    }

    fn wall(millis: u64) -> WallTime {
        WallTime::from_millis(millis)
    }
}
