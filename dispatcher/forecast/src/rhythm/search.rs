//! Search for the period of a series, and for its predictive power.
//!
//! Candidates are peaks of the autocorrelation's mean at multiples of a period. Each is
//! then judged out of sample: a profile folded from older cycles predicts the newer ones,
//! and the period with the best predictions is taken. A multiple of the true period
//! learns slower and a fraction of it not at all, so both lose.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "positions within a few thousand bins"
)]

use super::fft::autocorrelation;

/// The shortest period that is searched for, in bins: 14 s.
const PERIOD_MIN: f64 = 7.0;
/// The least number of cycles that must have been seen.
const CYCLES_MIN: f64 = 3.2;
/// Multiples of a period at which the autocorrelation is read: more would need a finer
/// grid, and lose periods that drift.
const MULTIPLES_MAX: usize = 24;
/// Number of candidates judged out of sample.
const CANDIDATES: usize = 7;
/// The most slots of the profile by which a candidate is judged.
const SLOTS_MAX: usize = 256;
/// The least weight of a new cycle in that profile.
const CYCLE_WEIGHT: f32 = 0.12;
/// The least share of the variance that must be predicted, beyond chance.
const SHARE_MIN: f32 = 0.08;
/// The share predicted by chance, times the number of cycles (a rough figure from four
/// series of noise).
const CHANCE: f64 = 1.2;
/// Ratio to the best share at which a shorter period is taken instead.
const NEARLY: f32 = 0.85;
/// The least slope of outcomes on predictions.
const SLOPE_MIN: f32 = 0.25;

/// A period, and the share of the newer cycles that the older ones explain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// The period, in bins.
    pub(super) period: f64,
    /// The share of the variance, from 0 to 1.
    pub(super) share: f32,
}

/// Returns the period with the best predictions, if any are good enough.
pub(super) fn search(series: &[f32]) -> Option<Found> {
    let judged = candidates(series)
        .into_iter()
        .map(|period| judge(series, period));
    let judged: Vec<Found> = judged.collect();
    let beyond = |found: &Found| beyond_chance(found, series.len());
    let best = judged.iter().map(beyond).max_by(f32::total_cmp)?;
    let good = judged.iter().filter(|found| beyond(found) >= NEARLY * best);
    let shortest = good.min_by(|a, b| a.period.total_cmp(&b.period))?;
    let refined = refine(series, *shortest);
    (beyond(&refined) >= SHARE_MIN).then_some(refined)
}

/// Returns the share less the one that the best of many periods predicts by chance: much
/// if there were few cycles.
fn beyond_chance(found: &Found, bins: usize) -> f32 {
    let cycles = bins as f64 / found.period;
    found.share - (CHANCE / (cycles - 1.0).max(1.0)) as f32
}

/// Improves a period by steps to better ones nearby.
fn refine(series: &[f32], mut found: Found) -> Found {
    let cycles = series.len() as f64 / found.period;
    let mut step = found.period / (4.0 * cycles.min(MULTIPLES_MAX as f64));
    for _ in 0..2 {
        for period in [found.period - step, found.period + step] {
            let other = judge(series, period);
            if other.share > found.share {
                found = other;
            }
        }
        step /= 2.0;
    }
    found
}

/// Returns the periods with the highest mean autocorrelation at their multiples.
fn candidates(series: &[f32]) -> Vec<f64> {
    let lag_max = series.len() * 3 / 4;
    let period_max = series.len() as f64 / CYCLES_MIN;
    let sums = running(&autocorrelation(&without_mean(series), lag_max));
    let mut peaks: Vec<(f32, f64)> = Vec::new();
    let mut period = PERIOD_MIN;
    let (mut before, mut last) = ((f32::MAX, 0.0), (f32::MIN, 0.0));
    while period < period_max {
        // All multiples of a period look alike; the shortest shall not be missed.
        let short = (1.0 + 10.0 / (period + 20.0)) as f32;
        let next = (comb(&sums, period) * short, period);
        if last.0 >= before.0 && last.0 > next.0 {
            peaks.push(last);
        }
        (before, last) = (last, next);
        let multiples = (lag_max as f64 / period).clamp(1.0, MULTIPLES_MAX as f64);
        period += 0.8 / multiples;
    }
    peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
    peaks.truncate(CANDIDATES);
    peaks.into_iter().map(|(_, period)| period).collect()
}

/// Returns the height of the autocorrelation at multiples of a period above its
/// surroundings.
fn comb(sums: &[f32], period: f64) -> f32 {
    let lag_max = (sums.len() - 2) as f64;
    let multiples = ((lag_max / period - 0.5) as usize).clamp(1, MULTIPLES_MAX);
    let end = ((multiples as f64 + 0.5) * period).min(lag_max) as usize;
    let start = (0.5 * period) as usize;
    let around = (sums[end] - sums[start]) / (end - start).max(1) as f32;
    let at = (1..=multiples).map(|multiple| {
        // Three lags each: a period is not a whole number of bins.
        let lag = (multiple as f64 * period + 0.5) as usize;
        let high = (lag + 2).min(sums.len() - 1);
        (sums[high] - sums[high - 3]) / 3.0
    });
    at.sum::<f32>() / multiples as f32 - around
}

/// Predicts each cycle from those before it.
fn judge(series: &[f32], period: f64) -> Found {
    let level = levelled(series, period);
    let slots = (period.ceil() as usize).min(SLOTS_MAX);
    let mut profile = vec![(0.0f32, 0u16); slots];
    let (mut square, mut predicted_square, mut product) = (0.0f32, 0.0f32, 0.0f32);
    let (step, mut phase) = (1.0 / period, 0.0);
    for value in level {
        let (predicted, count) = &mut profile[((phase * slots as f64) as usize).min(slots - 1)];
        if *count >= 2 {
            square += value * value;
            predicted_square += *predicted * *predicted;
            product += *predicted * value;
        }
        *count = count.saturating_add(1);
        *predicted += (value - *predicted) * CYCLE_WEIGHT.max(1.0 / f32::from(*count));
        phase += step;
        if phase >= 1.0 {
            phase -= 1.0;
        }
    }
    let is_predictive = product > SLOPE_MIN * predicted_square && square > 0.0;
    let share = product * product / (square * predicted_square).max(f32::MIN_POSITIVE);
    Found {
        period,
        share: if is_predictive { share } else { 0.0 },
    }
}

/// Subtracts the mean of the cycle around each sample: slower changes do not belong to
/// the period.
pub(super) fn levelled(series: &[f32], period: f64) -> Vec<f32> {
    let sums = running(series);
    let half = (period / 2.0).round().max(1.0) as usize;
    let around = |index: usize| {
        let (start, end) = (index.saturating_sub(half), (index + half).min(series.len()));
        // At an end the whole cycle next to it is used.
        let start = start.min(series.len().saturating_sub(2 * half));
        let end = end.max((2 * half).min(series.len()));
        (sums[end] - sums[start]) / (end - start) as f32
    };
    let values = series.iter().enumerate();
    values.map(|(index, value)| value - around(index)).collect()
}

/// Returns the running sums: one more than there are values.
fn running(series: &[f32]) -> Vec<f32> {
    let mut sum = 0.0;
    let sums = series.iter().map(|value| {
        sum += value;
        sum
    });
    std::iter::once(0.0).chain(sums).collect()
}

fn without_mean(series: &[f32]) -> Vec<f32> {
    let mean = series.iter().sum::<f32>() / series.len().max(1) as f32;
    series.iter().map(|value| value - mean).collect()
}
