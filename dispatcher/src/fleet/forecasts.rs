//! The forecasts of nodes: which nodes have one, and those restored from before the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use rolecast_common::id::NodeId;
use rolecast_common::wire::ForecastMode;
use rolecast_forecast::Params;
use rolecast_forecast::{NodeForecast, Stack};

use super::Node;

/// The most nodes without a completed job that have a forecast: one takes some 80 KiB
/// (`make bench-forecast`), and names cost nothing. Every other node gets its own with
/// its first completed job. Guessed: as many as start at once in large fleets.
pub(super) const UNPROVEN_FORECASTS_MAX: usize = 2_000;

/// The forecasts that nodes get when they join.
#[derive(Debug)]
pub(super) struct Forecasts {
    params: Params,
    /// The global model over the experts.
    stack: Arc<Stack>,
    /// Nodes with a forecast and without a completed job.
    unproven: usize,
    /// Forecasts from before the start, until heartbeats of their nodes arrive.
    remembered: BTreeMap<NodeId, Box<NodeForecast>>,
}

impl Forecasts {
    pub(super) fn new(params: Params) -> Self {
        Self {
            params,
            stack: Arc::default(),
            unproven: 0,
            remembered: BTreeMap::new(),
        }
    }

    /// Returns the forecast of a new node, if it may have one yet.
    pub(super) fn begin(&mut self, id: &NodeId) -> Option<Box<NodeForecast>> {
        let is_open = self.unproven < UNPROVEN_FORECASTS_MAX;
        if !is_open && !self.remembered.contains_key(id) {
            return None;
        }
        let forecast = self.make(id);
        self.unproven += usize::from(forecast.is_some());
        forecast
    }

    fn make(&mut self, id: &NodeId) -> Option<Box<NodeForecast>> {
        if self.params.mode == ForecastMode::Off {
            return None;
        }
        let remembered = self.remembered.remove(id);
        Some(remembered.unwrap_or_else(|| {
            let forecast = NodeForecast::new(id, self.params, &self.stack);
            Box::new(forecast)
        }))
    }

    /// Records the node's first completed job: its forecast is from then on worth its
    /// memory.
    pub(super) fn prove(&mut self, node: &mut Node) {
        if node.forecast().is_some() {
            self.unproven -= 1;
            return;
        }
        let forecast = self.make(node.id());
        node.load.set_forecast(forecast);
    }

    /// Records that the node is forgotten.
    pub(super) fn end(&mut self, node: &Node) {
        let is_unproven = node.counters.completed == 0 && node.forecast().is_some();
        self.unproven -= usize::from(is_unproven);
    }

    /// Stores forecasts from before the start, for nodes whose heartbeats are still to
    /// arrive.
    pub(super) fn remember(&mut self, forecasts: Vec<(NodeId, NodeForecast)>) {
        let boxed = forecasts
            .into_iter()
            .map(|(node, forecast)| (node, Box::new(forecast)));
        self.remembered.extend(boxed);
    }

    /// Drops the stored forecasts of nodes that sent no heartbeat.
    pub(super) fn forget_remembered(&mut self) {
        self.remembered.clear();
    }

    /// Replaces the global model over the experts, for all nodes.
    pub(super) fn set_stack<'a>(
        &mut self,
        stack: &Arc<Stack>,
        nodes: impl Iterator<Item = &'a mut Node>,
    ) {
        self.stack = Arc::clone(stack);
        let forecasts = nodes.filter_map(|node| node.load.forecast_mut());
        forecasts.for_each(|forecast| forecast.set_stack(stack));
        for forecast in self.remembered.values_mut() {
            forecast.set_stack(stack);
        }
    }

    #[cfg(test)]
    pub(super) fn unproven(&self) -> usize {
        self.unproven
    }
}
