//! What the LSTM sees of a series: anchors it may lean towards, and its inputs.
//!
//! An anchor is somewhere the series may go, as a distance from the last sample
//! in units of change: an average, a median, an earlier sample. Inputs are the
//! anchors compressed, and how well simple rules have worked on this series.

use super::super::history::{History, decay_weight};
use super::{HORIZON_COUNT, HORIZONS};

/// Anchors that are the same for every horizon.
pub(super) const COMMON: usize = 10;
/// The others: the change a period ago, and a step of one unit.
pub(super) const ANCHORS: usize = COMMON + 2;
pub(super) const INPUTS: usize = COMMON + 10;
/// Anchors for every horizon.
pub(super) type Anchors = [[f32; HORIZON_COUNT]; ANCHORS];

/// Weights of a new sample in the averages: from two samples to a few hundred.
const AVERAGES: [f32; 6] = [0.5, 0.25, 0.1, 0.04, 0.015, 0.004];
/// Samples in the median.
const MEDIAN_OF: usize = 15;
/// A recurring job's usual period, in steps: an hour of minutes.
const PERIOD: usize = 60;
/// No anchor is farther away, in units: a lone spike in a quiet series is 43.
const FAR: f32 = 64.0;
/// Anchors whose worth on this series is measured, and the change before.
const RULES: usize = 5;
/// Half-life of that measure, in steps.
const RULE_HALF_LIFE: f32 = 500.0;

/// Running averages of one series.
#[derive(Clone, Debug, Default)]
pub(super) struct Features {
    averages: [f32; AVERAGES.len()],
    /// The anchors that are the same for every horizon.
    common: [f32; COMMON],
    /// Steps since the value last changed.
    held: f32,
    /// What each rule said of the next change.
    said: [f32; RULES],
    /// Sums of said times true and of said squared: their ratio is the slope.
    agreement: [f32; RULES],
    power: [f32; RULES],
}

impl Features {
    /// Takes the newest sample of the history; returns the inputs.
    pub(super) fn observe(&mut self, history: &History) -> [f32; INPUTS] {
        let value = history.value(0);
        if history.count() <= 1 {
            self.averages = [value; AVERAGES.len()];
        }
        for (average, weight) in self.averages.iter_mut().zip(AVERAGES) {
            *average += weight * (value - *average);
        }
        let change = value - history.value(1);
        self.held = if change == 0.0 { self.held + 1.0 } else { 0.0 };
        let per_unit = 1.0 / history.unit();
        self.learn(bounded(change * per_unit));
        self.common = self.anchors_now(history, per_unit);
        self.said = [
            self.common[0],
            self.common[3],
            self.common[5],
            self.common[7],
            bounded((history.value(PERIOD - 1) - history.value(PERIOD)) * per_unit),
        ];
        self.inputs(history, per_unit)
    }

    /// Returns the anchors for every horizon.
    pub(super) fn anchors(&self, history: &History) -> Anchors {
        let per_unit = 1.0 / history.unit();
        let mut anchors = [[0.0; HORIZON_COUNT]; ANCHORS];
        for (anchor, common) in anchors.iter_mut().zip(self.common) {
            *anchor = [common; HORIZON_COUNT];
        }
        for (index, horizon) in HORIZONS.into_iter().enumerate() {
            let then = history.value(PERIOD - horizon) - history.value(PERIOD);
            anchors[COMMON][index] = bounded(then * per_unit);
        }
        anchors[COMMON + 1] = [1.0; HORIZON_COUNT];
        anchors
    }

    /// Compares what the rules said with the change that came.
    fn learn(&mut self, change: f32) {
        let weight = decay_weight(RULE_HALF_LIFE);
        for rule in 0..RULES {
            let said = self.said[rule].clamp(-8.0, 8.0);
            let product = said * change.clamp(-8.0, 8.0);
            self.agreement[rule] += weight * (product - self.agreement[rule]);
            self.power[rule] += weight * (said * said - self.power[rule]);
        }
    }

    fn anchors_now(&self, history: &History, per_unit: f32) -> [f32; COMMON] {
        let mut anchors = [0.0; COMMON];
        anchors[0] = history.value(1);
        anchors[1] = history.value(2);
        anchors[2..8].copy_from_slice(&self.averages);
        anchors[8] = median(history);
        anchors[9] = history.value(PERIOD);
        anchors.map(|anchor| bounded((anchor - history.value(0)) * per_unit))
    }

    fn inputs(&self, history: &History, per_unit: f32) -> [f32; INPUTS] {
        let mut inputs = [0.0; INPUTS];
        for (input, anchor) in inputs.iter_mut().zip(self.common) {
            *input = compressed(anchor);
        }
        let period = history.value(PERIOD);
        let (short, long) = history.volatility();
        let mut others = [0.0; INPUTS - COMMON];
        others[0] = compressed(bounded((history.value(PERIOD - 1) - period) * per_unit));
        others[1] = compressed(bounded((history.value(PERIOD - 15) - period) * per_unit));
        others[2] = ((short + f32::MIN_POSITIVE) / (long + f32::MIN_POSITIVE)).ln();
        others[3] = 0.3 * compressed((history.value(0) * per_unit).clamp(-1e3, 1e3));
        others[4] = 0.3 * self.held.ln_1p();
        for rule in 0..RULES {
            let slope = self.agreement[rule] / (self.power[rule] + 1e-3);
            others[5 + rule] = 2.0 * slope.clamp(-1.0, 1.0);
        }
        for (input, other) in inputs[COMMON..].iter_mut().zip(others) {
            *input = bounded(other).clamp(-10.0, 10.0);
        }
        inputs
    }
}

/// Returns the median of the last samples.
fn median(history: &History) -> f32 {
    let mut last: [f32; MEDIAN_OF] = std::array::from_fn(|lag| history.value(lag));
    *last.select_nth_unstable_by(MEDIAN_OF / 2, f32::total_cmp).1
}

fn bounded(anchor: f32) -> f32 {
    if anchor.is_nan() {
        0.0
    } else {
        anchor.clamp(-FAR, FAR)
    }
}

/// Keeps the sign; the magnitude grows like its square root.
fn compressed(value: f32) -> f32 {
    value / (1.0 + value.abs()).sqrt()
}
