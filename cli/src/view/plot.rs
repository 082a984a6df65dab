//! SVG plot of the geometric mean of 99 % slow-downs.
//!
//! Lines over the load, or bars where there is one load. A panel for each way of sharing.

use std::fmt::Write as _;

use rolecast_simulator::report::{Report, Row};
use rolecast_simulator::world::Sharing;

/// Colours that people with colour blindness can distinguish (Okabe and Ito).
const COLOURS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c8c00",
];
/// Dashes of the lines once all colours are used.
const DASHES: [&str; 3] = ["", "6 3", "2 3"];
const PLOT: (f64, f64) = (420.0, 320.0);
const LEFT: f64 = 60.0;
const RIGHT: f64 = 50.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 48.0;
const LEGEND: f64 = 250.0;
const BAR: f64 = 20.0;

/// Returns the drawing.
pub(crate) fn svg(report: &Report) -> String {
    let rows: Vec<Row<'_>> = report.rows();
    let mut sharings: Vec<Sharing> = Vec::new();
    let mut policies: Vec<&str> = Vec::new();
    let mut loads: Vec<f64> = Vec::new();
    for row in &rows {
        if !sharings.contains(&row.cell.sharing) {
            sharings.push(row.cell.sharing);
        }
        if !policies.contains(&row.policy) {
            policies.push(row.policy);
        }
        loads.extend(row.cell.load.filter(|load| !loads.contains(load)));
    }
    loads.sort_by(f64::total_cmp);
    let is_lines = loads.len() > 1;
    let height = if is_lines {
        PLOT.1
    } else {
        BAR * policies.len() as f64
    };
    let left = if is_lines { LEFT } else { LEGEND };
    let panel_width = left + PLOT.0 + RIGHT;
    let legend = if is_lines { LEGEND } else { 0.0 };
    let size = (
        panel_width * sharings.len() as f64 + legend,
        TOP + height + BOTTOM,
    );
    let mut drawing = Drawing::new(size);
    drawing.text(
        (12.0, 20.0),
        "start",
        &format!("{}: GM99 slow-down", report.scenario),
    );
    let scale = Scale::of(&rows);
    for (index, sharing) in sharings.iter().enumerate() {
        let panel = Panel {
            origin: (panel_width * index as f64 + left, TOP),
            size: (PLOT.0, height),
            scale: &scale,
        };
        let shown = rows.iter().filter(|row| row.cell.sharing == *sharing);
        let shown: Vec<&Row<'_>> = shown.collect();
        drawing.text((panel.origin.0, TOP - 6.0), "start", sharing.name());
        if is_lines {
            panel.lines(&mut drawing, &shown, &policies, &loads);
        } else {
            panel.bars(&mut drawing, &shown);
        }
    }
    if is_lines {
        let left = panel_width * sharings.len() as f64;
        for (index, policy) in policies.iter().enumerate() {
            let y = TOP + 18.0 * (index as f64 + 0.5);
            drawing.line((left, y), (left + 28.0, y), index);
            drawing.text((left + 34.0, y + 4.0), "start", policy);
        }
    }
    drawing.finish()
}

/// Slow-downs on a logarithmic axis.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(rows: &[Row<'_>]) -> Self {
        let values = || rows.iter().filter_map(|row| row.gm99);
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(1.0, f64::max);
        Self {
            low: if low.is_finite() { low.min(1.0) } else { 1.0 },
            high: high.max(2.0) * 1.1,
        }
    }

    /// Returns the position of a value, from 0 to 1.
    fn at(&self, value: f64) -> f64 {
        (value / self.low).ln() / (self.high / self.low).ln()
    }

    /// Returns 1, 2, 5, 10, 20 and so on as far as the scale reaches, or finer steps if
    /// these are few.
    fn ticks(&self) -> Vec<f64> {
        let coarse = self.multiples(&[1.0, 2.0, 5.0]);
        if coarse.len() >= 4 {
            return coarse;
        }
        self.multiples(&[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0])
    }

    fn multiples(&self, digits: &[f64]) -> Vec<f64> {
        let decades = (0..9).map(|power| 10_f64.powi(power));
        let ticks = decades.flat_map(|decade| digits.iter().map(move |digit| digit * decade));
        ticks
            .filter(|tick| (self.low..=self.high).contains(tick))
            .collect()
    }
}

/// One way of sharing.
struct Panel<'a> {
    origin: (f64, f64),
    size: (f64, f64),
    scale: &'a Scale,
}

impl Panel<'_> {
    fn lines(&self, drawing: &mut Drawing, rows: &[&Row<'_>], policies: &[&str], loads: &[f64]) {
        let (left, top) = self.origin;
        let (width, height) = self.size;
        let (first, last) = (loads[0], loads[loads.len() - 1]);
        // Room beside the outermost points.
        let x = |load: f64| left + width * (0.04 + 0.92 * (load - first) / (last - first));
        let y = |value: f64| top + height * (1.0 - self.scale.at(value));
        for tick in self.scale.ticks() {
            drawing.rule((left, y(tick)), (left + width, y(tick)));
            drawing.text((left - 6.0, y(tick) + 4.0), "end", &tick.to_string());
        }
        for load in loads {
            let below = top + height + 18.0;
            drawing.text((x(*load), below), "middle", &load.to_string());
        }
        drawing.text((left + width / 2.0, top + height + 38.0), "middle", "load");
        for (index, policy) in policies.iter().enumerate() {
            let own = rows.iter().filter(|row| row.policy == *policy);
            let mut points: Vec<(f64, f64)> = own
                .filter_map(|row| Some((x(row.cell.load?), y(row.gm99?))))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            drawing.polyline(&points, index);
        }
    }

    fn bars(&self, drawing: &mut Drawing, rows: &[&Row<'_>]) {
        let (left, top) = self.origin;
        let (width, height) = self.size;
        let x = |value: f64| left + width * self.scale.at(value);
        for tick in self.scale.ticks() {
            drawing.rule((x(tick), top), (x(tick), top + height));
            drawing.text((x(tick), top + height + 18.0), "middle", &tick.to_string());
        }
        for (index, row) in rows.iter().enumerate() {
            let y = top + BAR * index as f64;
            drawing.text((left - 6.0, y + BAR * 0.7), "end", row.policy);
            if let Some(value) = row.gm99 {
                drawing.bar((left, y + 3.0), (x(value) - left, BAR - 6.0));
                drawing.text(
                    (x(value) + 4.0, y + BAR * 0.7),
                    "start",
                    &format!("{value:.2}"),
                );
            }
        }
    }
}

/// The text of an SVG that is being written.
struct Drawing(String);

impl Drawing {
    fn new((width, height): (f64, f64)) -> Self {
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        ))
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{element}");
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    fn rule(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"#ddd\"/>"
        ));
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), policy: usize) {
        self.polyline(&[from, to], policy);
    }

    fn polyline(&mut self, points: &[(f64, f64)], policy: usize) {
        let colour = COLOURS[policy % COLOURS.len()];
        let dashes = DASHES[policy / COLOURS.len() % DASHES.len()];
        let mut path = String::new();
        for (x, y) in points {
            let _ = write!(path, "{x:.1},{y:.1} ");
            self.add(format_args!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"
            ));
        }
        self.add(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/>",
            path.trim_end()
        ));
    }

    fn bar(&mut self, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let colour = COLOURS[0];
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{colour}\"/>"
        ));
    }

    fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::simulate::tests::report;

    #[test]
    fn several_loads_make_a_line_for_each_policy_and_one_makes_bars() {
        let lines = svg(&report(&[0.7, 0.5, 0.9]));
        // One in the panel and one in the legend.
        assert_eq!(lines.matches("<polyline").count(), 4, "{lines}");
        assert_eq!(lines.matches("<circle").count(), 10, "{lines}");
        let bars = svg(&report(&[0.5]));
        // And the background.
        assert_eq!(bars.matches("<rect").count(), 3, "{bars}");
        assert!(bars.contains(">good</text>") && bars.contains(">16.00</text>"));
        assert!(
            bars.ends_with("</svg>\n") && !bars.contains("NaN"),
            "{bars}"
        );
    }

    #[test]
    fn the_axis_is_logarithmic() {
        let scale = Scale {
            low: 1.0,
            high: 100.0,
        };
        assert!((scale.at(10.0) - 0.5).abs() < 1e-9);
        assert_eq!(scale.ticks(), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        let high = 2.2;
        assert_eq!(Scale { high, ..scale }.ticks(), [1.0, 1.5, 2.0]);
    }
}
