//! One window of a series: the network forward, then the loss's gradient back.

use super::super::cell::{Change, State, add_scaled, advance, change, spread_unit, tanh};
use super::super::features::{ANCHORS, Anchors, INPUTS};
use super::super::weights::{GATES, HEAD, Weights};
use super::super::{HIDDEN, HORIZON_COUNT};
use super::track::Track;
use super::{WARM_UP, WINDOW};

/// Weight of p90 beside p50: the ensemble corrects it anyway.
const P90_SHARE: f32 = 0.3;

/// The position of training on a track, and the cell's state there.
#[derive(Clone, Debug, Default)]
pub(super) struct Walker {
    pub(super) position: usize,
    /// Steps since the last start.
    pub(super) age: usize,
    state: State,
}

/// The values of one step forward that the way back needs.
struct Step {
    inputs: [f32; INPUTS],
    before: State,
    gates: [f32; GATES],
    after: State,
    /// The slopes of the loss by each output of the head.
    by_head: [f32; HEAD],
}

/// Moves the walker on by a window and adds to the gradient; returns the mean loss.
/// `noise` is added to the inputs, for each step and input.
pub(super) fn walk(
    track: &mut Track,
    walker: &mut Walker,
    weights: &Weights,
    mut noise: impl FnMut() -> f32,
    gradient: &mut Weights,
) -> f32 {
    let mut steps = Vec::with_capacity(WINDOW);
    let mut loss = 0.0;
    let mut errors = [0.0; HORIZON_COUNT];
    for position in walker.position..walker.position + WINDOW {
        let inputs = track.inputs(position).map(|input| input + noise());
        let before = walker.state.clone();
        let gates = advance(weights, &inputs, &mut walker.state);
        walker.age += 1;
        let mut by_head = [0.0; HEAD];
        if walker.age > WARM_UP {
            let anchors = track.anchors(position);
            let change = change(weights, &walker.state.hidden, &anchors);
            loss += judge(track, position, &change, &anchors, &mut by_head);
            add_scaled(&mut errors, &track.errors(position, &change.p50), 1.0);
        }
        let after = walker.state.clone();
        steps.push(Step {
            inputs,
            before,
            gates,
            after,
            by_head,
        });
    }
    go_back(&steps, weights, gradient);
    if walker.age >= WARM_UP + WINDOW {
        track.record_errors(&errors.map(|error| error / WINDOW_F32));
    }
    walker.position += WINDOW;
    loss / WINDOW_F32
}

/// Returns the loss of a forecast, and its slopes by the head.
fn judge(
    track: &Track,
    position: usize,
    change: &Change,
    anchors: &Anchors,
    by_head: &mut [f32; HEAD],
) -> f32 {
    let (truths, balance) = (track.truths(position), track.balance(position));
    let mut loss = 0.0;
    for horizon in 0..HORIZON_COUNT {
        let weight = balance[horizon] / HORIZONS_F32;
        let error50 = truths[horizon] - change.p50[horizon];
        let error90 = truths[horizon] - change.p90[horizon];
        // Twice the pinball loss at 0.5 is the absolute error.
        let slope50 = -weight * error50.signum();
        let slope90 = P90_SHARE * weight * if error90 > 0.0 { -0.9 } else { 0.1 };
        loss -= slope50 * error50 + slope90 * error90;
        // p90 is p50 and the spread.
        for anchor in 0..ANCHORS {
            by_head[anchor * HORIZON_COUNT + horizon] =
                (slope50 + slope90) * anchors[anchor][horizon] / WINDOW_F32;
        }
        by_head[ANCHORS * HORIZON_COUNT + horizon] = slope90 * spread_unit(horizon) / WINDOW_F32;
    }
    loss
}

/// Adds the window's gradient, from its last step to its first.
fn go_back(steps: &[Step], weights: &Weights, gradient: &mut Weights) {
    let (mut by_hidden, mut by_cell) = ([0.0; HIDDEN], [0.0; HIDDEN]);
    for step in steps.iter().rev() {
        for (row, hidden) in gradient.head.iter_mut().zip(step.after.hidden) {
            add_scaled(row, &step.by_head, hidden);
        }
        for (slope, row) in by_hidden.iter_mut().zip(&weights.head) {
            *slope += dot(row, &step.by_head);
        }
        add_scaled(&mut gradient.head_bias, &step.by_head, 1.0);
        let by_gates = through_cell(step, &by_hidden, &mut by_cell);
        for (row, input) in gradient.from_input.iter_mut().zip(step.inputs) {
            add_scaled(row, &by_gates, input);
        }
        for (row, hidden) in gradient.from_hidden.iter_mut().zip(step.before.hidden) {
            add_scaled(row, &by_gates, hidden);
        }
        by_hidden = weights
            .from_hidden
            .each_ref()
            .map(|row| dot(row, &by_gates));
        add_scaled(&mut gradient.bias, &by_gates, 1.0);
    }
}

/// Returns the slopes by the gates before their squashing; leaves those by the
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
    let rest = left_rest.iter().zip(right_rest).map(|(l, r)| l * r);
    lanes.iter().sum::<f32>() + rest.sum::<f32>()
}

#[allow(clippy::cast_precision_loss, reason = "small and exact")]
const WINDOW_F32: f32 = WINDOW as f32;
#[allow(clippy::cast_precision_loss, reason = "small and exact")]
const HORIZONS_F32: f32 = HORIZON_COUNT as f32;

#[cfg(test)]
mod tests {
    use super::super::super::training::tests::{initial_weights, noisy};
    use super::*;

    #[test]
    fn the_gradient_is_what_small_steps_of_the_weights_show() {
        let track = Track::new(&noisy(0.7)).unwrap();
        let weights = lively();
        let mut gradient = Weights::zero();
        loss(&track, &weights, &mut gradient);
        for part in 0..gradient.parts().len() {
            // Along the signs of the slopes, the slope is the sum of their sizes.
            let expected: f32 = gradient.parts()[part].iter().map(|slope| slope.abs()).sum();
            let size = 5e-4 / expected;
            let [up, down] = [size, -size].map(|size| {
                let mut moved = weights.clone();
                let slopes = gradient.parts()[part];
                for (weight, slope) in moved.parts_mut()[part].iter_mut().zip(slopes) {
                    *weight += size * slope.signum();
                }
                loss(&track, &moved, &mut Weights::zero())
            });
            let found = (up - down) / (2.0 * size);
            assert!(
                (found - expected).abs() < 0.01 * expected,
                "part {part}: {found}, not {expected}"
            );
        }
    }

    /// Returns random weights that affect the forecast and the steps that follow.
    fn lively() -> Weights {
        let mut weights = initial_weights();
        let mut rng = fastrand::Rng::with_seed(2);
        for weight in weights.parts_mut().into_iter().flatten() {
            *weight += 0.5 * (rng.f32() - 0.5);
        }
        weights
    }

    fn loss(track: &Track, weights: &Weights, gradient: &mut Weights) -> f32 {
        let mut walker = Walker {
            position: 300,
            age: WARM_UP,
            state: State::default(),
        };
        let mut track = track.clone();
        walk(&mut track, &mut walker, weights, || 0.0, gradient)
    }
}
