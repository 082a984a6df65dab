//! Metrics of forecasts.

use std::sync::Arc;

use rolecast_http::metrics::{Kind, Row};

use super::figures::Figures;

pub(super) static ROWS: [Row<Arc<Figures>>; 4] = [
    Row {
        name: "rolecast_forecast_nodes",
        kind: Kind::Gauge,
        help: "Live nodes that have a forecast",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.forecasts.nodes),
    },
    Row {
        name: "rolecast_forecast_nodes_known",
        kind: Kind::Gauge,
        help: "Live nodes whose forecast has learned something",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.forecasts.known),
    },
    Row {
        name: "rolecast_forecast_error_ratio",
        kind: Kind::Gauge,
        help: "Recent error of the forecasts of what others use, relative to that of the forecast \
            that nothing changes: below 1 is better; over up to 250 nodes",
        labels: &["resource", "horizon"],
        bound: "20",
        read: |figures, samples| {
            figures.forecasts.accuracy.iter().try_for_each(|at| {
                samples.value(&[at.resource, &format!("{}s", at.seconds)], at.error)
            })
        },
    },
    Row {
        name: "rolecast_forecast_coverage_ratio",
        kind: Kind::Gauge,
        help: "Recent share of values below the forecast that 90 of 100 should not exceed; over \
            up to 250 nodes",
        labels: &["resource", "horizon"],
        bound: "20",
        read: |figures, samples| {
            figures.forecasts.accuracy.iter().try_for_each(|at| {
                samples.value(&[at.resource, &format!("{}s", at.seconds)], at.coverage)
            })
        },
    },
];
