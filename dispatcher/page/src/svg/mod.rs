//! Drawings as SVG. Colours are classes of the style sheet, so that dark and light differ
//! there only; each drawing has a title for screen readers.

pub(crate) mod bar;
pub(crate) mod fan;
pub(crate) mod hindsight;
pub(crate) mod spark;
pub(crate) mod tiles;
pub(crate) mod timeline;

/// Writes a coordinate with one digit behind the point, if that is not 0.
pub(crate) fn coordinate(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// Writes the points of a line, as `x,y x,y`.
pub(crate) fn points(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let points = points.into_iter();
    let texts: Vec<String> = points
        .map(|(x, y)| format!("{},{}", coordinate(x), coordinate(y)))
        .collect();
    texts.join(" ")
}
