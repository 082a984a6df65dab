//! One node, from its heartbeats.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{BootId, Category, NodeId, Role};
use rolecast_common::label::{Labels, Requirement};
use rolecast_common::time::{Now, Time};
use rolecast_common::unit::{BytesPerSecond, Cores, Resources, Speed};
use rolecast_common::wire::{Heartbeat, NodeHealth, Usage};
use rolecast_forecast::{Ahead, BUCKETS, NodeForecast};

use super::boots::{Boots, Life};
use super::conduct::Conduct;
use super::pulse::Pulse;
use super::rounds::Tick;
use super::sequence::Sequence;
use super::skew::Skew;
use super::unheard::Hearing;
use super::{Change, Refusal};
use crate::category::Policy;
use crate::ledger::Ledger;
use crate::placement::{Amounts, CategoryIndex, Feedback, Fit, Obstacle, Slot, Standing, amounts};

/// Weight of the declared speed, in runs.
const SPEED_WORTH: f32 = 50.0;
/// Number of runs after which the older half counts half.
const SPEED_RUNS_MAX: f32 = 2000.0;
/// The logarithm of the largest factor by which a node may be faster or slower than
/// declared: two.
const SPEED_LOG_MAX: f32 = 0.7;
/// Rate at which the round trip follows measured pings.
const ROUND_TRIP_RATE: f32 = 0.25;

/// One node.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    pub(super) slot: Slot,
    boots: Boots,
    skew: Skew,
    sequence: Sequence,
    pub(super) pulse: Pulse,
    /// The next time at which it is looked at; `None` once it is known to be gone.
    pub(super) watched: Option<Tick>,
    pub(super) is_gone: bool,
    pub(super) hearing: Hearing,
    pub(super) is_draining: bool,
    /// Whether an operator drained it.
    pub(super) is_drained: bool,
    roles: Vec<Role>,
    labels: Labels,
    capacity: Resources,
    usage: Usage,
    /// The resources that others want.
    exogenous: Resources,
    /// The forecast of what others will use; `None` if it has none.
    pub(super) forecast: Option<Box<NodeForecast>>,
    /// Cores that its jobs use beyond what such jobs use on average.
    pub(super) surplus: f32,
    /// The last time at which it reported that it follows no later dispatcher than this
    /// one.
    followed: Option<Time>,
    jobs_max: u32,
    offered: BTreeMap<Category, u32>,
    pub(super) ledger: Ledger,
    pub(super) feedback: Feedback,
    /// The conduct of jobs here, by category.
    pub(super) conduct: BTreeMap<CategoryIndex, Conduct>,
    speed: Speed,
    /// The sum of the logarithms of its speed over the declared one, by runs.
    speed_log: f32,
    speed_runs: f32,
    round_trip: Option<Duration>,
    pub sent: u64,
    /// Jobs that forecasts would have sent to it.
    pub advised: u64,
    /// Jobs that forecasts kept away from it, of the decisions looked at.
    pub diverted: u64,
    pub completed: u64,
    pub failed: u64,
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
            boots: Boots::new(beat.boot.clone()),
            skew: Skew::default(),
            sequence: Sequence::new(beat.sequence),
            pulse: Pulse::new(now),
            watched: None,
            is_gone: false,
            hearing: Hearing::default(),
            is_draining: beat.draining,
            is_drained: false,
            roles: Vec::new(),
            labels: Labels::default(),
            capacity: beat.capacity,
            usage: beat.usage,
            exogenous: Resources::default(),
            forecast,
            surplus: 0.0,
            followed: None,
            jobs_max: 0,
            offered: BTreeMap::new(),
            ledger: Ledger::default(),
            feedback: Feedback::default(),
            conduct: BTreeMap::new(),
            speed: beat.speed,
            speed_log: 0.0,
            speed_runs: 0.0,
            round_trip: None,
            sent: 0,
            advised: 0,
            diverted: 0,
            completed: 0,
            failed: 0,
        }
    }

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
            self.conduct.values_mut().for_each(Conduct::restart);
            self.pulse.reboot();
        }
        let sent = beat.sent_ms;
        change.skewed_ms = sent.and_then(|sent| self.skew.observe(sent, now.wall));
        change.joined = std::mem::take(&mut self.is_gone);
        change.drains = beat.draining && !self.is_draining;
        self.update(now, beat);
        Ok(change)
    }

    /// Updates its figures from a heartbeat.
    pub(super) fn update(&mut self, now: Now, beat: &Heartbeat) {
        self.pulse.beat(now.time, beat.interval_ms);
        self.is_draining = beat.draining;
        self.capacity = beat.capacity;
        self.speed = beat.speed;
        self.usage = Usage {
            total: at_most(beat.usage.total, beat.capacity),
            jobs: at_most(beat.usage.jobs, beat.usage.total),
            pressure: beat.usage.pressure,
        };
        self.jobs_max = beat.jobs_max;
    }

    /// Updates what others want, and the forecast that is made from it.
    pub(super) fn note_others(&mut self, now: Now, wanted: Resources) {
        self.exogenous = at_most(wanted, self.capacity);
        if let Some(forecast) = &mut self.forecast {
            forecast.observe(&self.id, now.wall, self.exogenous, self.capacity);
        }
    }

    /// Updates its description; returns whether it changed.
    pub(super) fn describe(&mut self, beat: &Heartbeat) -> bool {
        let is_same = self.roles == beat.roles
            && self.labels == beat.labels
            && self.offered == beat.categories;
        if !is_same {
            self.roles.clone_from(&beat.roles);
            self.labels.clone_from(&beat.labels);
            self.offered.clone_from(&beat.categories);
        }
        !is_same
    }

    /// Returns its fitness for jobs of the category that require these labels.
    pub fn fit(&self, policy: &Policy, requirement: &Requirement) -> Result<Fit, Obstacle> {
        let rank = policy.role_rank(&self.roles).ok_or(Obstacle::Role)?;
        let offered = self.offered.get(&policy.category);
        let jobs_max = *offered.ok_or(Obstacle::NotOffered)?;
        if !requirement.matches(&self.labels) {
            return Err(Obstacle::Label);
        }
        let rank = u8::try_from(rank).unwrap_or(u8::MAX);
        Ok(Fit { rank, jobs_max })
    }

    pub fn id(&self) -> &NodeId {
        &self.id
    }

    /// Returns the boot of its worker.
    pub fn boot(&self) -> &BootId {
        self.boots.current()
    }

    /// Returns the milliseconds by which its clock is ahead of ours, if it reports its
    /// time.
    pub fn clock_skew_ms(&self) -> Option<i64> {
        self.skew.get()
    }

    pub fn slot(&self) -> Slot {
        self.slot
    }

    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    pub fn capacity(&self) -> Resources {
        self.capacity
    }

    pub fn usage(&self) -> Usage {
        self.usage
    }

    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    pub(super) fn standing(&self) -> Standing {
        let is_gone = self.is_gone || self.hearing.is_closed();
        match (is_gone, self.is_draining || self.is_drained) {
            (true, _) => Standing::Gone,
            (false, true) => Standing::Draining,
            (false, false) => Standing::Open,
        }
    }

    /// Whether it is kept out of any category for a while.
    pub(super) fn is_doubted(&self) -> bool {
        self.conduct
            .values()
            .any(|conduct| conduct.doubt().is_some())
    }

    /// Returns the obstacle that keeps jobs of the category out of it for a while.
    pub(super) fn kept_out(&self, now: Time, category: CategoryIndex) -> Option<Obstacle> {
        self.conduct.get(&category)?.obstacle(now)
    }

    pub fn jobs(&self) -> u32 {
        self.ledger.count()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn jobs_max(&self) -> u32 {
        self.jobs_max
    }

    pub(super) fn note_followed(&mut self, now: Time) {
        self.followed = Some(now);
    }

    /// Returns the last time at which it reported that it follows no later dispatcher
    /// than this one, since this one leads.
    pub fn followed(&self) -> Option<Time> {
        self.followed
    }

    pub(super) fn exogenous(&self) -> Resources {
        self.exogenous
    }

    /// Returns the expected use by others, on average over each bucket.
    pub(super) fn expected(&self) -> [Amounts; BUCKETS] {
        match &self.forecast {
            Some(forecast) => *forecast.expected(),
            None => [amounts(self.exogenous); BUCKETS],
        }
    }

    /// Returns the largest use by others until then, in half of all cases.
    pub fn likely_exogenous(&self, ahead: Ahead) -> Resources {
        let forecast = self.forecast.as_ref();
        forecast.map_or(self.exogenous, |forecast| forecast.likely(ahead))
    }

    /// Returns the largest use by others until then, at the configured quantile.
    pub fn safe_exogenous(&self, ahead: Ahead) -> Resources {
        let forecast = self.forecast.as_ref();
        forecast.map_or(self.exogenous, |forecast| forecast.safe(ahead))
    }

    pub fn forecast(&self) -> Option<&NodeForecast> {
        self.forecast.as_deref()
    }

    pub fn health(&self) -> NodeHealth {
        match self.standing() {
            Standing::Gone => NodeHealth::Gone,
            Standing::Draining => NodeHealth::Draining,
            Standing::Open => NodeHealth::Ready,
        }
    }

    pub fn interval(&self) -> Duration {
        self.pulse.interval()
    }

    /// Whether this boot of the worker has answered a probe.
    pub fn has_answered(&self) -> bool {
        self.pulse.has_answered()
    }

    /// Returns the age of its last heartbeat.
    pub fn age(&self, now: Time) -> Duration {
        now.since(self.pulse.seen())
    }

    /// Records the logarithm of its speed over the declared one, from one run.
    pub(super) fn note_speed(&mut self, log: f32) {
        if !log.is_finite() {
            return;
        }
        self.speed_log += log.clamp(-3.0, 3.0);
        self.speed_runs += 1.0;
        if self.speed_runs > SPEED_RUNS_MAX {
            self.speed_log *= 0.5;
            self.speed_runs *= 0.5;
        }
    }

    /// Returns the speed of one of its cores: as declared, corrected by its runs.
    pub fn speed(&self) -> f32 {
        let log = self.speed_log / (self.speed_runs + SPEED_WORTH);
        self.declared_speed() * log.clamp(-SPEED_LOG_MAX, SPEED_LOG_MAX).exp()
    }

    #[allow(clippy::cast_possible_truncation, reason = "seven digits are enough")]
    pub(super) fn declared_speed(&self) -> f32 {
        self.speed.get() as f32
    }

    pub(super) fn declared(&self) -> Speed {
        self.speed
    }

    pub(super) fn note_round_trip(&mut self, measured: Duration) {
        let before = self.round_trip.unwrap_or(measured);
        let kept = before.mul_f32(1.0 - ROUND_TRIP_RATE);
        self.round_trip = Some(kept + measured.mul_f32(ROUND_TRIP_RATE));
    }

    /// Returns the round trip of a message to it; `None` until a ping was answered.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}

/// Limits each amount: a node that uses more than it has, has nothing left. A rate of
/// unknown capacity (zero) is kept as measured.
fn at_most(used: Resources, limit: Resources) -> Resources {
    let rate = |used: BytesPerSecond, limit: BytesPerSecond| {
        if limit == BytesPerSecond::ZERO {
            return used;
        }
        BytesPerSecond::clamped(used.get().min(limit.get()))
    };
    Resources {
        cpu: Cores::clamped(used.cpu.get().min(limit.cpu.get())),
        memory: used.memory.min(limit.memory),
        network: rate(used.network, limit.network),
        disk: rate(used.disk, limit.disk),
    }
}
