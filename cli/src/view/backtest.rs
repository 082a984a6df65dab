//! Scores of a backtest as tables.

use std::collections::BTreeMap;

use crate::backtest::report::Report;
use crate::backtest::score::Scores;
use crate::quantity::counted;
use crate::style::{Palette, Tone};
use crate::table::{Align, Text, plain, table};

const OVERALL_COLUMNS: [(&str, Align); 7] = [
    ("horizon", Align::Right),
    ("rmae", Align::Right),
    ("mase", Align::Right),
    ("rpin90", Align::Right),
    ("cov90", Align::Right),
    ("cov90 dev", Align::Right),
    ("peak cov90", Align::Right),
];
const LEGEND: &str = "\
rmae, rpin90: error of the median and of p90 as a share of the naive forecast's, less is better
mase: error of the median as a share of the mean step; cov90: share of samples not above p90
cov90 dev: how far from 0.9 that is for a series, in the mean";
/// A ratio this close to 1 is neither better nor worse; guessed.
const CLOSE: f64 = 0.005;

/// Shows everything on a page.
pub(crate) fn page(report: &Report, palette: Palette) -> String {
    let overall = report.overall();
    let horizons: Vec<u32> = overall.keys().copied().collect();
    format!(
        "{}\n\n{}\n\n{}\n\n{}: {} series, {}, {:.1} µs each\n",
        series_table(&report.series, &horizons, palette),
        overall_table(report, palette),
        palette.paint(Tone::Faint, LEGEND),
        palette.paint(Tone::Strong, report.model),
        report.series.len(),
        counted(report.samples, "sample"),
        report.micros_per_sample(),
    )
}

fn series_table(series: &BTreeMap<String, Scores>, horizons: &[u32], palette: Palette) -> String {
    let names: Vec<String> = horizons
        .iter()
        .flat_map(|horizon| [format!("rmae {horizon}"), format!("cov90 {horizon}")])
        .collect();
    let mut columns = vec![("series", Align::Left)];
    columns.extend(names.iter().map(|name| (name.as_str(), Align::Right)));
    let rows = series.iter().map(|(name, scores)| {
        let mut row = vec![(name.clone(), Tone::Strong)];
        for horizon in horizons {
            let score = scores.horizons.get(horizon);
            row.push(ratio(score.map(|score| score.rmae)));
            row.push(share(score.map(|score| score.cov90)));
        }
        row
    });
    table(palette, &columns, rows.collect())
}

fn overall_table(report: &Report, palette: Palette) -> String {
    let peaks = report.peaks();
    let rows = report.overall().into_iter().map(|(horizon, overall)| {
        vec![
            (horizon.to_string(), Tone::Strong),
            ratio(Some(overall.rmae)),
            plain(
                overall
                    .mase
                    .map_or("-".to_owned(), |mase| format!("{mase:.3}")),
            ),
            ratio(Some(overall.rpin90)),
            share(Some(overall.cov90)),
            share(Some(overall.cov90_dev)),
            share(peaks.get(&horizon).copied()),
        ]
    });
    table(palette, &OVERALL_COLUMNS, rows.collect())
}

/// Shows an error as a share of the naive forecast's.
fn ratio(value: Option<f64>) -> Text {
    let Some(value) = value else {
        return plain("-");
    };
    let tone = match value {
        value if value < 1.0 - CLOSE => Tone::Good,
        value if value > 1.0 + CLOSE => Tone::Warning,
        _ => Tone::Plain,
    };
    (format!("{value:.3}"), tone)
}

fn share(value: Option<f64>) -> Text {
    plain(value.map_or("-".to_owned(), |value| format!("{value:.3}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::report::tests::report;

    #[test]
    fn the_page_shows_each_series_then_all_of_them() {
        let page = page(&report(), Palette::PLAIN);
        let start = "\
SERIES  RMAE 1  COV90 1
cpu      0.500    1.000
disk     2.000    0.800

HORIZON   RMAE   MASE  RPIN90  COV90  COV90 DEV  PEAK COV90
      1  1.000  0.750   0.500  0.900      0.100           -
";
        assert!(page.starts_with(start), "{page}");
        assert!(
            page.ends_with("ensemble: 2 series, 400 samples, 5.0 µs each\n"),
            "{page}"
        );
    }
}
