//! Adam with decoupled weight decay (Loshchilov & Hutter 2019) and averaging.

use super::super::weights::Weights;

/// The largest norm of the gradient: most are cut, which tames bursts (measured).
const NORM_MAX: f32 = 0.0125;
const RATE_MAX: f32 = 4e-3;
const RATE_MIN: f32 = 1e-4;
/// Updates during which the rate rises.
const RISE: f32 = 200.0;
/// Shrinking of weights in an update, in rates (measured).
const DECAY: f32 = 0.05;
const FIRST_WEIGHT: f32 = 0.1;
const SECOND_WEIGHT: f32 = 0.001;
/// Weight of an update in the average: about half an epoch.
const AVERAGE_WEIGHT: f32 = 0.002;

/// The weights during training.
#[derive(Debug)]
pub(super) struct Adam {
    weights: Box<Weights>,
    first: Box<Weights>,
    second: Box<Weights>,
    average: Box<Weights>,
    update: f32,
    /// Number of updates that will be made.
    update_max: f32,
}

impl Adam {
    pub(super) fn new(weights: Weights, update_max: f32) -> Self {
        let weights = Box::new(weights);
        Self {
            average: weights.clone(),
            weights,
            first: Box::new(Weights::zero()),
            second: Box::new(Weights::zero()),
            update: 0.0,
            update_max,
        }
    }

    pub(super) fn weights(&self) -> &Weights {
        &self.weights
    }

    pub(super) fn average(&self) -> &Weights {
        &self.average
    }

    /// Makes one step against the gradient.
    pub(super) fn descend(&mut self, gradient: &Weights) {
        self.update += 1.0;
        let cut = cut(gradient);
        let rate = self.rate();
        let first_known = 1.0 - (1.0 - FIRST_WEIGHT).powf(self.update);
        let second_known = 1.0 - (1.0 - SECOND_WEIGHT).powf(self.update);
        let average_weight = AVERAGE_WEIGHT.max(1.0 / self.update);
        let gradients = gradient.parts().into_iter().flatten();
        let weights = self.weights.parts_mut().into_iter().flatten();
        let firsts = self.first.parts_mut().into_iter().flatten();
        let seconds = self.second.parts_mut().into_iter().flatten();
        let averages = self.average.parts_mut().into_iter().flatten();
        let moments = firsts.zip(seconds).zip(averages);
        for ((weight, slope), ((first, second), average)) in weights.zip(gradients).zip(moments) {
            let slope = slope * cut;
            *first += FIRST_WEIGHT * (slope - *first);
            *second += SECOND_WEIGHT * (slope * slope - *second);
            let direction = (*first / first_known) / ((*second / second_known).sqrt() + 1e-8);
            *weight -= rate * (direction + DECAY * *weight);
            *average += average_weight * (*weight - *average);
        }
    }

    /// Returns the learning rate: a short rise, then half a cosine down.
    fn rate(&self) -> f32 {
        let done = (self.update / self.update_max).min(1.0);
        let cosine = 0.5 + 0.5 * (std::f32::consts::PI * done).cos();
        (RATE_MIN + (RATE_MAX - RATE_MIN) * cosine) * (self.update / RISE).min(1.0)
    }
}

/// Returns the factor that brings the gradient to its largest norm.
fn cut(gradient: &Weights) -> f32 {
    let slopes = gradient.parts().into_iter().flatten();
    let squares: f32 = slopes.map(|slope| slope * slope).sum();
    (NORM_MAX / squares.sqrt().max(f32::MIN_POSITIVE)).min(1.0)
}
