//! Forecasts against actual use: the last hour as a line, on the band between the median
//! and the 90 % quantile that had been expected of it.

use maud::{Markup, html};
use rolecast_common::wire::{PastForecast, PastForecasts, ResourceForecast};

use super::{coordinate, points};

/// Time shown, in seconds.
const SPAN_S: f64 = 3600.0;

/// The size of a drawing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    width: f64,
    height: f64,
    class: &'static str,
    has_median: bool,
}

/// One in a row of a table.
pub(crate) const SMALL: Frame = Frame {
    width: 120.0,
    height: 28.0,
    class: "fan small",
    has_median: false,
};
/// One of its own.
pub(crate) const LARGE: Frame = Frame {
    width: 640.0,
    height: 160.0,
    class: "fan large",
    has_median: true,
};

/// Draws the actual use and what had been expected; `title` names it for screen readers.
pub(crate) fn hindsight(
    title: &str,
    forecast: &ResourceForecast,
    past: &PastForecasts,
    frame: Frame,
) -> Markup {
    let actual = actual(forecast);
    let largest = largest(forecast, &actual, past);
    let x = |ago_s: u32| (1.0 - f64::from(ago_s) / SPAN_S) * frame.width;
    let y = |value: f64| 1.0 + (1.0 - (value / largest).clamp(0.0, 1.0)) * (frame.height - 2.0);
    let view = format!("0 0 {} {}", frame.width, frame.height);
    let line =
        |value: fn(&PastForecast) -> f64| move |at: &PastForecast| (x(at.ago_s), y(value(at)));
    html! {
        svg class=(frame.class) viewBox=(view) role="img" {
            title { (title) }
            @for run in runs(past, forecast.step_s) {
                @let upper = run.iter().map(line(|at| at.p90));
                @let lower = run.iter().rev().map(line(|at| at.p50));
                polygon.p90 points=(points(upper.chain(lower))) {}
                // In a row the edge of the band shows the median well enough.
                @if frame.has_median { polyline.p50 points=(points(run.iter().map(line(|at| at.p50)))) {} }
            }
            @if actual.len() > 1 {
                polyline.past points=(points(actual.iter().map(|(ago, value)| (x(*ago), y(*value))))) {}
            }
            @let base = coordinate(frame.height);
            line.base x1="0" x2=(coordinate(frame.width)) y1=(base) y2=(base) {}
        }
    }
}

/// Returns how many actual values did not exceed the 90 % quantile, and of how many.
pub(crate) fn covered(forecast: &ResourceForecast, past: &PastForecasts) -> (usize, usize) {
    let mut count = (0, 0);
    let actual = actual(forecast);
    for at in &past.values {
        let Some((_, value)) = actual.iter().find(|(ago, _)| *ago == at.ago_s) else {
            continue;
        };
        count.0 += usize::from(*value <= at.p90);
        count.1 += 1;
    }
    count
}

/// Returns the actual values of the time shown, the oldest first, each with its age.
fn actual(forecast: &ResourceForecast) -> Vec<(u32, f64)> {
    let values = (0u32..).zip(forecast.history.iter().rev());
    let values = values.map(|(steps, value)| (steps.saturating_mul(forecast.step_s), *value));
    let mut values: Vec<(u32, f64)> = values
        .take_while(|(ago_s, _)| f64::from(*ago_s) < SPAN_S)
        .collect();
    values.reverse();
    values
}

/// Returns the runs of forecasts without a gap.
fn runs(past: &PastForecasts, step_s: u32) -> impl Iterator<Item = &[PastForecast]> {
    let runs = past
        .values
        .chunk_by(move |a, b| a.ago_s == b.ago_s + step_s);
    runs.filter(|run| run.len() > 1)
}

/// Returns the value at the top: what was used and expected must differ visibly, so the
/// capacity counts only if it is near.
fn largest(forecast: &ResourceForecast, actual: &[(u32, f64)], past: &PastForecasts) -> f64 {
    let values = actual.iter().map(|(_, value)| *value);
    let expected = past.values.iter().map(|at| at.p90);
    let largest = values.chain(expected).fold(0.0, f64::max);
    match largest {
        largest if largest >= forecast.capacity / 2.0 && largest > 0.0 => {
            largest.max(forecast.capacity)
        }
        largest if largest > 0.0 => largest * 1.25,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::forecast;

    fn cpu() -> (ResourceForecast, PastForecasts) {
        let cpu = forecast().resources.remove("cpu").unwrap();
        let past = cpu.past.clone().unwrap();
        (cpu, past)
    }

    #[test]
    fn what_was_expected_lies_below_what_was_measured_at_the_same_moments() {
        let (cpu, mut past) = cpu();
        past.values.retain(|at| !(600..=1200).contains(&at.ago_s));
        let text = hindsight("cpu", &cpu, &past, LARGE).into_string();
        // Two runs of forecasts, around a gap, below one line.
        assert_eq!(text.matches("<polygon class=\"p90\"").count(), 2, "{text}");
        assert_eq!(text.matches("<polyline class=\"p50\"").count(), 2, "{text}");
        assert_eq!(
            text.matches("<polyline class=\"past\"").count(),
            1,
            "{text}"
        );
        // The oldest forecast is for 54 minutes ago: 64 of 640 from the left, and half as
        // high as the capacity. The line begins at 59 minutes.
        assert!(text.contains(r#"class="p50" points="64,80 "#), "{text}");
        assert!(text.contains(r#"class="past" points="10.7,"#), "{text}");
        let small = hindsight("cpu", &cpu, &past, SMALL).into_string();
        assert!(small.len() < 2000, "{}", small.len());
    }

    #[test]
    fn values_within_the_quantile_are_counted_where_both_are_known() {
        let (mut cpu, past) = cpu();
        // Of seven minutes one has 4.0 cores, above the 3.5 that were expected.
        assert_eq!(covered(&cpu, &past), (47, 55));
        cpu.history.drain(..50);
        assert_eq!(covered(&cpu, &past).1, 10);
    }

    #[test]
    fn a_small_use_of_a_large_node_is_still_seen() {
        let (mut cpu, past) = cpu();
        cpu.capacity = 256.0;
        assert_eq!(largest(&cpu, &actual(&cpu), &past), 5.0);
        cpu.capacity = 6.0;
        assert_eq!(largest(&cpu, &actual(&cpu), &past), 6.0);
        let nothing = ResourceForecast::default();
        assert_eq!(largest(&nothing, &[], &PastForecasts::default()), 1.0);
    }
}
