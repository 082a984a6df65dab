//! Conduct: how jobs of a category end on one node, compared with the other nodes.
//!
//! A host that fails all its jobs is always free, and attracts all jobs. So a node whose
//! failures stand out from those of its peers is *distrusted* for the category: it gets
//! one job at a time, after pauses that double, until one of them completes. If all nodes
//! fail alike, the jobs are the cause. A node that cannot start a command at all is kept
//! out in the same way, without a failed attempt.

use std::time::Duration;

use rolecast_common::time::{Now, Time, WallTime};

use crate::placement::Obstacle;

/// Number of outcomes that count, the last ones most. Guessed: few, so that a host that
/// breaks is noticed after some failures, however long it worked.
const REMEMBERED: f64 = 16.0;
/// Failures below which a node is not judged.
const FAILURES_MIN: f64 = 2.5;
/// Confidence with which a node must be worse than its peers, in standard deviations on
/// either side.
const SURENESS: f64 = 1.96;
/// The shortest and the longest pause of a node that is kept out.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Completed jobs after which the next pause is again the first one.
const FORGIVEN_AFTER: u32 = 20;

/// Decaying counts of completed and failed jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) completed: f64,
    pub(super) failed: f64,
}

impl Tally {
    fn count(self) -> f64 {
        self.completed + self.failed
    }

    fn add(&mut self, completed: f64, failed: f64) {
        let keep = ((REMEMBERED - 1.0) / self.count().max(REMEMBERED - 1.0)).min(1.0);
        self.completed = self.completed * keep + completed;
        self.failed = self.failed * keep + failed;
    }

    /// Returns the interval of the share of failures (Wilson's score interval).
    fn failing(self) -> (f64, f64) {
        let count = self.count();
        if count <= 0.0 {
            return (0.0, 1.0);
        }
        let share = self.failed / count;
        let squared = SURENESS * SURENESS;
        let middle = share + squared / (2.0 * count);
        let spread = share * (1.0 - share) / count + squared / (4.0 * count * count);
        let (spread, scale) = (SURENESS * spread.max(0.0).sqrt(), 1.0 + squared / count);
        ((middle - spread) / scale, (middle + spread) / scale)
    }

    /// Whether these failures stand out from those of the peers.
    fn stands_out(self, peers: Tally) -> bool {
        self.failed >= FAILURES_MIN && self.failing().0 > peers.failing().1
    }
}

/// The counts of all nodes together for a category.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Peers(Tally);

impl Peers {
    fn without(self, own: Tally) -> Tally {
        Tally {
            completed: (self.0.completed - own.completed).max(0.0),
            failed: (self.0.failed - own.failed).max(0.0),
        }
    }

    fn replace(&mut self, before: Tally, after: Tally) {
        let others = self.without(before);
        self.0.completed = others.completed + after.completed;
        self.0.failed = others.failed + after.failed;
    }
}

/// The reason why a node is kept out of a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It cannot start its jobs.
    Unable,
    /// It fails them where others do not.
    Failing,
}

/// The state of a node that is kept out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Doubt {
    pub(crate) fault: Fault,
    pub(crate) since: WallTime,
    /// The node's reason for the last failure.
    pub(crate) reason: String,
    /// The present or last pause.
    pub(crate) pause: Duration,
    until: Time,
    /// Start of the trial of one job.
    probed: Option<Time>,
}

/// The conduct of one node for one category.
#[derive(Clone, Debug, Default)]
pub(super) struct Conduct {
    tally: Tally,
    /// Failures since a job completed, and completed jobs since one failed.
    failed_in_row: u32,
    completed_in_row: u32,
    /// Number of times that the pause was doubled.
    doublings: u32,
    doubt: Option<Doubt>,
}

impl Conduct {
    pub(super) fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    pub(super) fn failed_in_row(&self) -> u32 {
        self.failed_in_row
    }

    /// Returns the obstacle that keeps jobs out at this moment.
    pub(super) fn obstacle(&self, now: Time) -> Option<Obstacle> {
        let doubt = self.doubt.as_ref()?;
        if doubt.probed.is_none() && now >= doubt.until {
            return None;
        }
        Some(match doubt.fault {
            Fault::Unable => Obstacle::Unable,
            Fault::Failing => Obstacle::Distrusted,
        })
    }

    /// Whether the node is judged by a job that was sent at that time.
    pub(super) fn is_probe(&self, sent: Time) -> bool {
        let probed = self.doubt.as_ref().and_then(|doubt| doubt.probed);
        probed.is_some_and(|probed| probed <= sent)
    }

    /// Records that a job was sent to the node; returns whether it must be the only one.
    pub(super) fn record_sent(&mut self, now: Time) -> bool {
        if let Some(doubt) = &mut self.doubt {
            doubt.probed = Some(now);
        }
        self.doubt.is_some()
    }

    /// Records that a job sent at that time left the node, with any outcome: another one
    /// may be tried.
    pub(super) fn record_left(&mut self, now: Time, sent: Time) {
        if let Some(doubt) = &mut self.doubt
            && doubt.probed.take_if(|probed| *probed <= sent).is_some()
        {
            doubt.until = now + doubt.pause;
        }
    }

    /// Records a completed job; returns whether it ended a doubt.
    pub(super) fn record_completed(&mut self, peers: &mut Peers, is_probe: bool) -> bool {
        let before = self.counted();
        self.failed_in_row = 0;
        self.completed_in_row = self.completed_in_row.saturating_add(1);
        if self.completed_in_row >= FORGIVEN_AFTER {
            self.doublings = 0;
        }
        let is_restored = is_probe && self.doubt.take().is_some();
        if is_restored {
            self.tally = Tally::default();
        }
        self.tally.add(1.0, 0.0);
        peers.replace(before, self.counted());
        is_restored
    }

    /// Records a failed job; returns whether the node is distrusted from then on.
    pub(super) fn record_failed(
        &mut self,
        now: Now,
        peers: &mut Peers,
        is_probe: bool,
        reason: &str,
    ) -> bool {
        let before = self.counted();
        self.failed_in_row = self.failed_in_row.saturating_add(1);
        self.completed_in_row = 0;
        self.tally.add(0.0, 1.0);
        let others = peers.without(before);
        let is_new = self.doubt.is_none() && self.tally.stands_out(others);
        if is_new || (is_probe && self.doubt.is_some()) {
            self.pause(now, Fault::Failing, reason);
        }
        peers.replace(before, self.counted());
        is_new
    }

    /// Judges the node again, since its peers may have completed jobs after it failed its
    /// own. Returns whether it is distrusted from then on.
    pub(super) fn review(&mut self, now: Now, peers: &mut Peers) -> bool {
        let others = peers.without(self.counted());
        let is_failing = f64::from(self.failed_in_row) >= FAILURES_MIN && self.doubt.is_none();
        if !is_failing || !self.tally.stands_out(others) {
            return false;
        }
        let before = self.counted();
        let reason = format!("its last {} jobs failed", self.failed_in_row);
        self.pause(now, Fault::Failing, &reason);
        peers.replace(before, self.counted());
        true
    }

    /// Records a job that the node could not start; returns whether that begins a pause.
    pub(super) fn record_unable(
        &mut self,
        now: Now,
        peers: &mut Peers,
        is_probe: bool,
        reason: &str,
    ) -> bool {
        let before = self.counted();
        // Jobs that were on their way when the pause began give no new evidence.
        let begins = self.doubt.is_none() || is_probe;
        if begins {
            self.pause(now, Fault::Unable, reason);
        }
        peers.replace(before, self.counted());
        begins
    }

    /// Takes back a failure that turned out to be the job's own.
    pub(super) fn excuse(&mut self, peers: &mut Peers) {
        let before = self.counted();
        self.tally.failed = (self.tally.failed - 1.0).max(0.0);
        self.failed_in_row = self.failed_in_row.saturating_sub(1);
        peers.replace(before, self.counted());
    }

    /// Ends the pause after a restart: its faults may be corrected, so it is tried at once.
    pub(super) fn restart(&mut self) {
        if let Some(doubt) = &mut self.doubt {
            doubt.until = Time::ZERO;
            doubt.probed = None;
        }
    }

    /// Removes its counts from the sum of its peers, when the node is forgotten.
    pub(super) fn leave(&self, peers: &mut Peers) {
        peers.replace(self.counted(), Tally::default());
    }

    /// Whether a job that is given up there may be considered hopeless.
    pub(super) fn is_credible(&self, peers: Peers) -> bool {
        let others = peers.without(self.counted());
        let works = self.tally.completed > 0.0 && self.failed_in_row <= 1;
        // If the others fail alike, the jobs are the cause.
        let is_alike =
            others.failed >= FAILURES_MIN && others.failing().1 >= self.tally.failing().0;
        self.doubt.is_none() && (works || is_alike)
    }

    /// Returns its part of the sum of peers: a node that is kept out has none.
    fn counted(&self) -> Tally {
        match self.doubt {
            Some(_) => Tally::default(),
            None => self.tally,
        }
    }

    fn pause(&mut self, now: Now, fault: Fault, reason: &str) {
        let pause = PAUSE_MIN
            .saturating_mul(1 << self.doublings.min(16))
            .min(PAUSE_MAX);
        self.doublings = self.doublings.saturating_add(1);
        let since = self.doubt.as_ref().map_or(now.wall, |doubt| doubt.since);
        self.doubt = Some(Doubt {
            fault,
            since,
            reason: reason.to_owned(),
            pause,
            until: now.time + pause,
            probed: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two nodes and their peers.
    #[derive(Default)]
    struct Two {
        good: Conduct,
        bad: Conduct,
        peers: Peers,
    }

    fn at(seconds: u64) -> Now {
        let elapsed = Duration::from_secs(seconds);
        Now {
            time: Time::from_start(elapsed),
            wall: WallTime::default() + elapsed,
        }
    }

    impl Two {
        fn fail(&mut self, seconds: u64, is_probe: bool) -> bool {
            let Self { bad, peers, .. } = self;
            bad.record_failed(at(seconds), peers, is_probe, "exit code 1")
        }

        fn succeed(&mut self, count: u32) {
            for _ in 0..count {
                self.good.record_completed(&mut self.peers, false);
            }
        }
    }

    #[test]
    fn a_node_that_fails_where_its_peers_do_not_is_kept_out() {
        let mut two = Two::default();
        two.succeed(6);
        assert!(!two.fail(0, false) && !two.fail(0, false));
        assert!(two.fail(0, false), "the third");
        assert_eq!(two.bad.obstacle(at(0).time), Some(Obstacle::Distrusted));
        assert_eq!(two.bad.obstacle(at(1).time), None);
        assert!(two.good.doubt().is_none());
    }

    #[test]
    fn if_all_fail_alike_no_node_is_distrusted() {
        let mut two = Two::default();
        for _ in 0..50 {
            let Two { good, bad, peers } = &mut two;
            assert!(!good.record_failed(at(0), peers, false, "bad input"));
            assert!(!bad.record_failed(at(0), peers, false, "bad input"));
            good.record_completed(peers, false);
            bad.record_completed(peers, false);
        }
        for _ in 0..50 {
            let Two { good, bad, peers } = &mut two;
            assert!(!good.record_failed(at(0), peers, false, "bad input"));
            assert!(!bad.record_failed(at(0), peers, false, "bad input"));
        }
    }

    #[test]
    fn without_evidence_of_its_peers_a_node_is_not_judged() {
        let mut two = Two::default();
        for _ in 0..100 {
            assert!(!two.fail(0, false));
        }
        let Two { bad, peers, .. } = &mut two;
        assert!(!bad.review(at(1), peers));
        two.succeed(4);
        let Two { good, bad, peers } = &mut two;
        assert!(!good.review(at(1), peers));
        assert!(bad.review(at(1), peers), "it needs no more jobs for that");
        assert_eq!(bad.doubt().unwrap().reason, "its last 100 jobs failed");
        assert!(!bad.review(at(2), peers), "it is reported once");
    }

    #[test]
    fn a_host_that_breaks_after_long_is_noticed_after_few_failures() {
        let mut two = Two::default();
        two.succeed(1000);
        for _ in 0..1000 {
            two.bad.record_completed(&mut two.peers, false);
        }
        let failures = (1..=16).find(|_| two.fail(0, false));
        assert!(
            failures.is_some_and(|failures| failures <= 8),
            "{failures:?}"
        );
    }

    #[test]
    fn it_is_tried_with_one_job_at_a_time_after_pauses_that_double() {
        let mut two = Two::default();
        two.succeed(6);
        for _ in 0..3 {
            two.fail(0, false);
        }
        let mut start = 0;
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(two.bad.obstacle(at(start + pause - 1).time).is_some());
            start += pause;
            assert_eq!(two.bad.obstacle(at(start).time), None);
            assert!(two.bad.record_sent(at(start).time));
            assert!(
                two.bad.obstacle(at(start + 9).time).is_some(),
                "one at a time"
            );
            two.bad.record_left(at(start).time, at(start).time);
            assert!(!two.fail(start, true), "it is reported once");
        }
        assert!(
            two.bad.record_completed(&mut two.peers, true),
            "it is restored"
        );
        assert_eq!(two.bad.obstacle(at(start).time), None);
    }

    #[test]
    fn jobs_from_before_a_pause_neither_end_nor_prolong_it() {
        let mut two = Two::default();
        two.succeed(6);
        for _ in 0..10 {
            two.fail(0, false);
        }
        assert_eq!(two.bad.doubt().unwrap().pause, PAUSE_MIN);
        assert!(!two.bad.record_completed(&mut two.peers, false));
        assert!(two.bad.doubt().is_some());
        for _ in 0..10 {
            let Two { good, peers, .. } = &mut two;
            good.record_unable(at(0), peers, false, "unable: no such file");
        }
        assert_eq!(two.good.doubt().unwrap().pause, PAUSE_MIN);
        assert_eq!(two.good.obstacle(at(0).time), Some(Obstacle::Unable));
    }

    #[test]
    fn giving_up_is_believed_where_jobs_complete_or_where_all_give_up() {
        let mut two = Two::default();
        two.fail(0, false);
        assert!(
            !two.bad.is_credible(two.peers),
            "nothing completed there yet"
        );
        two.bad.record_completed(&mut two.peers, false);
        two.fail(0, false);
        assert!(two.bad.is_credible(two.peers));
        two.fail(0, false);
        assert!(!two.bad.is_credible(two.peers), "two in a row");
        for _ in 0..3 {
            let Two { good, peers, .. } = &mut two;
            good.record_failed(at(0), peers, false, "bad input");
        }
        assert!(two.bad.is_credible(two.peers), "the others do as well");
    }

    #[test]
    fn a_failure_that_was_the_jobs_own_does_not_count() {
        let mut two = Two::default();
        two.succeed(20);
        for _ in 0..20 {
            assert!(!two.fail(0, false));
            two.bad.excuse(&mut two.peers);
        }
    }
}
