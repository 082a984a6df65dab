//! A line of time: spans in rows, such as the holders of roles.

use maud::{Markup, html};

use super::coordinate;

const WIDTH: f64 = 900.0;
const ROW: f64 = 30.0;
const NAMES: f64 = 110.0;
/// The room of a letter, to see whether a text fits.
const LETTER: f64 = 7.0;

/// A part of a row.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) row: usize,
    /// Where it begins and ends, from 0 to 1.
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) class: &'static str,
    pub(crate) text: String,
    /// The whole of it in words.
    pub(crate) title: String,
}

/// Draws the spans below each other, with the names of the rows and of both ends.
pub(crate) fn timeline(title: &str, rows: &[String], spans: &[Span], ends: (&str, &str)) -> Markup {
    let height = ROW * count(rows.len()) + 22.0;
    let view = format!("0 0 {WIDTH} {height}");
    let x = |share: f64| NAMES + share.clamp(0.0, 1.0) * (WIDTH - NAMES);
    html! {
        svg.timeline viewBox=(view) role="img" {
            title { (title) }
            @for (index, name) in rows.iter().enumerate() {
                text.name x="0" y=(coordinate(ROW * count(index) + 19.0)) { (name) }
                rect.track x=(coordinate(NAMES)) y=(coordinate(ROW * count(index) + 4.0)) width=(coordinate(WIDTH - NAMES)) height="22" {}
            }
            @for span in spans {
                @let left = x(span.from);
                @let width = (x(span.to) - left).max(2.0);
                g {
                    title { (span.title) }
                    rect class=(span.class) x=(coordinate(left)) y=(coordinate(ROW * count(span.row) + 4.0)) width=(coordinate(width)) height="22" rx="3" {}
                    @if !span.text.is_empty() && LETTER * count(span.text.len() + 1) < width {
                        text.label x=(coordinate(left + 6.0)) y=(coordinate(ROW * count(span.row) + 19.0)) { (span.text) }
                    }
                }
            }
            text.end x=(coordinate(NAMES)) y=(coordinate(height - 4.0)) { (ends.0) }
            text.end.last x=(coordinate(WIDTH)) y=(coordinate(height - 4.0)) { (ends.1) }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "rows are counted in tens")]
fn count(count: usize) -> f64 {
    count as f64
}
