//! The forecasts of nodes: which nodes have one, those restored from before the start,
//! and the lessons of all of them.

use std::ops::Bound;
use std::sync::Arc;

use rolecast_common::id::NodeId;
use rolecast_common::wire::ForecastMode;
use rolecast_forecast::{Lesson, NodeForecast, Stack};

use super::Fleet;

/// The most nodes without a completed job that have a forecast: one takes some 80 KiB
/// (`make bench-forecast`), and names cost nothing. Every other node gets its own with
/// its first completed job. Guessed: as many as start at once in large fleets.
pub(super) const UNPROVEN_FORECASTS_MAX: usize = 2_000;

impl Fleet {
    /// Returns the forecast of a new node, if it may have one yet.
    pub(super) fn forecast_of(&mut self, id: &NodeId) -> Option<Box<NodeForecast>> {
        let is_open = self.unproven < UNPROVEN_FORECASTS_MAX;
        if !is_open && !self.remembered.contains_key(id) {
            return None;
        }
        let forecast = self.begin_forecast(id);
        self.unproven += usize::from(forecast.is_some());
        forecast
    }

    fn begin_forecast(&mut self, node: &NodeId) -> Option<Box<NodeForecast>> {
        if self.settings.forecast.mode == ForecastMode::Off {
            return None;
        }
        let remembered = self.remembered.remove(node);
        Some(remembered.unwrap_or_else(|| {
            let forecast = NodeForecast::new(node, self.settings.forecast, &self.stack);
            Box::new(forecast)
        }))
    }

    /// Records the node's first completed job: its forecast is now worth its memory.
    pub(super) fn prove(&mut self, id: &NodeId) {
        let Some(node) = self.nodes.get(id) else {
            return;
        };
        if node.forecast.is_some() {
            self.unproven -= 1;
            return;
        }
        let forecast = self.begin_forecast(id);
        if let Some(node) = self.nodes.get_mut(id) {
            node.forecast = forecast;
        }
    }

    /// Stores forecasts from before the start, for nodes whose heartbeats are still to
    /// arrive.
    pub fn remember(&mut self, forecasts: Vec<(NodeId, NodeForecast)>) {
        let boxed = forecasts
            .into_iter()
            .map(|(node, forecast)| (node, Box::new(forecast)));
        self.remembered.extend(boxed);
    }

    /// Drops the stored forecasts of nodes that sent no heartbeat.
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

    /// Adds the lessons of the next `count` nodes after `last`; returns the last of these
    /// nodes, or `None` at the end.
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
}
