//! Phase of a periodic component: the lateness of its present cycle.
//!
//! A Bayesian filter over a few possible offsets. Each heartbeat raises the probability of
//! those with which the profile would have shown the observed load. When a cycle ends, the
//! offset of the next one is independent of it, or near it if lateness accumulates. So a
//! pulse that has begun late is expected to end late, and one that is overdue is still
//! expected.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a few dozen offsets"
)]

use super::RESOURCES;
use super::component::Component;

/// The most offsets to each side of zero.
const SIDE_MAX: f32 = 12.0;
/// Jitter too small to be worth more than one offset, in bins.
const JITTER_MIN: f32 = 0.3;
/// Range of the offsets, in standard deviations.
const REACH: f32 = 3.0;
/// Distance between offsets, in bins, unless that would be too many.
const STEP: f32 = 0.5;
/// The least assumed error: a profile is never that exact.
const NOISE_MIN: f32 = 0.03;
/// Half the square of the largest surprise, in standard deviations: anything may happen
/// once (a burst), and then is no evidence about the phase.
const SURPRISE_MAX: f32 = 4.0;
/// Probability below which an offset is not computed.
const LIKELY_MIN: f32 = 0.002;

/// The probabilities of the offsets.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    /// The distance between offsets, in bins.
    step: f32,
    likely: Vec<f32>,
    prior: Vec<f32>,
}

impl Phase {
    /// Starts with the usual probabilities.
    pub(super) fn new(component: &Component) -> Self {
        let jitter = component.jitter;
        let side = if jitter < JITTER_MIN {
            0.0
        } else {
            (REACH * jitter / STEP).ceil().min(SIDE_MAX)
        };
        let step = if side > 0.0 {
            REACH * jitter / side
        } else {
            0.0
        };
        let count = 2 * side as usize + 1;
        let sigma = jitter.max(f32::MIN_POSITIVE);
        let prior = (0..count).map(|index| {
            let offset = (index as f32 - side) * step / sigma;
            (-0.5 * offset * offset).exp()
        });
        let mut prior: Vec<f32> = prior.collect();
        normalise(&mut prior);
        Self {
            step,
            likely: prior.clone(),
            prior,
        }
    }

    /// Learns from the component's mean between two moments, in bins since the Unix
    /// epoch.
    pub(super) fn learn(&mut self, component: &Component, from: f64, to: f64, actual: f32) {
        if component.next_start(from) <= to {
            self.likely = self.next(component);
        }
        if self.likely.len() == 1 {
            return;
        }
        let length = (to - from) as f32;
        let noise = component.noise.max(NOISE_MIN);
        // Neighbouring heartbeats have similar errors, so one of them counts as one a
        // bin.
        let trust = length.min(1.0) * 0.5 / (noise * noise);
        let (side, step) = (self.side(), self.step);
        for (index, likely) in self.likely.iter_mut().enumerate() {
            let offset = f64::from((index as f32 - side) * step);
            let error = actual - component.mean_cpu(from - offset, to - offset);
            *likely *= (-(trust * error * error).min(SURPRISE_MAX)).exp();
        }
        normalise(&mut self.likely);
    }

    /// Returns the mean expected between two moments of the present cycle.
    pub(super) fn present(&self, component: &Component, from: f64, to: f64) -> [f32; RESOURCES] {
        let mut sum = [0.0; RESOURCES];
        for (index, likely) in self.likely.iter().enumerate() {
            if *likely < LIKELY_MIN {
                continue;
            }
            let offset = f64::from((index as f32 - self.side()) * self.step);
            let (start, end) = (
                component.integral(from - offset),
                component.integral(to - offset),
            );
            for (resource, sum) in sum.iter_mut().enumerate() {
                *sum += likely * (end[resource] - start[resource]);
            }
        }
        sum.map(|sum| sum / (to - from) as f32)
    }

    /// Adds the integrals expected from `now` until each of these moments.
    pub(super) fn predict<const N: usize>(
        &self,
        component: &Component,
        now: f64,
        moments: &[f64; N],
        out: &mut [[f32; RESOURCES]; N],
    ) {
        let next_start = component.next_start(now);
        let next = self.next(component);
        for (index, (likely, next)) in self.likely.iter().zip(&next).enumerate() {
            if likely.max(*next) < LIKELY_MIN {
                continue;
            }
            let offset = f64::from((index as f32 - self.side()) * self.step);
            let start = component.integral(now - offset);
            let turn = component.integral(next_start - offset);
            for (moment, out) in moments.iter().zip(out.iter_mut()) {
                let end = component.integral(moment - offset);
                for resource in 0..RESOURCES {
                    out[resource] += if *moment <= next_start {
                        likely * (end[resource] - start[resource])
                    } else {
                        likely * (turn[resource] - start[resource])
                            + next * (end[resource] - turn[resource])
                    };
                }
            }
        }
    }

    /// Returns the probability of each offset in the next cycle.
    fn next(&self, component: &Component) -> Vec<f32> {
        let Some(wander) = component.wander.filter(|_| self.step > 0.0) else {
            return self.prior.clone();
        };
        let sigma = (wander / self.step).max(0.3);
        let weight = |distance: f32| (-0.5 * (distance / sigma).powi(2)).exp();
        let count = self.likely.len();
        let weights: Vec<f32> = (0..count).map(|steps| weight(steps as f32)).collect();
        let to = |to: usize| {
            let from = self.likely.iter().enumerate();
            from.map(|(from, likely)| likely * weights[from.abs_diff(to)])
                .sum()
        };
        let mut next: Vec<f32> = (0..count).map(to).collect();
        normalise(&mut next);
        next
    }

    fn side(&self) -> f32 {
        (self.likely.len() / 2) as f32
    }
}

fn normalise(shares: &mut [f32]) {
    let sum: f32 = shares.iter().sum();
    for share in shares.iter_mut() {
        *share /= sum.max(f32::MIN_POSITIVE);
    }
}
