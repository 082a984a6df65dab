//! A fan: the past of a figure as a line, and beyond the present the values that it will
//! not exceed in 50, 90 and 99 of 100 cases.

use maud::{Markup, html};
use rolecast_common::wire::{ForecastAt, ResourceForecast};

use super::{coordinate, points};

/// The size of a fan, and the time that it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) past_s: f64,
    pub(crate) future_s: f64,
    class: &'static str,
}

/// A fan in a row of a table.
pub(crate) const SMALL: Frame = Frame {
    width: 120.0,
    height: 28.0,
    past_s: 900.0,
    future_s: 3600.0,
    class: "fan small",
};
/// A fan of its own.
pub(crate) const LARGE: Frame = Frame {
    width: 640.0,
    height: 160.0,
    past_s: 3600.0,
    future_s: 3600.0,
    class: "fan large",
};

struct Scale {
    frame: Frame,
    largest: f64,
}

impl Scale {
    fn new(frame: Frame, forecast: &ResourceForecast) -> Self {
        let seen = forecast.history.iter().copied().fold(0.0, f64::max);
        let expected = forecast
            .horizons
            .iter()
            .map(|at| at.p99)
            .fold(seen, f64::max);
        let largest = match forecast.capacity {
            capacity if capacity > 0.0 => capacity,
            _ => expected * 1.1,
        };
        let largest = if largest > 0.0 { largest } else { 1.0 };
        Self { frame, largest }
    }

    fn x(&self, seconds: f64) -> f64 {
        let all = self.frame.past_s + self.frame.future_s;
        (seconds + self.frame.past_s) / all * self.frame.width
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value / self.largest).clamp(0.0, 1.0);
        1.0 + (1.0 - share) * (self.frame.height - 2.0)
    }

    /// Returns the outline of the values between zero or `lower`, and `upper`.
    fn band(
        &self,
        now: f64,
        horizons: &[ForecastAt],
        upper: fn(&ForecastAt) -> f64,
        lower: fn(&ForecastAt) -> f64,
    ) -> String {
        let start = (self.x(0.0), self.y(now));
        let at = |value: fn(&ForecastAt) -> f64| {
            move |at: &ForecastAt| (self.x(f64::from(at.seconds)), self.y(value(at)))
        };
        let there = horizons.iter().map(at(upper));
        let back = horizons.iter().rev().map(at(lower));
        points([start].into_iter().chain(there).chain(back))
    }
}

/// Draws a fan; `title` names it for screen readers.
pub(crate) fn fan(title: &str, forecast: &ResourceForecast, frame: Frame) -> Markup {
    let scale = Scale::new(frame, forecast);
    let ends: Vec<ForecastAt> = forecast
        .horizons
        .iter()
        .copied()
        .filter(|at| f64::from(at.seconds) <= frame.future_s)
        .collect();
    let steps = forecast.history.iter().rev().enumerate();
    let mut past: Vec<(f64, f64)> = steps
        .map(|(index, value)| (-seconds(index, forecast.step_s), *value))
        .take_while(|(seconds, _)| -seconds <= frame.past_s)
        .map(|(seconds, value)| (scale.x(seconds), scale.y(value)))
        .collect();
    past.reverse();
    let now = forecast.history.last().copied().unwrap_or_default();
    let present = coordinate(scale.x(0.0));
    let view = format!("0 0 {} {}", frame.width, frame.height);
    html! {
        svg class=(frame.class) viewBox=(view) role="img" {
            title { (title) }
            @if !ends.is_empty() {
                polygon.p99 points=(scale.band(now, &ends, |at| at.p99, |at| at.p90)) {}
                polygon.p90 points=(scale.band(now, &ends, |at| at.p90, |at| at.p50)) {}
                polyline.p50 points=(points([(scale.x(0.0), scale.y(now))].into_iter().chain(ends.iter().map(|at| (scale.x(f64::from(at.seconds)), scale.y(at.p50)))))) {}
            }
            @if past.len() > 1 {
                polyline.past points=(points(past)) {}
            }
            line.now x1=(present) x2=(present) y1="0" y2=(coordinate(frame.height)) {}
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "steps are counted in tens")]
fn seconds(steps: usize, step_s: u32) -> f64 {
    steps as f64 * f64::from(step_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::forecast;

    #[test]
    fn the_bands_lie_above_each_other_and_begin_at_the_present() {
        let text = fan("cpu", &forecast().resources["cpu"], SMALL).into_string();
        // 15 of 75 minutes are the past: the present is at 24 of 120.
        assert!(
            text.contains(r#"<polyline class="p50" points="24,"#),
            "{text}"
        );
        assert!(
            text.contains(r#"<polygon class="p99" points="24,"#),
            "{text}"
        );
        assert!(
            text.contains(r#"<line class="now" x1="24" x2="24""#),
            "{text}"
        );
        assert!(text.len() < 900, "{}", text.len());
    }

    #[test]
    fn a_node_without_forecasts_has_an_empty_fan() {
        let text = fan("cpu", &ResourceForecast::default(), LARGE).into_string();
        assert!(!text.contains("points"), "{text}");
    }
}
