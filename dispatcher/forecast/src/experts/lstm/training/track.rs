//! One training series: the network's inputs at each step, computed once.

use super::super::cell::{State, add_scaled, advance, change};
use super::super::features::{ANCHORS, Anchors, COMMON, Features, INPUTS};
use super::super::weights::Weights;
use super::super::{HORIZON_COUNT, LONGEST, horizons};
use super::{SAMPLES_MIN, WARM_UP};
use crate::series::history::History;

/// Divisor of a series: its last part, one in this many, is for validation.
const VALIDATION_PART: usize = 6;
/// Steps from one validated step to the next.
const VALIDATION_STRIDE: usize = 3;
/// Weight of a window's error in a series' mean error: a guess.
const ERROR_WEIGHT: f32 = 0.02;
/// The largest weight of one step's error, in multiples of the mean: a guess.
const BALANCE_MAX: f32 = 20.0;

#[derive(Clone, Debug)]
pub(super) struct Track {
    samples: Vec<f32>,
    units: Vec<f32>,
    inputs: Vec<[f32; INPUTS]>,
    /// The anchors common to every horizon, and the other one.
    common: Vec<[f32; COMMON]>,
    periodic: Vec<[f32; HORIZON_COUNT]>,
    /// The sample before which training ends.
    training_len: usize,
    /// Recent mean absolute errors: at first the last value's, then the network's.
    errors: [f32; HORIZON_COUNT],
}

impl Track {
    /// Returns the track; `None` if the series is too short, or constant in its training
    /// part.
    pub(super) fn new(samples: &[f32]) -> Option<Self> {
        if samples.len() < SAMPLES_MIN {
            return None;
        }
        let training_len = samples.len() - samples.len() / VALIDATION_PART;
        let errors = horizons().map(|horizon| naive_error(&samples[..training_len], horizon));
        if errors.iter().any(|error| *error <= 0.0) {
            return None;
        }
        let mut track = Self {
            samples: samples.to_vec(),
            units: Vec::with_capacity(samples.len()),
            inputs: Vec::with_capacity(samples.len()),
            common: Vec::with_capacity(samples.len()),
            periodic: Vec::with_capacity(samples.len()),
            training_len,
            errors,
        };
        let (mut history, mut features) = (History::default(), Features::default());
        for sample in samples {
            history.push(*sample);
            track.inputs.push(features.observe(&history));
            let anchors = features.anchors(&history);
            let common = std::array::from_fn(|anchor| anchors[anchor][0]);
            track.common.push(common);
            track.periodic.push(anchors[COMMON]);
            track.units.push(history.unit());
        }
        Some(track)
    }

    /// Returns the number of steps for training: those with all truths known.
    pub(super) fn step_count(&self) -> usize {
        self.training_len - LONGEST
    }

    pub(super) fn inputs(&self, position: usize) -> &[f32; INPUTS] {
        &self.inputs[position]
    }

    pub(super) fn anchors(&self, position: usize) -> Anchors {
        let mut anchors = [[0.0; HORIZON_COUNT]; ANCHORS];
        for (anchor, common) in anchors.iter_mut().zip(self.common[position]) {
            *anchor = [common; HORIZON_COUNT];
        }
        anchors[COMMON] = self.periodic[position];
        anchors
    }

    /// Returns the true changes, in units.
    pub(super) fn truths(&self, position: usize) -> [f32; HORIZON_COUNT] {
        let (last, unit) = (self.samples[position], self.units[position]);
        horizons().map(|horizon| (self.samples[position + horizon] - last) / unit)
    }

    /// Returns the weight of one unit of error at each horizon: its size against the
    /// series' mean error.
    pub(super) fn balance(&self, position: usize) -> [f32; HORIZON_COUNT] {
        let unit = self.units[position];
        self.errors
            .map(|error| (unit / error.max(f32::MIN_POSITIVE)).min(BALANCE_MAX))
    }

    /// Returns the absolute errors of forecasts that were in units.
    pub(super) fn errors(
        &self,
        position: usize,
        changes: &[f32; HORIZON_COUNT],
    ) -> [f32; HORIZON_COUNT] {
        let (truths, unit) = (self.truths(position), self.units[position]);
        std::array::from_fn(|horizon| unit * (truths[horizon] - changes[horizon]).abs())
    }

    /// Adds the mean errors of a window to those of the series.
    pub(super) fn record_errors(&mut self, errors: &[f32; HORIZON_COUNT]) {
        for (mean, error) in self.errors.iter_mut().zip(errors) {
            *mean += ERROR_WEIGHT * (error - *mean);
        }
    }

    /// Returns the mean absolute error relative to the last value's, on the part without
    /// training.
    pub(super) fn validate(&self, weights: &Weights) -> [f32; HORIZON_COUNT] {
        let mut state = State::default();
        let (mut errors, mut naive) = ([0.0; HORIZON_COUNT], [0.0; HORIZON_COUNT]);
        let start = self.training_len.saturating_sub(10 * WARM_UP);
        for position in start..self.samples.len() - LONGEST {
            advance(weights, &self.inputs[position], &mut state);
            if position < self.training_len || !position.is_multiple_of(VALIDATION_STRIDE) {
                continue;
            }
            let change = change(weights, &state.hidden, &self.anchors(position));
            let missed = self.errors(position, &change.p50);
            let moved = self.errors(position, &[0.0; HORIZON_COUNT]);
            add_scaled(&mut errors, &missed, 1.0);
            add_scaled(&mut naive, &moved, 1.0);
        }
        // A series that is constant during validation counts one.
        std::array::from_fn(|horizon| {
            let floor = 1e-6 * self.errors[horizon] + f32::MIN_POSITIVE;
            (errors[horizon] + floor) / (naive[horizon] + floor)
        })
    }
}

/// Returns the mean absolute change over this many steps.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a mean of f32 is one, and lengths are exact as f64"
)]
fn naive_error(samples: &[f32], horizon: usize) -> f32 {
    let pairs = samples.iter().zip(&samples[horizon..]);
    let sum: f64 = pairs
        .map(|(then, later)| f64::from((later - then).abs()))
        .sum();
    (sum / (samples.len() - horizon) as f64) as f32
}
