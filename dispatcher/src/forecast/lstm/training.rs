//! How the weights are learned: truncated backpropagation through time, and Adam.
//!
//! 1. Each series is one [`Track`]: its inputs and anchors, computed once.
//! 2. A walker goes along each track and carries the cell's state. An update
//!    takes a window from several walkers, forward and back.
//! 3. The loss is pinball at 0.5 and 0.9, over the mean error that the network
//!    makes on that series at that horizon: then its gradient is that of the
//!    geometric mean over series, and no series counts for more than another.
//! 4. Weights are averaged over updates (Polyak & Juditsky 1992). After each
//!    epoch the average is judged on the last part of every track, which no
//!    window touches; the best one is kept.

use super::cell::{Change, State, add_scaled, advance, change, spread_unit, tanh};
use super::features::{ANCHORS, Anchors, COMMON, Features, INPUTS};
use super::weights::{GATES, HEAD, Weights};
use super::{HIDDEN, HORIZON_COUNT, HORIZONS};
use crate::forecast::history::History;

/// Steps through which an error is traced back.
const WINDOW: usize = 80;
/// Windows in an update.
const BATCH: usize = 10;
/// Updates in an epoch.
const UPDATES: usize = 1_000;
/// The state is worth little before so many steps.
const WARM_UP: usize = 64;
/// A walker starts afresh so often, so that young series are known too.
const RESTART_CHANCE: f32 = 0.03;
/// The last part of a series, for validation, is one in so many.
const VALIDATION_PART: usize = 6;
/// Every so many steps is validated.
const VALIDATION_STRIDE: usize = 3;
const RATE_MAX: f32 = 4e-3;
const RATE_MIN: f32 = 1e-4;
/// The gradient's norm is cut to this.
const NORM_MAX: f32 = 1.0;
/// What p90 counts beside p50: the ensemble corrects it anyway.
const P90_SHARE: f32 = 0.3;
/// One step's error counts at most so many times the usual.
const WEIGHT_MAX: f32 = 20.0;
const AVERAGE_WEIGHT: f32 = 0.002;
const DECAY: f32 = 1e-3;
const LONGEST: usize = HORIZONS[HORIZON_COUNT - 1];
/// The least samples a series must have to teach.
pub const SAMPLES_MIN: usize = 8 * (LONGEST + WINDOW);

/// What an epoch came to.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Epochs done.
    pub epoch: u32,
    pub loss: f32,
    /// Mean absolute error of p50 relative to the last value's, for each of
    /// [`HORIZONS`]: the geometric mean over series.
    pub validation: [f32; HORIZON_COUNT],
    /// True if no epoch before was better.
    pub is_best: bool,
}

/// Learns weights from many series.
#[derive(Debug)]
pub struct Trainer {
    tracks: Vec<Track>,
    walkers: Vec<Walker>,
    epochs: u32,
    epoch: u32,
    update: u32,
    weights: Box<Weights>,
    gradient: Box<Weights>,
    moments: [Box<Weights>; 2],
    average: Box<Weights>,
    best: Box<Weights>,
    best_score: f32,
    rng: fastrand::Rng,
}

/// One series as the network sees it.
#[derive(Debug)]
struct Track {
    samples: Vec<f32>,
    units: Vec<f32>,
    inputs: Vec<[f32; INPUTS]>,
    anchors: Vec<[f32; COMMON]>,
    periodic: Vec<[f32; HORIZON_COUNT]>,
    /// Windows end before this sample, targets too.
    training_len: usize,
    /// Mean absolute error at each horizon, for the balance.
    errors: [f32; HORIZON_COUNT],
}

#[derive(Clone, Debug, Default)]
struct Walker {
    position: usize,
    /// Steps since the last start.
    age: usize,
    state: State,
}

/// What going back needs to know of one step forward.
struct Step {
    before: State,
    gates: [f32; GATES],
    after: State,
    /// The loss by each coefficient of the head.
    head: [f32; HEAD],
}

impl Trainer {
    /// Prepares to learn from these series, each without gaps; short or constant
    /// ones are left out. `None` if none is left.
    pub fn new(series: &[Vec<f32>], epochs: u32, seed: u64) -> Option<Self> {
        let tracks: Vec<Track> = series.iter().filter_map(|s| Track::new(s)).collect();
        if tracks.is_empty() {
            return None;
        }
        let mut rng = fastrand::Rng::with_seed(seed);
        let weights = Box::new(initial(&mut rng));
        let zero = || Box::new(Weights::zero());
        Some(Self {
            walkers: vec![Walker::default(); tracks.len()],
            tracks,
            epochs,
            epoch: 0,
            update: 0,
            gradient: zero(),
            moments: [zero(), zero()],
            average: weights.clone(),
            best: zero(),
            best_score: 0.0,
            weights,
            rng,
        })
    }

    /// Learns for one epoch; `None` when all are done.
    pub fn epoch(&mut self) -> Option<Progress> {
        if self.epoch == self.epochs {
            return None;
        }
        let loss: f32 = (0..UPDATES).map(|_| self.update()).sum();
        self.epoch += 1;
        let validation = self.validate();
        let score: f32 = validation.iter().map(|ratio| ratio.ln()).sum();
        let is_best = score < self.best_score;
        if is_best {
            self.best_score = score;
            self.best.clone_from(&self.average);
        }
        Some(Progress {
            epoch: self.epoch,
            loss: loss / UPDATES as f32,
            validation,
            is_best,
        })
    }

    /// Returns the best weights so far: those of the last value if none was better.
    pub fn best(&self) -> &Weights {
        &self.best
    }

    /// Improves the weights by the windows of a few walkers; returns the loss.
    fn update(&mut self) -> f32 {
        for part in self.gradient.parts_mut() {
            part.fill(0.0);
        }
        let mut loss = 0.0;
        for _ in 0..BATCH {
            let index = self.rng.usize(..self.tracks.len());
            let (track, walker) = (&mut self.tracks[index], &mut self.walkers[index]);
            let is_over = walker.position + WINDOW + LONGEST > track.training_len;
            if walker.age == 0 || is_over || self.rng.f32() < RESTART_CHANCE {
                *walker = Walker {
                    position: self.rng.usize(..track.training_len - WINDOW - LONGEST),
                    ..Walker::default()
                };
            }
            loss += walk(track, walker, &self.weights, &mut self.gradient);
        }
        self.update += 1;
        self.descend();
        loss / BATCH as f32
    }

    /// Takes one step of Adam, and averages.
    fn descend(&mut self) {
        let squares: f32 = self
            .gradient
            .parts()
            .into_iter()
            .flatten()
            .map(|g| g * g)
            .sum();
        let scale = (NORM_MAX / (squares.sqrt() / BATCH as f32)).min(1.0) / BATCH as f32;
        let done = self.update as f32 / (self.epochs as f32 * UPDATES as f32);
        let cosine = 0.5 + 0.5 * (std::f32::consts::PI * done).cos();
        let rate =
            RATE_MIN + (RATE_MAX - RATE_MIN) * cosine * (self.update as f32 / 500.0).min(1.0);
        let power = i32::try_from(self.update).unwrap_or(i32::MAX);
        let corrections = (1.0 - 0.9f32.powi(power), 1.0 - 0.999f32.powi(power));
        let average_weight = AVERAGE_WEIGHT.max(1.0 / (self.update as f32 + 1.0));
        let [first, second] = &mut self.moments;
        let parts = self
            .weights
            .parts_mut()
            .into_iter()
            .zip(self.gradient.parts());
        let moments = first.parts_mut().into_iter().zip(second.parts_mut());
        for (((weights, gradients), (first, second)), averages) in
            parts.zip(moments).zip(self.average.parts_mut())
        {
            for index in 0..weights.len() {
                let gradient = gradients[index] * scale;
                first[index] += 0.1 * (gradient - first[index]);
                second[index] += 0.001 * (gradient * gradient - second[index]);
                let direction = (first[index] / corrections.0)
                    / ((second[index] / corrections.1).sqrt() + 1e-8);
                weights[index] -= rate * (direction + DECAY * weights[index]);
                averages[index] += average_weight * (weights[index] - averages[index]);
            }
        }
    }

    fn validate(&self) -> [f32; HORIZON_COUNT] {
        let mut logs = [0.0; HORIZON_COUNT];
        for track in &self.tracks {
            let ratios = track.validate(&self.average);
            for (log, ratio) in logs.iter_mut().zip(ratios) {
                *log += ratio.ln();
            }
        }
        logs.map(|log| (log / self.tracks.len() as f32).exp())
    }
}

impl Track {
    fn new(samples: &[f32]) -> Option<Self> {
        if samples.len() < SAMPLES_MIN {
            return None;
        }
        let training_len = samples.len() - samples.len() / VALIDATION_PART;
        let errors = HORIZONS.map(|horizon| naive_error(&samples[..training_len], horizon));
        if errors.iter().any(|error| *error <= 0.0) {
            return None;
        }
        let mut track = Self {
            samples: samples.to_vec(),
            units: Vec::with_capacity(samples.len()),
            inputs: Vec::with_capacity(samples.len()),
            anchors: Vec::with_capacity(samples.len()),
            periodic: Vec::with_capacity(samples.len()),
            training_len,
            errors,
        };
        let (mut history, mut features) = (History::default(), Features::default());
        for sample in samples {
            history.push(*sample);
            track.inputs.push(features.observe(&history));
            let anchors = features.anchors(&history);
            track
                .anchors
                .push(std::array::from_fn(|anchor| anchors[anchor][0]));
            track.periodic.push(anchors[COMMON]);
            track.units.push(history.unit());
        }
        Some(track)
    }

    fn anchors(&self, position: usize) -> Anchors {
        let mut anchors = [[1.0; HORIZON_COUNT]; ANCHORS];
        for (anchor, common) in anchors.iter_mut().zip(self.anchors[position]) {
            *anchor = [common; HORIZON_COUNT];
        }
        anchors[COMMON] = self.periodic[position];
        anchors
    }

    /// Returns the error relative to the last value's on the validation part.
    fn validate(&self, weights: &Weights) -> [f32; HORIZON_COUNT] {
        let mut state = State::default();
        let (mut errors, mut naive) = ([0.0f64; HORIZON_COUNT], [0.0f64; HORIZON_COUNT]);
        let start = self.training_len.saturating_sub(10 * WARM_UP);
        for position in start..self.samples.len() - LONGEST {
            advance(weights, &self.inputs[position], &mut state);
            if position < self.training_len || !position.is_multiple_of(VALIDATION_STRIDE) {
                continue;
            }
            let change = change(weights, &state.hidden, &self.anchors(position));
            let (last, unit) = (self.samples[position], self.units[position]);
            for (index, horizon) in HORIZONS.into_iter().enumerate() {
                let truth = self.samples[position + horizon] - last;
                errors[index] += f64::from((truth - unit * change.p50[index]).abs());
                naive[index] += f64::from(truth.abs());
            }
        }
        std::array::from_fn(|index| {
            let floor = 1e-6 * f64::from(self.errors[index]);
            ((errors[index] + floor) / (naive[index] + floor)) as f32
        })
    }
}

/// Takes a window: adds to the gradient, moves the walker on, returns the mean loss.
fn walk(track: &mut Track, walker: &mut Walker, weights: &Weights, gradient: &mut Weights) -> f32 {
    let mut steps = Vec::with_capacity(WINDOW);
    let mut loss = 0.0;
    for position in walker.position..walker.position + WINDOW {
        let before = walker.state.clone();
        let gates = advance(weights, &track.inputs[position], &mut walker.state);
        let mut step = Step {
            before,
            gates,
            after: walker.state.clone(),
            head: [0.0; HEAD],
        };
        walker.age += 1;
        if walker.age > WARM_UP {
            let anchors = track.anchors(position);
            let change = change(weights, &step.after.hidden, &anchors);
            loss += judge(track, position, &change, &anchors, &mut step.head);
        }
        steps.push(step);
    }
    go_back(&track.inputs[walker.position..], &steps, weights, gradient);
    walker.position += WINDOW;
    loss / WINDOW as f32
}

/// Returns the loss of a forecast, and its slope by the head's coefficients.
fn judge(
    track: &mut Track,
    position: usize,
    change: &Change,
    anchors: &Anchors,
    slopes: &mut [f32; HEAD],
) -> f32 {
    let mut loss = 0.0;
    for (index, horizon) in HORIZONS.into_iter().enumerate() {
        let unit = track.units[position];
        let truth = (track.samples[position + horizon] - track.samples[position]) / unit;
        let weight = (unit / track.errors[index]).min(WEIGHT_MAX) / HORIZON_COUNT as f32;
        let (error50, error90) = (truth - change.p50[index], truth - change.p90[index]);
        // Half of the absolute error is the pinball loss at 0.5; it counts whole.
        let slope50 = -weight * error50.signum();
        let slope90 = P90_SHARE * weight * if error90 > 0.0 { -0.9 } else { 0.1 };
        loss += -slope50 * error50 - slope90 * error90;
        for (anchor, row) in anchors.iter().enumerate() {
            slopes[anchor * HORIZON_COUNT + index] = (slope50 + slope90) * row[index];
        }
        slopes[ANCHORS * HORIZON_COUNT + index] = slope90 * spread_unit(index);
        let error = unit * error50.abs();
        track.errors[index] += ERROR_WEIGHT * (error - track.errors[index]);
    }
    loss
}

/// Weight of an error in a series' mean error: a few thousand steps.
const ERROR_WEIGHT: f32 = 2e-4;

/// Adds the window's gradient, from its last step to its first.
fn go_back(inputs: &[[f32; INPUTS]], steps: &[Step], weights: &Weights, gradient: &mut Weights) {
    let (mut by_hidden, mut by_cell) = ([0.0; HIDDEN], [0.0; HIDDEN]);
    for (step, inputs) in steps.iter().zip(inputs).rev() {
        for unit in 0..HIDDEN {
            by_hidden[unit] += dot(&weights.head[unit], &step.head);
            add_scaled(
                &mut gradient.head[unit],
                &step.head,
                step.after.hidden[unit],
            );
        }
        add_scaled(&mut gradient.head_bias, &step.head, 1.0);
        let by_gates = through_cell(step, &by_hidden, &mut by_cell);
        for (row, input) in gradient.from_input.iter_mut().zip(inputs) {
            add_scaled(row, &by_gates, *input);
        }
        for unit in 0..HIDDEN {
            add_scaled(
                &mut gradient.from_hidden[unit],
                &by_gates,
                step.before.hidden[unit],
            );
            by_hidden[unit] = dot(&weights.from_hidden[unit], &by_gates);
        }
        add_scaled(&mut gradient.bias, &by_gates, 1.0);
    }
}

/// Returns the slope by the gates before their squashing; leaves that by the
/// cell before the step.
fn through_cell(
    step: &Step,
    by_hidden: &[f32; HIDDEN],
    by_cell: &mut [f32; HIDDEN],
) -> [f32; GATES] {
    let mut by_gates = [0.0; GATES];
    for unit in 0..HIDDEN {
        let (input, forget) = (step.gates[unit], step.gates[HIDDEN + unit]);
        let (output, candidate) = (step.gates[2 * HIDDEN + unit], step.gates[3 * HIDDEN + unit]);
        let squashed = tanh(step.after.cell[unit]);
        let cell = by_cell[unit] + by_hidden[unit] * output * (1.0 - squashed * squashed);
        by_gates[unit] = cell * candidate * input * (1.0 - input);
        by_gates[HIDDEN + unit] = cell * step.before.cell[unit] * forget * (1.0 - forget);
        by_gates[2 * HIDDEN + unit] = by_hidden[unit] * squashed * output * (1.0 - output);
        by_gates[3 * HIDDEN + unit] = cell * input * (1.0 - candidate * candidate);
        by_cell[unit] = cell * forget;
    }
    by_gates
}

/// Returns the inner product, in eight lanes so that it becomes vector code.
fn dot<const N: usize>(left: &[f32; N], right: &[f32; N]) -> f32 {
    let mut lanes = [0.0; 8];
    let (left, left_rest) = left.as_chunks::<8>();
    let (right, right_rest) = right.as_chunks::<8>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..8 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(l, r)| l * r).sum();
    lanes.iter().sum::<f32>() + rest
}

/// Returns random weights: the cell's small, the head's near zero, gates that remember.
fn initial(rng: &mut fastrand::Rng) -> Weights {
    let mut weights = Weights::zero();
    let mut uniform = |limit: f32| limit * (2.0 * rng.f32() - 1.0);
    let [from_input, from_hidden, _, head, _] = weights.parts_mut();
    from_input.fill_with(|| uniform((3.0 / INPUTS as f32).sqrt() * 0.5));
    from_hidden.fill_with(|| uniform((3.0 / HIDDEN as f32).sqrt() * 0.5));
    head.fill_with(|| uniform(0.01));
    // Units forget after one step to a few hundred.
    for unit in 0..HIDDEN {
        weights.bias[HIDDEN + unit] = 6.0 * unit as f32 / HIDDEN as f32;
    }
    weights
}

fn naive_error(samples: &[f32], horizon: usize) -> f32 {
    let pairs = samples.iter().zip(&samples[horizon..]);
    let sum: f64 = pairs
        .map(|(then, later)| f64::from((later - then).abs()))
        .sum();
    (sum / (samples.len() - horizon) as f64) as f32
}
