//! The forecaster of one series: experts, their vote, and its quantiles.
//!
//! With each sample: 1. the forecasts for this moment are scored, and the experts, their
//! weights and the quantiles learn from it; 2. every expert renews its forecast; 3. the
//! vote makes one path of these, the quantiles a band, and both are kept until they are
//! read. Nothing is allocated, and nothing but the samples is used.

use std::array::from_fn;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::{seal, state, unseal};
use crate::experts::Experts;
use crate::experts::stack::{Lesson, Stack};
use crate::experts::vote::{Opinions, Vote};
use crate::model::{HORIZON_MAX, HORIZONS, MEMBERS, Model, PEAK_HORIZONS, Quantiles};
use crate::quantiles::band::Moment;
use crate::quantiles::fan::Fan;
use crate::quantiles::origins::Origins;
use crate::quantiles::pending::{Issued, IssuedPeak, Pending, STRIDES};
use crate::quantiles::score::{Accuracy, Scores};
use crate::series::history::History;
use crate::series::seasons::Seasons;
use crate::series::window::{Path, Window};

/// Samples missing in a row after which the recent past is forgotten.
const GAP_MAX: u64 = HORIZON_MAX as u64;
/// The largest accepted value; larger ones are cut. Squares of it stay finite.
const VALUE_MAX: f64 = 1e15;
/// The largest number in a checkpoint: a sample each millisecond for 8,900 years.
const NUMBER_MAX: u64 = 1 << 48;
/// Number of horizons that are scored at every step; they are the first ones.
const SHORT_COUNT: u64 = {
    let mut count = 0;
    while STRIDES[count] == 1 {
        count += 1;
    }
    count as u64
};
/// Steps in which the band looks for the recent peak.
const SPAN: usize = 15;

/// Forecaster of one series of evenly spaced samples.
///
/// Samples may have any unit, and forecasts have the same. They are kept as `f32`, so with
/// seven digits, and cut at 1e15. Times are numbers of steps; a missing sample is a number
/// that is skipped. A sample costs a few microseconds and allocates nothing; the state is
/// a few kilobytes, whatever the number of samples.
///
/// A horizon is a number of steps after the last sample: 0 counts as 1, more than
/// [`HORIZON_MAX`] as that.
#[derive(Clone, Debug)]
pub struct Forecaster {
    model: Model,
    capacity: f64,
    /// The number of the last sample.
    number: Option<u64>,
    history: History,
    seasons: Seasons,
    origins: Origins,
    pending: Pending,
    experts: Experts,
    vote: Vote,
    scores: Scores,
    /// The forecast, and the quantiles that it is made with.
    fan: Fan,
    lesson: Option<Lesson>,
}

state!(Forecaster {
    number,
    history,
    seasons,
    origins,
    pending,
    experts,
    vote,
    scores,
    fan,
});

impl Forecaster {
    /// Creates a forecaster of samples that are `step` apart.
    ///
    /// The step decides only where a day ends: it is cut to whole seconds, at least one, and
    /// a day should be a whole number of steps. `capacity`, in the unit of the samples,
    /// bounds the forecasts from above and may be infinite; a negative one or NaN is zero.
    pub fn new(model: Model, step: Duration, capacity: f64) -> Self {
        Self {
            model,
            capacity: capacity.max(0.0),
            number: None,
            history: History::default(),
            seasons: Seasons::new(step.as_secs()),
            origins: Origins::default(),
            pending: Pending::default(),
            experts: Experts::new(),
            vote: Vote::default(),
            scores: Scores::default(),
            fan: Fan::new(),
            lesson: None,
        }
    }

    /// Whether samples can have led to this state. Numbers are subtracted from each other
    /// and counted on from, so those of a checkpoint have to agree.
    fn is_possible(&self) -> bool {
        // Steps since the recent past was last forgotten.
        let steps = self.history.count();
        let first_lag = self.origins.first_lag();
        let is_recent_possible = match self.number {
            None => steps == 0 && first_lag.is_none(),
            Some(number) => {
                let is_counted = (1..=number.saturating_add(1)).contains(&steps);
                let is_known = first_lag.is_none_or(|lag| u64::from(lag) < steps);
                number <= NUMBER_MAX && is_counted && is_known
            }
        };
        is_recent_possible && self.seasons.is_possible(self.number)
    }

    /// Returns the number of the last sample.
    pub(super) fn number(&self) -> Option<u64> {
        self.number
    }

    /// Appends the state to `out`: all but the global stack, the capacity and the last
    /// lesson.
    pub fn save(&self, out: &mut Vec<u8>) {
        seal(self.model.index(), self, out);
    }

    /// Removes a state from the front of `from`, and continues from it: forecasts are equal
    /// to the last bit. Samples must be as far apart as they were when it was saved.
    ///
    /// `None` if the front is no whole, undamaged state of this model and this version of
    /// the format, or one that no samples can have led to; `from` is then anywhere. The
    /// stack is not part of it: see [`Forecaster::set_stack`].
    pub fn load(model: Model, step: Duration, capacity: f64, from: &mut &[u8]) -> Option<Self> {
        let mut forecaster = Self::new(model, step, capacity);
        unseal(model.index(), &mut forecaster, from)?;
        forecaster.is_possible().then_some(forecaster)
    }

    /// Replaces the global model over the experts, from the next sample on.
    pub fn set_stack(&mut self, stack: Arc<Stack>) {
        self.experts.set_stack(stack);
    }

    /// Replaces the upper bound of the forecasts at once, as [`Forecaster::new`] takes it.
    pub fn set_capacity(&mut self, capacity: f64) {
        self.capacity = capacity.max(0.0);
    }

    /// Learns from the sample with this number: its time divided by the step, counted
    /// from a midnight, such as the Unix epoch.
    ///
    /// `None` and values that are not finite are missing, and so are skipped numbers: the
    /// last sample then stands for them, and nothing is learned. After more than 60 missing
    /// in a row the recent past is forgotten, and everything learned is kept. A number not
    /// above the last one is ignored.
    pub fn observe(&mut self, number: u64, sample: Option<f64>) {
        self.observe_with_peak(number, sample, sample);
    }

    /// Learns from a sample that is the mean of a span, with the span's largest value, which
    /// [`Forecaster::predict_peak`] then forecasts. A peak that is missing, not finite or
    /// below the mean counts as the mean; the rest is as in [`Forecaster::observe`].
    pub fn observe_with_peak(&mut self, number: u64, mean: Option<f64>, peak: Option<f64>) {
        if self.number.is_some_and(|last| number <= last) {
            return;
        }
        // A missing sample is known from the number of the next one.
        let Some(sample) = mean.filter(|mean| mean.is_finite()) else {
            return;
        };
        match self.number {
            Some(last) if number - last > GAP_MAX => self.forget(),
            Some(last) => (last + 1..number).for_each(|missing| self.miss(missing)),
            None => {}
        }
        self.number = Some(number);
        let peak = peak.filter(|peak| peak.is_finite());
        self.take(number, sample, peak.unwrap_or(sample));
    }

    /// Returns the value expected `horizon` steps after the last sample.
    ///
    /// It is finite, between zero and the capacity, and all zero before the first sample.
    /// Reading it costs an interpolation: the forecast was made with the last sample.
    pub fn predict(&self, horizon: u32) -> Quantiles {
        self.bounded(self.fan.value(horizon))
    }

    /// Returns the largest value expected within `horizon` steps after the last sample: no
    /// less than [`Forecaster::predict`] of each of [`HORIZONS`] until then.
    pub fn predict_peak(&self, horizon: u32) -> Quantiles {
        let until = HORIZONS.into_iter().filter(|step| *step < horizon);
        until.chain([horizon]).map(|step| self.predict(step)).fold(
            self.bounded(self.fan.peak(horizon)),
            |peak, value| Quantiles {
                p50: peak.p50.max(value.p50),
                p90: peak.p90.max(value.p90),
                p99: peak.p99.max(value.p99),
            },
        )
    }

    /// Returns the share of each model in the forecast at the nearest of [`HORIZONS`] that
    /// is not shorter.
    ///
    /// There is one pair for each of the eight experts, in the order of [`Model::ALL`], and
    /// the shares sum to 1. A forecaster that is no ensemble has one pair: itself, and 1.
    pub fn weights(&self, horizon: u32) -> Vec<(Model, f64)> {
        if self.model != Model::Ensemble {
            return vec![(self.model, 1.0)];
        }
        let weights = self.vote.weights(nearest(horizon));
        let weights = weights.map(f64::from);
        Model::ALL.into_iter().zip(weights).collect()
    }

    /// Returns the recent accuracy of the forecasts at the nearest of [`HORIZONS`] that is
    /// not shorter.
    pub fn accuracy(&self, horizon: u32) -> Accuracy {
        self.scores.accuracy(nearest(horizon))
    }

    /// Returns the last samples, oldest first: `count` of them, or as many as there are
    /// since the last long gap, at most 128. In place of a missing one is the one before it.
    pub fn recent(&self, count: usize) -> Vec<f64> {
        let known = usize::try_from(self.history.count()).unwrap_or(usize::MAX);
        let count = count.min(known).min(crate::series::history::HISTORY_LEN);
        (0..count)
            .rev()
            .map(|lag| f64::from(self.history.value(lag)))
            .collect()
    }

    /// Returns the lesson for the stack from the last sample, the same until the next one;
    /// `None` if no forecast of that moment could be scored.
    pub fn lesson(&self) -> Option<Lesson> {
        self.lesson
    }

    /// Returns the changes as values within the possible range.
    fn bounded(&self, changes: Quantiles) -> Quantiles {
        let last = f64::from(self.history.value(0));
        let bounded = |change: f64| (last + change).clamp(0.0, self.capacity);
        let p50 = bounded(changes.p50);
        let p90 = bounded(changes.p90).max(p50);
        let p99 = bounded(changes.p99).max(p90);
        Quantiles { p50, p90, p99 }
    }

    /// Forgets the recent past, but nothing learned.
    fn forget(&mut self) {
        self.history = History::default();
        self.origins = Origins::default();
        self.experts.forget();
    }

    /// Continues without a sample: the last one stands for it, and nothing is learned.
    fn miss(&mut self, number: u64) {
        let last = self.history.value(0);
        self.history.push(last);
        self.step(number, false, last);
    }

    #[allow(clippy::cast_possible_truncation, reason = "clamped first")]
    fn take(&mut self, number: u64, sample: f64, peak: f64) {
        let cut = |value: f64| value.clamp(-VALUE_MAX, VALUE_MAX) as f32;
        let (sample, peak) = (cut(sample), cut(peak));
        self.seasons.observe(number, sample);
        self.history.push(sample);
        self.step(number, true, peak.max(sample));
    }

    /// Learns from the newest sample, then forecasts.
    fn step(&mut self, number: u64, is_known: bool, peak: f32) {
        self.lesson = None;
        let window = Window::of(&self.history);
        let miss = self.scores.miss();
        self.origins.push(&self.history, is_known, miss, peak);
        if is_known {
            self.score(number, &window);
        }
        let seasons = self.seasons.around(number);
        let unit = |lag: usize| {
            let origin = self.origins.get(lag)?;
            is_known.then_some(origin.unit)
        };
        let opinions = self.experts.ask(&self.history, &window, &seasons, &unit);
        let base = match self.model.member() {
            Some(member) => opinions.map(|opinions| opinions[member]),
            None => self.vote.combine(&opinions),
        };
        self.issue(number, &window, &opinions, &base);
    }

    /// Scores the forecasts for this moment.
    fn score(&mut self, number: u64, window: &Window) {
        for (index, horizon) in HORIZONS.into_iter().enumerate() {
            let lag = horizon as usize;
            let Some(origin) = self.origins.get(lag) else {
                continue;
            };
            let Some(issued) = self
                .pending
                .get(number - u64::from(horizon), index, origin.unit)
            else {
                continue;
            };
            let actual = -window.value(lag);
            let misses: [f32; MEMBERS] = from_fn(|member| match member {
                0 => actual.abs(),
                _ => (actual - issued.members[member - 1]).abs(),
            });
            self.vote.score(index, f32::from(STRIDES[index]), &misses);
            let moment = Moment::new(window, lag, &origin, SPAN);
            let forecast = (issued.base, issued.spread);
            self.fan.learn(index, &moment, forecast, actual);
            self.scores
                .score(index, actual, issued.spread.p50, issued.spread.p90);
            // One lesson a sample: of the long horizons whenever one is scored, of the
            // short ones in turn.
            if STRIDES[index] > 1 || number % SHORT_COUNT == index as u64 {
                self.lesson = Some(Lesson {
                    horizon_index: u8::try_from(index).expect("there are few horizons"),
                    unit: origin.unit,
                    voices: from_fn(|voice| issued.members[voice]),
                    actual,
                });
            }
        }
        for (index, horizon) in PEAK_HORIZONS.into_iter().enumerate() {
            let lag = horizon as usize;
            let Some(origin) = self.origins.get(lag) else {
                continue;
            };
            let Some(issued) =
                self.pending
                    .get_peak(number - u64::from(horizon), index, origin.unit)
            else {
                continue;
            };
            let actual = self.origins.peak(lag) - self.history.value(lag);
            let moment = Moment::new(window, lag, &origin, lag);
            let forecast = (issued.base, issued.spread);
            self.fan.learn_peak(index, &moment, forecast, actual);
        }
    }

    /// Makes the forecast and remembers it.
    fn issue(&mut self, number: u64, window: &Window, opinions: &Opinions, base: &Path) {
        let Some(origin) = self.origins.get(0) else {
            return;
        };
        let moment = Moment::new(window, 0, &origin, SPAN);
        self.fan.observe(&moment);
        for index in 0..HORIZONS.len() {
            let is_median = self.model != Model::Ensemble;
            let spread = self.fan.issue(index, &moment, base[index], is_median);
            let issued = Issued {
                members: from_fn(|member| opinions[index][member + 1]),
                base: base[index],
                spread,
            };
            self.pending.put(number, index, origin.unit, &issued);
        }
        for (index, horizon) in PEAK_HORIZONS.into_iter().enumerate() {
            let within = HORIZONS
                .iter()
                .zip(base)
                .filter(|(step, _)| **step <= horizon);
            let base = within.map(|(_, change)| *change).fold(f32::MIN, f32::max);
            let moment = Moment::new(window, 0, &origin, horizon as usize);
            if index + 1 == PEAK_HORIZONS.len() {
                self.fan.observe_peak(&moment);
            }
            let spread = self.fan.issue_peak(index, &moment, base);
            let issued = IssuedPeak { base, spread };
            self.pending.put_peak(number, index, origin.unit, issued);
        }
    }
}

/// Returns the index of the nearest horizon that is not shorter.
fn nearest(horizon: u32) -> usize {
    let index = HORIZONS.iter().position(|step| *step >= horizon);
    index.unwrap_or(HORIZONS.len() - 1)
}

#[cfg(test)]
mod tests;
