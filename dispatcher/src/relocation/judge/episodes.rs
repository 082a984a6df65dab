//! Durations of bad episodes, and the expected rest of the present one.
//!
//! The episodes of all nodes of a group count alike. Beside them stands one that lasts as
//! long again as the present one has (Lindy's law): without any past the best guess, and
//! with one a part for doubt.

use std::collections::VecDeque;

/// Episodes that are remembered: enough to distinguish kinds, and few enough to be
/// outdated after a day or two of trouble. Guessed.
const KNOWN_MAX: usize = 100;
/// Weight of the doubt, in episodes. From simulation: of 0.5, 1 and 2 the one that is
/// best in mixed, and between the others in long.
const DOUBTS: f64 = 1.0;
/// Added to the duration of the doubt, in seconds: nothing lasts for zero.
const DOUBT_MIN_S: f64 = 1.0;

/// Durations of bad episodes, in seconds; the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Episodes {
    lengths_s: VecDeque<f64>,
}

impl Episodes {
    pub(super) fn add(&mut self, length_s: f64) {
        if self.lengths_s.len() == KNOWN_MAX {
            self.lengths_s.pop_front();
        }
        self.lengths_s.push_back(length_s);
    }

    /// Returns the expected further duration of an episode of this duration.
    pub(super) fn remaining_s(&self, elapsed_s: f64) -> f64 {
        let doubt = elapsed_s + DOUBT_MIN_S;
        let (mut sum, mut count) = (DOUBTS * doubt, DOUBTS);
        for length in self.longer(elapsed_s) {
            sum += length - elapsed_s;
            count += 1.0;
        }
        sum / count
    }

    /// Returns the weight of the doubt for an episode of this duration: 1 if no past
    /// episode lasted as long.
    pub(super) fn doubt(&self, elapsed_s: f64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "they are few")]
        let known = self.longer(elapsed_s).count() as f64;
        DOUBTS / (DOUBTS + known)
    }

    /// Returns the expected seconds that are bad, or paid for a change of this cost, with
    /// the best waiting time: `cost_s` at most, which is the cost without waiting.
    pub(super) fn best_wait_s(&self, elapsed_s: f64, cost_s: f64) -> f64 {
        let mut left: Vec<(f64, f64)> = self
            .longer(elapsed_s)
            .map(|length| (length - elapsed_s, 1.0))
            .collect();
        left.push((elapsed_s + DOUBT_MIN_S, DOUBTS));
        left.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = left.iter().map(|(_, weight)| weight).sum();
        // The episodes that end during the wait, and their cost until then.
        let (mut ended, mut suffered) = (0.0, 0.0);
        let mut best = cost_s;
        for (length, weight) in left {
            ended += weight;
            suffered += weight * length;
            let expected = (suffered + (total - ended) * (length + cost_s)) / total;
            best = best.min(expected);
        }
        best
    }

    fn longer(&self, elapsed_s: f64) -> impl Iterator<Item = f64> {
        let lengths = self.lengths_s.iter().copied();
        lengths.filter(move |length| *length >= elapsed_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(lengths_s: &[f64]) -> Episodes {
        let mut episodes = Episodes::default();
        lengths_s
            .iter()
            .for_each(|length_s| episodes.add(*length_s));
        episodes
    }

    #[test]
    fn without_a_past_an_episode_lasts_as_long_again() {
        assert_eq!(known(&[]).remaining_s(30.0), 31.0);
    }

    #[test]
    fn an_episode_that_outlasts_the_short_ones_is_one_of_the_long() {
        let mut lengths = vec![5.0; 60];
        lengths.extend([600.0; 20]);
        let episodes = known(&lengths);
        assert!((145.0..155.0).contains(&episodes.remaining_s(1.0)));
        assert!(episodes.remaining_s(6.0) > 500.0);
        // The first seconds distinguish the kinds, and are cheaper than a change.
        assert!(episodes.best_wait_s(1.0, 60.0) < 30.0);
        assert_eq!(episodes.best_wait_s(6.0, 60.0), 60.0);
    }

    #[test]
    fn old_episodes_are_forgotten() {
        let mut episodes = known(&[600.0; KNOWN_MAX]);
        (0..KNOWN_MAX).for_each(|_| episodes.add(5.0));
        assert!(episodes.remaining_s(1.0) < 5.0);
        assert_eq!(episodes.lengths_s.len(), KNOWN_MAX);
    }

    #[test]
    fn waiting_never_costs_more_than_a_change_at_once() {
        let episodes = known(&[1.0, 5.0, 40.0, 600.0]);
        for elapsed_s in 0..700 {
            let elapsed_s = f64::from(elapsed_s);
            for cost_s in [0.0, 2.5, 40.0] {
                let best = episodes.best_wait_s(elapsed_s, cost_s);
                assert!((0.0..=cost_s).contains(&best), "{elapsed_s} {cost_s}");
            }
        }
    }
}
