//! Feedback from completions: the factor by which jobs take longer than predicted on each
//! node, and how others share the CPU.
//!
//! Measured over predicted run time is the only evidence of faults that no metric shows:
//! throttling, a noisy neighbour, a disk that fails. It is compared with the fleet's mean,
//! because a category whose profile is wrong is wrong everywhere, and small deviations are
//! noise. An avoided node gives no further evidence, so the factor fades with time.
//!
//! It is not known either whether others come first on the CPU (pinned, other weights) or
//! share fairly: both are predicted, and the one nearer to the measured run times is
//! believed, by the ratio of their likelihoods.

use std::time::Duration;

use rolecast_common::time::Time;

/// Deviations that count as noise: a quarter in either direction.
const DEAD_BAND: f32 = 0.25;
/// The logarithm of the largest factor of a node: about seven.
const LOG_MAX: f32 = 2.0;
/// Time until half of a belief is forgotten. Guessed from slow-downs of about half a
/// minute.
const HALF_LIFE: Duration = Duration::from_secs(20);
/// The largest residual of a single run.
const RESIDUAL_MAX: f32 = 3.0;
/// Rate at which the fleet's mean follows.
const FLEET_RATE: f32 = 0.002;
/// Rate at which evidence about sharing fades: the last ten thousand runs count.
const SHARING_FADE: f32 = 0.9999;
/// The largest difference of the likelihoods, so that belief can turn.
const EVIDENCE_MAX: f32 = 50.0;
/// The assumed variance of the logarithm of run times.
const VARIANCE: f32 = 1.0;

/// The predictions for a job when it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Prediction {
    /// The slow-down if others share the CPU fairly, and if they come first.
    pub(crate) fair: f32,
    pub(crate) priority: f32,
}

impl Prediction {
    /// Returns the slow-down by the belief about sharing.
    pub(crate) fn slow_down(&self, priority_share: f32) -> f32 {
        self.fair + priority_share * (self.priority - self.fair)
    }
}

/// The feedback of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Feedback {
    log: f32,
    at: Time,
}

/// The evidence from completions on all nodes together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Experience {
    log_mean: f32,
    /// The logarithm of the ratio of likelihoods, priority over fair.
    evidence: f32,
}

impl Experience {
    /// Learns from the run time of a job, as the logarithm of its ratio to the
    /// undisturbed run time at the node's speed.
    pub(crate) fn observe(
        &mut self,
        now: Time,
        node: &mut Feedback,
        prediction: &Prediction,
        log_ratio: f32,
        duration_s: f32,
    ) {
        let predicted = prediction.slow_down(self.priority_share()).max(1.0).ln();
        let residual = (log_ratio - predicted).clamp(-RESIDUAL_MAX, RESIDUAL_MAX);
        if !residual.is_finite() {
            return;
        }
        let faded = node.faded(now, self.log_mean);
        node.log = faded + weight(duration_s) * (residual - faded);
        node.at = now;
        self.log_mean += FLEET_RATE * (residual - self.log_mean);
        self.weigh(prediction, log_ratio);
    }

    fn weigh(&mut self, prediction: &Prediction, log_ratio: f32) {
        let miss = |slow_down: f32| {
            let miss = log_ratio - self.log_mean - slow_down.max(1.0).ln();
            miss.clamp(-RESIDUAL_MAX, RESIDUAL_MAX).powi(2)
        };
        let gain = (miss(prediction.fair) - miss(prediction.priority)) / (2.0 * VARIANCE);
        if gain.is_finite() {
            let evidence = SHARING_FADE * self.evidence + gain;
            self.evidence = evidence.clamp(-EVIDENCE_MAX, EVIDENCE_MAX);
        }
    }

    /// Returns the degree to which others are believed to come first on the CPU: 0 to 1.
    pub(crate) fn priority_share(&self) -> f32 {
        1.0 / (1.0 + (-self.evidence).exp())
    }

    /// Returns the factor by which jobs take longer on the node than predicted.
    pub(crate) fn factor(&self, now: Time, node: &Feedback) -> f32 {
        let beyond = node.faded(now, self.log_mean) - self.log_mean - DEAD_BAND;
        beyond.clamp(0.0, LOG_MAX).exp()
    }
}

impl Feedback {
    /// Returns the remaining factor: it fades towards the fleet's mean.
    fn faded(&self, now: Time, log_mean: f32) -> f32 {
        let halves = now.since(self.at).as_secs_f32() / HALF_LIFE.as_secs_f32();
        log_mean + (self.log - log_mean) * (-halves).exp2()
    }
}

/// Returns the weight of one run: a long one is better evidence than a short one. Fitted
/// through 0.03 at 20 ms, 0.08 at 2 s and 0.15 at 30 s.
fn weight(duration_s: f32) -> f32 {
    (0.03 * (duration_s.max(1e-3) / 0.02).powf(0.213)).clamp(0.02, 0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAIR: Prediction = Prediction {
        fair: 1.0,
        priority: 1.0,
    };

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_node_that_is_slower_than_all_others_is_noticed_and_forgiven() {
        let mut all = Experience::default();
        let (mut slow, mut fine) = (Feedback::default(), Feedback::default());
        for second in 0..60 {
            for _ in 0..10 {
                all.observe(at(second), &mut slow, &FAIR, 1.0, 0.02);
                for _ in 0..20 {
                    all.observe(at(second), &mut fine, &FAIR, 0.0, 0.02);
                }
            }
        }
        assert!(all.factor(at(60), &slow) > 1.7);
        assert_eq!(all.factor(at(60), &fine), 1.0);
        assert_eq!(all.factor(at(300), &slow), 1.0);
    }

    #[test]
    fn a_wrong_profile_is_no_slow_node() {
        let mut all = Experience::default();
        let mut nodes = [Feedback::default(); 4];
        for second in 0..1000 {
            for node in &mut nodes {
                all.observe(at(second), node, &FAIR, 1.5, 2.0);
            }
        }
        assert_eq!(all.factor(at(1000), &nodes[0]), 1.0);
    }

    #[test]
    fn what_predicts_better_is_believed() {
        let mut all = Experience::default();
        let mut node = Feedback::default();
        let prediction = Prediction {
            fair: 1.0,
            priority: 2.0,
        };
        assert_eq!(all.priority_share(), 0.5);
        for second in 0..200 {
            let run = if second % 2 == 0 {
                0.0
            } else {
                2.0 * 2.0f32.ln()
            };
            all.observe(at(second), &mut node, &prediction, run, 0.02);
            all.observe(at(second), &mut Feedback::default(), &FAIR, 0.0, 0.02);
        }
        assert!(all.priority_share() > 0.9, "{}", all.priority_share());
    }

    #[test]
    fn nonsense_teaches_nothing() {
        let mut all = Experience::default();
        let mut node = Feedback::default();
        all.observe(at(1), &mut node, &FAIR, f32::NAN, 0.02);
        assert_eq!((all, node), (Experience::default(), Feedback::default()));
    }
}
