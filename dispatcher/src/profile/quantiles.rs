//! Quantiles of a stream of positive numbers, the recent ones counting most.
//!
//! A histogram with eight bins an octave: a quantile is known to 9 %. When it is full all
//! counts are halved, so that samples from some thousands ago hardly count.

/// Bins of an octave; each is 9 % wide.
const BINS_PER_OCTAVE: f64 = 8.0;
/// Octaves below 1: the smallest distinct number is 2 to the power of minus this, a
/// microsecond.
const OCTAVES_BELOW: f64 = 20.0;
/// Number of bins: up to 2 to the power of 44, 17 TB.
const BINS: usize = 64 * 8;
/// Samples after which all are halved: enough for a 99th percentile.
const FULL: f32 = 2000.0;

/// Samples from which on one that is larger than all others may be an outlier. Guessed.
const ODD_MIN: f32 = 5.0;

/// Histogram of samples by size.
#[derive(Clone, Debug)]
pub(super) struct Quantiles {
    counts: Box<[f32; BINS]>,
    total: f32,
}

impl Default for Quantiles {
    fn default() -> Self {
        Self {
            counts: Box::new([0.0; BINS]),
            total: 0.0,
        }
    }
}

impl Quantiles {
    /// Adds a positive, finite number.
    pub(super) fn add(&mut self, value: f64) {
        self.counts[bin(value)] += 1.0;
        self.total += 1.0;
        if self.total >= FULL {
            self.counts.iter_mut().for_each(|count| *count *= 0.5);
            self.total *= 0.5;
        }
    }

    /// Returns the number of samples that count.
    pub(super) fn count(&self) -> f32 {
        self.total
    }

    /// Returns the number that this share of the samples does not exceed, or `None`
    /// without samples.
    pub(super) fn get(&self, share: f32) -> Option<f64> {
        self.after(share * self.total)
    }

    /// Returns the same, but once there are some samples never the largest one: with few
    /// samples a large share would select only that.
    pub(super) fn get_without_odd_one(&self, share: f32) -> Option<f64> {
        let rank = share * self.total;
        if self.total < ODD_MIN {
            return self.after(rank);
        }
        self.after(rank.min(self.total - 1.0))
    }

    /// Returns the number that this many of the samples do not exceed.
    fn after(&self, rank: f32) -> Option<f64> {
        if self.total <= 0.0 {
            return None;
        }
        let mut left = rank;
        let mut last = 0;
        for (bin, count) in self.counts.iter().enumerate() {
            if *count <= 0.0 {
                continue;
            }
            last = bin;
            left -= count;
            if left <= 0.0 {
                break;
            }
        }
        Some(edge(last))
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and the bin is limited after it"
)]
fn bin(value: f64) -> usize {
    let octave = value.log2() + OCTAVES_BELOW;
    ((octave * BINS_PER_OCTAVE) as usize).min(BINS - 1)
}

/// Returns the upper edge of a bin.
#[allow(clippy::cast_precision_loss, reason = "there are few bins")]
fn edge(bin: usize) -> f64 {
    ((bin + 1) as f64 / BINS_PER_OCTAVE - OCTAVES_BELOW).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_bin_and_follow_what_changes() {
        let mut quantiles = Quantiles::default();
        assert_eq!(quantiles.get(0.5), None);
        for value in 1..=1000 {
            quantiles.add(f64::from(value));
        }
        for (share, expected) in [(0.5, 500.0), (0.95, 950.0), (1.0, 1000.0)] {
            let found = quantiles.get(share).unwrap();
            assert!((1.0..1.1).contains(&(found / expected)), "{share}: {found}");
        }
        for _ in 0..8000 {
            quantiles.add(5e6);
        }
        assert!(quantiles.get(0.1).unwrap() > 5e6);
    }

    #[test]
    fn the_ends_of_the_range_hold_whatever_comes() {
        let mut quantiles = Quantiles::default();
        quantiles.add(1e-30);
        assert!(quantiles.get(1.0).unwrap() < 1e-5);
        quantiles.add(1e300);
        assert!(quantiles.get(1.0).unwrap() > 1e13);
    }
}
