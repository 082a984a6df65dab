//! Publications for others: the capacity map, lessons for fitting, and checkpoints of the
//! forecasts, a few nodes at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::Time;
use rolecast_common::wire::{CapacityAt, ForecastMode, RoleCapacity};
use rolecast_forecast::{Model, NodeForecast, Params};

use crate::fleet::Fleet;
use crate::scheduler::capacity_map;
use crate::scheduler::context::Context;
use crate::scheduler::output::Output;
use crate::scheduler::queue::Categories;

/// Interval at which the capacity map is published.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(10);
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
pub(super) struct Publications {
    params: Params,
    started: Time,
    /// The node whose lessons were taken last.
    taught: Option<NodeId>,
    published: Option<Time>,
    /// The roles of the last map, without their nodes.
    capacity: BTreeMap<Role, RoleCapacity>,
    /// Nodes whose checkpoint is due.
    unsaved: VecDeque<NodeId>,
    saves_per_sweep: usize,
    has_forgotten: bool,
}

impl Publications {
    pub(super) fn new(now: Time, params: Params) -> Self {
        Self {
            params,
            started: now,
            taught: None,
            published: None,
            capacity: BTreeMap::new(),
            unsaved: VecDeque::new(),
            saves_per_sweep: 0,
            has_forgotten: false,
        }
    }

    /// Returns the time at which this dispatcher began to observe.
    pub(super) fn started(&self) -> Time {
        self.started
    }

    pub(super) fn capacity(&self) -> &BTreeMap<Role, RoleCapacity> {
        &self.capacity
    }

    /// Schedules the checkpoints of all nodes, a few in each sweep.
    pub(super) fn begin_checkpoints(&mut self, fleet: &Fleet) {
        let nodes = fleet.nodes().filter(|node| !node.is_gone());
        self.unsaved = nodes.map(|node| node.id().clone()).collect();
        self.saves_per_sweep = self.unsaved.len().div_ceil(SAVE_SWEEPS).max(SAVE_MIN);
    }

    /// Makes the last checkpoints, those that are due already first.
    pub(super) fn end_checkpoints(&mut self, cx: &mut Context<'_>, fleet: &Fleet) {
        let due: Vec<NodeId> = self.unsaved.drain(..).collect();
        let is_due: BTreeSet<NodeId> = due.iter().cloned().collect();
        let nodes = fleet.nodes().map(|node| node.id().clone());
        let others: Vec<NodeId> = nodes.filter(|node| !is_due.contains(node)).collect();
        for node in due.into_iter().chain(others).take(SAVE_LAST_MAX) {
            save_forecast(cx, fleet, node);
        }
    }

    pub(super) fn sweep(
        &mut self,
        cx: &mut Context<'_>,
        fleet: &mut Fleet,
        categories: &Categories,
    ) {
        self.pass_on_lessons(cx, fleet);
        for _ in 0..self.saves_per_sweep {
            let Some(node) = self.unsaved.pop_front() else {
                break;
            };
            save_forecast(cx, fleet, node);
        }
        let now = cx.now.time;
        let published = self.published;
        if published.is_none_or(|at| now.since(at) >= PUBLISH_INTERVAL) {
            self.published = Some(now);
            let map = capacity_map::of(cx.now.wall, cx.epoch, self.params, fleet, categories);
            let roles = map.roles.iter();
            self.capacity = roles.map(without_nodes).collect();
            cx.push(Output::PublishCapacity(Box::new(map)));
        }
        let is_over = now.since(self.started) >= REMEMBER;
        if is_over && !std::mem::replace(&mut self.has_forgotten, true) {
            fleet.forget_remembered();
        }
    }

    fn pass_on_lessons(&mut self, cx: &mut Context<'_>, fleet: &mut Fleet) {
        let is_stacked = matches!(self.params.model, Model::Stack | Model::Ensemble);
        if !is_stacked || self.params.mode == ForecastMode::Off {
            return;
        }
        let mut lessons = Vec::new();
        let taught = self.taught.take();
        self.taught = fleet.take_lessons(taught.as_ref(), LEARN_NODES, &mut lessons);
        if !lessons.is_empty() {
            cx.push(Output::Learn(lessons));
        }
    }
}

fn without_nodes((role, capacity): (&Role, &RoleCapacity)) -> (Role, RoleCapacity) {
    let horizons = capacity.horizons.iter().map(|at| CapacityAt {
        nodes: Vec::new(),
        ..*at
    });
    let capacity = RoleCapacity {
        nodes: capacity.nodes,
        horizons: horizons.collect(),
    };
    (role.clone(), capacity)
}

fn save_forecast(cx: &mut Context<'_>, fleet: &Fleet, node: NodeId) {
    let forecast = fleet.get(&node).and_then(|node| node.forecast());
    if let Some(bytes) = forecast.and_then(NodeForecast::save) {
        cx.push(Output::SaveForecast { node, bytes });
    }
}
