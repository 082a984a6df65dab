//! Answer to a scrape: tables and their figures, encoded in the format that the reader asks
//! for.

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::registry::Registry;

use super::exemplars::Exemplars;
use super::samples::Samples;
use super::table::Row;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Tables of metrics with the figures of one moment.
#[derive(Debug, Default)]
pub struct Exposition {
    registry: Registry,
    exemplars: Arc<Exemplars>,
}

impl Exposition {
    /// Adds a table.
    pub fn add<F>(&mut self, rows: &'static [Row<F>], figures: F)
    where
        F: fmt::Debug + Send + Sync + 'static,
    {
        let exemplars = Arc::clone(&self.exemplars);
        let rows = Rows {
            rows,
            figures,
            exemplars,
        };
        self.registry.register_collector(Box::new(rows));
    }

    /// Answers a scrape: in OpenMetrics, or in the older text format to a reader that
    /// asks for text only.
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let accepted = accepted.unwrap_or_default();
        let is_old = accepted.contains("text/plain") && !accepted.contains("openmetrics");
        let (content_type, text) = match is_old {
            true => (prometheus_text::CONTENT_TYPE, self.prometheus_text()),
            false => (OPEN_METRICS, self.open_metrics()),
        };
        ([(CONTENT_TYPE, content_type)], text).into_response()
    }

    /// Returns the text in the format OpenMetrics 1.0.
    pub fn open_metrics(&self) -> String {
        self.exemplars.clear();
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a string takes any text");
        self.exemplars.append_to(text)
    }

    /// Returns the text in the format 0.0.4 of Prometheus, which has no exemplars.
    pub fn prometheus_text(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry).expect("a string takes any text");
        text
    }
}

struct Rows<F: 'static> {
    rows: &'static [Row<F>],
    figures: F,
    exemplars: Arc<Exemplars>,
}

impl<F> fmt::Debug for Rows<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.rows)
    }
}

impl<F: Send + Sync + 'static> Collector for Rows<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for row in self.rows {
            let (name, unit) = row.parts();
            let kind = row.kind.metric_type();
            let encoder = encoder.encode_descriptor(name, row.help, unit.as_ref(), kind)?;
            let mut samples = Samples::new(encoder, row.kind, row.labels, &self.exemplars);
            (row.read)(&self.figures, &mut samples)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rolecast_common::histogram::Histogram;
    use rolecast_common::time::WallTime;
    use rolecast_common::trace::TraceContext;

    use super::*;
    use crate::metrics::Kind;

    const ROWS: [Row<u64>; 3] = [
        Row {
            name: "a_jobs_total",
            kind: Kind::Counter,
            help: "Jobs that ended",
            labels: &["category", "end"],
            bound: "",
            read: |count, samples| samples.count(&["o\"cr", "dead"], *count),
        },
        Row {
            name: "a_memory_bytes",
            kind: Kind::Gauge,
            help: "Memory",
            labels: &[],
            bound: "",
            read: |_, samples| samples.value(&[], 1.5),
        },
        Row {
            name: "a_wait_seconds",
            kind: Kind::Histogram,
            help: "Waits",
            labels: &["category"],
            bound: "",
            read: |count, samples| {
                let mut waits = Histogram::default();
                waits.observe(Duration::from_secs(*count));
                samples.histogram(&["ocr"], &waits)
            },
        },
    ];

    fn exposition() -> Exposition {
        let mut exposition = Exposition::default();
        exposition.add(&ROWS, 7);
        exposition
    }

    #[test]
    fn figures_are_encoded_with_their_units() {
        let text = exposition().open_metrics();
        for line in [
            "# TYPE a_jobs counter",
            "a_jobs_total{category=\"o\\\"cr\",end=\"dead\"} 7",
            "# UNIT a_memory_bytes bytes",
            "a_memory_bytes 1.5",
            "# TYPE a_wait_seconds histogram",
            "a_wait_seconds_sum{category=\"ocr\"} 7.0",
            "a_wait_seconds_bucket{le=\"5.0\",category=\"ocr\"} 0",
            "a_wait_seconds_bucket{le=\"10.0\",category=\"ocr\"} 1",
            "a_wait_seconds_bucket{le=\"+Inf\",category=\"ocr\"} 1",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} not in {text}"
            );
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_bucket_with_a_traced_duration_has_an_exemplar_in_open_metrics_alone() {
        const TRACED: [Row<u64>; 1] = [Row {
            read: |count, samples| {
                let mut waits = Histogram::default();
                let producer = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
                let trace = TraceContext::parse(producer).map(|context| context.trace);
                let at = WallTime::from_millis(1_769_860_800_050);
                waits.observe_traced(at, Duration::from_millis(*count), trace);
                samples.histogram(&["_bucket{"], &waits)
            },
            ..ROWS[2]
        }];
        let mut exposition = exposition();
        exposition.add(&TRACED, 700);
        let exemplar = "# {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 0.7 1769860800.050";
        let line =
            format!("a_wait_seconds_bucket{{le=\"1.0\",category=\"_bucket{{\"}} 1 {exemplar}");
        // A second scrape has the same text as the first.
        for _ in 0..2 {
            let text = exposition.open_metrics();
            let found: Vec<&str> = text.lines().filter(|line| line.contains(" # ")).collect();
            assert_eq!(found, [line.as_str()], "{text}");
            assert!(text.ends_with("# EOF\n"), "{text}");
            assert!(!exposition.prometheus_text().contains("trace_id"));
        }
    }

    #[test]
    fn the_format_is_the_one_that_the_reader_asks_for() {
        let asked = |accept: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, accept.parse().unwrap());
            }
            let answer = exposition().answer(&headers);
            answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned()
        };
        let prometheus = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,\
            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(asked(Some(prometheus)), OPEN_METRICS);
        assert_eq!(asked(None), OPEN_METRICS);
        assert_eq!(asked(Some("*/*")), OPEN_METRICS);
        let old = asked(Some("text/plain;version=0.0.4"));
        assert!(old.starts_with("text/plain; version=0.0.4"), "{old}");
        let text = exposition().prometheus_text();
        assert!(text.contains("# TYPE a_jobs_total counter\n"), "{text}");
        assert!(!text.contains("# EOF"), "{text}");
    }
}
