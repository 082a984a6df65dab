//! Usual load of a node: a histogram that forgets.

/// Time for which the past counts, in seconds: long against the episodes that a change is
/// for, and short enough that lasting load becomes usual. Guessed.
const MEMORY_S: f64 = 3600.0;
/// Least time that must be known, in seconds. Guessed.
const KNOWN_MIN_S: f64 = 20.0;
/// The share of the time in which load is no higher than usual. A node that is hot an
/// eighth of the time is still surprising when it is.
const QUANTILE: f64 = 0.75;
const BINS: usize = 40;
/// Width of a bin; the last holds all above.
const WIDTH: f64 = 0.05;

#[derive(Clone, Debug)]
pub(super) struct Usual {
    seconds: [f64; BINS],
    total_s: f64,
}

impl Default for Usual {
    fn default() -> Self {
        Self {
            seconds: [0.0; BINS],
            total_s: 0.0,
        }
    }
}

impl Usual {
    /// Adds a load that lasted for this many seconds.
    pub(super) fn add(&mut self, load: f64, length_s: f64) {
        let keep = (-length_s / MEMORY_S).exp();
        self.seconds.iter_mut().for_each(|bin| *bin *= keep);
        self.total_s = self.total_s * keep + length_s;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float beyond the integers becomes the nearest of them"
        )]
        let bin = ((load / WIDTH) as usize).min(BINS - 1);
        self.seconds[bin] += length_s;
    }

    /// Moves the content of the other one here, as if it were of `most_s` seconds at
    /// most.
    pub(super) fn absorb(&mut self, other: &mut Usual, most_s: f64) {
        let other = std::mem::take(other);
        let share = (most_s / other.total_s).min(1.0);
        for (seconds, more) in self.seconds.iter_mut().zip(other.seconds) {
            *seconds += more * share;
        }
        self.total_s += other.total_s * share;
    }

    /// Returns the recorded time, in seconds.
    pub(super) fn total_s(&self) -> f64 {
        self.total_s
    }

    /// Returns the load that is seldom exceeded; `None` if too little is known.
    pub(super) fn high(&self) -> Option<f64> {
        if self.total_s < KNOWN_MIN_S {
            return None;
        }
        let mut below = 0.0;
        let mut edge = 0.0;
        for seconds in self.seconds {
            below += seconds;
            edge += WIDTH;
            if below >= QUANTILE * self.total_s {
                break;
            }
        }
        Some(edge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_trouble_is_not_usual_and_long_trouble_becomes_so() {
        let mut usual = Usual::default();
        assert_eq!(usual.high(), None);
        (0..3600).for_each(|_| usual.add(0.2, 1.0));
        (0..600).for_each(|_| usual.add(1.5, 1.0));
        assert!(usual.high().unwrap() < 0.3);
        (0..7200).for_each(|_| usual.add(1.5, 1.0));
        assert!(usual.high().unwrap() > 1.4);
    }

    #[test]
    fn a_load_beyond_all_bins_counts_in_the_last() {
        let mut usual = Usual::default();
        (0..100).for_each(|_| usual.add(f64::MAX, 1.0));
        assert!((usual.high().unwrap() - 2.0).abs() < 1e-9);
    }
}
