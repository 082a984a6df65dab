//! The nodes, as their heartbeats tell them, with what was sent to each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::id::{BootId, Category, NodeId, Role, Sequence};
use rolecast_common::label::Labels;
use rolecast_common::time::{Now, Time};
use rolecast_common::unit::{BytesPerSecond, Cores, Resources, Speed};
use rolecast_common::wire::{ForecastMode, Heartbeat, NodeHealth, NodeStatus, Usage};

use crate::forecast::{Ahead, Lesson, NodeForecast, Params, Stack};
use crate::ledger::Ledger;

/// Heartbeats missed in a row before a node counts as gone.
const MISSED_MAX: u32 = 3;
/// Sane bounds of a heartbeat interval; outside them a node could never or
/// always be gone.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(10);
/// Former boots remembered per node, to tell a replay from a restart.
const FORMER_BOOTS_MAX: usize = 8;
/// Bounds the memory that heartbeats with invented names can take.
const NODES_MAX: usize = 20_000;
/// How long a node that is gone and has nothing in hand stays listed.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);
/// More cores than any machine has: a heartbeat that claims them is broken.
const CORES_MAX: f64 = 65_536.0;

/// Why a heartbeat was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("its node is not the one its subject names")]
    ForeignNode,
    #[error("it repeats or precedes one already taken")]
    Replayed,
    #[error("its boot was superseded by a later one; do two workers share this node id?")]
    SupersededBoot,
    #[error("its capacity is not one a machine can have")]
    Implausible,
    #[error("too many nodes are known already")]
    TooManyNodes,
}

/// What a heartbeat changed, beyond the figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The node is new, or back after it was gone.
    pub joined: bool,
    /// The worker was restarted: what its former boot had in hand is lost.
    pub rebooted: bool,
    /// It began to drain.
    pub drains: bool,
}

/// All nodes, in the order of their ids.
#[derive(Debug)]
pub struct Fleet {
    nodes: BTreeMap<NodeId, Node>,
    params: Params,
    stack: Arc<Stack>,
    /// Forecasts from before the start, until their nodes are heard of.
    remembered: BTreeMap<NodeId, Box<NodeForecast>>,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    boot: BootId,
    former_boots: VecDeque<BootId>,
    sequence: u64,
    seen: Time,
    interval: Duration,
    is_gone: bool,
    is_draining: bool,
    roles: Vec<Role>,
    labels: Labels,
    speed: Speed,
    /// How long a message and its answer take; `None` before the first answer.
    round_trip: Option<Duration>,
    capacity: Resources,
    usage: Usage,
    /// What others use.
    exogenous: Resources,
    /// What they will use; `None` if nothing is forecast.
    forecast: Option<Box<NodeForecast>>,
    jobs_max: u32,
    offered: BTreeMap<Category, u32>,
    refused: BTreeSet<Category>,
    pub ledger: Ledger,
    pub sent: u64,
    /// Jobs that forecasts would have sent to it.
    pub advised: u64,
    pub completed: u64,
    pub failed: u64,
}

impl Fleet {
    pub fn new(params: Params) -> Self {
        Self {
            nodes: BTreeMap::new(),
            params,
            stack: Arc::default(),
            remembered: BTreeMap::new(),
        }
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    pub fn get(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub fn get_mut(&mut self, id: &NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id)
    }

    /// Takes a heartbeat that came on the subject of node `from`.
    pub fn take(&mut self, now: Now, from: &NodeId, beat: &Heartbeat) -> Result<Change, Refusal> {
        if *from != beat.node {
            return Err(Refusal::ForeignNode);
        }
        let cpu = beat.capacity.cpu.get();
        if cpu <= 0.0 || cpu > CORES_MAX || beat.capacity.memory.get() == 0 {
            return Err(Refusal::Implausible);
        }
        if let Some(node) = self.nodes.get_mut(from) {
            return node.take(now, beat);
        }
        if self.nodes.len() >= NODES_MAX {
            return Err(Refusal::TooManyNodes);
        }
        let forecast = self.begin_forecast(from);
        let mut node = Node::new(now.time, beat, forecast);
        node.update(now, beat);
        self.nodes.insert(from.clone(), node);
        Ok(Change {
            joined: true,
            ..Change::default()
        })
    }

    fn begin_forecast(&mut self, node: &NodeId) -> Option<Box<NodeForecast>> {
        if self.params.mode == ForecastMode::Off {
            return None;
        }
        let remembered = self.remembered.remove(node);
        Some(remembered.unwrap_or_else(|| {
            let forecast = NodeForecast::new(node, self.params, &self.stack);
            Box::new(forecast)
        }))
    }

    /// Takes forecasts from before the start, for nodes that will be heard of.
    pub fn remember(&mut self, forecasts: Vec<(NodeId, NodeForecast)>) {
        let boxed = forecasts
            .into_iter()
            .map(|(node, forecast)| (node, Box::new(forecast)));
        self.remembered.extend(boxed);
    }

    /// Gives up the forecasts of nodes that were not heard of.
    pub fn forget_remembered(&mut self) {
        self.remembered.clear();
    }

    /// Replaces the global model over the experts, for all nodes.
    pub fn set_stack(&mut self, stack: &Arc<Stack>) {
        self.stack = Arc::clone(stack);
        let nodes = self
            .nodes
            .values_mut()
            .filter_map(|node| node.forecast.as_mut());
        for forecast in nodes.chain(self.remembered.values_mut()) {
            forecast.set_stack(stack);
        }
    }

    /// Adds what can be learned from the next `count` nodes after `last`;
    /// returns the last of them, or `None` at the end.
    pub fn take_lessons(
        &mut self,
        last: Option<&NodeId>,
        count: usize,
        lessons: &mut Vec<Lesson>,
    ) -> Option<NodeId> {
        let start = last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut next = self.nodes.range_mut((start, Bound::Unbounded));
        let mut seen = None;
        for (id, node) in next.by_ref().take(count) {
            if let Some(forecast) = &mut node.forecast {
                forecast.take_lessons(lessons);
            }
            seen = Some(id.clone());
        }
        next.next().and(seen)
    }

    /// Takes the round trip of a ping into the node's mean, a quarter of it.
    pub fn note_latency(&mut self, node: &NodeId, round_trip: Duration) {
        if let Some(node) = self.nodes.get_mut(node) {
            let mean = |before: Duration| (before * 3 + round_trip) / 4;
            node.round_trip = Some(node.round_trip.map_or(round_trip, mean));
        }
    }

    /// Marks the nodes whose heartbeats stopped, and returns them.
    pub fn mark_gone(&mut self, now: Time) -> Vec<NodeId> {
        let mut gone = Vec::new();
        for node in self.nodes.values_mut() {
            if !node.is_gone && now.since(node.seen) > node.interval * MISSED_MAX {
                node.is_gone = true;
                gone.push(node.id.clone());
            }
        }
        gone
    }

    /// Forgets the nodes that went long ago and left nothing behind.
    pub fn forget(&mut self, now: Time) {
        self.nodes.retain(|_, node| {
            let is_old = now.since(node.seen) > FORGET_AFTER;
            !(node.is_gone && is_old && node.ledger.count() == 0)
        });
    }
}

impl Node {
    fn new(now: Time, beat: &Heartbeat, forecast: Option<Box<NodeForecast>>) -> Self {
        Self {
            id: beat.node.clone(),
            boot: beat.boot.clone(),
            former_boots: VecDeque::new(),
            sequence: beat.sequence,
            seen: now,
            interval: INTERVAL_MAX,
            is_gone: false,
            is_draining: beat.draining,
            roles: Vec::new(),
            labels: Labels::default(),
            speed: Speed::default(),
            round_trip: None,
            capacity: beat.capacity,
            usage: beat.usage,
            exogenous: Resources::default(),
            forecast,
            jobs_max: 0,
            offered: BTreeMap::new(),
            refused: BTreeSet::new(),
            ledger: Ledger::default(),
            sent: 0,
            advised: 0,
            completed: 0,
            failed: 0,
        }
    }

    fn take(&mut self, now: Now, beat: &Heartbeat) -> Result<Change, Refusal> {
        let mut change = Change::default();
        if beat.boot == self.boot {
            if beat.sequence <= self.sequence {
                return Err(Refusal::Replayed);
            }
        } else if self.former_boots.contains(&beat.boot) {
            return Err(Refusal::SupersededBoot);
        } else {
            let former = std::mem::replace(&mut self.boot, beat.boot.clone());
            self.former_boots.push_back(former);
            if self.former_boots.len() > FORMER_BOOTS_MAX {
                self.former_boots.pop_front();
            }
            change.rebooted = true;
        }
        change.joined = std::mem::take(&mut self.is_gone);
        change.drains = beat.draining && !self.is_draining;
        self.update(now, beat);
        Ok(change)
    }

    fn update(&mut self, now: Now, beat: &Heartbeat) {
        self.sequence = beat.sequence;
        self.seen = now.time;
        self.interval =
            Duration::from_millis(u64::from(beat.interval_ms)).clamp(INTERVAL_MIN, INTERVAL_MAX);
        self.is_draining = beat.draining;
        self.roles.clone_from(&beat.roles);
        self.labels.clone_from(&beat.labels);
        self.speed = beat.speed;
        self.capacity = beat.capacity;
        self.usage = Usage {
            total: at_most(beat.usage.total, beat.capacity),
            jobs: at_most(beat.usage.jobs, beat.usage.total),
            pressure: beat.usage.pressure,
        };
        self.jobs_max = beat.jobs_max;
        self.offered.clone_from(&beat.categories);
        self.refused.clear();
        self.exogenous = self.usage.total.minus(self.usage.jobs);
        if let Some(forecast) = &mut self.forecast {
            forecast.observe(&self.id, now.wall, self.exogenous, self.capacity);
        }
    }

    pub fn id(&self) -> &NodeId {
        &self.id
    }

    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    pub fn capacity(&self) -> Resources {
        self.capacity
    }

    /// Returns how long a message to it and its answer take; `None` if it has
    /// not answered a ping yet.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    pub fn jobs(&self) -> u32 {
        self.ledger.count()
    }

    pub fn jobs_max(&self) -> u32 {
        self.jobs_max
    }

    /// Returns what others use plus what is reserved.
    pub fn present_use(&self) -> Resources {
        self.exogenous + self.ledger.total()
    }

    /// Returns what others will use at most until then plus what is reserved.
    pub fn predicted_use(&self, ahead: Ahead) -> Resources {
        self.safe_exogenous(ahead) + self.ledger.total()
    }

    /// Returns what others will use at most until then in half of all cases.
    pub fn likely_exogenous(&self, ahead: Ahead) -> Resources {
        let forecast = self.forecast.as_ref();
        forecast.map_or(self.exogenous, |forecast| forecast.likely(ahead))
    }

    /// Returns what others will use at most until then, at the quantile configured.
    pub fn safe_exogenous(&self, ahead: Ahead) -> Resources {
        let forecast = self.forecast.as_ref();
        forecast.map_or(self.exogenous, |forecast| forecast.safe(ahead))
    }

    pub fn forecast(&self) -> Option<&NodeForecast> {
        self.forecast.as_deref()
    }

    pub fn health(&self) -> NodeHealth {
        match (self.is_gone, self.is_draining) {
            (true, _) => NodeHealth::Gone,
            (false, true) => NodeHealth::Draining,
            (false, false) => NodeHealth::Ready,
        }
    }

    /// Returns how many more jobs of the category fit, or `None` if the node
    /// does not run it.
    pub fn free_slots(&self, category: &Category) -> Option<u32> {
        let of_category = self.offered.get(category)?;
        let free_total = self.jobs_max.saturating_sub(self.ledger.count());
        let free = of_category.saturating_sub(self.ledger.count_of(category));
        Some(free.min(free_total))
    }

    pub fn has_refused(&self, category: &Category) -> bool {
        self.refused.contains(category)
    }

    /// Keeps the category away until the next heartbeat says how things are.
    pub fn refuse(&mut self, category: &Category) {
        self.refused.insert(category.clone());
    }

    /// Nobody listens on its subject; only a heartbeat brings it back.
    pub fn bounce(&mut self) {
        self.is_gone = true;
    }

    /// It hands jobs back; the next heartbeat confirms that it drains.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    pub fn has_missed(&self, now: Time) -> bool {
        now.since(self.seen) > self.interval * MISSED_MAX
    }

    pub fn release(&mut self, job: Sequence) {
        self.ledger.release(job);
    }

    pub fn interval(&self) -> Duration {
        self.interval
    }

    pub fn status(&self, now: Time) -> NodeStatus {
        NodeStatus {
            node: self.id.clone(),
            roles: self.roles.clone(),
            health: self.health(),
            heartbeat_age_ms: u64::try_from(now.since(self.seen).as_millis()).unwrap_or(u64::MAX),
            round_trip_us: self.round_trip().map(whole_micros),
            labels: self.labels.clone(),
            speed: self.speed,
            capacity: self.capacity,
            usage: self.usage,
            reserved: self.ledger.total(),
            jobs: self.ledger.count(),
            jobs_max: self.jobs_max,
            sent: self.sent,
            advised: self.advised,
            completed: self.completed,
            failed: self.failed,
        }
    }
}

fn whole_micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

/// Limits each amount: a node that uses more than it has, has nothing left.
/// A rate of unknown capacity (zero) is kept as measured.
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

#[cfg(test)]
pub(crate) mod tests;
