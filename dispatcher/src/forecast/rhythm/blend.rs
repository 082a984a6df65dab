//! How far each cue is believed, for each bucket and resource: learned from what
//! came.
//!
//! A forecast is the long-run level and a weighted sum of four cues. The weights
//! are a ridge regression of what came on what the cues were, drawn to a prior:
//! the rhythm counts in full, and what else is above the level fades away. So
//! where nothing is periodic the forecast is what regresses best on the present,
//! between *nothing changes* and *as on average*.

#![allow(
    clippy::cast_possible_truncation,
    reason = "buckets are few, and times are differences"
)]

use std::array::from_fn;

use super::{BUCKET_EDGES_S, BUCKETS, RESOURCES};

/// What is regressed on: the rhythm in the bucket; the present and the last
/// half minute above level and rhythm; the rhythm at present.
pub(super) const CUES: usize = 4;
/// What a cue counts before anything is learned. The present fades as typical
/// load does (guessed; a few dozen outcomes replace it).
const PRIORS: [[f32; CUES]; BUCKETS] = [
    [1.0, 1.0, 0.0, 0.0],
    [1.0, 0.97, 0.0, 0.0],
    [1.0, 0.9, 0.0, 0.0],
    [1.0, 0.75, 0.0, 0.0],
    [1.0, 0.5, 0.0, 0.0],
    [1.0, 0.3, 0.0, 0.0],
];
/// Outcomes that weigh as much as the prior.
const PRIOR_COUNT: f32 = 40.0;
/// Outcomes after which older ones count less.
const MEMORY: f32 = 600.0;
/// Forecasts of a bucket waiting for their outcomes at once.
const PENDING: usize = 4;

pub(super) type Cues = [[f32; CUES]; RESOURCES];

/// The weights of one bucket.
#[derive(Clone, Debug)]
struct Bucket {
    regressions: [Regression; RESOURCES],
    pending: [Option<Pending>; PENDING],
    /// Which place the next forecast takes.
    next: usize,
    /// When the next forecast is kept, in seconds since the Unix epoch.
    due: f64,
}

/// A forecast waiting for what comes.
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
    count: f32,
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

    /// Takes what was used at this moment, in seconds since the Unix epoch.
    pub(super) fn learn(&mut self, at: f64, shares: &[f32; RESOURCES]) {
        for (index, bucket) in self.buckets.iter_mut().enumerate() {
            let (start, end) = (BUCKET_EDGES_S[index], BUCKET_EDGES_S[index + 1]);
            for place in &mut bucket.pending {
                let Some(pending) = place else { continue };
                if at > pending.at + end {
                    bucket
                        .regressions
                        .iter_mut()
                        .enumerate()
                        .for_each(|(resource, regression)| {
                            pending.teach(resource, regression, &PRIORS[index])
                        });
                    *place = None;
                } else if at > pending.at + start {
                    for (sum, share) in pending.sum.iter_mut().zip(shares) {
                        *sum += share;
                    }
                    pending.count += 1.0;
                }
            }
        }
    }

    /// Returns the forecast of a bucket, and keeps it until it can be judged.
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

    /// Forgets what the rhythm was worth: another one was found.
    pub(super) fn forget_rhythm(&mut self) {
        for (bucket, prior) in self.buckets.iter_mut().zip(PRIORS) {
            bucket.pending = [None; PENDING];
            bucket.regressions = [Regression::new(prior); RESOURCES];
        }
    }
}

impl Pending {
    fn teach(&self, resource: usize, regression: &mut Regression, prior: &[f32; CUES]) {
        if self.count > 0.0 {
            let came = self.sum[resource] / self.count - self.level[resource];
            regression.learn(&self.cues[resource], came, prior);
        }
    }
}

impl Regression {
    fn new(prior: [f32; CUES]) -> Self {
        Self {
            products: [[0.0; CUES]; CUES],
            outcomes: [0.0; CUES],
            count: 0.0,
            weights: prior,
        }
    }

    fn learn(&mut self, cues: &[f32; CUES], came: f32, prior: &[f32; CUES]) {
        let keep = 1.0 - 1.0 / MEMORY;
        let error = came - dot(prior, cues);
        self.count = self.count * keep + 1.0;
        for (index, cue) in cues.iter().enumerate() {
            self.outcomes[index] = self.outcomes[index] * keep + cue * error;
            for (product, other) in self.products[index].iter_mut().zip(cues) {
                *product = *product * keep + cue * other;
            }
        }
        self.solve(prior);
    }

    /// Solves for the distance from the prior, by Gauss; the ridge makes every
    /// pivot positive.
    fn solve(&mut self, prior: &[f32; CUES]) {
        let mut rows = self.products;
        let mut right = self.outcomes;
        for (index, row) in rows.iter_mut().enumerate() {
            row[index] = row[index] * (1.0 + PRIOR_COUNT / self.count) + 1e-6;
        }
        for pivot in 0..CUES {
            for below in pivot + 1..CUES {
                let factor = rows[below][pivot] / rows[pivot][pivot];
                for column in pivot..CUES {
                    rows[below][column] -= factor * rows[pivot][column];
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
