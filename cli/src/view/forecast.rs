//! Forecasts of one node as text: charts, models, and past accuracy.

use std::collections::BTreeSet;

use csv::WriterBuilder;
use rolecast_common::unit::Bytes;
use rolecast_common::wire::{AccuracyAt, ForecastAt, ForecastView, NodeHealth, ResourceForecast};
use rolecast_common::words::{ahead, rate};

use crate::chart::{Area, LEGEND, chart};
use crate::quantity::counted;
use crate::style::{Palette, Tone};
use crate::table::{Align, Text, plain, table};
use crate::view::hindsight;

/// The resources in the order in which they are shown.
const ORDER: [&str; 4] = ["cpu", "memory", "network", "disk"];
/// Rows of a single chart, and of one of several.
const ROWS_ALONE: usize = 14;
const ROWS_OF_SEVERAL: usize = 5;

const EXPECTED_COLUMNS: [(&str, Align); 11] = [
    ("resource", Align::Left),
    ("in", Align::Right),
    ("p50", Align::Right),
    ("p90", Align::Right),
    ("p99", Align::Right),
    ("peak p90", Align::Right),
    ("error", Align::Right),
    ("naive", Align::Right),
    ("ratio", Align::Right),
    ("covered", Align::Right),
    ("scored", Align::Right),
];
const EXPECTED_LEGEND: &str = "\
peak p90: of the largest value until then; error: mean error of p50, naive: the same if
the last value were the forecast; covered: share of values not above p90, ideally 0.90";
const CSV_HEADER: [&str; 7] = [
    "resource", "offset_s", "p50", "p90", "p99", "peak_p90", "actual",
];
/// A ratio this close to 1 is neither better nor worse; guessed.
const CLOSE: f64 = 0.005;

/// Shows everything on a page of this many columns.
pub(crate) fn page(view: &ForecastView, columns: usize, palette: Palette) -> String {
    let resources = ordered(view);
    let rows = match resources.len() {
        1 => ROWS_ALONE,
        _ => ROWS_OF_SEVERAL,
    };
    let mut text = format!("{}\n\n", title(view, palette));
    for (name, forecast) in &resources {
        text.push_str(&heading(name, forecast, palette));
        let area = Area { columns, rows };
        let label = |value| amount(name, value);
        text.push_str(&chart(forecast, area, label, palette));
        text.push_str(&hindsight::lines(forecast, columns, palette));
        text.push('\n');
    }
    text.push_str(&palette.paint(Tone::Faint, LEGEND));
    text.push_str("\n\n");
    text.push_str(&expected_table(&resources, palette));
    text.push('\n');
    text.push_str(&palette.paint(Tone::Faint, EXPECTED_LEGEND));
    text.push_str("\n\n");
    text.push_str(&weights_table(&resources, palette));
    text.push('\n');
    text
}

/// Writes history and forecasts as comma-separated values; a cell without a value is
/// empty. Offsets are counted from the last full minute.
pub(crate) fn csv(view: &ForecastView) -> csv::Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(CSV_HEADER)?;
    for (name, forecast) in ordered(view) {
        let count = forecast.history.len();
        for (index, value) in forecast.history.iter().enumerate() {
            let steps = i64::try_from(count - 1 - index).unwrap_or(i64::MAX);
            let offset = -i64::from(forecast.step_s).saturating_mul(steps);
            let (offset, value) = (offset.to_string(), value.to_string());
            writer.write_record([name, &offset, "", "", "", "", &value])?;
        }
        for at in &forecast.horizons {
            let numbers = [at.p50, at.p90, at.p99, at.peak_p90].map(|value| value.to_string());
            let [p50, p90, p99, peak_p90] = &numbers;
            let offset = at.seconds.to_string();
            writer.write_record([name, &offset, p50, p90, p99, peak_p90, ""])?;
        }
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

fn ordered(view: &ForecastView) -> Vec<(&str, &ResourceForecast)> {
    let known = ORDER
        .into_iter()
        .filter_map(|name| Some((name, view.resources.get(name)?)));
    known.collect()
}

fn title(view: &ForecastView, palette: Palette) -> String {
    let (health, tone) = match view.health {
        Some(health @ NodeHealth::Ready) => ("ready", Tone::of_health(health)),
        Some(health @ NodeHealth::Draining) => ("draining", Tone::of_health(health)),
        Some(health @ NodeHealth::Gone) => ("gone", Tone::of_health(health)),
        None => ("unknown", Tone::Bad),
    };
    format!(
        "node {}, {}, forecasts {}, {}: use by others than jobs",
        palette.paint(Tone::Strong, view.node.as_str()),
        palette.paint(tone, health),
        view.mode,
        view.at_ms,
    )
}

fn heading(name: &str, forecast: &ResourceForecast, palette: Palette) -> String {
    let mut text = palette.paint(Tone::Strong, name);
    if let Some(last) = forecast.history.last() {
        let last = amount(name, *last);
        text.push_str(&format!("  {last} in the last minute"));
    }
    if forecast.capacity > 0.0 {
        let capacity = amount(name, forecast.capacity);
        text.push_str(&format!(", of {capacity}"));
    }
    text.push('\n');
    text
}

fn expected_table(resources: &[(&str, &ResourceForecast)], palette: Palette) -> String {
    let mut rows = Vec::new();
    for (name, forecast) in resources {
        for at in &forecast.horizons {
            let mut scores = forecast.accuracy.iter();
            let score = scores.find(|score| score.seconds == at.seconds);
            rows.push(expected_row(name, at, score));
        }
    }
    if rows.is_empty() {
        return "no forecasts yet: they begin after the first ten seconds".to_owned();
    }
    table(palette, &EXPECTED_COLUMNS, rows)
}

fn expected_row(name: &str, at: &ForecastAt, score: Option<&AccuracyAt>) -> Vec<Text> {
    let mut row = vec![(name.to_owned(), Tone::Strong), plain(ahead(at.seconds))];
    for value in [at.p50, at.p90, at.p99, at.peak_p90] {
        row.push(plain(amount(name, value)));
    }
    let Some(score) = score.filter(|score| score.scored > 0) else {
        row.extend(["-", "-", "-", "-", "0"].map(plain));
        return row;
    };
    row.push(plain(amount(name, score.error)));
    row.push(plain(amount(name, score.naive_error)));
    row.push(ratio(score));
    row.push(plain(format!("{:.2}", score.coverage)));
    row.push(plain(score.scored));
    row
}

/// Shows the error as a share of the naive forecast's.
fn ratio(score: &AccuracyAt) -> Text {
    if score.naive_error <= 0.0 {
        return plain("-");
    }
    let ratio = score.error / score.naive_error;
    let tone = match ratio {
        ratio if ratio < 1.0 - CLOSE => Tone::Good,
        ratio if ratio > 1.0 + CLOSE => Tone::Warning,
        _ => Tone::Plain,
    };
    (format!("{ratio:.2}"), tone)
}

fn weights_table(resources: &[(&str, &ResourceForecast)], palette: Palette) -> String {
    let weights = resources.iter().flat_map(|(_, forecast)| &forecast.weights);
    let models: BTreeSet<&String> = weights.flat_map(|at| at.models.keys()).collect();
    let mut columns = vec![("weights", Align::Left), ("in", Align::Right)];
    columns.extend(models.iter().map(|model| (model.as_str(), Align::Right)));
    let mut rows = Vec::new();
    for (name, forecast) in resources {
        for at in &forecast.weights {
            let mut row = vec![((*name).to_owned(), Tone::Strong), plain(ahead(at.seconds))];
            row.extend(models.iter().map(|model| weight(at.models.get(*model))));
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return counted(0, "model");
    }
    table(palette, &columns, rows)
}

fn weight(weight: Option<&f64>) -> Text {
    let percent = weight.copied().unwrap_or(0.0) * 100.0;
    let tone = match percent {
        percent if percent < 0.5 => Tone::Faint,
        percent if percent >= 30.0 => Tone::Strong,
        _ => Tone::Plain,
    };
    (format!("{percent:.0} %"), tone)
}

/// Writes an amount of a resource, named as on the wire.
pub(crate) fn amount(resource: &str, value: f64) -> String {
    match resource {
        "cpu" => format!("{value:.2}"),
        "memory" => Bytes::clamped(value.round()).to_string(),
        _ => rate(value),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rolecast_common::id::NodeId;
    use rolecast_common::time::WallTime;
    use rolecast_common::wire::{ForecastMode, VERSION, WeightsAt};

    use super::*;

    #[test]
    fn the_page_shows_what_is_expected_and_how_good_that_was() {
        let page = page(&view(), 60, Palette::PLAIN);
        let start = "\
node oak, ready, forecasts on, 1970-01-01T00:00:09.000Z: use by others than jobs

cpu  1.50 in the last minute, of 4.00
";
        assert!(page.starts_with(start), "{page}");
        let end = "\
RESOURCE   IN   P50   P90   P99  PEAK P90  ERROR  NAIVE  RATIO  COVERED  SCORED
cpu       10s  1.50  2.00  2.50      2.25   0.10   0.20   0.50     0.91     120
cpu        1h  1.60  2.10  2.60      2.35      -      -      -        -       0
";
        assert!(page.contains(end), "{page}");
        let weights = "\
WEIGHTS  IN   ETS  NAIVE
cpu      1m  75 %   25 %
cpu      1h   0 %  100 %
";
        assert!(page.ends_with(weights), "{page}");
        assert!(!page.contains('\x1b'));
    }

    #[test]
    fn one_resource_is_drawn_larger_than_several() {
        let alone = view();
        let mut several = view();
        let cpu = several.resources["cpu"].clone();
        several.resources.insert("memory".to_owned(), cpu);
        let chart_rows = |view: &ForecastView| {
            let page = page(view, 60, Palette::PLAIN);
            let lines = page.lines().skip_while(|line| !line.starts_with("cpu"));
            lines.skip(1).take_while(|line| !line.is_empty()).count()
        };
        assert_eq!(chart_rows(&alone), ROWS_ALONE + 1);
        assert_eq!(chart_rows(&several), ROWS_OF_SEVERAL + 1);
    }

    #[test]
    fn a_table_with_commas_has_the_past_and_the_future() {
        let text = String::from_utf8(csv(&view()).unwrap()).unwrap();
        let expected = "\
resource,offset_s,p50,p90,p99,peak_p90,actual
cpu,-60,,,,,0.5
cpu,0,,,,,1.5
cpu,10,1.5,2,2.5,2.25,
cpu,3600,1.6,2.1,2.6,2.35,
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_node_that_just_joined_has_no_forecasts_yet() {
        let mut view = view();
        for forecast in view.resources.values_mut() {
            *forecast = ResourceForecast::default();
        }
        let page = page(&view, 60, Palette::PLAIN);
        assert!(page.contains("nothing measured yet"), "{page}");
        assert!(page.contains("no forecasts yet"), "{page}");
    }

    fn view() -> ForecastView {
        let at = |seconds, p50: f64| ForecastAt {
            seconds,
            p50,
            p90: p50 + 0.5,
            p99: p50 + 1.0,
            peak_p90: p50 + 0.75,
        };
        let weights = |seconds, ets| WeightsAt {
            seconds,
            models: BTreeMap::from([("ets".to_owned(), ets), ("naive".to_owned(), 1.0 - ets)]),
        };
        let cpu = ResourceForecast {
            capacity: 4.0,
            step_s: 60,
            history: vec![0.5, 1.5],
            history_5m: Vec::new(),
            past: None,
            horizons: vec![at(10, 1.5), at(3600, 1.6)],
            weights: vec![weights(60, 0.75), weights(3600, 0.0)],
            accuracy: vec![AccuracyAt {
                seconds: 10,
                error: 0.1,
                naive_error: 0.2,
                coverage: 0.91,
                scored: 120,
            }],
        };
        ForecastView {
            v: VERSION,
            node: NodeId::new("oak").unwrap(),
            at_ms: WallTime::from_millis(9000),
            mode: ForecastMode::On,
            health: Some(NodeHealth::Ready),
            resources: BTreeMap::from([("cpu".to_owned(), cpu)]),
        }
    }
}
