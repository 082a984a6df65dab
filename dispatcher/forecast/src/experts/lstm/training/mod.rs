//! Training of the weights: truncated backpropagation through time, and Adam.
//!
//! 1. Each series is a `Track`: its inputs and anchors, computed once. Coarser copies of
//!    long series are trained on too: on series from places that were not in the
//!    training, that lowers the error by about a tenth (measured).
//! 2. A `Walker` goes along each track and carries the cell's state. An update takes a
//!    window from several walkers, forward and back. The inputs get some noise, so that
//!    the network does not learn the series by heart.
//! 3. The loss is pinball at 0.5 and 0.9, over the mean error that the network makes on
//!    that series at that horizon: then its gradient is that of the geometric mean over
//!    series, and no series counts for more than another.
//! 4. Weights are averaged over updates (Polyak & Juditsky 1992). After each epoch the
//!    average is validated on the last part of every series, which no window touches; the
//!    best one is kept.

mod adam;
mod track;
mod window;

use self::adam::Adam;
use self::track::Track;
use self::window::{Walker, walk};
use super::weights::Weights;
use super::{HIDDEN, HORIZON_COUNT, LONGEST};

/// Steps through which an error is traced back.
const WINDOW: usize = 80;
/// Windows in an update.
const BATCH: u16 = 10;
/// Updates in an epoch.
const UPDATES: u16 = 1_000;
/// Steps before which the state is worth little.
const WARM_UP: usize = 64;
/// Chance of a walker to start again, so that young series are trained on too.
const RESTART_CHANCE: f32 = 0.03;
/// Standard deviation of the noise on the inputs (measured: 0.1 to 0.4 serve).
const NOISE: f32 = 0.4;
/// Factors by which samples are averaged in the copies.
const COARSER: [u8; 2] = [2, 5];
/// The share of windows for which copies are drawn too.
const COPIES_SHARE: f32 = 0.5;
/// The least number of samples of a series for training: eight times a window and the
/// longest horizon.
pub const SAMPLES_MIN: usize = 8 * (LONGEST + WINDOW);

/// The result of an epoch.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Epochs done, from 1.
    pub epoch: u16,
    /// The loss in training, averaged over steps and horizons: the absolute error of p50
    /// and 0.3 times the pinball loss of p90, over the mean error of the series.
    pub loss: f32,
    /// Mean absolute error of p50 relative to the last value's, for each of
    /// [`HORIZONS`](crate::HORIZONS): the geometric mean over series. Below 1 is better than
    /// no change.
    pub validation: [f32; HORIZON_COUNT],
    /// Whether no epoch before was better.
    pub is_best: bool,
}

/// Trainer of weights from many series. The same series and seed give the same weights.
#[derive(Debug)]
pub struct Trainer {
    /// The series first, then the copies.
    tracks: Vec<Track>,
    series_count: usize,
    walkers: Vec<Walker>,
    epoch: u16,
    epoch_max: u16,
    adam: Adam,
    gradient: Box<Weights>,
    best: Box<Weights>,
    best_score: f32,
    rng: fastrand::Rng,
}

impl Trainer {
    /// Prepares the training on these series of evenly spaced, finite samples, for at most
    /// `epoch_max` epochs.
    ///
    /// Left out are series with fewer than [`SAMPLES_MIN`] samples, and those that are
    /// constant in their first five sixths, the part for training. `None` if none is left.
    pub fn new(series: &[Vec<f32>], epoch_max: u16, seed: u64) -> Option<Self> {
        let tracks = series.iter().filter_map(|samples| Track::new(samples));
        let mut tracks: Vec<Track> = tracks.collect();
        let series_count = tracks.len();
        if series_count == 0 {
            return None;
        }
        for factor in COARSER {
            let copies = series.iter().map(|samples| coarser(samples, factor));
            tracks.extend(copies.filter_map(|samples| Track::new(&samples)));
        }
        let mut rng = fastrand::Rng::with_seed(seed);
        let update_max = f32::from(epoch_max) * f32::from(UPDATES);
        Some(Self {
            walkers: vec![Walker::default(); tracks.len()],
            tracks,
            series_count,
            epoch: 0,
            epoch_max,
            adam: Adam::new(initial(&mut rng), update_max),
            gradient: Box::new(Weights::zero()),
            best: Box::new(Weights::zero()),
            best_score: 0.0,
            rng,
        })
    }

    /// Returns the number of series in the training.
    pub fn series_count(&self) -> usize {
        self.series_count
    }

    /// Trains for one epoch, 1,000 updates of ten windows of 80 steps each, and validates;
    /// `None` when all are done. It blocks for as long as that takes.
    pub fn epoch(&mut self) -> Option<Progress> {
        if self.epoch == self.epoch_max {
            return None;
        }
        self.epoch += 1;
        let loss: f32 = (0..UPDATES).map(|_| self.update()).sum();
        let validation = self.validate();
        let score: f32 = validation.iter().map(|ratio| ratio.ln()).sum();
        let is_best = score < self.best_score;
        if is_best {
            self.best_score = score;
            *self.best = self.adam.average().clone();
        }
        Some(Progress {
            epoch: self.epoch,
            loss: loss / f32::from(UPDATES),
            validation,
            is_best,
        })
    }

    /// Returns the weights of the best epoch so far. If none has a geometric mean of
    /// [`Progress::validation`] below 1, they are those that forecast the last value.
    pub fn best(&self) -> &Weights {
        &self.best
    }

    /// Improves the weights by a window from each of a few series; returns the loss.
    fn update(&mut self) -> f32 {
        for part in self.gradient.parts_mut() {
            part.fill(0.0);
        }
        let mut loss = 0.0;
        for _ in 0..BATCH {
            let is_copy = self.rng.f32() < COPIES_SHARE;
            let drawn = if is_copy {
                self.tracks.len()
            } else {
                self.series_count
            };
            let index = self.rng.usize(..drawn);
            let (track, walker) = (&mut self.tracks[index], &mut self.walkers[index]);
            let is_over = walker.position + WINDOW > track.step_count();
            if walker.age == 0 || is_over || self.rng.f32() < RESTART_CHANCE {
                *walker = Walker::default();
                walker.position = self.rng.usize(..track.step_count() - WINDOW);
            }
            let noise = || NOISE * bell(&mut self.rng);
            loss += walk(
                track,
                walker,
                self.adam.weights(),
                noise,
                &mut self.gradient,
            );
        }
        for slope in self.gradient.parts_mut().into_iter().flatten() {
            *slope /= f32::from(BATCH);
        }
        self.adam.descend(&self.gradient);
        loss / f32::from(BATCH)
    }

    fn validate(&self) -> [f32; HORIZON_COUNT] {
        let mut logs = [0.0; HORIZON_COUNT];
        let series = &self.tracks[..self.series_count];
        for track in series {
            let ratios = track.validate(self.adam.average());
            for (log, ratio) in logs.iter_mut().zip(ratios) {
                *log += ratio.ln();
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "a few series")]
        let count = self.series_count as f32;
        logs.map(|log| (log / count).exp())
    }
}

/// Returns the means of `factor` samples each.
fn coarser(samples: &[f32], factor: u8) -> Vec<f32> {
    let chunks = samples.chunks_exact(usize::from(factor));
    let mean = |chunk: &[f32]| chunk.iter().sum::<f32>() / f32::from(factor);
    chunks.map(mean).collect()
}

/// Returns random weights: the cell's small, the head's near zero, gates that remember.
fn initial(rng: &mut fastrand::Rng) -> Weights {
    let mut weights = Weights::zero();
    let mut uniform = |limit: f32| limit * (2.0 * rng.f32() - 1.0);
    weights
        .from_input
        .as_flattened_mut()
        .fill_with(|| uniform(0.15));
    weights
        .from_hidden
        .as_flattened_mut()
        .fill_with(|| uniform(0.15));
    weights.head.as_flattened_mut().fill_with(|| uniform(0.01));
    // The units forget after one step up to a few hundred.
    let mut openness = 0.0;
    for forget in &mut weights.bias[HIDDEN..2 * HIDDEN] {
        *forget = openness;
        openness += 0.19;
    }
    weights
}

/// Returns a random number with mean 0 and deviation 1, near a bell curve: the
/// sum of four uniform ones.
fn bell(rng: &mut fastrand::Rng) -> f32 {
    let sum = rng.f32() + rng.f32() + rng.f32() + rng.f32();
    (sum - 2.0) * 3f32.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_goes_back_to_its_mean_is_learned() {
        // Deviations halve with each step: 0.87 of the naive error is the best
        // one step ahead, 0.71 in the long run.
        let series = [noisy(0.5), noisy(0.5)];
        let mut trainer = Trainer::new(&series, 1, 1).unwrap();
        for _ in 0..300 {
            trainer.update();
        }
        let validation = trainer.validate();
        assert!(validation[0] < 0.95, "{validation:?}");
        assert!(validation[HORIZON_COUNT - 1] < 0.9, "{validation:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_weights() {
        let learn = |seed| {
            let mut trainer = Trainer::new(&[noisy(0.5)], 1, seed).unwrap();
            trainer.update();
            trainer.update();
            trainer.adam.weights().clone()
        };
        assert!(learn(1) == learn(1) && learn(1) != learn(2));
    }

    #[test]
    fn nothing_is_learned_from_short_or_constant_series() {
        let series = [vec![1.0; 2 * SAMPLES_MIN], noisy(0.5)[1..].to_vec()];
        assert!(Trainer::new(&series, 1, 1).is_none());
    }

    #[test]
    fn copies_teach_but_are_not_judged() {
        let long = noisy(0.5).repeat(2);
        let trainer = Trainer::new(&[long], 1, 1).unwrap();
        assert_eq!((trainer.series_count(), trainer.tracks.len()), (1, 2));
        assert_eq!(coarser(&[1.0, 3.0, 5.0, 7.0, 9.0], 2), [2.0, 6.0]);
    }

    /// Returns a series whose deviations last by this share from step to step.
    pub(super) fn noisy(share: f32) -> Vec<f32> {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut deviation = 0.0;
        let mut next = || {
            deviation = share * deviation + bell(&mut rng);
            50.0 + deviation
        };
        (0..SAMPLES_MIN).map(|_| next()).collect()
    }

    pub(super) fn initial_weights() -> Weights {
        initial(&mut fastrand::Rng::with_seed(1))
    }
}
