//! Blend of cues into a forecast, with a weight of each cue for each bucket and resource
//! that is learned from outcomes.
//!
//! A forecast is the long-run level and a weighted sum of four cues. The weights are a
//! ridge regression of outcomes on cues, drawn to a prior: the rhythm counts in full, and
//! everything else above the level fades away. So where nothing is periodic the forecast
//! is the best regression on the present, between *nothing changes* and *as on average*.
//! Far buckets have few outcomes; their prior uses the fading of the present that a
//! nearer one learned.

#![allow(
    clippy::cast_possible_truncation,
    reason = "buckets are few, and times are differences"
)]

use std::array::from_fn;

use super::{BUCKET_EDGES_S, BUCKETS, RESOURCES};

/// Number of cues: the rhythm in the bucket; the present and the last half minute above
/// level and rhythm; the rhythm at present.
pub(super) const CUES: usize = 4;
/// The index of the cue for the present, and those of the rhythm's cues.
const PRESENT: usize = 1;
const RHYTHM: [usize; 2] = [0, 3];
/// Weights of the cues before anything is learned. The present fades as typical load does
/// (guessed; a few dozen outcomes replace it). The nearest bucket is over before the next
/// heartbeat, so it stays: 0.7 of the rhythm's movement (a compromise: all of it helps
/// punctual pulses and hurts late ones).
const PRIORS: [[f32; CUES]; BUCKETS] = [
    [0.7, 1.0, 0.0, 0.3],
    [1.0, 0.97, 0.0, 0.0],
    [1.0, 0.9, 0.0, 0.0],
    [1.0, 0.75, 0.0, 0.0],
    [1.0, 0.5, 0.0, 0.0],
    [1.0, 0.3, 0.0, 0.0],
];
/// Outcomes that weigh as much as the prior.
const PRIOR_COUNT: f32 = 20.0;
/// Outcomes after which older ones count less.
const MEMORY: f32 = 600.0;
/// Forecasts of a bucket that wait for their outcomes at once.
const PENDING: usize = 4;

pub(super) type Cues = [[f32; CUES]; RESOURCES];

/// The weights of one bucket.
#[derive(Clone, Debug)]
struct Bucket {
    regressions: [Regression; RESOURCES],
    pending: [Option<Pending>; PENDING],
    /// The index that the next forecast takes.
    next: usize,
    /// The time at which the next forecast is kept, in seconds since the Unix epoch.
    due: f64,
}

/// A forecast that waits for its outcome.
#[derive(Clone, Copy, Debug)]
struct Pending {
    at: f64,
    level: [f32; RESOURCES],
    cues: Cues,
    sum: [f32; RESOURCES],
    count: f32,
}

/// A ridge regression with forgetting.
#[derive(Clone, Copy, Debug)]
struct Regression {
    products: [[f32; CUES]; CUES],
    outcomes: [f32; CUES],
    /// The number of outcomes in which each cue was present.
    counts: [f32; CUES],
    weights: [f32; CUES],
}

/// All weights.
#[derive(Clone, Debug)]
pub(super) struct Blend {
    buckets: Box<[Bucket]>,
}

impl Blend {
    pub(super) fn new() -> Self {
        let bucket = |bucket: usize| Bucket {
            regressions: [Regression::new(PRIORS[bucket]); RESOURCES],
            pending: [None; PENDING],
            next: 0,
            due: 0.0,
        };
        Self {
            buckets: (0..BUCKETS).map(bucket).collect(),
        }
    }

    /// Learns from the use at this moment, in seconds since the Unix epoch.
    pub(super) fn learn(&mut self, at: f64, shares: &[f32; RESOURCES]) {
        let mut fading = [1.0; RESOURCES];
        for (index, bucket) in self.buckets.iter_mut().enumerate() {
            let (start, end) = (BUCKET_EDGES_S[index], BUCKET_EDGES_S[index + 1]);
            let priors = fading.map(|fading| faded(index, fading));
            for place in &mut bucket.pending {
                let Some(pending) = place else { continue };
                if at > pending.at + end {
                    pending.teach(&mut bucket.regressions, &priors);
                    *place = None;
                } else if at > pending.at + start {
                    for (sum, share) in pending.sum.iter_mut().zip(shares) {
                        *sum += share;
                    }
                    pending.count += 1.0;
                }
            }
            fading = from_fn(|resource| {
                let present = bucket.regressions[resource].weights[PRESENT];
                (present / PRIORS[index][PRESENT]).clamp(0.0, 1.0)
            });
        }
    }

    /// Returns the forecast of a bucket, and keeps it until its outcome is known.
    pub(super) fn forecast(
        &mut self,
        index: usize,
        at: f64,
        level: &[f32; RESOURCES],
        cues: &Cues,
    ) -> [f32; RESOURCES] {
        let bucket = &mut self.buckets[index];
        if at >= bucket.due {
            bucket.pending[bucket.next] = Some(Pending {
                at,
                level: *level,
                cues: *cues,
                sum: [0.0; RESOURCES],
                count: 0.0,
            });
            bucket.next = (bucket.next + 1) % PENDING;
            bucket.due = at + BUCKET_EDGES_S[index + 1] / PENDING as f64;
        }
        from_fn(|resource| {
            let weights = &bucket.regressions[resource].weights;
            level[resource] + dot(weights, &cues[resource])
        })
    }

    /// Forgets the weights of the rhythm, when another one was found.
    pub(super) fn forget_rhythm(&mut self) {
        for (bucket, prior) in self.buckets.iter_mut().zip(PRIORS) {
            bucket.pending = [None; PENDING];
            for regression in &mut bucket.regressions {
                regression.forget(&RHYTHM, &prior);
            }
        }
    }
}

/// Returns the prior of a bucket, with the weight of the present multiplied by a factor.
fn faded(bucket: usize, fading: f32) -> [f32; CUES] {
    let mut prior = PRIORS[bucket];
    prior[PRESENT] *= fading;
    prior
}

impl Pending {
    fn teach(&self, regressions: &mut [Regression; RESOURCES], priors: &[[f32; CUES]; RESOURCES]) {
        if self.count == 0.0 {
            return;
        }
        for (resource, regression) in regressions.iter_mut().enumerate() {
            let actual = self.sum[resource] / self.count - self.level[resource];
            regression.learn(&self.cues[resource], actual, &priors[resource]);
        }
    }
}

impl Regression {
    fn new(prior: [f32; CUES]) -> Self {
        Self {
            products: [[0.0; CUES]; CUES],
            outcomes: [0.0; CUES],
            counts: [0.0; CUES],
            weights: prior,
        }
    }

    fn learn(&mut self, cues: &[f32; CUES], actual: f32, prior: &[f32; CUES]) {
        let keep = 1.0 - 1.0 / MEMORY;
        for (index, cue) in cues.iter().enumerate() {
            self.counts[index] = self.counts[index] * keep + 1.0;
            self.outcomes[index] = self.outcomes[index] * keep + cue * actual;
            for (product, other) in self.products[index].iter_mut().zip(cues) {
                *product = *product * keep + cue * other;
            }
        }
        self.solve(prior);
    }

    /// Restarts some cues.
    fn forget(&mut self, cues: &[usize], prior: &[f32; CUES]) {
        for cue in cues {
            self.products[*cue] = [0.0; CUES];
            self.products.iter_mut().for_each(|row| row[*cue] = 0.0);
            (self.outcomes[*cue], self.counts[*cue]) = (0.0, 0.0);
            self.weights[*cue] = prior[*cue];
        }
    }

    /// Solves for the distance from the prior, by Gauss; the ridge makes every
    /// pivot positive.
    fn solve(&mut self, prior: &[f32; CUES]) {
        let mut rows = self.products;
        let mut right: [f32; CUES] =
            from_fn(|index| self.outcomes[index] - dot(&self.products[index], prior));
        for (index, row) in rows.iter_mut().enumerate() {
            row[index] = row[index] * (1.0 + PRIOR_COUNT / self.counts[index]) + 1e-6;
        }
        for pivot in 0..CUES {
            let upper = rows[pivot];
            for below in pivot + 1..CUES {
                let factor = rows[below][pivot] / upper[pivot];
                for (value, upper) in rows[below].iter_mut().zip(upper) {
                    *value -= factor * upper;
                }
                right[below] -= factor * right[pivot];
            }
        }
        for pivot in (0..CUES).rev() {
            let known: f32 = (pivot + 1..CUES)
                .map(|column| rows[pivot][column] * right[column])
                .sum();
            right[pivot] = (right[pivot] - known) / rows[pivot][pivot];
            self.weights[pivot] = prior[pivot] + right[pivot];
        }
    }
}

fn dot(a: &[f32; CUES], b: &[f32; CUES]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
