//! Rhythm: the use by others of a node in the next seconds and minutes, where it has
//! pulses: compactions, cron jobs, backups.
//!
//! Bins of two seconds (`ring`) are searched every minute and a half for periods
//! (`search`); each one found is a profile with a punctuality (`component`), and a filter
//! estimates the lateness of the present cycle (`phase`). The predictions of the rhythm
//! and the recent load beside it are weighted by their past accuracy (`blend`). Where
//! nothing is periodic the forecast reverts from the present to the usual.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "shares are small and times are in milliseconds"
)]

mod blend;
mod component;
mod fft;
mod phase;
mod ring;
mod search;

use std::array::from_fn;

use rolecast_common::resource::Resource;
use rolecast_common::time::WallTime;

use blend::{Blend, Cues};
use component::Component;
use phase::Phase;
use ring::{BIN_MS, Past, Ring};

/// Number of resources: the order is that of `ByResource`.
const RESOURCES: usize = Resource::COUNT;
/// Number of buckets of the future, for which [`crate::NodeForecast::expected`] has means.
pub const BUCKETS: usize = 6;
/// Edges of the buckets, in seconds from the last heartbeat: bucket `i` lies between edges
/// `i` and `i + 1`.
pub const BUCKET_EDGES_S: [f64; BUCKETS + 1] = [0.0, 0.5, 2.0, 8.0, 32.0, 128.0, 512.0];

/// The gap or step back of the clock after which everything restarts.
const JUMP_MAX_MS: u64 = 3_600_000;
/// The least number of bins between searches: a minute and a half.
const SEARCH_EVERY: u64 = 45;
/// Divisor of the known bins: a search is due when one part in sixteen is new.
const SEARCH_SHARE: u64 = 16;
/// Bins before the first search: three cycles of the shortest period and more.
const SEARCH_MIN: usize = 60;
/// The most periods looked for.
const COMPONENTS_MAX: usize = 2;
/// Memories of the averages beside the rhythm, in seconds: the usual level, and the
/// recent one.
const LEVEL_S: f64 = 3600.0;
const LATE_S: f64 = 30.0;
/// The longest time that a heartbeat's mean covers.
const SPAN_MAX_S: f64 = 5.0;
const BIN_S: f64 = BIN_MS as f64 / 1000.0;

/// The forecast of one node's next minutes.
#[derive(Clone, Debug)]
pub(crate) struct Rhythm {
    ring: Ring,
    parts: Vec<(Component, Phase)>,
    blend: Blend,
    /// The unit of the ring: the capacity, or the largest use seen.
    scales: [f64; RESOURCES],
    /// Averages of the load beside the rhythm.
    level: [f32; RESOURCES],
    late: [f32; RESOURCES],
    /// Time for which these have been measured, in seconds.
    seen_s: f64,
    last_ms: Option<u64>,
    /// The bin at which the next search is due.
    search_due: u64,
    expected: [[f32; RESOURCES]; BUCKETS],
}

impl Default for Rhythm {
    fn default() -> Self {
        Self::new()
    }
}

impl Rhythm {
    pub(crate) fn new() -> Self {
        Self {
            ring: Ring::new(),
            parts: Vec::new(),
            blend: Blend::new(),
            scales: [0.0; RESOURCES],
            level: [0.0; RESOURCES],
            late: [0.0; RESOURCES],
            seen_s: 0.0,
            last_ms: None,
            search_due: 0,
            expected: [[0.0; RESOURCES]; BUCKETS],
        }
    }

    /// Learns the use by others from a heartbeat that arrived at this moment. A value
    /// that is not a use is refused; a capacity that is not positive is unknown.
    pub(crate) fn observe(
        &mut self,
        at: WallTime,
        used: &[f64; RESOURCES],
        capacity: &[f64; RESOURCES],
    ) {
        if used.iter().any(|used| !used.is_finite() || *used < 0.0) {
            return;
        }
        let at_ms = at.as_millis();
        if self
            .last_ms
            .is_some_and(|last| last.abs_diff(at_ms) > JUMP_MAX_MS)
        {
            *self = Self::new();
        }
        // A clock that went back a little stands still until it has caught up.
        let last_ms = self.last_ms.unwrap_or(at_ms);
        let at_ms = at_ms.max(last_ms);
        self.last_ms = Some(at_ms);
        self.scale(used, capacity);
        let shares = from_fn(|index| (used[index] / self.scales[index]) as f32);
        let span_s = (at_ms - last_ms) as f64 / 1000.0;
        if at_ms > last_ms || self.seen_s == 0.0 {
            self.ring.add(at_ms, &shares);
            self.blend.learn(at_ms as f64 / 1000.0, &shares);
        }
        let now = at_ms as f64 / BIN_MS as f64;
        let span = span_s.clamp(0.5, SPAN_MAX_S) / BIN_S;
        let rhythm = self.follow(now, span, &shares);
        self.average(span_s, &shares, &rhythm);
        self.search_when_due(at_ms / BIN_MS);
        self.predict(now, &shares, &rhythm, capacity);
    }

    /// Returns the expected mean use in each bucket from the last heartbeat on, in the
    /// units of the observations.
    pub(crate) fn expected(&self) -> &[[f32; RESOURCES]; BUCKETS] {
        &self.expected
    }

    /// Keeps the scale at the capacity, or at the largest use if that is more.
    fn scale(&mut self, used: &[f64; RESOURCES], capacity: &[f64; RESOURCES]) {
        for index in 0..RESOURCES {
            let has = capacity[index];
            let has = if has.is_finite() && has > 0.0 {
                has
            } else {
                0.0
            };
            let old = self.scales[index];
            // Twice the needed scale, so that it seldom changes.
            let needed = if used[index] > old.max(has) {
                2.0 * used[index]
            } else {
                old
            };
            let new = needed.max(has).max(f64::MIN_POSITIVE.sqrt());
            if new > old && old > 0.0 {
                let factor = (old / new) as f32;
                self.ring.rescale(index, factor);
                self.level[index] *= factor;
                self.late[index] *= factor;
            }
            self.scales[index] = new;
        }
    }

    /// Updates the phases by the observed load, and returns the rhythm at present.
    fn follow(&mut self, now: f64, span: f64, shares: &[f32; RESOURCES]) -> [f32; RESOURCES] {
        let from = now - span;
        let mut all = [0.0f32; RESOURCES];
        for (component, phase) in &self.parts {
            add(&mut all, &phase.present(component, from, now), 1.0);
        }
        for (component, phase) in &mut self.parts {
            add(&mut all, &phase.present(component, from, now), -1.0);
            phase.learn(component, from, now, shares[0] - self.level[0] - all[0]);
            add(&mut all, &phase.present(component, from, now), 1.0);
        }
        all
    }

    /// Updates the usual and the recent level beside the rhythm.
    fn average(&mut self, span_s: f64, shares: &[f32; RESOURCES], rhythm: &[f32; RESOURCES]) {
        let is_first = self.seen_s == 0.0;
        self.seen_s += span_s.clamp(0.01, SPAN_MAX_S);
        let weight = |memory_s: f64| {
            let memory_s = memory_s.min(self.seen_s);
            if is_first {
                1.0
            } else {
                (span_s / memory_s).min(1.0) as f32
            }
        };
        let (slow, fast) = (weight(LEVEL_S), weight(LATE_S));
        for index in 0..RESOURCES {
            let rest = shares[index] - rhythm[index];
            self.level[index] += slow * (rest - self.level[index]);
            self.late[index] += fast * (rest - self.late[index]);
        }
    }

    fn search_when_due(&mut self, bin: u64) {
        if bin < self.search_due || self.ring.len() < SEARCH_MIN {
            return;
        }
        self.search_due = bin + SEARCH_EVERY.max(self.ring.len() as u64 / SEARCH_SHARE);
        let parts = find(self.ring.past());
        let first = |parts: &[(Component, Phase)]| parts.first().map_or(0.0, |part| part.0.period);
        let (new, old) = (first(&parts), first(&self.parts));
        let is_same = (new - old).abs() <= 0.02 * old;
        if !is_same {
            self.blend.forget_rhythm();
        }
        self.parts = parts;
    }

    /// Computes the forecast of each bucket.
    fn predict(
        &mut self,
        now: f64,
        shares: &[f32; RESOURCES],
        rhythm: &[f32; RESOURCES],
        capacity: &[f64; RESOURCES],
    ) {
        let moments = BUCKET_EDGES_S.map(|edge| now + edge / BIN_S);
        let mut integrals = [[0.0; RESOURCES]; BUCKETS + 1];
        for (component, phase) in &self.parts {
            phase.predict(component, now, &moments, &mut integrals);
        }
        for bucket in 0..BUCKETS {
            let length = ((BUCKET_EDGES_S[bucket + 1] - BUCKET_EDGES_S[bucket]) / BIN_S) as f32;
            let (before, after) = (integrals[bucket], integrals[bucket + 1]);
            let cues: Cues = from_fn(|index| {
                let level = self.level[index] + rhythm[index];
                let predicted = (after[index] - before[index]) / length;
                let late = self.late[index] - self.level[index];
                [predicted, shares[index] - level, late, rhythm[index]]
            });
            let at_s = now * BIN_S;
            let forecast = self.blend.forecast(bucket, at_s, &self.level, &cues);
            self.expected[bucket] = from_fn(|index| {
                let has = capacity[index];
                let limit = if has > 0.0 { has } else { f64::INFINITY };
                (f64::from(forecast[index]) * self.scales[index]).clamp(0.0, limit) as f32
            });
        }
    }
}

fn add(sums: &mut [f32; RESOURCES], values: &[f32; RESOURCES], factor: f32) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

/// Finds the periodic components, the one that explains most first.
fn find(mut past: Past) -> Vec<(Component, Phase)> {
    let mut parts = Vec::new();
    while parts.len() < COMPONENTS_MAX {
        let Some(found) = search::search(&past.values[0]) else {
            break;
        };
        let before = past.values[0].clone();
        let component = Component::fit(&mut past, found);
        let phase = replay(&before, past.first as f64, &component);
        parts.push((component, phase));
    }
    parts
}

/// Follows a component's phase through the newest cycle.
fn replay(series: &[f32], first: f64, component: &Component) -> Phase {
    let mut phase = Phase::new(component);
    let mean = series.iter().sum::<f32>() / series.len() as f32;
    let skipped = series
        .len()
        .saturating_sub(component.period.ceil() as usize);
    for (index, value) in series.iter().enumerate().skip(skipped) {
        let from = first + index as f64;
        phase.learn(component, from, from + 1.0, value - mean);
    }
    phase
}

#[cfg(test)]
mod tests;
