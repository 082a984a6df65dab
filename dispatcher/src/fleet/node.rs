//! One node, from its heartbeats.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::id::{BootId, Category, NodeId, Role};
use rolecast_common::label::Labels;
use rolecast_common::time::{Now, Time};
use rolecast_common::unit::Resources;
use rolecast_common::wire::{Heartbeat, NodeHealth, Usage};
use rolecast_forecast::{Ahead, NodeForecast};

use super::journal::Journal;
use super::liveness::Liveness;
use super::load::Load;
use super::pace::Pace;
use super::trust::Trust;
use super::{Change, Refusal};
use crate::ledger::Ledger;
use crate::placement::{Availability, Description, Feedback, Slot};

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    id: NodeId,
    slot: Slot,
    description: Arc<Description>,
    pub(super) liveness: Liveness,
    pub(super) load: Load,
    pub(super) pace: Pace,
    pub(super) ledger: Ledger,
    pub(super) feedback: Feedback,
    pub(super) trust: Trust,
    pub(super) counters: Counters,
    pub(super) journal: Journal,
}

/// Numbers of a node's jobs since it joined.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) sent: u64,
    /// Jobs that forecasts would have sent to it.
    pub(super) advised: u64,
    /// Jobs that forecasts kept away from it, of the decisions that were compared.
    pub(super) diverted: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
}

impl Node {
    pub(super) fn new(
        now: Time,
        beat: &Heartbeat,
        slot: Slot,
        forecast: Option<Box<NodeForecast>>,
    ) -> Self {
        Self {
            id: beat.node.clone(),
            slot,
            description: Arc::default(),
            liveness: Liveness::new(now, beat),
            load: Load::new(beat, forecast),
            pace: Pace::new(beat.speed),
            ledger: Ledger::default(),
            feedback: Feedback::default(),
            trust: Trust::default(),
            counters: Counters::default(),
            journal: Journal::default(),
        }
    }

    /// Processes a heartbeat, or refuses it.
    pub(super) fn take(&mut self, now: Now, beat: &Heartbeat) -> Result<Change, Refusal> {
        let change = self.liveness.take(now, beat)?;
        if change.rebooted {
            self.trust.restart();
        }
        self.load.update(beat);
        self.pace.declare(beat.speed);
        Ok(change)
    }

    /// Updates its description; returns the new one if it changed.
    pub(super) fn describe(&mut self, beat: &Heartbeat) -> Option<&Arc<Description>> {
        if self.description.is_in(beat) {
            return None;
        }
        self.description = Arc::new(Description::new(beat));
        Some(&self.description)
    }

    /// Whether the worker is known to have listened.
    pub(super) fn has_listened(&self) -> bool {
        self.has_answered() || self.counters.completed > 0
    }

    pub(super) fn availability(&self) -> Availability {
        self.liveness.availability()
    }

    pub(crate) fn id(&self) -> &NodeId {
        &self.id
    }

    /// Returns the boot of its worker.
    pub(crate) fn boot(&self) -> &BootId {
        self.liveness.boot()
    }

    /// Returns the milliseconds by which its clock is ahead of ours, if it reports its
    /// time.
    pub(crate) fn clock_skew_ms(&self) -> Option<i64> {
        self.liveness.clock_skew_ms()
    }

    pub(crate) fn slot(&self) -> Slot {
        self.slot
    }

    pub(crate) fn roles(&self) -> &[Role] {
        self.description.roles()
    }

    pub(crate) fn labels(&self) -> &Labels {
        self.description.labels()
    }

    /// Returns the categories that it runs, with the most jobs of each at once.
    pub(crate) fn categories(&self) -> &BTreeMap<Category, u32> {
        self.description.categories()
    }

    pub(crate) fn capacity(&self) -> Resources {
        self.load.capacity()
    }

    pub(crate) fn usage(&self) -> Usage {
        self.load.usage()
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.liveness.is_gone()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.liveness.is_draining()
    }

    /// Whether nobody seems to listen on its subject.
    pub(crate) fn lacks_listener(&self) -> bool {
        self.liveness.listener.is_missing()
    }

    pub(crate) fn jobs(&self) -> u32 {
        self.ledger.count()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn jobs_max(&self) -> u32 {
        self.load.jobs_max()
    }

    /// Returns the last time at which it reported that it follows no later dispatcher
    /// than this one, since this one leads.
    pub(crate) fn followed(&self) -> Option<Time> {
        self.liveness.followed()
    }

    /// Returns the largest use by others until then, in half of all cases.
    pub(crate) fn likely_exogenous(&self, ahead: Ahead) -> Resources {
        self.load.likely_exogenous(ahead)
    }

    /// Returns the largest use by others until then, at the configured quantile.
    pub(crate) fn safe_exogenous(&self, ahead: Ahead) -> Resources {
        self.load.safe_exogenous(ahead)
    }

    pub(crate) fn forecast(&self) -> Option<&NodeForecast> {
        self.load.forecast()
    }

    pub(crate) fn health(&self) -> NodeHealth {
        match self.availability() {
            Availability::Gone => NodeHealth::Gone,
            Availability::Draining => NodeHealth::Draining,
            Availability::Open => NodeHealth::Ready,
        }
    }

    /// Returns the interval of its heartbeats.
    pub(crate) fn interval(&self) -> Duration {
        self.liveness.pulse.interval()
    }

    /// Whether this boot of the worker has answered a probe.
    pub(crate) fn has_answered(&self) -> bool {
        self.liveness.pulse.has_answered()
    }

    /// Returns the age of its last heartbeat.
    pub(crate) fn age(&self, now: Time) -> Duration {
        self.liveness.age(now)
    }

    /// Returns the speed of one of its cores: as declared, corrected by its runs.
    pub(crate) fn speed(&self) -> f32 {
        self.pace.speed()
    }

    /// Returns the round trip of a message to it; `None` until a ping was answered.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.pace.round_trip()
    }
}
