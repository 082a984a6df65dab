//! Every forecast of a backtest as comma-separated values, for other tools.

use csv::WriterBuilder;
use rolecast_simulator::recording::{Series, Table};

use super::Forecast;
use super::score::actual;

/// The names of the columns; `origin` is the time of the last row that was known.
pub(crate) const HEADER: &str = "series,origin,horizon,p50,p90,peak_p90,actual\n";

/// Writes the forecasts of one series; a cell without a value is empty.
pub(crate) fn lines(
    name: &str,
    table: &Table,
    series: &Series,
    forecasts: &[Forecast],
) -> csv::Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    for forecast in forecasts {
        let actual = actual(&table.numbers, &series.samples, forecast);
        writer.write_record([
            name,
            &seconds(table.times[forecast.row]),
            &forecast.horizon.to_string(),
            &forecast.p50.to_string(),
            &forecast.p90.to_string(),
            &optional(forecast.peak_p90),
            &optional(actual),
        ])?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

fn optional(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// Writes milliseconds as seconds, with a fraction only where there is one.
fn seconds(millis: u64) -> String {
    match (millis / 1000, millis % 1000) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part:03}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_has_a_cell_for_each_column() {
        let series = Series {
            name: "cpu".to_owned(),
            samples: vec![Some(1.0), Some(2.5)],
        };
        let table = Table {
            step: Duration::from_millis(1500),
            numbers: vec![1, 2],
            times: vec![1500, 3000],
            series: Vec::new(),
        };
        let forecast = Forecast {
            row: 0,
            horizon: 1,
            p50: 2.0,
            p90: 2.25,
            peak_p90: None,
        };
        let last = Forecast {
            row: 1,
            peak_p90: Some(4.0),
            ..forecast
        };
        let lines = lines("a, b", &table, &series, &[forecast, last]).unwrap();
        let expected = "\"a, b\",1.500,1,2,2.25,,2.5\n\"a, b\",3,1,2,2.25,4,\n";
        assert_eq!(String::from_utf8(lines).unwrap(), expected);
        assert_eq!(HEADER.split(',').count(), 7);
    }
}
