//! Samples of one metric, as they are encoded.

use std::fmt;

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use rolecast_common::histogram::Histogram;

use super::exemplars::Exemplars;

/// Kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only rises while the program runs, and begins at zero with it.
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub(super) fn metric_type(self) -> MetricType {
        match self {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        }
    }
}

/// The samples of one metric, as they are encoded.
#[derive(Debug)]
pub struct Samples<'a, 'b> {
    encoder: MetricEncoder<'a>,
    kind: Kind,
    labels: &'b [&'static str],
    exemplars: &'b Exemplars,
}

impl<'a, 'b> Samples<'a, 'b> {
    pub(super) fn new(
        encoder: MetricEncoder<'a>,
        kind: Kind,
        labels: &'b [&'static str],
        exemplars: &'b Exemplars,
    ) -> Self {
        Self {
            encoder,
            kind,
            labels,
            exemplars,
        }
    }

    /// Adds a number of a counter or a gauge.
    pub fn count(&mut self, values: &[&str], number: u64) -> fmt::Result {
        let kind = self.kind;
        self.with(values, |encoder| match kind {
            Kind::Counter => encoder.encode_counter(&number, NO_EXEMPLAR),
            Kind::Gauge => encoder.encode_gauge(&number),
            Kind::Histogram => panic!("a histogram has no number"),
        })
    }

    /// Adds a quantity of a counter or a gauge.
    pub fn value(&mut self, values: &[&str], value: f64) -> fmt::Result {
        let kind = self.kind;
        self.with(values, |encoder| match kind {
            Kind::Counter => encoder.encode_counter(&value, NO_EXEMPLAR),
            Kind::Gauge => encoder.encode_gauge(&value),
            Kind::Histogram => panic!("a histogram has no value"),
        })
    }

    /// Adds a histogram of durations.
    pub fn histogram(&mut self, values: &[&str], histogram: &Histogram) -> fmt::Result {
        assert_eq!(self.kind, Kind::Histogram);
        let (sum, count) = (histogram.sum_s(), histogram.count());
        let buckets = histogram.buckets();
        self.exemplars.add(histogram);
        self.with(values, |encoder| {
            encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }

    /// Encodes one series. There is a value for each label.
    fn with(
        &mut self,
        values: &[&str],
        encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        assert_eq!(values.len(), self.labels.len(), "{:?}", self.labels);
        if values.is_empty() {
            return encode(&mut self.encoder);
        }
        let labels = self.labels.iter().copied().zip(values.iter().copied());
        let labels: Vec<(&str, &str)> = labels.collect();
        encode(&mut self.encoder.encode_family(&labels)?)
    }
}

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, u64>> = None;
