//! Forecasts of the use by others on one node, for each of its resources.
//!
//! There are two series for each resource: means of a few seconds (ten, unless configured
//! otherwise) for the next minutes, and means of a minute for the next hour. Placement
//! asks for peaks until a few fixed horizons; they are computed when a span closes and
//! kept. A peak of memory is one of a single heartbeat; one of a rate is of ten seconds,
//! because a busy second does no harm. Until the first span is over, the values of the
//! last heartbeat are expected to stay. Means over the next seconds and minutes, where
//! load often has pulses, are in `rhythm`.

mod ahead;
mod hour;
mod params;
mod past;
mod peaks;
mod series;
mod view;

use std::sync::Arc;
use std::time::Duration;

use rolecast_common::fnv::fnv1a;
use rolecast_common::id::NodeId;
use rolecast_common::resource::{ByResource, Resource};
use rolecast_common::time::WallTime;
use rolecast_common::unit::Resources;

use crate::rhythm::{BUCKETS, Rhythm};
use crate::series::bins::Bin;
use crate::{Forecaster, HORIZON_MAX, Lesson, Quantiles, Stack};
use hour::Hour;
use peaks::Peaks;
use series::Series;

pub use ahead::{AHEAD_COUNT, Ahead};
pub use params::{Params, Quantile};

const FAR_STEP_S: u32 = 60;
/// The largest step back of a clock; after a larger one it was wrong before, and
/// everything restarts.
const BACK_MAX: Duration = Duration::from_secs(3600);

/// The forecasts of one node: of the use by others, for each resource.
///
/// ```
/// use std::sync::Arc;
///
/// use rolecast_common::id::NodeId;
/// use rolecast_common::time::WallTime;
/// use rolecast_common::unit::{Bytes, BytesPerSecond, Cores, Resources};
/// use rolecast_common::wire::ForecastMode;
/// use rolecast_forecast::{Ahead, Model, NodeForecast, Params, Quantile, Stack};
///
/// let of = |cores: f64, mib: u64| Resources {
///     cpu: Cores::clamped(cores),
///     memory: Bytes::from_mib(mib),
///     network: BytesPerSecond::ZERO,
///     disk: BytesPerSecond::ZERO,
/// };
/// let params = Params {
///     mode: ForecastMode::On,
///     model: Model::Ensemble,
///     step_s: 10,
///     quantile: Quantile::P90,
/// };
/// let node = NodeId::new("n1")?;
/// let mut forecast = NodeForecast::new(&node, params, &Arc::new(Stack::default()));
/// for second in 0..600 {
///     let cores = if second % 60 < 20 { 3.0 } else { 1.0 };
///     let at = WallTime::from_millis(second * 1000);
///     forecast.observe(&node, at, of(cores, 500), of(4.0, 8000));
/// }
/// let soon = forecast.safe(Ahead::covering(std::time::Duration::from_secs(60)));
/// assert!((1.0..=4.0).contains(&soon.cpu.get()));
/// # Ok::<(), rolecast_common::id::InvalidId>(())
/// ```
#[derive(Clone, Debug)]
pub struct NodeForecast {
    params: Params,
    near: Series,
    far: Series,
    hour: Hour,
    /// The forecast of the next seconds; a restart relearns it in a few cycles.
    rhythm: Box<Rhythm>,
    /// The largest means of ten seconds in the present minute.
    minute_peaks: ByResource<f64>,
    capacity: ByResource<f64>,
    stack: Arc<Stack>,
    last: Option<WallTime>,
    /// Peaks in half of all cases, and at the configured quantile.
    likely: Peaks,
    safe: Peaks,
    /// Forecasters whose lesson has not been taken, one bit each.
    lessons: u8,
}

impl NodeForecast {
    /// Creates the forecasts of a node of which nothing is known. Its id decides when within
    /// a minute its spans end, so that those of many nodes do not end at once; later calls
    /// must pass the same one.
    pub fn new(node: &NodeId, params: Params, stack: &Arc<Stack>) -> Self {
        let shift_ms = shift(node);
        let mut forecast = Self {
            params,
            near: Series::new(params.step_s, params.model, shift_ms),
            far: Series::new(FAR_STEP_S, params.model, shift_ms),
            hour: Hour::new(shift_ms),
            rhythm: Box::new(Rhythm::new()),
            minute_peaks: ByResource::all(0.0),
            capacity: ByResource::all(f64::INFINITY),
            stack: Arc::clone(stack),
            last: None,
            likely: Peaks::default(),
            safe: Peaks::default(),
            lessons: 0,
        };
        forecast.set_stack(stack);
        forecast
    }

    /// Learns the use by others from a heartbeat that arrived at this moment.
    ///
    /// `capacity` bounds the forecasts, from this heartbeat on; a resource of which it is
    /// zero has no bound. Of a span in which no heartbeat arrives nothing is learned. A
    /// heartbeat of a span that is over is ignored by the series; after a step back of the
    /// clock by more than an hour everything restarts.
    ///
    /// It takes some microseconds when a span ends, and less otherwise.
    ///
    /// # Panics
    /// When the first span ends, if [`Params::step_s`] is zero.
    pub fn observe(&mut self, node: &NodeId, at: WallTime, used: Resources, capacity: Resources) {
        if self.last.is_some_and(|last| last.since(at) > BACK_MAX) {
            self.reset(node);
        }
        self.last = Some(at);
        let is_limit_new = self.limit(ByResource::from(capacity));
        let used = ByResource::from(used);
        let capacity = self.capacity.into_array();
        self.rhythm.observe(at, &used.into_array(), &capacity);
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
            let ahead = self.far.forecasters[Resource::Cpu].predict(past::AHEAD_STEPS);
            let number = bin.number + u64::from(past::AHEAD_STEPS);
            self.hour.past.add(number, ahead);
            self.lessons |= 0xf0;
        }
        self.hour.add(at, &used);
        if near.is_some() || far.is_some() || (is_limit_new && self.near.is_known) {
            self.refresh();
        }
        self.likely.join(&used);
        self.safe.join(&used);
    }

    /// Replaces the global model over the experts of all its series.
    pub fn set_stack(&mut self, stack: &Arc<Stack>) {
        self.stack = Arc::clone(stack);
        for series in [&mut self.near, &mut self.far] {
            for forecaster in series.forecasters.iter_mut() {
                forecaster.set_stack(Arc::clone(stack));
            }
        }
    }

    /// Returns the largest use expected until then, at [`Params::quantile`].
    ///
    /// It is at most the capacity, but never below the use in the last heartbeat, nor below
    /// the peak until a nearer horizon. Until the first span is over it is the last use, and
    /// zero before the first heartbeat. The peak of memory is one of a single heartbeat, that
    /// of a rate is one of a mean of [`Params::step_s`].
    pub fn safe(&self, ahead: Ahead) -> Resources {
        self.safe.until(ahead)
    }

    /// Returns the largest use expected until then in half of all cases; otherwise as
    /// [`NodeForecast::safe`].
    pub fn likely(&self, ahead: Ahead) -> Resources {
        self.likely.until(ahead)
    }

    /// Returns the mean use expected in each bucket from the last heartbeat on, bounded by
    /// the capacity; all zero before the first one.
    ///
    /// An entry for each bucket of [`BUCKET_EDGES_S`](crate::BUCKET_EDGES_S), the nearest first,
    /// with CPU (cores), memory (bytes), network and disk (bytes per second).
    pub fn expected(&self) -> [ByResource<f32>; BUCKETS] {
        self.rhythm.expected().map(ByResource::new)
    }

    /// Appends the lessons from the newest samples, each once: at most one for each of four
    /// resources and two steps.
    pub fn take_lessons(&mut self, lessons: &mut Vec<Lesson>) {
        let due = std::mem::take(&mut self.lessons);
        let all = self
            .near
            .forecasters
            .iter()
            .chain(self.far.forecasters.iter());
        for (index, forecaster) in all.enumerate() {
            if due >> index & 1 == 1 {
                lessons.extend(forecaster.lesson());
            }
        }
    }

    /// Returns the learned state as bytes; `None` before the first span is over. The stack
    /// and what was learned of periods are not in it: the first is saved by itself, the
    /// second is learned again in a few cycles.
    pub fn save(&self) -> Option<Vec<u8>> {
        if !self.near.is_known {
            return None;
        }
        let last = self.last?.as_millis();
        let mut bytes = Vec::new();
        bytes.extend(self.near.step_s.to_le_bytes());
        bytes.extend(last.to_le_bytes());
        for forecaster in self
            .near
            .forecasters
            .iter()
            .chain(self.far.forecasters.iter())
        {
            forecaster.save(&mut bytes);
        }
        Some(bytes)
    }

    /// Returns the saved state of a node, all of `bytes`; it has no stack yet.
    ///
    /// `None` if it is damaged, of another model, step or format, or has samples of more than
    /// an hour after its last heartbeat.
    ///
    /// # Panics
    /// If [`Params::step_s`] is zero, and the state was saved with that.
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
            for forecaster in series.forecasters.iter_mut() {
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

    fn reset(&mut self, node: &NodeId) {
        let shift_ms = shift(node);
        self.near.reset(self.params.model, shift_ms);
        self.far.reset(self.params.model, shift_ms);
        self.hour = Hour::new(shift_ms);
        *self.rhythm = Rhythm::new();
        self.minute_peaks = ByResource::all(0.0);
        self.capacity = ByResource::all(f64::INFINITY);
        self.likely.forget();
        self.safe.forget();
        self.set_stack(&Arc::clone(&self.stack));
    }

    /// Bounds the forecasts by the node's capacity, where that is known; returns whether
    /// that changed.
    fn limit(&mut self, capacity: ByResource<f64>) -> bool {
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
        let quantile = self.params.quantile;
        for ahead in Ahead::all() {
            let series = self.series(ahead.seconds());
            let steps = series.steps(ahead.seconds());
            let peaks: ByResource<Quantiles> =
                ByResource::from_fn(|resource| series.forecasters[resource].predict_peak(steps));
            self.likely.set(ahead, peaks.map(|peak| peak.p50));
            self.safe.set(ahead, peaks.map(|peak| quantile.of(peak)));
        }
    }

    /// Returns the series for this distance ahead.
    fn series(&self, seconds: u32) -> &Series {
        if seconds > self.near.step_s * HORIZON_MAX && self.far.is_known {
            return &self.far;
        }
        &self.near
    }
}

/// Returns the peaks of memory from single heartbeats, and those of rates from `rates`.
fn peaks_of(bin: &Bin, rates: &ByResource<f64>) -> ByResource<f64> {
    let mut peaks = *rates;
    peaks[Resource::Memory] = bin.peaks[Resource::Memory];
    peaks
}

/// Returns the time by which the node's spans end earlier: it depends on its id, so that
/// the forecasts of all nodes are not made at once.
fn shift(node: &NodeId) -> u64 {
    fnv1a(node.as_str().as_bytes()) % (u64::from(hour::STEP_S) * 1000)
}

#[cfg(test)]
mod tests;
