//! The time since which this dispatcher receives everything that is sent to it.
//!
//! Silence is measured less the receiver's own outages. While it is cut off, while it is
//! not sure of its lease, after its process stood still, and until workers had the time
//! to connect again, no node is judged by messages that did not arrive.

use std::time::Duration;

use rolecast_common::time::Time;

use crate::lease::timing::TERM;

/// Longest and shortest time that workers may take to be back after an outage. Derived
/// from `common::nats`: an attempt that hangs takes 3 s, and the next one follows 2 s
/// later at most; after a short outage no later than it lasted, because delays double.
const RETURN_MAX: Duration = Duration::from_secs(5);
const RETURN_MIN: Duration = Duration::from_millis(500);
/// Delay of a turn from which on the process counts as having stood still or being
/// overloaded: messages sent meanwhile are still to be read. Guessed: half a heartbeat
/// interval, and far above what a busy host delays a timer.
const STALL_MAX: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(in crate::scheduler) struct Reception {
    is_connected: bool,
    /// Time of the last loss of the connection.
    lost: Time,
    /// Start of the present reception without a break and in time.
    received_since: Time,
    /// Messages missed before this time prove nothing; it may lie ahead.
    since: Time,
    /// End of the lease; `None` while this dispatcher stands by.
    held_until: Option<Time>,
}

impl Reception {
    pub(in crate::scheduler) fn new(now: Time) -> Self {
        Self {
            is_connected: true,
            lost: now,
            received_since: now,
            since: now,
            held_until: None,
        }
    }

    pub(in crate::scheduler) fn lead(&mut self, until: Time) {
        self.held_until = Some(until);
    }

    /// Records that the lease holds until `until`; returns whether it had lapsed.
    pub(in crate::scheduler) fn renew(&mut self, now: Time, until: Time) -> bool {
        let lapsed = self.held_until.replace(until).filter(|until| *until <= now);
        if let Some(lapsed) = lapsed {
            // The outage of the bucket may have cut off workers too.
            self.restart(now, return_wait(now.since(lapsed) + TERM));
        }
        lapsed.is_some()
    }

    pub(in crate::scheduler) fn disconnect(&mut self, now: Time) {
        if self.is_connected {
            self.lost = now;
        }
        self.is_connected = false;
    }

    pub(in crate::scheduler) fn connect(&mut self, now: Time) {
        let outage = match self.is_connected {
            true => Duration::ZERO,
            false => now.since(self.lost),
        };
        self.is_connected = true;
        self.restart(now, return_wait(outage));
    }

    /// Records that messages wait to be read.
    pub(in crate::scheduler) fn fall_behind(&mut self, now: Time) {
        self.restart(now, Duration::ZERO);
    }

    /// Checks the time of a turn that was due at `due`.
    pub(in crate::scheduler) fn check_stall(&mut self, now: Time, due: Time) {
        if now.since(due) > STALL_MAX {
            self.restart(now, Duration::ZERO);
        }
    }

    /// Returns the time from which on silence counts; `None` while no node may be judged.
    pub(in crate::scheduler) fn since(&self, now: Time) -> Option<Time> {
        self.is_open(now).then_some(self.since)
    }

    /// Returns since when the reports of nodes are read as they are sent; `None` while
    /// they may not arrive at all.
    pub(in crate::scheduler) fn received_since(&self, now: Time) -> Option<Time> {
        self.is_open(now).then_some(self.received_since)
    }

    /// Whether messages can leave, and this dispatcher may send them.
    pub(in crate::scheduler) fn is_open(&self, now: Time) -> bool {
        self.is_connected && self.held_until.is_none_or(|until| now < until)
    }

    /// Whether workers may still be on their way back after an outage.
    pub(in crate::scheduler) fn is_recovering(&self, now: Time) -> bool {
        !self.is_open(now) || now < self.since
    }

    /// Whether NATS answered a request made after `at`: the lease was renewed. A
    /// dispatcher in the smaller part of a cluster gets no such answer.
    pub(in crate::scheduler) fn is_confirmed_since(&self, at: Time) -> bool {
        self.held_until.is_none_or(|until| until >= at + TERM)
    }

    fn restart(&mut self, now: Time, wait: Duration) {
        self.received_since = now;
        self.since = self.since.max(now + wait);
    }
}

/// Returns the time that workers may take to be back after an outage of this length.
fn return_wait(outage: Duration) -> Duration {
    (RETURN_MIN + 2 * outage).min(RETURN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Time {
        Time::from_start(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn nobody_is_judged_while_cut_off_nor_before_workers_can_be_back() {
        let mut reception = Reception::new(at(0.0));
        assert_eq!(reception.since(at(1.0)), Some(at(0.0)));
        reception.disconnect(at(1.0));
        assert_eq!(reception.since(at(1.0)), None);
        reception.connect(at(5.0));
        assert_eq!(reception.since(at(5.0)), Some(at(10.0)));
        assert!(reception.is_recovering(at(9.9)) && !reception.is_recovering(at(10.0)));
    }

    #[test]
    fn workers_are_back_soon_after_a_short_outage() {
        let mut reception = Reception::new(at(0.0));
        reception.disconnect(at(1.0));
        reception.disconnect(at(1.1));
        reception.connect(at(1.5));
        assert_eq!(reception.since(at(1.5)), Some(at(3.0)));
        // The loss was not reported.
        reception.connect(at(4.0));
        assert_eq!(reception.since(at(4.0)), Some(at(4.5)));
    }

    #[test]
    fn nobody_is_judged_while_the_lease_is_not_held_nor_for_a_while_after() {
        let mut reception = Reception::new(at(0.0));
        reception.lead(at(2.0));
        assert!(!reception.renew(at(1.0), at(3.0)));
        assert_eq!(reception.since(at(2.9)), Some(at(0.0)));
        assert_eq!(reception.since(at(3.0)), None);
        assert!(!reception.is_open(at(3.0)));
        assert!(reception.renew(at(7.0), at(9.0)));
        assert_eq!(reception.since(at(7.0)), Some(at(12.0)));
    }

    #[test]
    fn a_turn_that_is_much_too_late_begins_anew() {
        let mut reception = Reception::new(at(0.0));
        reception.check_stall(at(1.4), at(1.0));
        assert_eq!(reception.since(at(1.4)), Some(at(0.0)));
        reception.check_stall(at(6.0), at(1.0));
        assert_eq!(reception.since(at(6.0)), Some(at(6.0)));
        // A pause does not shorten the wait after an outage.
        reception.connect(at(7.0));
        reception.fall_behind(at(7.1));
        assert_eq!(reception.since(at(7.1)), Some(at(7.5)));
    }

    #[test]
    fn a_renewal_that_was_asked_for_later_confirms_that_nats_answers() {
        let mut reception = Reception::new(at(0.0));
        assert!(
            reception.is_confirmed_since(at(9.0)),
            "who stands by has no lease"
        );
        reception.lead(at(1.0) + TERM);
        assert!(reception.is_confirmed_since(at(1.0)));
        assert!(!reception.is_confirmed_since(at(1.1)));
        reception.renew(at(1.4), at(1.3) + TERM);
        assert!(reception.is_confirmed_since(at(1.1)));
    }
}
