//! Features of a series for the LSTM: anchors that it may move towards, and its inputs.
//!
//! An anchor is a value that the series may reach, as a distance from the last sample in
//! units of change: an average, a median, an earlier sample. Inputs are the compressed
//! anchors, the calmness of the series, and the past success of simple rules on it.

use super::{HORIZON_COUNT, horizons};
use crate::checkpoint::state;
use crate::series::history::{History, Volatility, decay_weight};

/// Anchors that are the same for every horizon.
pub(super) const COMMON: usize = 11;
/// Number of anchors: the common ones, and one for the change a period ago.
pub(super) const ANCHORS: usize = COMMON + 1;
pub(super) const INPUTS: usize = COMMON + OTHERS;
/// Anchors for every horizon.
pub(super) type Anchors = [[f32; HORIZON_COUNT]; ANCHORS];

const OTHERS: usize = 7 + RULES;
/// Weights of a new sample in the averages: from two samples to a few hundred.
const AVERAGES: [f32; 6] = [0.5, 0.25, 0.1, 0.04, 0.015, 0.004];
/// Samples in the median.
const MEDIAN_OF: usize = 15;
/// A recurring job's usual period, in steps: an hour of minutes.
const PERIOD: usize = 60;
/// The largest distance of an anchor, in units: a lone spike in a quiet series is 43.
const FAR: f32 = 64.0;
/// The largest input: the network was not trained beyond.
const INPUT_MAX: f32 = 10.0;
/// Number of rules whose success is measured: the change continues, the series goes to
/// one of three averages, the change of a period ago repeats.
const RULES: usize = 5;
/// Half-life of that measure, in steps: a guess.
const RULE_HALF_LIFE: f32 = 500.0;
/// The largest evidence of one step, in units.
const RULE_MAX: f32 = 8.0;

/// Running averages of one series.
#[derive(Clone, Debug, Default)]
pub(super) struct Features {
    averages: [f32; AVERAGES.len()],
    /// The anchors that are the same for every horizon.
    common: [f32; COMMON],
    /// Steps since the value last changed.
    held: f32,
    /// The prediction of each rule for the next change.
    opinions: [f32; RULES],
    /// Means of predicted times true and of predicted squared: their ratio is the slope.
    agreement: [f32; RULES],
    power: [f32; RULES],
}

state!(Features {
    averages,
    common,
    held,
    opinions,
    agreement,
    power
});

impl Features {
    /// Learns from the newest sample of the history; returns the inputs.
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
        self.judge_rules(change * per_unit);
        self.common = self.anchors_now(history, per_unit);
        let then = history.value(PERIOD - 1) - history.value(PERIOD);
        let [before, _, _, quick, _, middle, _, slow, ..] = self.common;
        self.opinions = [before, quick, middle, slow, bounded(then * per_unit)];
        self.inputs(history, per_unit)
    }

    /// Returns the anchors for every horizon.
    pub(super) fn anchors(&self, history: &History) -> Anchors {
        let per_unit = 1.0 / history.unit();
        let mut anchors = [[0.0; HORIZON_COUNT]; ANCHORS];
        for (anchor, common) in anchors.iter_mut().zip(self.common) {
            *anchor = [common; HORIZON_COUNT];
        }
        anchors[COMMON] = horizons().map(|horizon| {
            let change = history.value(PERIOD - horizon) - history.value(PERIOD);
            bounded(change * per_unit)
        });
        anchors
    }

    /// Compares the predictions of the rules with the change that followed.
    fn judge_rules(&mut self, change: f32) {
        let weight = decay_weight(RULE_HALF_LIFE);
        let change = within(change, RULE_MAX);
        for rule in 0..RULES {
            let opinion = within(self.opinions[rule], RULE_MAX);
            self.agreement[rule] += weight * (opinion * change - self.agreement[rule]);
            self.power[rule] += weight * (opinion * opinion - self.power[rule]);
        }
    }

    fn anchors_now(&self, history: &History, per_unit: f32) -> [f32; COMMON] {
        let mut anchors = [history.value(0); COMMON];
        anchors[0] = history.value(1);
        anchors[1] = history.value(2);
        anchors[2..8].copy_from_slice(&self.averages);
        anchors[8] = median(history);
        anchors[9] = history.value(PERIOD);
        let mut anchors = anchors.map(|anchor| bounded((anchor - history.value(0)) * per_unit));
        // The last is one step up, as calm as the series has recently been at best: a
        // burst in the past must not move a quiet series.
        anchors[10] = bounded(calmest(history.volatilities()) * per_unit);
        anchors
    }

    fn inputs(&self, history: &History, per_unit: f32) -> [f32; INPUTS] {
        let volatility = history.volatilities();
        let period = history.value(PERIOD);
        let then = |lag: usize| compressed(bounded((history.value(lag) - period) * per_unit));
        let mut others = [
            then(PERIOD - 1),
            then(PERIOD - 15),
            log_ratio(volatility.short, volatility.usual),
            log_ratio(volatility.burst, volatility.short),
            log_ratio(volatility.medium, volatility.usual),
            0.3 * compressed(within(history.value(0) * per_unit, 1e3)),
            0.3 * self.held.ln_1p(),
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
        ];
        for rule in 0..RULES {
            let slope = self.agreement[rule] / (self.power[rule] + 1e-3);
            others[OTHERS - RULES + rule] = 2.0 * slope.clamp(-1.0, 1.0);
        }
        let mut inputs = [0.0; INPUTS];
        let (first, rest) = inputs.split_at_mut(COMMON);
        for (input, anchor) in first.iter_mut().zip(self.common) {
            *input = compressed(anchor);
        }
        for (input, other) in rest.iter_mut().zip(others) {
            *input = within(other, INPUT_MAX);
        }
        inputs
    }
}

/// Returns the median of the last samples.
fn median(history: &History) -> f32 {
    let mut last: [f32; MEDIAN_OF] = std::array::from_fn(|lag| history.value(lag));
    *last.select_nth_unstable_by(MEDIAN_OF / 2, f32::total_cmp).1
}

fn calmest(volatility: Volatility) -> f32 {
    let Volatility {
        burst,
        short,
        medium,
        usual,
    } = volatility;
    burst.min(short).min(medium).min(usual)
}

fn log_ratio(above: f32, below: f32) -> f32 {
    ((above + f32::MIN_POSITIVE) / (below + f32::MIN_POSITIVE)).ln()
}

fn bounded(anchor: f32) -> f32 {
    within(anchor, FAR)
}

/// Returns the value, limited to the bound; 0 for NaN, such as the difference of two
/// infinities.
fn within(value: f32, bound: f32) -> f32 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(-bound, bound)
    }
}

/// Keeps the sign; the magnitude grows like its square root.
fn compressed(value: f32) -> f32 {
    value / (1.0 + value.abs()).sqrt()
}
