//! Signs of life of one node: heartbeats, answers to probes, and the server's reports
//! that nobody listens on its subject.
//!
//! A late heartbeat is a reason for a probe. Only two "nobody listens" answers in a row,
//! with no sign of life between them, prove that the worker is not there: a single one
//! also occurs while a worker connects to another server. Without any answer it takes
//! [`MISSED_MAX`] heartbeats. The same holds for workers that have never answered a
//! probe: they may not listen to probes at all. The caller passes since when it receives
//! without a break (`since`): what was missed before that proves nothing.

use std::time::Duration;

use rolecast_common::time::Time;

/// Heartbeats missed in a row before a node that answers nothing counts as gone.
const MISSED_MAX: u32 = 3;
/// Heartbeats missed in a row before a node counts as gone although it answers probes:
/// without heartbeats its jobs in hand are unknown. Derived: the longest outage assumed
/// of a network that heals by itself, 10 s at one a second.
const UNREPORTED_MAX: u32 = 10;
/// Bounds of a heartbeat interval; outside them a node could never or always be gone.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
pub(super) const INTERVAL_MAX: Duration = Duration::from_secs(10);
/// The smallest lateness of a heartbeat, which otherwise is a twentieth of its interval:
/// timers of a busy host and a busy network are off by less, and a probe too many is
/// cheap.
const LATE_MIN: Duration = Duration::from_millis(50);
/// Time from one probe to the next. A worker whose server died is connected to another
/// one within 0.3 s, if that is alive: its first two attempts are made after 0.1 and 0.3
/// s at the latest (`common::nats`). With the lateness of the heartbeat this gives 1.46 s
/// from a heartbeat to the verdict.
pub(super) const CONFIRM: Duration = Duration::from_millis(400);
/// The same while many nodes are missing, so that a server or the network is suspected:
/// several servers may have to be tried.
const CONFIRM_SUSPECTED: Duration = Duration::from_millis(2500);
/// Time for which nodes may be silent while many are. An election takes up to 9 s.
const SILENCE_SUSPECTED: Duration = Duration::from_secs(10);

/// Whether many nodes went missing at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    None,
    /// A fault of NATS or the network is more likely than one of all these workers.
    Network,
}

/// The presence of a node at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// No heartbeat is missing.
    Expected,
    /// It must be probed.
    Late,
    /// So many heartbeats are missing that it gets no more jobs; it keeps those it has,
    /// because it may still be there.
    Overdue,
    /// It is gone: nobody listens on its subject.
    Absent,
    /// It counts as gone: it gave no sign of life.
    Silent,
}

/// The server's reports that nobody listens, since the last sign of life.
#[derive(Clone, Copy, Debug)]
struct NoListener {
    first: Time,
    last: Time,
}

/// The signs of life of a node.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    /// Time of its last heartbeat.
    seen: Time,
    interval: Duration,
    /// Time of its last heartbeat or answer to a probe.
    alive: Time,
    no_listener: Option<NoListener>,
    /// Whether this boot of the worker has answered a probe.
    has_answered: bool,
    /// Time of the last probe because it was late.
    probed: Time,
}

impl Pulse {
    pub(super) fn new(now: Time) -> Self {
        Self {
            seen: now,
            interval: INTERVAL_MAX,
            alive: now,
            no_listener: None,
            has_answered: false,
            probed: Time::ZERO,
        }
    }

    pub(super) fn beat(&mut self, now: Time, interval_ms: u32) {
        self.seen = now;
        self.interval =
            Duration::from_millis(u64::from(interval_ms)).clamp(INTERVAL_MIN, INTERVAL_MAX);
        self.revive(now);
    }

    /// Records an answer of the node itself.
    pub(super) fn answer(&mut self, now: Time) {
        self.has_answered = true;
        self.revive(now);
    }

    /// Records that another worker has the node's name: the abilities of the former one
    /// are no evidence about it.
    pub(super) fn reboot(&mut self) {
        self.has_answered = false;
    }

    fn revive(&mut self, now: Time) {
        self.alive = now;
        self.no_listener = None;
    }

    /// Records the server's report that nobody listens; reports before `since` do not
    /// count. Returns whether it is the first such report.
    pub(super) fn miss(&mut self, now: Time, since: Time) -> bool {
        if now < since || !self.has_answered {
            return false;
        }
        let known = self
            .no_listener
            .filter(|no_listener| no_listener.first >= since);
        let first = known.map_or(now, |no_listener| no_listener.first);
        self.no_listener = Some(NoListener { first, last: now });
        known.is_none()
    }

    pub(super) fn record_probe(&mut self, now: Time) {
        self.probed = now;
    }

    pub(super) fn has_answered(&self) -> bool {
        self.has_answered
    }

    pub(super) fn seen(&self) -> Time {
        self.seen
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether it was probed and has not answered, or is known not to listen.
    pub(super) fn is_missing(&self, since: Time) -> bool {
        self.probed > self.alive.max(since) || self.no_listener(since).is_some()
    }

    /// Returns since when there is a reason to probe: earlier answers do not count
    /// against it.
    pub(super) fn doubted(&self, since: Time) -> Time {
        let first = self.no_listener(since).map(|no_listener| no_listener.first);
        first.unwrap_or_else(|| self.late_at(since))
    }

    pub(super) fn presence(&self, now: Time, since: Time, suspicion: Suspicion) -> Presence {
        let confirm = match suspicion {
            Suspicion::None => CONFIRM,
            Suspicion::Network => CONFIRM_SUSPECTED,
        };
        if let Some(no_listener) = self.no_listener(since)
            && no_listener.last.since(no_listener.first) >= confirm
        {
            return Presence::Absent;
        }
        if now > self.silent_at(since, suspicion) {
            return Presence::Silent;
        }
        if now >= self.probe_at(since) {
            return Presence::Late;
        }
        Presence::Expected
    }

    /// Whether so many heartbeats are missing that its figures are worthless.
    pub(super) fn is_overdue(&self, now: Time, since: Time) -> bool {
        now > self.seen.max(since) + self.interval * MISSED_MAX
    }

    /// Returns the next time at which it must be checked.
    pub(super) fn next_check(&self, since: Time, suspicion: Suspicion) -> Time {
        // Silence is over only after its last moment.
        let silent = self.silent_at(since, suspicion) + Duration::from_nanos(1);
        self.probe_at(since).min(silent)
    }

    fn no_listener(&self, since: Time) -> Option<NoListener> {
        self.no_listener
            .filter(|no_listener| no_listener.first >= since)
    }

    fn late_at(&self, since: Time) -> Time {
        let margin = (self.interval / 20).max(LATE_MIN);
        self.alive.max(since) + self.interval + margin
    }

    fn probe_at(&self, since: Time) -> Time {
        let due = match self.no_listener(since) {
            Some(no_listener) => no_listener.last + CONFIRM,
            None => self.late_at(since),
        };
        if self.probed > self.alive {
            return due.max(self.probed + CONFIRM);
        }
        due
    }

    fn silent_at(&self, since: Time, suspicion: Suspicion) -> Time {
        let (mut silence, mut unreported) =
            (self.interval * MISSED_MAX, self.interval * UNREPORTED_MAX);
        if suspicion == Suspicion::Network {
            silence = silence.max(SILENCE_SUSPECTED);
            unreported = unreported.max(SILENCE_SUSPECTED);
        }
        let mute = self.alive.max(since) + silence;
        mute.min(self.seen.max(since) + unreported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_start(Duration::from_millis(millis))
    }

    fn beaten() -> Pulse {
        let mut pulse = Pulse::new(at(0));
        pulse.beat(at(0), 1000);
        pulse.answer(at(0));
        pulse
    }

    #[test]
    fn a_late_heartbeat_is_a_reason_to_probe_and_an_answer_ends_it() {
        let mut pulse = beaten();
        let check = |pulse: &Pulse, now| pulse.presence(at(now), at(0), Suspicion::None);
        assert_eq!(check(&pulse, 1049), Presence::Expected);
        assert_eq!(check(&pulse, 1050), Presence::Late);
        pulse.record_probe(at(1050));
        assert!(pulse.is_missing(at(0)));
        assert_eq!(check(&pulse, 1449), Presence::Expected);
        assert_eq!(check(&pulse, 1450), Presence::Late);
        pulse.answer(at(1060));
        assert!(!pulse.is_missing(at(0)));
        assert_eq!(check(&pulse, 2100), Presence::Expected);
        assert_eq!(pulse.next_check(at(0), Suspicion::None), at(2110));
    }

    #[test]
    fn two_reports_that_nobody_listens_prove_it_and_one_does_not() {
        let mut pulse = beaten();
        pulse.record_probe(at(1050));
        assert!(pulse.miss(at(1051), at(0)));
        let check = |pulse: &Pulse, now| pulse.presence(at(now), at(0), Suspicion::None);
        assert_eq!(pulse.next_check(at(0), Suspicion::None), at(1451));
        assert_eq!(check(&pulse, 1450), Presence::Expected);
        assert_eq!(check(&pulse, 1451), Presence::Late);
        pulse.record_probe(at(1451));
        assert!(!pulse.miss(at(1452), at(0)));
        assert_eq!(check(&pulse, 1452), Presence::Absent);
        // A worker that was connecting to another server.
        let mut back = beaten();
        back.miss(at(1051), at(0));
        back.answer(at(1200));
        back.miss(at(1500), at(0));
        assert_ne!(check(&back, 1501), Presence::Absent);
    }

    #[test]
    fn a_worker_that_never_answered_a_probe_may_not_listen_to_any() {
        let mut pulse = beaten();
        pulse.reboot();
        for now in [1100, 1600, 2100] {
            assert!(!pulse.miss(at(now), at(0)));
            let presence = pulse.presence(at(now), at(0), Suspicion::None);
            assert_ne!(presence, Presence::Absent);
        }
    }

    #[test]
    fn without_any_answer_it_takes_three_heartbeats() {
        let mut pulse = beaten();
        pulse.record_probe(at(1050));
        let check = |pulse: &Pulse, now| pulse.presence(at(now), at(0), Suspicion::None);
        assert_ne!(check(&pulse, 3000), Presence::Silent);
        assert_eq!(check(&pulse, 3001), Presence::Silent);
    }

    #[test]
    fn a_node_that_answers_but_does_not_report_is_gone_after_ten() {
        let mut pulse = beaten();
        for second in 1..10 {
            pulse.answer(at(second * 1000));
            let later = at(second * 1000 + 900);
            assert_ne!(
                pulse.presence(later, at(0), Suspicion::None),
                Presence::Silent
            );
            assert_eq!(pulse.is_overdue(later, at(0)), second > 2);
        }
        let check = pulse.presence(at(10_001), at(0), Suspicion::None);
        assert_eq!(check, Presence::Silent);
    }

    #[test]
    fn what_was_missed_before_we_received_proves_nothing() {
        let mut pulse = beaten();
        pulse.record_probe(at(1050));
        assert!(pulse.miss(at(1051), at(0)));
        // From 5 s on the dispatcher is back.
        let check = |pulse: &Pulse, now| pulse.presence(at(now), at(5000), Suspicion::None);
        assert_eq!(check(&pulse, 6049), Presence::Expected);
        assert_eq!(check(&pulse, 6050), Presence::Late);
        assert!(!pulse.miss(at(4900), at(5000)), "it is too early to count");
        assert!(pulse.miss(at(6051), at(5000)));
        assert_eq!(check(&pulse, 6052), Presence::Expected);
        assert_ne!(check(&pulse, 8000), Presence::Silent);
        assert_eq!(check(&pulse, 8001), Presence::Silent);
    }

    #[test]
    fn when_many_are_missing_each_gets_more_time() {
        let mut pulse = beaten();
        pulse.miss(at(1051), at(0));
        pulse.miss(at(1500), at(0));
        let check = |pulse: &Pulse, now| pulse.presence(at(now), at(0), Suspicion::Network);
        assert_ne!(check(&pulse, 1500), Presence::Absent);
        assert_ne!(check(&pulse, 9999), Presence::Silent);
        assert_eq!(check(&pulse, 10_001), Presence::Silent);
        pulse.miss(at(3551), at(0));
        assert_eq!(check(&pulse, 3551), Presence::Absent);
    }
}
