//! Forecast duties beside heartbeats: counts of arrivals, lessons, the capacity map, and
//! checkpoints, a few nodes at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{CapacityMap, ForecastMode, ForecastView, RoleCapacity, VERSION};
use rolecast_forecast::{AHEAD_COUNT, Ahead, Model, NodeForecast, Stack};

use super::{Context, Output, Scheduler};
use crate::capacity::{self, Demands, Holders};
use crate::category::Policy;
use crate::fleet::Node;

/// Interval at which the capacity map is published.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(10);
/// Node entries in one map, over all roles and horizons: in JSON they take
/// about 110 bytes each, and a message has at most a mebibyte.
const ENTRIES_MAX: usize = 6000;
/// Nodes whose lessons are taken in one sweep: 64 a second, so that ten thousand take
/// less time than the interval between fits.
const LEARN_NODES: usize = 16;
/// Sweeps over which the checkpoints of all nodes are spread: four minutes.
const SAVE_SWEEPS: usize = 960;
/// The least number of checkpoints per sweep, so that a small fleet does not wait.
const SAVE_MIN: usize = 4;
/// Checkpoints made at a stop. More would take longer than the stop waits; those of the
/// others are a few minutes old.
const SAVE_LAST_MAX: usize = 512;
/// Time for which forecasts from before the start wait for their nodes.
const REMEMBER: Duration = Duration::from_secs(15 * 60);

/// The work in progress.
#[derive(Debug)]
pub(super) struct Forecasting {
    started: Time,
    /// The node whose lessons were taken last.
    taught: Option<NodeId>,
    published: Option<Time>,
    /// Nodes whose checkpoint is due.
    unsaved: VecDeque<NodeId>,
    saves_per_sweep: usize,
    has_forgotten: bool,
}

impl Forecasting {
    pub(super) fn new(now: Time) -> Self {
        Self {
            started: now,
            taught: None,
            published: None,
            unsaved: VecDeque::new(),
            saves_per_sweep: 0,
            has_forgotten: false,
        }
    }
}

impl Scheduler {
    /// Restores forecasts from before the start, and the stack over the experts.
    pub fn remember_forecasts(
        &mut self,
        forecasts: Vec<(NodeId, NodeForecast)>,
        stack: Option<&Arc<Stack>>,
    ) {
        self.fleet.remember(forecasts);
        if let Some(stack) = stack {
            self.set_stack(stack);
        }
    }

    pub(super) fn set_stack(&mut self, stack: &Arc<Stack>) {
        self.fleet.set_stack(stack);
        for service in self.services.values_mut() {
            service.demand.set_stack(stack);
        }
    }

    /// Records the number of jobs of each category that the stream holds.
    pub(super) fn count_arrivals(&mut self, now: Now, held: &BTreeMap<Category, u64>) {
        if self.params.forecast.mode == ForecastMode::Off {
            return;
        }
        for (category, service) in &mut self.services {
            let held = held.get(category).copied().unwrap_or(0);
            service.demand.observe(now.wall, held, service.settled);
        }
    }

    /// Records that the stream holds one job of the category less.
    pub(super) fn count_settled(&mut self, category: &Category) {
        if let Some(service) = self.services.get_mut(category) {
            service.settled += 1;
        }
    }

    /// Schedules the checkpoints of all nodes, a few in each sweep.
    pub(super) fn begin_checkpoints(&mut self) {
        let nodes = self.fleet.nodes().filter(|node| !node.is_gone());
        let unsaved: VecDeque<NodeId> = nodes.map(|node| node.id().clone()).collect();
        self.forecasting.saves_per_sweep = unsaved.len().div_ceil(SAVE_SWEEPS).max(SAVE_MIN);
        self.forecasting.unsaved = unsaved;
    }

    /// Makes the last checkpoints, those that are due already first.
    pub(super) fn end_checkpoints(&mut self, cx: &mut Context<'_>) {
        let due: Vec<NodeId> = self.forecasting.unsaved.drain(..).collect();
        let is_due: BTreeSet<NodeId> = due.iter().cloned().collect();
        let nodes = self.fleet.nodes().map(|node| node.id().clone());
        let others: Vec<NodeId> = nodes.filter(|node| !is_due.contains(node)).collect();
        for node in due.into_iter().chain(others).take(SAVE_LAST_MAX) {
            self.save_forecast(cx, node);
        }
    }

    pub(super) fn sweep_forecasts(&mut self, cx: &mut Context<'_>) {
        self.pass_on_lessons(cx);
        for _ in 0..self.forecasting.saves_per_sweep {
            let Some(node) = self.forecasting.unsaved.pop_front() else {
                break;
            };
            self.save_forecast(cx, node);
        }
        let published = self.forecasting.published;
        if published.is_none_or(|at| cx.now.time.since(at) >= PUBLISH_INTERVAL) {
            self.forecasting.published = Some(cx.now.time);
            cx.push(Output::PublishCapacity(Box::new(self.capacity(cx.now))));
        }
        let is_over = cx.now.time.since(self.forecasting.started) >= REMEMBER;
        if is_over && !std::mem::replace(&mut self.forecasting.has_forgotten, true) {
            self.fleet.forget_remembered();
        }
    }

    fn pass_on_lessons(&mut self, cx: &mut Context<'_>) {
        let params = self.params.forecast;
        let is_stacked = matches!(params.model, Model::Stack | Model::Ensemble);
        if !is_stacked || params.mode == ForecastMode::Off {
            return;
        }
        let mut lessons = Vec::new();
        let taught = self.forecasting.taught.take();
        self.forecasting.taught =
            self.fleet
                .take_lessons(taught.as_ref(), LEARN_NODES, &mut lessons);
        if !lessons.is_empty() {
            cx.push(Output::Learn(lessons));
        }
    }

    fn save_forecast(&self, cx: &mut Context<'_>, node: NodeId) {
        let forecast = self.fleet.get(&node).and_then(|node| node.forecast());
        if let Some(bytes) = forecast.and_then(NodeForecast::save) {
            cx.push(Output::SaveForecast { node, bytes });
        }
    }

    /// Returns the role capacity map.
    pub fn capacity(&self, now: Now) -> CapacityMap {
        let (roles, left_out) = self.role_capacities(ENTRIES_MAX);
        CapacityMap {
            v: VERSION,
            at_ms: now.wall,
            epoch: self.leadership.epoch(),
            mode: self.params.forecast.mode,
            quantile: self.params.forecast.quantile.share(),
            roles,
            roles_left_out: u32::try_from(left_out).unwrap_or(u32::MAX),
        }
    }

    /// Returns the room of each role, with at most `entries_max` entries of nodes in all,
    /// and the number of roles left out.
    pub(super) fn role_capacities(
        &self,
        entries_max: usize,
    ) -> (BTreeMap<Role, RoleCapacity>, usize) {
        let policies = self.services.values().map(|service| &service.policy);
        let named = policies.flat_map(|policy| &policy.roles);
        let (holders, left_out) = capacity::holders(&self.fleet, named);
        let listed_max = entries_max / AHEAD_COUNT / holders.len().max(1);
        let demands = self.demands(&holders);
        let nothing = Demands::default();
        let capacity = |(role, nodes): (&&Role, &Vec<&Node>)| {
            let demands = demands.get(*role).unwrap_or(&nothing);
            let capacity = capacity::of_role(&self.fleet, nodes, demands, listed_max);
            ((*role).clone(), capacity)
        };
        (holders.iter().map(capacity).collect(), left_out)
    }

    /// Returns the use of the jobs expected on the nodes of each role.
    fn demands(&self, roles: &Holders<'_>) -> BTreeMap<Role, Demands> {
        let mut demands: BTreeMap<Role, Demands> = BTreeMap::new();
        for service in self.services.values() {
            let shares = shares(&service.policy, roles);
            for ahead in Ahead::all() {
                let Some(rate) = service.demand.per_minute(ahead.seconds()) else {
                    continue;
                };
                // Little's law: as many run at a time as arrive while one runs.
                let jobs = rate / 60.0 * service.policy.profile.duration.as_secs_f64();
                for (role, share) in &shares {
                    let demands = demands.entry((*role).clone()).or_default();
                    let demand = &mut demands[ahead.index()];
                    *demand =
                        *demand + capacity::use_of(jobs * share, service.policy.profile.average);
                }
            }
        }
        demands
    }

    /// Returns the forecast of a node.
    pub fn forecast(&self, now: Now, id: &NodeId) -> ForecastView {
        let node = self.fleet.get(id);
        let forecast = node.and_then(|node| node.forecast());
        ForecastView {
            v: VERSION,
            node: id.clone(),
            at_ms: now.wall,
            mode: self.params.forecast.mode,
            health: node.map(|node| node.health()),
            resources: forecast.map(NodeForecast::view).unwrap_or_default(),
        }
    }
}

/// Returns the roles whose nodes will run a category's jobs, with their shares: the best
/// of its roles that some node holds; where any role is permitted, all in proportion to
/// their nodes.
fn shares<'a>(policy: &'a Policy, holders: &'a Holders<'a>) -> Vec<(&'a Role, f64)> {
    let is_held = |role: &&Role| holders.get(role).is_some_and(|nodes| !nodes.is_empty());
    let best = policy.roles.iter().find(is_held).or(policy.roles.first());
    if let Some(best) = best {
        return vec![(best, 1.0)];
    }
    #[allow(clippy::cast_precision_loss, reason = "nodes are counted in thousands")]
    let count = |count: usize| count as f64;
    let all = count(holders.values().map(Vec::len).sum()).max(1.0);
    let shares = holders
        .iter()
        .map(|(role, nodes)| (*role, count(nodes.len()) / all));
    shares.collect()
}
