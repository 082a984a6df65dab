//! A line without axes: the course of one figure.

use maud::{Markup, html};

use super::points;

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 40.0;
const EDGE: f64 = 2.0;

/// Draws the values, from zero to their largest.
pub(crate) fn spark(title: &str, values: &[f64]) -> Markup {
    let largest = values.iter().copied().fold(1.0, f64::max);
    let step = WIDTH / count(values.len().saturating_sub(1).max(1));
    let place = |(index, value): (usize, &f64)| {
        let y = HEIGHT - EDGE - value / largest * (HEIGHT - 2.0 * EDGE);
        (count(index) * step, y)
    };
    let line: Vec<(f64, f64)> = values.iter().enumerate().map(place).collect();
    let last = line.last().map_or(0.0, |(x, _)| *x);
    let area = [(0.0, HEIGHT)]
        .into_iter()
        .chain(line.iter().copied())
        .chain([(last, HEIGHT)]);
    html! {
        svg.spark viewBox="0 0 240 40" preserveAspectRatio="none" role="img" {
            title { (title) }
            @if line.len() > 1 {
                polygon.area points=(points(area)) {}
                polyline.line points=(points(line)) {}
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "points are counted in hundreds")]
fn count(count: usize) -> f64 {
    count as f64
}
