//! The forecasts of one node in the form of an answer.

use std::collections::BTreeMap;

use rolecast_common::resource::Resource;
use rolecast_common::wire::{
    AccuracyAt, ForecastAt, PastForecast, PastForecasts, ResourceForecast, WeightsAt,
};

use super::ahead::HORIZONS_S;
use super::past;
use super::series::Series;
use super::{FAR_STEP_S, NodeForecast};
use crate::{Accuracy, Forecaster};

/// The names of the resources, in their order.
const NAMES: [&str; Resource::COUNT] = ["cpu", "memory", "network", "disk"];
/// Samples shown: an hour of minutes.
const HISTORY_COUNT: usize = 60;

impl NodeForecast {
    /// Whether it has learned anything, here or before a restart.
    pub fn is_known(&self) -> bool {
        self.near.is_known
    }

    /// Returns the forecasts of each resource, by its name: `cpu` (cores), `memory` (bytes),
    /// `network` and `disk` (bytes per second), as the dispatcher answers with them.
    ///
    /// Horizons and histories are empty before the first samples. It allocates, and is meant
    /// for answers to people.
    pub fn view(&self) -> BTreeMap<String, ResourceForecast> {
        let resources = Resource::ALL.into_iter().zip(NAMES);
        resources
            .map(|(resource, name)| (name.to_owned(), self.view_of(resource)))
            .collect()
    }

    /// Returns the recent accuracy for a resource at a few horizons, the nearest first; zero
    /// before a forecast was scored.
    pub fn accuracy(&self, resource: Resource) -> [AccuracyAt; 5] {
        let (near, far) = (
            &self.near.forecasters[resource],
            &self.far.forecasters[resource],
        );
        [
            (self.near.step_s, near, 1),
            (60, far, 1),
            (300, far, 5),
            (900, far, 15),
            (3600, far, 60),
        ]
        .map(|(seconds, forecaster, step)| accuracy(seconds, forecaster.accuracy(step)))
    }

    fn view_of(&self, resource: Resource) -> ResourceForecast {
        let (near, far) = (
            &self.near.forecasters[resource],
            &self.far.forecasters[resource],
        );
        let near_s = self.near.step_s;
        let mut horizons = Vec::new();
        if self.near.is_known {
            let at = |seconds| horizon(self.series(seconds), resource, seconds);
            horizons.extend(HORIZONS_S.map(at));
        }
        let capacity = self.capacity[resource];
        ResourceForecast {
            capacity: if capacity.is_finite() { capacity } else { 0.0 },
            step_s: FAR_STEP_S,
            history: far.recent(HISTORY_COUNT).into_iter().map(finite).collect(),
            history_5m: self.hour.means(resource),
            past: self.past_of(resource),
            horizons,
            weights: vec![
                weights(near_s, near, 1),
                weights(60, far, 1),
                weights(3600, far, 60),
            ],
            accuracy: self.accuracy(resource).to_vec(),
        }
    }

    /// Returns what had been expected of the last hour; it is kept for CPU only.
    fn past_of(&self, resource: Resource) -> Option<PastForecasts> {
        let last = self.far.forecasters[resource].number()?;
        let past = self.hour.past.until(last);
        let values: Vec<PastForecast> = past
            .map(|(ago, p50, p90)| PastForecast {
                ago_s: ago * FAR_STEP_S,
                p50,
                p90,
            })
            .collect();
        (resource == Resource::Cpu && !values.is_empty()).then_some(PastForecasts {
            ahead_s: past::AHEAD_STEPS * FAR_STEP_S,
            values,
        })
    }
}

fn horizon(series: &Series, resource: Resource, seconds: u32) -> ForecastAt {
    let forecaster = &series.forecasters[resource];
    let steps = series.steps(seconds);
    let at = forecaster.predict(steps);
    ForecastAt {
        seconds,
        p50: finite(at.p50),
        p90: finite(at.p90),
        p99: finite(at.p99),
        peak_p90: finite(forecaster.predict_peak(steps).p90),
    }
}

fn weights(seconds: u32, forecaster: &Forecaster, step: u32) -> WeightsAt {
    let models = forecaster.weights(step).into_iter();
    WeightsAt {
        seconds,
        models: models
            .map(|(model, weight)| (model.name().to_owned(), finite(weight)))
            .collect(),
    }
}

fn accuracy(seconds: u32, accuracy: Accuracy) -> AccuracyAt {
    AccuracyAt {
        seconds,
        error: finite(accuracy.error),
        naive_error: finite(accuracy.naive_error),
        coverage: finite(accuracy.coverage),
        scored: accuracy.scored,
    }
}

/// JSON has no number for values that are not finite.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}
