//! Naive forecast, the baseline for others: nothing changes.
//!
//! The median is the last value. For the 0.9 quantile a change is added that nine of ten
//! recent changes over the same horizon did not exceed; so its coverage is right wherever
//! changes stay as they were.

use std::collections::VecDeque;

use super::QUANTILE;

/// The number of changes that are kept: a day of minutes.
const CHANGES_MAX: usize = 1440;

/// The last value and the recent changes over one horizon.
#[derive(Clone, Debug)]
pub(crate) struct Naive {
    horizon: u64,
    /// The last sample, and those of the last `horizon` steps, with their numbers.
    recent: VecDeque<(u64, f64)>,
    changes: Window,
}

impl Naive {
    pub(crate) fn new(horizon: u32) -> Self {
        Self {
            horizon: u64::from(horizon),
            recent: VecDeque::new(),
            changes: Window::default(),
        }
    }

    pub(crate) fn observe(&mut self, number: u64, sample: f64) {
        while let Some((past, value)) = self.recent.front().copied() {
            if past + self.horizon > number {
                break;
            }
            if past + self.horizon == number {
                self.changes.push(sample - value);
            }
            self.recent.pop_front();
        }
        self.recent.push_back((number, sample));
    }

    /// Returns the median and the 0.9 quantile; `None` before the first sample.
    pub(crate) fn predict(&self) -> Option<(f64, f64)> {
        let (_, last) = self.recent.back()?;
        Some((*last, last + self.changes.quantile(QUANTILE)))
    }
}

/// The latest values, in the order of their size as well.
#[derive(Clone, Debug, Default)]
struct Window {
    arrived: VecDeque<f64>,
    sorted: Vec<f64>,
}

impl Window {
    fn push(&mut self, value: f64) {
        if self.arrived.len() == CHANGES_MAX
            && let Some(oldest) = self.arrived.pop_front()
        {
            let place = self.place(oldest);
            self.sorted.remove(place);
        }
        let place = self.place(value);
        self.sorted.insert(place, value);
        self.arrived.push_back(value);
    }

    /// Returns the first position whose value is not below this one.
    fn place(&self, value: f64) -> usize {
        let is_below = |other: &f64| other.total_cmp(&value).is_lt();
        self.sorted.partition_point(is_below)
    }

    /// Returns the value that this share of the values does not exceed, between
    /// two values in proportion; 0 if there is none.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a window is a small number, not below zero"
    )]
    fn quantile(&self, share: f64) -> f64 {
        let Some(end) = self.sorted.len().checked_sub(1) else {
            return 0.0;
        };
        let place = end as f64 * share;
        let below = self.sorted[place.floor() as usize];
        let above = self.sorted[place.ceil() as usize];
        below + (above - below) * place.fract()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_quantile_is_the_last_value_and_a_usual_change() {
        let mut naive = Naive::new(2);
        assert_eq!(naive.predict(), None);
        // Changes over two steps: 3, 4, 5; number 4 is missing.
        for (number, sample) in [(0, 1.0), (1, 2.0), (2, 4.0), (3, 6.0), (5, 11.0)] {
            naive.observe(number, sample);
        }
        let (median, quantile) = naive.predict().unwrap();
        assert_eq!(median, 11.0);
        // Of three changes, nine tenths of the way from the first to the last.
        assert!((quantile - 11.0 - 4.8).abs() < 1e-12, "{quantile}");
    }

    proptest! {
        #[test]
        fn the_window_holds_the_latest_values_sorted(
            values in prop::collection::vec(-9_i32..9, 1..2000)
        ) {
            let mut window = Window::default();
            for value in &values {
                window.push(f64::from(*value));
            }
            let start = values.len().saturating_sub(CHANGES_MAX);
            let mut latest: Vec<f64> = values[start..].iter().copied().map(f64::from).collect();
            latest.sort_by(f64::total_cmp);
            prop_assert_eq!(window.sorted, latest);
        }
    }
}
