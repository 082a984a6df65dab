//! Forecasts of the use by others on one node, for each of its resources.
//!
//! There are two series for each resource: means of a few seconds (ten, unless configured
//! otherwise) for the next minutes, and means of a minute for the next hour. Placement
//! asks for peaks until a few fixed horizons; they are computed when a span closes and
//! kept. A peak of memory is one of a single heartbeat; one of a rate is of ten seconds,
//! because a busy second does no harm. Until the first span is over, the values of the
//! last heartbeat are expected to stay. Means over the next seconds and minutes, where
//! load often has pulses, are in `rhythm`.

mod view;

use std::array::from_fn;
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::fnv::fnv1a;
use rolecast_common::id::NodeId;
use rolecast_common::time::WallTime;
use rolecast_common::unit::{Bytes, BytesPerSecond, Cores, Resources};
use rolecast_common::wire::ForecastMode;

use crate::rhythm::{BUCKETS, Rhythm};
use crate::series::bins::{Bin, Bins, RESOURCES};
use crate::{Forecaster, HORIZON_MAX, Lesson, Model, Quantiles, Stack};

/// Horizons until which peaks are kept ready, in seconds.
pub(super) const HORIZONS_S: [u32; AHEAD_COUNT] = [1, 10, 60, 300, 900, 3600];
/// Number of these horizons.
pub const AHEAD_COUNT: usize = 6;
const FAR_STEP_S: u32 = 60;
const SHOWN_STEP_S: u32 = 300;
/// Means of five minutes that are kept for display: an hour.
const SHOWN_COUNT: usize = 12;
/// The index of memory among the resources.
const MEMORY: usize = 1;
/// The largest step back of a clock; after a larger one it was wrong before, and
/// everything restarts.
const BACK_MAX: Duration = Duration::from_secs(3600);

/// Parameters of the forecasts, and of their use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    pub mode: ForecastMode,
    pub model: Model,
    /// Distance between the samples of the near future, in seconds; in the far future it
    /// is a minute.
    pub step_s: u32,
    /// The probability with which there will be room.
    pub quantile: Quantile,
}

/// A share of cases: 50, 90 or 99 of 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    P50,
    P90,
    P99,
}

impl Quantile {
    pub const ALL: [Quantile; 3] = [Quantile::P50, Quantile::P90, Quantile::P99];

    pub fn share(self) -> f64 {
        match self {
            Quantile::P50 => 0.5,
            Quantile::P90 => 0.9,
            Quantile::P99 => 0.99,
        }
    }

    fn of(self, quantiles: Quantiles) -> f64 {
        match self {
            Quantile::P50 => quantiles.p50,
            Quantile::P90 => quantiles.p90,
            Quantile::P99 => quantiles.p99,
        }
    }
}

/// One of the horizons until which peaks are kept ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead(usize);

impl Ahead {
    /// Returns the nearest horizon that is not shorter, or the longest.
    pub fn covering(stay: Duration) -> Self {
        let covers = |seconds: &u32| Duration::from_secs(u64::from(*seconds)) >= stay;
        let index = HORIZONS_S.iter().position(covers);
        Self(index.unwrap_or(AHEAD_COUNT - 1))
    }

    /// Returns all horizons, the nearest first.
    pub fn all() -> impl Iterator<Item = Ahead> {
        (0..AHEAD_COUNT).map(Self)
    }

    /// Returns its index among all horizons.
    pub fn index(self) -> usize {
        self.0
    }

    pub fn seconds(self) -> u32 {
        HORIZONS_S[self.0]
    }
}

/// Peaks until each of the horizons.
type Peaks = [[f64; RESOURCES]; AHEAD_COUNT];

/// The forecasts of one node.
#[derive(Clone, Debug)]
pub struct NodeForecast {
    model: Model,
    quantile: Quantile,
    pub(super) near: Series,
    pub(super) far: Series,
    shown: Bins,
    /// The forecast of the next seconds; a restart relearns it in a few cycles.
    rhythm: Box<Rhythm>,
    /// The last means of five minutes; the oldest is overwritten.
    ring: [[f64; RESOURCES]; SHOWN_COUNT],
    ring_count: usize,
    /// The largest means of ten seconds in the present minute.
    minute_peaks: [f64; RESOURCES],
    pub(super) capacity: [f64; RESOURCES],
    stack: Arc<Stack>,
    last: Option<WallTime>,
    likely: Peaks,
    safe: Peaks,
    /// The same joined with the last heartbeat, as placement reads them.
    likely_ready: [Resources; AHEAD_COUNT],
    safe_ready: [Resources; AHEAD_COUNT],
    /// Forecasters whose lesson has not been taken, one bit each.
    lessons: u8,
}

/// The series of one step, one for each resource.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) step_s: u32,
    bins: Bins,
    pub(super) forecasters: Box<[Forecaster]>,
    pub(super) is_known: bool,
}

impl Series {
    fn new(step_s: u32, model: Model, shift_ms: u64) -> Self {
        let step = Duration::from_secs(u64::from(step_s));
        let forecasters = (0..RESOURCES).map(|_| Forecaster::new(model, step, f64::INFINITY));
        Self {
            step_s,
            bins: Bins::new(step_s, shift_ms),
            forecasters: forecasters.collect(),
            is_known: false,
        }
    }

    /// Restarts in place.
    fn reset(&mut self, model: Model, shift_ms: u64) {
        let step = Duration::from_secs(u64::from(self.step_s));
        for forecaster in &mut self.forecasters {
            *forecaster = Forecaster::new(model, step, f64::INFINITY);
        }
        self.bins = Bins::new(self.step_s, shift_ms);
        self.is_known = false;
    }

    fn learn(&mut self, bin: &Bin, peaks: &[f64; RESOURCES]) {
        for (index, forecaster) in self.forecasters.iter_mut().enumerate() {
            let (mean, peak) = (bin.means[index], peaks[index]);
            forecaster.observe_with_peak(bin.number, Some(mean), Some(peak));
        }
        self.is_known = true;
    }

    /// Returns the number of steps that cover this time.
    pub(super) fn steps(&self, seconds: u32) -> u32 {
        seconds.div_ceil(self.step_s).clamp(1, HORIZON_MAX)
    }
}

impl NodeForecast {
    pub fn new(node: &NodeId, params: Params, stack: &Arc<Stack>) -> Self {
        let shift_ms = shift(node);
        let mut forecast = Self {
            model: params.model,
            quantile: params.quantile,
            near: Series::new(params.step_s, params.model, shift_ms),
            far: Series::new(FAR_STEP_S, params.model, shift_ms),
            shown: Bins::new(SHOWN_STEP_S, shift_ms),
            rhythm: Box::new(Rhythm::new()),
            ring: [[0.0; RESOURCES]; SHOWN_COUNT],
            ring_count: 0,
            minute_peaks: [0.0; RESOURCES],
            capacity: [f64::INFINITY; RESOURCES],
            stack: Arc::clone(stack),
            last: None,
            likely: Peaks::default(),
            safe: Peaks::default(),
            likely_ready: Default::default(),
            safe_ready: Default::default(),
            lessons: 0,
        };
        forecast.set_stack(stack);
        forecast
    }

    /// Learns the use by others from a heartbeat that arrived at this moment.
    pub fn observe(&mut self, node: &NodeId, at: WallTime, used: Resources, capacity: Resources) {
        if self.last.is_some_and(|last| last.since(at) > BACK_MAX) {
            self.reset(node);
        }
        self.last = Some(at);
        let is_limit_new = self.limit(values(capacity));
        let used = values(used);
        self.rhythm.observe(at, &used, &self.capacity);
        let near = self.near.bins.add(at, &used);
        if let Some(bin) = near {
            let peaks = peaks_of(&bin, &bin.means);
            self.near.learn(&bin, &peaks);
            for (peak, mean) in self.minute_peaks.iter_mut().zip(bin.means) {
                *peak = peak.max(mean);
            }
            self.lessons |= 0x0f;
        }
        let far = self.far.bins.add(at, &used);
        if let Some(bin) = far {
            let peaks = std::mem::take(&mut self.minute_peaks);
            self.far.learn(&bin, &peaks_of(&bin, &peaks));
            self.lessons |= 0xf0;
        }
        if let Some(bin) = self.shown.add(at, &used) {
            self.ring[self.ring_count % SHOWN_COUNT] = bin.means;
            self.ring_count += 1;
        }
        if near.is_some() || far.is_some() || (is_limit_new && self.near.is_known) {
            self.refresh();
        }
        self.make_ready(&used);
    }

    /// Replaces the global model over the experts.
    pub fn set_stack(&mut self, stack: &Arc<Stack>) {
        self.stack = Arc::clone(stack);
        for series in [&mut self.near, &mut self.far] {
            for forecaster in &mut series.forecasters {
                forecaster.set_stack(Arc::clone(stack));
            }
        }
    }

    /// Returns the largest use expected until then, at the configured quantile.
    pub fn safe(&self, ahead: Ahead) -> Resources {
        self.safe_ready[ahead.0]
    }

    /// Returns the largest use expected until then in half of all cases.
    pub fn likely(&self, ahead: Ahead) -> Resources {
        self.likely_ready[ahead.0]
    }

    /// Returns the mean use expected in each bucket from the last heartbeat on; resources
    /// as CPU, memory, network, disk.
    pub fn expected(&self) -> &[[f32; RESOURCES]; BUCKETS] {
        self.rhythm.expected()
    }

    /// Adds the lessons from the newest samples, each once.
    pub fn take_lessons(&mut self, lessons: &mut Vec<Lesson>) {
        let due = std::mem::take(&mut self.lessons);
        let all = self.near.forecasters.iter().chain(&self.far.forecasters);
        for (index, forecaster) in all.enumerate() {
            if due >> index & 1 == 1 {
                lessons.extend(forecaster.lesson());
            }
        }
    }

    /// Returns the learned state as bytes; `None` before there is any.
    pub fn save(&self) -> Option<Vec<u8>> {
        if !self.near.is_known {
            return None;
        }
        let last = self.last?.as_millis();
        let mut bytes = Vec::new();
        bytes.extend(self.near.step_s.to_le_bytes());
        bytes.extend(last.to_le_bytes());
        for forecaster in self.near.forecasters.iter().chain(&self.far.forecasters) {
            forecaster.save(&mut bytes);
        }
        Some(bytes)
    }

    /// Returns the saved state of a node; `None` if it is damaged, or of another model,
    /// step or format.
    pub fn load(node: &NodeId, params: Params, mut bytes: &[u8]) -> Option<Self> {
        let mut forecast = Self::new(node, params, &Arc::default());
        let (step_s, rest) = bytes.split_first_chunk()?;
        let (last, rest) = rest.split_first_chunk()?;
        bytes = rest;
        // The numbers of samples have another meaning with another step.
        if u32::from_le_bytes(*step_s) != params.step_s {
            return None;
        }
        let last = WallTime::from_millis(u64::from_le_bytes(*last));
        forecast.last = Some(last);
        for series in [&mut forecast.near, &mut forecast.far] {
            let step = Duration::from_secs(u64::from(series.step_s));
            for forecaster in &mut series.forecasters {
                let loaded = Forecaster::load(params.model, step, f64::INFINITY, &mut bytes)?;
                // A number in the future would have everything ignored until then.
                let latest = series.bins.number(last + BACK_MAX);
                if loaded.number().is_some_and(|number| number > latest) {
                    return None;
                }
                series.is_known = !loaded.recent(1).is_empty();
                *forecaster = loaded;
            }
        }
        if !bytes.is_empty() {
            return None;
        }
        forecast.refresh();
        Some(forecast)
    }

    /// Returns the means of the last hour in steps of five minutes, oldest first.
    pub(super) fn shown(&self, resource: usize) -> Vec<f64> {
        let first = self.ring_count.saturating_sub(SHOWN_COUNT);
        let places = (first..self.ring_count).map(|count| count % SHOWN_COUNT);
        places.map(|place| self.ring[place][resource]).collect()
    }

    fn reset(&mut self, node: &NodeId) {
        let shift_ms = shift(node);
        self.near.reset(self.model, shift_ms);
        self.far.reset(self.model, shift_ms);
        self.shown = Bins::new(SHOWN_STEP_S, shift_ms);
        *self.rhythm = Rhythm::new();
        self.ring_count = 0;
        self.minute_peaks = [0.0; RESOURCES];
        self.capacity = [f64::INFINITY; RESOURCES];
        (self.likely, self.safe) = (Peaks::default(), Peaks::default());
        self.set_stack(&Arc::clone(&self.stack));
    }

    /// Bounds the forecasts by the node's capacity, where that is known; returns whether
    /// that changed.
    fn limit(&mut self, capacity: [f64; RESOURCES]) -> bool {
        let capacity = capacity.map(|has| if has > 0.0 { has } else { f64::INFINITY });
        if capacity == self.capacity {
            return false;
        }
        self.capacity = capacity;
        for series in [&mut self.near, &mut self.far] {
            for (forecaster, capacity) in series.forecasters.iter_mut().zip(capacity) {
                forecaster.set_capacity(capacity);
            }
        }
        true
    }

    /// Computes the peaks until each horizon.
    fn refresh(&mut self) {
        let quantile = self.quantile;
        for (index, seconds) in HORIZONS_S.into_iter().enumerate() {
            let series = self.series(seconds);
            let steps = series.steps(seconds);
            let peaks: [Quantiles; RESOURCES] =
                from_fn(|resource| series.forecasters[resource].predict_peak(steps));
            self.likely[index] = peaks.map(|peak| peak.p50);
            self.safe[index] = peaks.map(|peak| quantile.of(peak));
        }
    }

    /// Returns the series for this distance ahead.
    pub(super) fn series(&self, seconds: u32) -> &Series {
        if seconds > self.near.step_s * HORIZON_MAX && self.far.is_known {
            return &self.far;
        }
        &self.near
    }

    /// Joins the forecasts with the present use: the largest value until a horizon is
    /// never below it, nor below the one of a nearer horizon.
    fn make_ready(&mut self, used: &[f64; RESOURCES]) {
        let pairs = [
            (&self.likely, &mut self.likely_ready),
            (&self.safe, &mut self.safe_ready),
        ];
        for (peaks, ready) in pairs {
            let mut largest = *used;
            for (peaks, ready) in peaks.iter().zip(ready) {
                for (largest, peak) in largest.iter_mut().zip(peaks) {
                    *largest = largest.max(*peak);
                }
                *ready = resources(&largest);
            }
        }
    }
}

/// Returns the peaks of memory from single heartbeats, and those of rates from `rates`.
fn peaks_of(bin: &Bin, rates: &[f64; RESOURCES]) -> [f64; RESOURCES] {
    from_fn(|index| {
        if index == MEMORY {
            bin.peaks[index]
        } else {
            rates[index]
        }
    })
}

/// Returns the time by which the node's spans end earlier: it depends on its id, so that
/// the forecasts of all nodes are not made at once.
fn shift(node: &NodeId) -> u64 {
    fnv1a(node.as_str().as_bytes()) % (u64::from(SHOWN_STEP_S) * 1000)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "no host has 2^53 bytes of memory"
)]
fn values(resources: Resources) -> [f64; RESOURCES] {
    [
        resources.cpu.get(),
        resources.memory.get() as f64,
        resources.network.get(),
        resources.disk.get(),
    ]
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates, and NaN becomes 0"
)]
fn resources(values: &[f64; RESOURCES]) -> Resources {
    let [cpu, memory, network, disk] = *values;
    Resources {
        cpu: Cores::clamped(cpu),
        memory: Bytes::new(memory as u64),
        network: BytesPerSecond::clamped(network),
        disk: BytesPerSecond::clamped(disk),
    }
}

#[cfg(test)]
mod tests;
