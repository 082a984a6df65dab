//! Bins: means and largest values of heartbeat figures, over spans of wall time.
//!
//! Spans of one length follow each other without a gap. A shift moves all of them, so
//! that those of many nodes do not end at once. A span closes when a value of a later one
//! arrives, however much later that is. Values of a span that is over are ignored: a
//! clock went back.

use rolecast_common::resource::{ByResource, Resource};
use rolecast_common::time::WallTime;

/// A span that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bin {
    /// Counts spans since the Unix epoch.
    pub(crate) number: u64,
    pub(crate) means: ByResource<f64>,
    pub(crate) peaks: ByResource<f64>,
}

/// The span that is being measured.
#[derive(Clone, Debug)]
pub(crate) struct Bins {
    span_ms: u64,
    shift_ms: u64,
    open: Option<u64>,
    sums: ByResource<f64>,
    peaks: ByResource<f64>,
    count: u32,
}

impl Bins {
    /// Measures spans of `span_s` seconds, ended `shift_ms` earlier than whole
    /// multiples of that.
    pub(crate) fn new(span_s: u32, shift_ms: u64) -> Self {
        let span_ms = u64::from(span_s.max(1)) * 1000;
        Self {
            span_ms,
            shift_ms: shift_ms % span_ms,
            open: None,
            sums: ByResource::all(0.0),
            peaks: ByResource::all(0.0),
            count: 0,
        }
    }

    /// Adds the values of one moment, and returns the span that ends by it, if one does.
    /// Values that are not all finite are refused.
    pub(crate) fn add(&mut self, at: WallTime, values: &ByResource<f64>) -> Option<Bin> {
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let number = self.number(at);
        let mut closed = None;
        match self.open {
            Some(open) if number < open => return None,
            Some(open) if number > open => closed = Some(self.close(open)),
            Some(_) | None => {}
        }
        if self.count == 0 {
            self.open = Some(number);
            self.peaks = *values;
        }
        self.count += 1;
        for resource in Resource::ALL {
            let value = values[resource];
            self.sums[resource] += value;
            self.peaks[resource] = self.peaks[resource].max(value);
        }
        closed
    }

    /// Returns the number of the span that a moment lies in.
    pub(crate) fn number(&self, at: WallTime) -> u64 {
        at.as_millis().saturating_add(self.shift_ms) / self.span_ms
    }

    fn close(&mut self, number: u64) -> Bin {
        let count = f64::from(self.count.max(1));
        let bin = Bin {
            number,
            means: self.sums.map(|sum| sum / count),
            peaks: self.peaks,
        };
        self.sums = ByResource::all(0.0);
        self.count = 0;
        bin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `(seconds, value)` and returns the bins that closed, as
    /// `(number, mean, peak)`.
    fn closed(bins: &mut Bins, samples: &[(f64, f64)]) -> Vec<(u64, f64, f64)> {
        let mut closed = Vec::new();
        for (seconds, value) in samples {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let at = WallTime::from_millis((seconds * 1000.0) as u64);
            let bin = bins.add(at, &ByResource::new([*value, 0.0, 2.0 * value, 1.0]));
            closed.extend(bin.map(|bin| {
                let (means, peaks) = (bin.means, bin.peaks);
                assert_eq!(means[Resource::Network], 2.0 * means[Resource::Cpu]);
                assert_eq!((means[Resource::Disk], peaks[Resource::Disk]), (1.0, 1.0));
                (bin.number, means[Resource::Cpu], peaks[Resource::Cpu])
            }));
        }
        closed
    }

    #[test]
    fn a_bin_has_the_mean_and_the_largest_value_of_its_span() {
        let mut bins = Bins::new(10, 0);
        let samples = [
            (20.0, 1.0),
            (21.0, 4.0),
            (29.9, 1.0),
            (30.0, 8.0),
            (40.1, 0.0),
        ];
        assert_eq!(closed(&mut bins, &samples), [(2, 2.0, 4.0), (3, 8.0, 8.0)]);
    }

    #[test]
    fn a_gap_closes_the_bin_before_it_and_invents_none() {
        let mut bins = Bins::new(10, 0);
        let samples = [(5.0, 3.0), (99.0, 1.0), (100.0, 2.0)];
        assert_eq!(closed(&mut bins, &samples), [(0, 3.0, 3.0), (9, 1.0, 1.0)]);
    }

    #[test]
    fn a_clock_that_goes_back_adds_to_no_bin_that_is_over() {
        let mut bins = Bins::new(10, 0);
        let samples = [(25.0, 1.0), (12.0, 50.0), (26.0, 3.0), (30.0, 0.0)];
        assert_eq!(closed(&mut bins, &samples), [(2, 2.0, 3.0)]);
    }

    #[test]
    fn a_shift_ends_the_bins_earlier() {
        let mut bins = Bins::new(10, 4_000);
        assert_eq!(
            closed(&mut bins, &[(5.9, 1.0), (6.0, 2.0)]),
            [(0, 1.0, 1.0)]
        );
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let mut bins = Bins::new(10, 0);
        let samples = [
            (1.0, 1.0),
            (2.0, f64::NAN),
            (3.0, f64::INFINITY),
            (11.0, 0.0),
        ];
        assert_eq!(closed(&mut bins, &samples), [(0, 1.0, 1.0)]);
    }
}
