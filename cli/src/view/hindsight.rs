//! The last hour beside what had been expected of it, a column for each minute.

use rolecast_common::wire::{PastForecasts, ResourceForecast};
use rolecast_common::words::ahead;

use crate::quantity::counted;
use crate::style::{Palette, Tone};

/// Columns shown: an hour of minutes.
const COLUMNS_MAX: usize = 60;
const LABEL_WIDTH: usize = 10;
/// Bars of one sign, the lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns four lines of at most `columns` columns; nothing before anything can be compared.
pub(crate) fn lines(forecast: &ResourceForecast, columns: usize, palette: Palette) -> String {
    let Some(past) = &forecast.past else {
        return String::new();
    };
    let count = columns.saturating_sub(LABEL_WIDTH).clamp(1, COLUMNS_MAX);
    let rows = rows(forecast, past, count);
    let pairs = rows.iter().filter_map(|row| Some((row[0]?, row[2]?)));
    let (mut compared, mut within) = (0, 0);
    for (measured, p90) in pairs {
        compared += 1;
        within += usize::from(measured <= p90);
    }
    if compared == 0 {
        return String::new();
    }
    let values = rows.iter().flatten().flatten();
    let largest = values.copied().fold(0.0, f64::max);
    let mut text = format!(
        "{within} of {} were within the p90 expected {} before:\n",
        counted(compared, "minute"),
        ahead(past.ahead_s)
    );
    let names = [
        ("measured", Tone::Plain),
        ("p50", Tone::Good),
        ("p90", Tone::Warning),
    ];
    for (index, (name, tone)) in names.into_iter().enumerate() {
        let signs = rows.iter().map(|row| sign(row[index], largest));
        let signs = palette.paint(tone, signs.collect::<String>().trim_end());
        text.push_str(&format!("{name:<LABEL_WIDTH$}{signs}\n"));
    }
    text
}

/// Returns the measured value, the median and the 90 % quantile of the last minutes, the
/// oldest first.
fn rows(forecast: &ResourceForecast, past: &PastForecasts, count: usize) -> Vec<[Option<f64>; 3]> {
    let minutes = (0u32..).take(count).collect::<Vec<u32>>();
    let row = |steps: &u32| {
        let ago_s = steps.saturating_mul(forecast.step_s);
        let measured = usize::try_from(*steps).ok().and_then(|steps| {
            let measured = forecast.history.iter().rev().nth(steps);
            measured.copied()
        });
        let expected = past.values.iter().find(|at| at.ago_s == ago_s);
        [
            measured,
            expected.map(|at| at.p50),
            expected.map(|at| at.p90),
        ]
    };
    minutes.iter().rev().map(row).collect()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "bars are few, and a cast of NaN gives 0"
)]
fn sign(value: Option<f64>, largest: f64) -> char {
    let Some(value) = value else {
        return ' ';
    };
    let share = (value / largest).clamp(0.0, 1.0);
    BARS[(share * (BARS.len() - 1) as f64).round() as usize]
}

#[cfg(test)]
mod tests {
    use rolecast_common::wire::PastForecast;

    use super::*;

    #[test]
    fn what_was_expected_is_below_what_was_measured_at_that_time() {
        let mut forecast = ResourceForecast {
            step_s: 60,
            history: vec![0.0, 1.0, 2.0, 4.0],
            ..ResourceForecast::default()
        };
        assert_eq!(lines(&forecast, 80, Palette::PLAIN), "");
        let at = |ago_s, p50| PastForecast {
            ago_s,
            p50,
            p90: p50 + 1.0,
        };
        // Nothing was expected of a minute ago.
        forecast.past = Some(PastForecasts {
            ahead_s: 300,
            values: vec![at(180, 0.0), at(120, 1.0), at(0, 2.0)],
        });
        let expected = "\
2 of 3 minutes were within the p90 expected 5m before:
measured  ▁▃▅█
p50       ▁▃ ▅
p90       ▃▅ ▆
";
        assert_eq!(lines(&forecast, LABEL_WIDTH + 4, Palette::PLAIN), expected);
        let wide = lines(&forecast, 200, Palette::PLAIN);
        assert!(
            wide.lines().all(|line| line.chars().count() <= 70),
            "{wide}"
        );
    }
}
