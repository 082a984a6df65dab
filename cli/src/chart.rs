//! Chart in text: the last hour of measurements and the forecast of the next hour.
//!
//! Left of the upright line are the measurements, right of it the median of the forecast,
//! both drawn with Braille dots, four to a row. Above the median, up to the quantiles,
//! cells are shaded. Shades and sides carry the same information as colours, so the chart
//! can be read without them.

use rolecast_common::wire::{ForecastAt, ResourceForecast};

use crate::style::{Palette, Tone};
use crate::table::{Text, plain};

/// Time that each side shows, in seconds.
const SIDE_S: f64 = 3600.0;
/// Rows and columns of dots in a cell.
const DOT_ROWS: usize = 4;
const DOT_COLUMNS: usize = 2;
/// The bits of Braille: by row from the top, by column.
const DOTS: [[u8; DOT_COLUMNS]; DOT_ROWS] =
    [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
/// The fewest columns that show anything.
const PLOT_COLUMNS_MIN: usize = 11;

/// Meaning of the signs.
pub(crate) const LEGEND: &str = "\
left of │: measured; right: ⠒ median expected, ▒ up to p90, ░ up to p99";

/// Size of a chart, including labels and without the line below it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// Draws a chart; `label` formats a value.
pub(crate) fn chart(
    forecast: &ResourceForecast,
    area: Area,
    label: impl Fn(f64) -> String,
    palette: Palette,
) -> String {
    let mut text = String::new();
    for line in lines(forecast, area, label) {
        let signs = line.iter().map(|(signs, tone)| palette.paint(*tone, signs));
        text.push_str(signs.collect::<String>().trim_end());
        text.push('\n');
    }
    text
}

/// Draws a chart, line by line; neighbours of one tone are together.
pub(crate) fn lines(
    forecast: &ResourceForecast,
    area: Area,
    label: impl Fn(f64) -> String,
) -> Vec<Vec<Text>> {
    let Some(scale) = Scale::of(forecast) else {
        return vec![vec![plain("nothing measured yet")]];
    };
    let (top, bottom) = (label(scale.high), label(scale.low));
    let gutter = top.chars().count().max(bottom.chars().count());
    let columns = area
        .columns
        .saturating_sub(gutter + 1)
        .max(PLOT_COLUMNS_MIN);
    let mut plot = Plot::new(columns, area.rows.max(2), scale);
    plot.draw(forecast);
    let rows = plot.rows();
    let mut lines = Vec::new();
    for row in 0..rows {
        let label = match row {
            0 => top.as_str(),
            row if row + 1 == rows => bottom.as_str(),
            _ => "",
        };
        let mut line = vec![plain(format!("{label:>gutter$} "))];
        line.extend(plot.line(row));
        lines.push(line);
    }
    lines.push(vec![plain(format!("{:gutter$} {}", "", plot.axis()))]);
    lines
}

/// The values of the lowest and the highest row.
#[derive(Clone, Copy, Debug)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// Begins at zero unless all values are far from it, and ends at the capacity if some
    /// are near it; `None` without values.
    fn of(forecast: &ResourceForecast) -> Option<Self> {
        let bands = forecast.horizons.iter();
        let bands = bands.flat_map(|at| [at.p50, at.p90, at.p99]);
        let values = forecast.history.iter().copied().chain(bands);
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        if values.is_empty() {
            return None;
        }
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(0.0, f64::max);
        let (min, max) = (min.max(0.0), if max > 0.0 { max } else { 1.0 });
        let low = if min < max / 2.0 {
            0.0
        } else {
            // A flat line shows at least a tenth of its height.
            (min - (max - min).max(max / 10.0) / 2.0).max(0.0)
        };
        let is_near = max >= forecast.capacity / 2.0 && low <= 0.0;
        let high = if is_near {
            max.max(forecast.capacity)
        } else {
            max
        };
        Some(Self { low, high })
    }

    /// Returns the level of a value, counted from below.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "levels are few, and a cast of NaN gives 0"
    )]
    fn level(self, value: f64, levels: usize) -> usize {
        let share = (value - self.low) / (self.high - self.low);
        (share.clamp(0.0, 1.0) * (levels - 1) as f64).round() as usize
    }
}

/// One sign of the chart.
#[derive(Clone, Copy, Debug)]
struct Cell {
    dots: u8,
    shade: char,
    tone: Tone,
}

/// The cells of a chart, the upper row first.
#[derive(Debug)]
struct Plot {
    cells: Vec<Vec<Cell>>,
    scale: Scale,
    /// Columns of the past; the future begins at the next column.
    past: usize,
    future: usize,
}

impl Plot {
    fn new(columns: usize, rows: usize, scale: Scale) -> Self {
        let past = (columns - 1) / 2;
        let empty = Cell {
            dots: 0,
            shade: ' ',
            tone: Tone::Plain,
        };
        Self {
            cells: vec![vec![empty; columns]; rows],
            scale,
            past,
            future: columns - 1 - past,
        }
    }

    fn rows(&self) -> usize {
        self.cells.len()
    }

    fn draw(&mut self, forecast: &ResourceForecast) {
        for row in &mut self.cells {
            row[self.past].shade = '│';
            row[self.past].tone = Tone::Faint;
        }
        for column in 0..self.future {
            let seconds = SIDE_S * centre(column, self.future);
            if let Some(at) = expected(&forecast.horizons, seconds) {
                self.shade(self.past + 1 + column, &at);
            }
        }
        let dots = self.past * DOT_COLUMNS;
        let measured = |dot| measured(forecast, SIDE_S * (centre(dot, dots) - 1.0));
        self.trace(0, (0..dots).map(measured).collect(), Tone::Plain);
        let dots = self.future * DOT_COLUMNS;
        let median = |dot| {
            let at = expected(&forecast.horizons, SIDE_S * centre(dot, dots))?;
            Some(at.p50)
        };
        let median = (0..dots).map(median).collect();
        self.trace(self.past + 1, median, Tone::Good);
    }

    /// Shades one column from the median up to the quantiles.
    fn shade(&mut self, column: usize, at: &ForecastAt) {
        let rows = self.rows();
        let row = |value| self.scale.level(value, rows * DOT_ROWS) / DOT_ROWS;
        let (p50, p90, p99) = (row(at.p50), row(at.p90), row(at.p99));
        for height in p50 + 1..=p99.max(p90) {
            let (shade, tone) = if height <= p90 {
                ('▒', Tone::Warning)
            } else {
                ('░', Tone::Faint)
            };
            let cell = &mut self.cells[rows - 1 - height][column];
            (cell.shade, cell.tone) = (shade, tone);
        }
    }

    /// Draws a line from this column on, given its value at each column of dots.
    fn trace(&mut self, column: usize, values: Vec<Option<f64>>, tone: Tone) {
        let levels = self.rows() * DOT_ROWS;
        let mut before = None;
        for (dot, value) in values.into_iter().enumerate() {
            let level = value.map(|value| self.scale.level(value, levels));
            if let Some(level) = level {
                let from: usize = before.unwrap_or(level);
                // Dots between two values belong to the line.
                for between in from.min(level)..=from.max(level) {
                    if between != from || from == level {
                        self.dot(column * DOT_COLUMNS + dot, between, tone);
                    }
                }
            }
            before = level;
        }
    }

    fn dot(&mut self, dot: usize, level: usize, tone: Tone) {
        let from_top = self.rows() * DOT_ROWS - 1 - level;
        let cell = &mut self.cells[from_top / DOT_ROWS][dot / DOT_COLUMNS];
        cell.dots |= DOTS[from_top % DOT_ROWS][dot % DOT_COLUMNS];
        cell.tone = tone;
    }

    /// Returns a row, neighbours of one tone together.
    fn line(&self, row: usize) -> impl Iterator<Item = Text> {
        let runs = self.cells[row].chunk_by(|a, b| a.tone == b.tone);
        runs.map(|run| {
            let signs = run.iter().map(|cell| cell.sign());
            (signs.collect(), run[0].tone)
        })
    }

    /// Writes the time axis.
    fn axis(&self) -> String {
        let (past, future) = (self.past, self.future);
        let left = "-60 min";
        if past < left.len() + 2 {
            return format!("{:past$}now", "");
        }
        let gap = past - left.len() - 1;
        let right = future - 1;
        format!("{left}{:gap$}now{:>right$}", "", "+60 min")
    }
}

impl Cell {
    fn sign(self) -> char {
        if self.dots == 0 {
            return self.shade;
        }
        char::from_u32(0x2800 + u32::from(self.dots)).unwrap_or(self.shade)
    }
}

/// Returns the middle of one of this many equal parts, from 0 to 1.
#[allow(clippy::cast_precision_loss, reason = "a terminal has few columns")]
fn centre(part: usize, parts: usize) -> f64 {
    (part as f64 + 0.5) / parts as f64
}

/// Returns the measured value at a moment; 0 is the last measurement.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index within an hour of samples"
)]
fn measured(forecast: &ResourceForecast, seconds: f64) -> Option<f64> {
    let last = forecast.history.len().checked_sub(1)?;
    let place = last as f64 + seconds / f64::from(forecast.step_s.max(1));
    if place < 0.0 {
        return None;
    }
    let before = (place as usize).min(last);
    let (from, to) = (
        forecast.history[before],
        forecast.history[(before + 1).min(last)],
    );
    Some(from + (to - from) * place.fract())
}

/// Joins the forecasts at the horizons by lines.
fn expected(horizons: &[ForecastAt], seconds: f64) -> Option<ForecastAt> {
    let reaches = |at: &&ForecastAt| f64::from(at.seconds) >= seconds;
    let above = horizons.iter().find(reaches)?;
    let below = horizons.iter().rev().find(|at| !reaches(at));
    let below = below.unwrap_or(above);
    let span = f64::from(above.seconds) - f64::from(below.seconds);
    let share = (seconds - f64::from(below.seconds)) / span.max(1.0);
    let share = share.clamp(0.0, 1.0);
    let between = |near: f64, far: f64| near + (far - near) * share;
    Some(ForecastAt {
        seconds: above.seconds,
        p50: between(below.p50, above.p50),
        p90: between(below.p90, above.p90),
        p99: between(below.p99, above.p99),
        peak_p90: between(below.peak_p90, above.peak_p90),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Area = Area {
        columns: 46,
        rows: 6,
    };

    #[test]
    fn a_rise_is_followed_by_its_band() {
        let text = chart(
            &rising(),
            AREA,
            |value| format!("{value:.0}"),
            Palette::PLAIN,
        );
        let expected = "\
6                      │       ░░░░░░░░░░░░░░░
                       │  ░░░▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
                       │⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀
                   ⢀⡠⠒⠉│
               ⢀⡠⠔⠊⠁   │
0           ⢀⠤⠒⠁       │
  -60 min             now              +60 min
";
        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn no_line_is_wider_than_the_area() {
        for columns in [20, 33, 80, 200] {
            let area = Area { columns, rows: 5 };
            let text = chart(&rising(), area, |value| format!("{value}"), Palette::PLAIN);
            assert_eq!(text.lines().count(), 6);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns), "{widest:?} of {columns}:\n{text}");
        }
    }

    #[test]
    fn colours_change_no_sign() {
        let plain = chart(&rising(), AREA, |_| String::new(), Palette::PLAIN);
        let painted = chart(&rising(), AREA, |_| String::new(), Palette::new(true));
        assert_ne!(plain, painted);
        let mut bare = painted;
        for tone in ["\x1b[0m", "\x1b[2m", "\x1b[32m", "\x1b[33m"] {
            bare = bare.replace(tone, "");
        }
        let trimmed = |text: &str| -> Vec<String> {
            text.lines()
                .map(|line| line.trim_end().to_owned())
                .collect()
        };
        assert_eq!(trimmed(&bare), trimmed(&plain));
    }

    #[test]
    fn a_flat_line_far_from_zero_keeps_to_its_neighbourhood() {
        let flat = ResourceForecast {
            step_s: 60,
            history: vec![1000.0; 60],
            ..ResourceForecast::default()
        };
        let scale = Scale::of(&flat).unwrap();
        assert_eq!((scale.low, scale.high), (950.0, 1000.0));
    }

    #[test]
    fn a_capacity_that_is_near_is_the_top() {
        let mut forecast = rising();
        assert_eq!(Scale::of(&forecast).unwrap().high, 6.0);
        forecast.capacity = 8.0;
        assert_eq!(Scale::of(&forecast).unwrap().high, 8.0);
    }

    #[test]
    fn without_values_there_is_no_chart() {
        let none = ResourceForecast::default();
        let text = chart(&none, AREA, |value| format!("{value}"), Palette::PLAIN);
        assert_eq!(text, "nothing measured yet\n");
    }

    #[test]
    fn what_is_not_finite_draws_nothing_strange() {
        let mut forecast = rising();
        forecast.history[30] = f64::NAN;
        forecast.horizons[0].p99 = f64::INFINITY;
        let text = chart(
            &forecast,
            AREA,
            |value| format!("{value:.0}"),
            Palette::PLAIN,
        );
        assert_eq!(text.lines().count(), AREA.rows + 1);
    }

    /// Half an hour that rises from 0 to 3, then 3 with a band of 1 and 2, that
    /// widens at the end.
    fn rising() -> ResourceForecast {
        let at = |seconds, p90, p99| ForecastAt {
            seconds,
            p50: 3.0,
            p90,
            p99,
            peak_p90: p99,
        };
        ResourceForecast {
            capacity: 100.0,
            step_s: 60,
            history: (0..=30).map(|minute| f64::from(minute) / 10.0).collect(),
            horizons: vec![at(60, 3.2, 3.5), at(900, 4.2, 5.0), at(3600, 4.2, 6.0)],
            ..ResourceForecast::default()
        }
    }
}
