//! A periodic component of a node's load: its profile and its punctuality.
//!
//! Cycles are aligned before they are averaged (Woody, *Characterization of an adaptive
//! filter for the analysis of variable latency neuroelectric signals*, 1967), so that a
//! pulse of varying lateness is not smeared. Their offsets show the jitter, and whether
//! it accumulates.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "positions within a few thousand bins"
)]

use rolecast_common::resource::Resource;

use super::RESOURCES;
use super::ring::Past;
use super::search::{Found, levelled};

/// The resource by which cycles are aligned: CPU.
const CPU: usize = Resource::Cpu as usize;
/// Points of a profile: a second apart for short periods, four for half an hour.
const SLOTS_MIN: usize = 16;
const SLOTS_MAX: usize = 256;
/// Cycles averaged, at most: a period that drifts is out of step with older ones.
const CYCLES_MAX: usize = 40;
/// The weight of a cycle relative to the next one.
const CYCLE_DECAY: f32 = 0.94;
/// The largest offset of a cycle, as a share of the period.
const MOVE_MAX: f32 = 0.2;
/// Rounds of aligning and averaging (guessed).
const ROUNDS: usize = 3;

/// A periodic component.
#[derive(Clone, Debug)]
pub(super) struct Component {
    /// The period, in bins.
    pub(super) period: f64,
    /// The start of a cycle, in bins since the Unix epoch.
    pub(super) start: f64,
    /// The standard deviation of the cycles' offsets, in bins.
    pub(super) jitter: f32,
    /// The standard deviation of an offset's change from cycle to cycle, if it
    /// accumulates.
    pub(super) wander: Option<f32>,
    /// The standard deviation of the CPU that the profile leaves unexplained.
    pub(super) noise: f32,
    /// The integral of the profile from the cycle's start, in share times bins;
    /// the mean over a cycle is zero.
    integral: Vec<[f32; RESOURCES]>,
}

impl Component {
    /// Learns the profile of the past at this period, and subtracts it.
    pub(super) fn fit(past: &mut Past, found: Found) -> Self {
        let end = past.values[CPU].len() as f64;
        let levels = past
            .values
            .each_ref()
            .map(|values| levelled(values, found.period));
        let slots = ((2.0 * found.period) as usize).clamp(SLOTS_MIN, SLOTS_MAX);
        let mut grid = Grid {
            period: found.period,
            slots,
            cycles: ((end / found.period) as usize).clamp(1, CYCLES_MAX),
            end,
        };
        grid.turn(&levels[CPU]);
        let offsets = grid.align(&levels[CPU]);
        let punctual = Punctuality::of(&offsets);
        let profile: Vec<[f32; RESOURCES]> = {
            let each: [Vec<f32>; RESOURCES] =
                std::array::from_fn(|resource| grid.believed(&levels[resource], &offsets));
            (0..slots)
                .map(|slot| each.each_ref().map(|values| values[slot]))
                .collect()
        };
        let noise = grid.noise(&levels[CPU], &offsets, &profile);
        grid.take_off(past, &offsets, &profile);
        let width = (found.period / slots as f64) as f32;
        let mut sum = [0.0; RESOURCES];
        let mut integral = vec![sum];
        for values in &profile {
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += value * width;
            }
            integral.push(sum);
        }
        let step = width * punctual.trend;
        Self {
            period: found.period + f64::from(step),
            start: past.first as f64 + grid.end + f64::from(width * punctual.now),
            jitter: punctual.jitter * width,
            wander: punctual.wander.map(|wander| wander * width),
            noise,
            integral,
        }
    }

    /// Returns the profile's integral from some cycle's start until this moment,
    /// in bins since the Unix epoch.
    pub(super) fn integral(&self, at: f64) -> [f32; RESOURCES] {
        let cycles = (at - self.start) / self.period;
        let slots = self.integral.len() - 1;
        // Cheaper than `floor`, and called hundreds of times a heartbeat.
        let part = cycles - cycles as i64 as f64;
        let part = if part < 0.0 { part + 1.0 } else { part };
        let place = (part * slots as f64) as f32;
        let slot = (place as usize).min(slots - 1);
        let share = place - slot as f32;
        let (low, high) = (&self.integral[slot], &self.integral[slot + 1]);
        std::array::from_fn(|index| low[index] + share * (high[index] - low[index]))
    }

    /// Returns the mean of CPU between two moments, in bins since the Unix epoch.
    pub(super) fn mean_cpu(&self, from: f64, to: f64) -> f32 {
        (self.integral(to)[CPU] - self.integral(from)[CPU]) / (to - from) as f32
    }

    /// Returns the end of the cycle of this moment, in bins since the Unix epoch.
    pub(super) fn next_start(&self, at: f64) -> f64 {
        let cycles = (at - self.start) / self.period;
        self.start + (cycles.floor() + 1.0) * self.period
    }
}

/// The newest cycles of a series.
#[derive(Clone, Copy, Debug)]
struct Grid {
    period: f64,
    slots: usize,
    cycles: usize,
    /// The end of the newest cycle, in bins of the series.
    end: f64,
}

impl Grid {
    /// Shifts the cycles so that their events are in the middle.
    fn turn(&mut self, series: &[f32]) {
        let profile = self.mean(series, &vec![0.0; self.cycles], |_| true);
        let mut sorted = profile.clone();
        sorted.sort_by(f32::total_cmp);
        let usual = sorted[self.slots / 2];
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (slot, value) in profile.iter().enumerate() {
            let angle = std::f32::consts::TAU * slot as f32 / self.slots as f32;
            let weight = (value - usual).powi(2);
            sine += weight * angle.sin();
            cosine += weight * angle.cos();
        }
        let middle = f64::from(sine.atan2(cosine)) / std::f64::consts::TAU;
        // The middle of the events is at this share of a cycle; it shall be at 1/2.
        let turn = (middle + 0.5).rem_euclid(1.0);
        self.end -= (1.0 - turn) * self.period;
        let room = (self.end / self.period) as usize;
        self.cycles = self.cycles.min(room).max(1);
    }

    /// Returns the series at a slot of a cycle; cycle 0 is the newest.
    fn value(&self, series: &[f32], cycle: usize, slot: f32) -> f32 {
        let start = self.end - (cycle + 1) as f64 * self.period;
        // A value is the mean of its bin, so its position is the bin's middle.
        let at = start + f64::from(slot + 0.5) * self.period / self.slots as f64 - 0.5;
        let at = at.clamp(0.0, (series.len() - 1) as f64);
        let index = at as usize;
        let (low, high) = (series[index], series[(index + 1).min(series.len() - 1)]);
        low + (at - index as f64) as f32 * (high - low)
    }

    /// Returns the weighted mean of the selected cycles, each shifted by its offset.
    fn mean(&self, series: &[f32], offsets: &[f32], is_asked: impl Fn(usize) -> bool) -> Vec<f32> {
        let mut profile = vec![0.0; self.slots];
        let mut weights = 0.0;
        for cycle in (0..self.cycles).filter(|cycle| is_asked(*cycle)) {
            let weight = CYCLE_DECAY.powi(cycle as i32);
            weights += weight;
            for (slot, sum) in profile.iter_mut().enumerate() {
                *sum += weight * self.value(series, cycle, slot as f32 + offsets[cycle]);
            }
        }
        profile
            .iter_mut()
            .for_each(|sum| *sum /= weights.max(f32::MIN_POSITIVE));
        let mean = profile.iter().sum::<f32>() / self.slots as f32;
        profile.iter_mut().for_each(|value| *value -= mean);
        profile
    }

    /// Returns the profile, weighted by how well one half of the cycles predicts the
    /// other.
    fn believed(&self, series: &[f32], offsets: &[f32]) -> Vec<f32> {
        let even = self.mean(series, offsets, |cycle| cycle % 2 == 0);
        let odd = self.mean(series, offsets, |cycle| cycle % 2 == 1);
        let product: f32 = even.iter().zip(&odd).map(|(a, b)| a * b).sum();
        let square: f32 = even.iter().chain(&odd).map(|value| value * value).sum();
        // Spearman and Brown: the whole is more reliable than its halves.
        let half = (2.0 * product / square.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
        let whole = 2.0 * half / (1.0 + half);
        let belief = if whole < 0.25 { 0.0 } else { whole };
        let mut profile = self.mean(series, offsets, |_| true);
        profile.iter_mut().for_each(|value| *value *= belief);
        profile
    }

    /// Returns the lateness of each cycle, in slots.
    fn align(&self, series: &[f32]) -> Vec<f32> {
        let reach = (MOVE_MAX * self.slots as f32) as usize;
        let wide = self.slots + 2 * reach;
        let rows: Vec<Vec<f32>> = (0..self.cycles)
            .map(|cycle| {
                let slot = |index: usize| index as f32 - reach as f32;
                (0..wide)
                    .map(|index| self.value(series, cycle, slot(index)))
                    .collect()
            })
            .collect();
        let mut offsets = vec![0.0; self.cycles];
        for _ in 0..ROUNDS {
            let profile = self.mean(series, &offsets, |_| true);
            let matches = rows.iter().map(|row| best_match(row, &profile, reach));
            offsets = matches.collect();
            let mean = offsets.iter().sum::<f32>() / offsets.len() as f32;
            offsets.iter_mut().for_each(|offset| *offset -= mean);
        }
        offsets
    }

    /// Subtracts the profile from the past, each cycle's with its offset.
    fn take_off(&self, past: &mut Past, offsets: &[f32], profile: &[[f32; RESOURCES]]) {
        let per_bin = self.slots as f64 / self.period;
        for index in 0..past.values[CPU].len() {
            let age = (self.end - index as f64 - 0.5) / self.period;
            let cycle = age.max(0.0) as usize;
            let offset = offsets.get(cycle).copied().unwrap_or(0.0);
            let phase = (1.0 - age).rem_euclid(1.0) * self.period * per_bin;
            let slot = (phase as f32 - offset).rem_euclid(self.slots as f32) as usize;
            let learned = &profile[slot.min(self.slots - 1)];
            for (values, learned) in past.values.iter_mut().zip(learned) {
                values[index] -= learned;
            }
        }
    }

    /// Returns the typical error of the profile.
    fn noise(&self, series: &[f32], offsets: &[f32], profile: &[[f32; RESOURCES]]) -> f32 {
        let mut errors: Vec<f32> = Vec::with_capacity(self.cycles * self.slots);
        for (cycle, offset) in offsets.iter().enumerate() {
            for (slot, values) in profile.iter().enumerate() {
                let value = self.value(series, cycle, slot as f32 + offset);
                errors.push((value - values[CPU]).abs());
            }
        }
        let middle = errors.len() / 2;
        let (_, median, _) = errors.select_nth_unstable_by(middle, f32::total_cmp);
        1.48 * *median
    }
}

/// Returns the offset, in slots, at which a row is most like the profile.
fn best_match(row: &[f32], profile: &[f32], reach: usize) -> f32 {
    let scores = (0..=2 * reach).map(|start| {
        let product = dot(&row[start..], profile);
        // Of two equal ones the nearer one.
        let far = (start as f32 - reach as f32) / reach.max(1) as f32;
        (product * (1.0 - 0.1 * far * far), start)
    });
    let best = scores.max_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(0.0, |(_, start)| start as f32 - reach as f32)
}

/// Multiplies in lanes, which a plain sum of floats may not be split into.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}

/// The lateness of cycles, in slots.
#[derive(Clone, Copy, Debug)]
struct Punctuality {
    /// The difference of a cycle's real length from the assumed one.
    trend: f32,
    /// The expected lateness of the cycle after the newest.
    now: f32,
    jitter: f32,
    wander: Option<f32>,
}

impl Punctuality {
    /// Returns the punctuality of offsets, the newest first.
    fn of(offsets: &[f32]) -> Self {
        let count = offsets.len() as f32;
        let middle = (count - 1.0) / 2.0;
        let mean = offsets.iter().sum::<f32>() / count;
        let (mut product, mut square) = (0.0, 0.0);
        for (age, offset) in offsets.iter().enumerate() {
            let age = age as f32 - middle;
            product -= age * (offset - mean);
            square += age * age;
        }
        let trend = if count < 4.0 { 0.0 } else { product / square };
        let rest: Vec<f32> = offsets
            .iter()
            .enumerate()
            .map(|(age, offset)| offset - mean + trend * (age as f32 - middle))
            .collect();
        let jitter = (rest.iter().map(|x| x * x).sum::<f32>() / count).sqrt();
        let changes = rest.windows(2).map(|pair| (pair[0] - pair[1]).powi(2));
        let change = (changes.sum::<f32>() / (count - 1.0).max(1.0)).sqrt();
        // Independent offsets differ by more than they vary, a walk by less.
        let wander = (count > 6.0 && change < jitter).then_some(change);
        Self {
            trend,
            now: mean + trend * (middle + 1.0),
            jitter,
            wander,
        }
    }
}
