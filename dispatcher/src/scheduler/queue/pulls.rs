//! Pulls of one category and priority: the number of requested jobs, and whether the
//! server still works on them.
//!
//! A pull can be lost silently: it was not sent, or the consumer's leader died with it.
//! So each requests idle heartbeats, and silence beyond [`SILENCE_MAX`] voids them all.
//! Jobs that arrive nevertheless are accepted: requesting twice does no harm.

use std::time::Duration;

use rolecast_common::time::Time;

/// Time for which a pull stays open. The shell writes it into the request.
pub const PULL_EXPIRES: Duration = Duration::from_secs(10);
/// Interval of the idle heartbeats that the server sends while it works on a pull with
/// nothing to deliver.
pub const PULL_BEAT: Duration = Duration::from_millis(500);
/// Time without a sign of life after which pulls are void: two heartbeats may be lost.
/// With the sweep's 250 ms that is known within 2 s.
const SILENCE_MAX: Duration = Duration::from_millis(1500);
/// Shortest and longest pause after a failed pull: at first a tenth of a second, then
/// longer, so that a consumer without a leader, for 4 to 9 s, is asked some ten times.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_millis(1000);

#[derive(Debug, Default)]
pub(super) struct Pulls {
    /// Jobs requested and neither delivered nor refused yet.
    asked: u32,
    /// Time of the last pull, or of the server's last sign of life.
    alive: Time,
    paused_until: Time,
    /// Failures since the last sign of life.
    failures: u32,
}

impl Pulls {
    pub(super) fn asked(&self) -> u32 {
        self.asked
    }

    pub(super) fn is_paused(&self, now: Time) -> bool {
        now < self.paused_until
    }

    pub(super) fn ask(&mut self, now: Time, batch: u32) {
        self.asked = self.asked.saturating_add(batch);
        self.alive = now;
    }

    pub(super) fn deliver(&mut self, now: Time) {
        self.asked = self.asked.saturating_sub(1);
        self.show_life(now);
    }

    pub(super) fn show_life(&mut self, now: Time) {
        self.alive = now;
        self.failures = 0;
    }

    pub(super) fn end(&mut self, now: Time, undelivered: u32) {
        self.asked = self.asked.saturating_sub(undelivered);
        self.show_life(now);
    }

    /// Voids them all, and pauses; `jitter` is from 0 to 1.
    pub(super) fn fail(&mut self, now: Time, jitter: f64) {
        self.asked = 0;
        let longest = (PAUSE_MIN * 2u32.pow(self.failures.min(8))).min(PAUSE_MAX);
        self.paused_until = now + longest.mul_f64(0.5 + 0.5 * jitter);
        self.failures = self.failures.saturating_add(1);
    }

    pub(super) fn void(&mut self) {
        self.asked = 0;
        self.paused_until = Time::ZERO;
    }

    /// Voids them if the server has been silent for too long.
    pub(super) fn expire(&mut self, now: Time) {
        if self.asked > 0 && now.since(self.alive) >= SILENCE_MAX {
            self.asked = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn a_pull_without_a_sign_of_life_is_void() {
        let mut pulls = Pulls::default();
        pulls.ask(at(0), 16);
        pulls.expire(at(1499));
        assert_eq!(pulls.asked(), 16);
        pulls.expire(at(1500));
        assert_eq!(pulls.asked(), 0);
    }

    #[test]
    fn heartbeats_and_deliveries_keep_it() {
        let mut pulls = Pulls::default();
        pulls.ask(at(0), 16);
        pulls.show_life(at(1000));
        pulls.expire(at(2000));
        assert_eq!(pulls.asked(), 16);
        pulls.deliver(at(2400));
        pulls.expire(at(3800));
        assert_eq!(pulls.asked(), 15);
    }

    #[test]
    fn failures_void_all_and_pause_for_longer_each_time_up_to_a_second() {
        let mut pulls = Pulls::default();
        pulls.ask(at(0), 16);
        pulls.fail(at(10), 1.0);
        assert_eq!(pulls.asked(), 0);
        assert!(pulls.is_paused(at(109)) && !pulls.is_paused(at(110)));
        pulls.fail(at(200), 1.0);
        assert!(pulls.is_paused(at(399)) && !pulls.is_paused(at(400)));
        for _ in 0..40 {
            pulls.fail(at(1000), 1.0);
        }
        assert!(pulls.is_paused(at(1999)) && !pulls.is_paused(at(2000)));
        pulls.show_life(at(2500));
        pulls.fail(at(3000), 1.0);
        assert!(!pulls.is_paused(at(3100)));
    }

    #[test]
    fn more_jobs_than_were_asked_for_do_no_harm() {
        let mut pulls = Pulls::default();
        pulls.ask(at(0), 1);
        pulls.void();
        pulls.deliver(at(1));
        pulls.end(at(2), 7);
        assert_eq!(pulls.asked(), 0);
    }
}
