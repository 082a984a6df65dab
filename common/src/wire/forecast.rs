//! Forecast of the use by others on a node, and the quality of earlier forecasts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ForecastMode, Message, NodeHealth};
use crate::id::NodeId;
use crate::time::WallTime;

/// The answer of `rolecast.api.forecast`: one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastView {
    pub v: u8,
    pub node: NodeId,
    pub at_ms: WallTime,
    pub mode: ForecastMode,
    /// `None` if no such node is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<NodeHealth>,
    /// By `cpu`, `memory`, `network` and `disk`; empty if the node is unknown.
    pub resources: BTreeMap<String, ResourceForecast>,
}

impl Message for ForecastView {
    fn version(&self) -> u8 {
        self.v
    }
}

/// Use by others of one resource, jobs left out; in the resource's unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceForecast {
    /// Capacity of the node; 0 if unknown.
    pub capacity: f64,
    /// Distance between the values of `history`, in seconds.
    pub step_s: u32,
    /// Means of the last hour, oldest first.
    pub history: Vec<f64>,
    /// Means of the last hour in steps of five minutes, oldest first.
    pub history_5m: Vec<f64>,
    /// What had been expected of the last hour; `None` while nothing is known of that, and
    /// for all resources but CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<PastForecasts>,
    /// The nearest first.
    pub horizons: Vec<ForecastAt>,
    /// Weight of each model in the forecasts, at some horizons.
    pub weights: Vec<WeightsAt>,
    /// Recent accuracy of the forecasts, horizon by horizon.
    pub accuracy: Vec<AccuracyAt>,
}

/// Earlier forecasts of the values of `history`, to compare both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PastForecasts {
    /// How long before their moments they were made, in seconds.
    pub ahead_s: u32,
    /// The oldest first; a moment without a forecast is left out.
    pub values: Vec<PastForecast>,
}

/// The median and the 90 % quantile that had been expected of a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PastForecast {
    /// How long before the last value of `history` the moment is, in seconds.
    pub ago_s: u32,
    pub p50: f64,
    pub p90: f64,
}

/// Forecast at a horizon: values not exceeded in 50, 90 and 99 of 100 cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForecastAt {
    pub seconds: u32,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    /// The same for the largest value until then.
    pub peak_p90: f64,
}

/// The share of each model in the forecasts at a horizon, by name; their sum is 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WeightsAt {
    pub seconds: u32,
    pub models: BTreeMap<String, f64>,
}

/// Recent accuracy of the forecasts at a horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AccuracyAt {
    pub seconds: u32,
    /// The mean error of the median.
    pub error: f64,
    /// The same if the last value were the forecast.
    pub naive_error: f64,
    /// The share of values that were not above `p90`.
    pub coverage: f64,
    /// The number of forecasts that were scored.
    pub scored: u64,
}
