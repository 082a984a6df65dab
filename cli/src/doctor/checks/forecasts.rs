//! Forecasts that are worse than if the last value were the forecast.

use std::time::Duration;

use rolecast_common::time::format_duration;
use rolecast_common::wire::{AccuracyAt, ForecastMode, ForecastView};

use crate::doctor::area::Area;
use crate::doctor::catalogue::work::FORECAST_WORSE;
use crate::doctor::facts::{Facts, Part};
use crate::doctor::finding::{Finding, Report};
use crate::quantity::counted;

/// Scored forecasts below which chance decides; guessed.
const SCORED_MIN: u64 = 100;
/// Errors below this share of the capacity do not change a placement; guessed.
const ERROR_MIN: f64 = 0.02;
/// A ratio to the naive error above chance; guessed.
const RATIO_MIN: f64 = 1.2;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    if facts
        .status()
        .is_some_and(|status| status.forecast_mode == ForecastMode::Off)
    {
        return report.checked(Area::Forecasts, "off");
    }
    let views = match &facts.forecasts {
        Part::Known(views) => views,
        Part::Unknown(why) => return report.not_checked(Area::Forecasts, why),
    };
    let count = u64::try_from(views.len()).unwrap_or(u64::MAX);
    report.checked(Area::Forecasts, format!("of {}", counted(count, "node")));
    report.find_all(views.iter().filter_map(worst));
}

/// Returns the finding about the worst forecast of a node.
fn worst(view: &ForecastView) -> Option<Finding> {
    let all = view.resources.iter().flat_map(|(name, forecast)| {
        let worse = forecast.accuracy.iter();
        let worse = worse.filter(|at| is_worse(at, forecast.capacity));
        worse.map(move |at| (name, at))
    });
    let ratio = |at: &AccuracyAt| at.error / at.naive_error;
    let (resource, at) = all.max_by(|(_, a), (_, b)| ratio(a).total_cmp(&ratio(b)))?;
    let ahead = format_duration(Duration::from_secs(u64::from(at.seconds)));
    let node = &view.node;
    let what = format!(
        "{node}: {resource} {ahead} ahead has {:.1} times the error of the last value, over {} \
         forecasts",
        ratio(at),
        at.scored
    );
    Some(Finding::new(&FORECAST_WORSE, what).by(format!("rolecast forecast {node}")))
}

fn is_worse(at: &AccuracyAt, capacity: f64) -> bool {
    at.scored >= SCORED_MIN
        && at.naive_error > 0.0
        && at.error > capacity * ERROR_MIN
        && at.error > at.naive_error * RATIO_MIN
}
