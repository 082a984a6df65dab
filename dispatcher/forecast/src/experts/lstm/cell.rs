//! The arithmetic of the network: one step of the cell, and the head on it.
//!
//! An LSTM cell (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et
//! al. 2000). Weights lie by source, so that each loop adds a scaled row to a
//! fixed-size array: LLVM makes vector code of that. Training runs these same
//! functions.

use super::features::{ANCHORS, Anchors, INPUTS};
use super::weights::{GATES, HEAD, Weights};
use super::{HIDDEN, HORIZON_COUNT, LONGEST};
use crate::checkpoint::state;

/// The cell's memory of one series.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) cell: [f32; HIDDEN],
    pub(super) hidden: [f32; HIDDEN],
}

state!(State { cell, hidden });

impl Default for State {
    fn default() -> Self {
        Self {
            cell: [0.0; HIDDEN],
            hidden: [0.0; HIDDEN],
        }
    }
}

/// Forecasts in units from the last sample.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub(super) p50: [f32; HORIZON_COUNT],
    pub(super) p90: [f32; HORIZON_COUNT],
}

/// Advances the state by one sample; returns the open gates, for training.
pub(super) fn advance(
    weights: &Weights,
    inputs: &[f32; INPUTS],
    state: &mut State,
) -> [f32; GATES] {
    let mut gates = weights.bias;
    for (row, input) in weights.from_input.iter().zip(inputs) {
        add_scaled(&mut gates, row, *input);
    }
    for (row, hidden) in weights.from_hidden.iter().zip(&state.hidden) {
        add_scaled(&mut gates, row, *hidden);
    }
    let (sigmoids, candidates) = gates.split_at_mut(3 * HIDDEN);
    for gate in sigmoids.iter_mut() {
        *gate = 0.5 + 0.5 * tanh(0.5 * *gate);
    }
    for candidate in candidates.iter_mut() {
        *candidate = tanh(*candidate);
    }
    for unit in 0..HIDDEN {
        let (input, forget) = (gates[unit], gates[HIDDEN + unit]);
        let (output, candidate) = (gates[2 * HIDDEN + unit], gates[3 * HIDDEN + unit]);
        state.cell[unit] = forget * state.cell[unit] + input * candidate;
        state.hidden[unit] = output * tanh(state.cell[unit]);
    }
    gates
}

/// Returns the forecast: the sum of partial moves to the anchors, and the spread.
pub(super) fn change(weights: &Weights, hidden: &[f32; HIDDEN], anchors: &Anchors) -> Change {
    let mut head = weights.head_bias;
    for (row, hidden) in weights.head.iter().zip(hidden) {
        add_scaled(&mut head, row, *hidden);
    }
    let (coefficients, spreads) = head.split_at(ANCHORS * HORIZON_COUNT);
    let mut change = Change::default();
    for (row, anchor) in coefficients
        .as_chunks::<HORIZON_COUNT>()
        .0
        .iter()
        .zip(anchors)
    {
        for horizon in 0..HORIZON_COUNT {
            change.p50[horizon] += row[horizon] * anchor[horizon];
        }
    }
    for (horizon, spread) in spreads.iter().enumerate() {
        change.p90[horizon] = change.p50[horizon] + spread_unit(horizon) * spread;
    }
    change
}

/// Returns the unit of the spread at a horizon: a random walk's growth.
pub(super) fn spread_unit(horizon: usize) -> f32 {
    const ROOTS: [f32; HORIZON_COUNT] = [1.0, 1.414, 1.732, 2.236, 2.828, 3.873, 5.0, 6.325, 7.746];
    const { assert!(LONGEST == 60, "the roots are of the horizons") };
    ROOTS[horizon]
}

#[inline]
pub(super) fn add_scaled<const N: usize>(sum: &mut [f32; N], row: &[f32; N], factor: f32) {
    for index in 0..N {
        sum[index] += factor * row[index];
    }
}

/// Approximates the hyperbolic tangent within 1e-4 (Padé; it clamps before it overshoots).
#[inline]
pub(super) fn tanh(x: f32) -> f32 {
    let x = x.clamp(-4.97, 4.97);
    let square = x * x;
    let above = x * (135_135.0 + square * (17_325.0 + square * (378.0 + square)));
    let below = 135_135.0 + square * (62_370.0 + square * (3_150.0 + square * 28.0));
    above / below
}

const _: () = assert!(
    HEAD == (ANCHORS + 1) * HORIZON_COUNT,
    "the head has no gaps"
);
