//! Liveness of one node: the boot that counts, its signs of life, and whether it takes jobs.

use std::time::Duration;

use rolecast_common::id::BootId;
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::Heartbeat;

use super::boots::{Boots, Life};
use super::listener::Listener;
use super::pulse::Pulse;
use super::rounds::Tick;
use super::sequence::Sequence;
use super::skew::Skew;
use super::{Change, Refusal};
use crate::placement::Availability;

/// The state of one node beside its figures.
#[derive(Debug)]
pub(super) struct Liveness {
    boots: Boots,
    skew: Skew,
    sequence: Sequence,
    pub(super) pulse: Pulse,
    /// The next time at which it is checked; `None` once it is known to be gone.
    pub(super) watched: Option<Tick>,
    is_gone: bool,
    pub(super) listener: Listener,
    is_draining: bool,
    /// Whether an operator drained it.
    is_drained: bool,
    /// The last time at which it reported that it follows no later dispatcher than this
    /// one.
    followed: Option<Time>,
}

impl Liveness {
    pub(super) fn new(now: Time, beat: &Heartbeat) -> Self {
        let mut pulse = Pulse::new(now);
        pulse.beat(now, beat.interval_ms);
        Self {
            boots: Boots::new(beat.boot.clone()),
            skew: Skew::default(),
            sequence: Sequence::new(beat.sequence),
            pulse,
            watched: None,
            is_gone: false,
            listener: Listener::default(),
            is_draining: beat.draining,
            is_drained: false,
            followed: None,
        }
    }

    /// Processes a heartbeat, or refuses it.
    pub(super) fn take(&mut self, now: Now, beat: &Heartbeat) -> Result<Change, Refusal> {
        let (seen, interval) = (self.pulse.seen(), self.pulse.interval());
        if beat.boot == *self.boots.current()
            && !self.sequence.take(now.time, beat.sequence, seen, interval)
        {
            return Err(Refusal::Replayed);
        }
        let life = Life {
            seen,
            interval,
            is_gone: self.is_gone,
            is_draining: self.is_draining,
        };
        let mut change = Change {
            rebooted: self.boots.take(now.time, &beat.boot, life)?,
            ..Change::default()
        };
        if change.rebooted {
            self.sequence = Sequence::new(beat.sequence);
            self.skew.reset();
            self.pulse.reboot();
        }
        let sent = beat.sent_ms;
        change.skewed_ms = sent.and_then(|sent| self.skew.observe(sent, now.wall));
        change.joined = std::mem::take(&mut self.is_gone);
        change.drains = beat.draining && !self.is_draining;
        self.pulse.beat(now.time, beat.interval_ms);
        self.is_draining = beat.draining;
        Ok(change)
    }

    pub(super) fn boot(&self) -> &BootId {
        self.boots.current()
    }

    /// Returns the milliseconds by which its clock is ahead of ours, if it reports its
    /// time.
    pub(super) fn clock_skew_ms(&self) -> Option<i64> {
        self.skew.get()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Marks it as gone until its next heartbeat.
    pub(super) fn set_gone(&mut self) {
        self.is_gone = true;
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Marks it as draining until its next heartbeat.
    pub(super) fn set_draining(&mut self) {
        self.is_draining = true;
    }

    /// Sets whether an operator drained it.
    pub(super) fn set_drained(&mut self, is_drained: bool) {
        self.is_drained = is_drained;
    }

    pub(super) fn availability(&self) -> Availability {
        let is_gone = self.is_gone || self.listener.is_closed();
        match (is_gone, self.is_draining || self.is_drained) {
            (true, _) => Availability::Gone,
            (false, true) => Availability::Draining,
            (false, false) => Availability::Open,
        }
    }

    pub(super) fn followed(&self) -> Option<Time> {
        self.followed
    }

    pub(super) fn record_followed(&mut self, now: Time) {
        self.followed = Some(now);
    }

    /// Returns the age of its last heartbeat.
    pub(super) fn age(&self, now: Time) -> Duration {
        now.since(self.pulse.seen())
    }
}
