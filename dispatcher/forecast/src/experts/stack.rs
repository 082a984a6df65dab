//! One global model over the forecasts of the experts.
//!
//! Stacking (Wolpert 1992): a ridge regression, for each horizon, of the true change on
//! the changes that the experts expected, over a sample of all series, all in their own
//! units. It is fitted off the hot path with smartcore and shared by every series.

use std::array::from_fn;

use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::ridge_regression::{RidgeRegression, RidgeRegressionParameters};

use crate::HORIZONS;
use crate::checkpoint::{seal, state, unseal};
use crate::model::MEMBERS;
use crate::series::window::Path;

/// Number of experts that the stack uses, in the order of `Model::ALL`: all but the naive
/// one, whose change is zero, and the stack itself.
pub(super) const VOICES: usize = MEMBERS - 2;
/// The kind of its checkpoint; those of forecasters have the index of their model.
const KIND: u16 = 1000;
/// Lessons kept for each horizon; the oldest are dropped.
const LESSONS_MAX: usize = 4096;
/// Lessons below which the coefficients would be chance.
const LESSONS_MIN: usize = 200;
/// The penalty, in lessons: enough to distinguish similar experts without instability.
const PENALTY: f32 = 20.0;
/// The largest change, in units; larger ones are cut, as least squares needs.
const CHANGE_MAX: f32 = 10.0;

/// The changes that the experts expected at one horizon, and the true one.
///
/// [`Forecaster::lesson`](crate::Forecaster::lesson) makes one, and [`StackTrainer::learn`]
/// takes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lesson {
    pub(crate) horizon_index: u8,
    pub(crate) unit: f32,
    pub(crate) voices: [f32; VOICES],
    pub(crate) actual: f32,
}

/// The coefficients of the stack: six for each of [`HORIZONS`].
///
/// The default has none, and repeats the last value. One stack is shared by all series;
/// [`Forecaster::set_stack`](crate::Forecaster::set_stack) takes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack {
    weights: [[f32; VOICES]; HORIZONS.len()],
}

state!(Stack { weights });

impl Stack {
    pub(crate) fn predict(&self, voices: &[Path; VOICES]) -> Path {
        from_fn(|horizon| {
            let pairs = self.weights[horizon].iter().zip(voices);
            pairs.map(|(weight, path)| weight * path[horizon]).sum()
        })
    }

    /// Appends the coefficients to `out`, as [`Stack::load`] reads them.
    pub fn save(&self, out: &mut Vec<u8>) {
        seal(KIND, self, out);
    }

    /// Removes coefficients from the front of `from`. `None` if they are not whole, damaged,
    /// or of another version of the format; `from` is then anywhere.
    pub fn load(from: &mut &[u8]) -> Option<Self> {
        let mut stack = Self::default();
        unseal(KIND, &mut stack, from)?;
        Some(stack)
    }
}

/// Collector of lessons, which fits the stack: a ridge regression for each horizon
/// (Wolpert, *Stacked Generalization*, 1992).
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use rolecast_forecast::{Forecaster, Model, StackTrainer};
///
/// let mut forecaster = Forecaster::new(Model::Ensemble, Duration::from_secs(60), 1.0);
/// let mut trainer = StackTrainer::default();
/// for minute in 0..2000 {
///     forecaster.observe(minute, Some(if minute % 7 == 0 { 0.9 } else { 0.2 }));
///     forecaster.lesson().iter().for_each(|lesson| trainer.learn(lesson));
/// }
/// forecaster.set_stack(Arc::new(trainer.fit()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct StackTrainer {
    lessons: [Lessons; HORIZONS.len()],
}

#[derive(Clone, Debug, Default)]
struct Lessons {
    rows: Vec<Vec<f32>>,
    actual: Vec<f32>,
    next: usize,
}

impl StackTrainer {
    /// Adds a lesson; one that is not finite is ignored. The newest 4,096 of each horizon
    /// are kept.
    pub fn learn(&mut self, lesson: &Lesson) {
        let scaled = |change: f32| (change / lesson.unit).clamp(-CHANGE_MAX, CHANGE_MAX);
        let row: Vec<f32> = lesson.voices.iter().map(|voice| scaled(*voice)).collect();
        let actual = scaled(lesson.actual);
        if !actual.is_finite() || row.iter().any(|voice| !voice.is_finite()) {
            return;
        }
        let lessons = &mut self.lessons[usize::from(lesson.horizon_index)];
        if lessons.rows.len() < LESSONS_MAX {
            lessons.rows.push(row);
            lessons.actual.push(actual);
            return;
        }
        lessons.rows[lessons.next] = row;
        lessons.actual[lessons.next] = actual;
        lessons.next = (lessons.next + 1) % LESSONS_MAX;
    }

    /// Fits the stack to the lessons; a horizon with fewer than 200 gets no coefficients.
    ///
    /// It copies and solves, and so belongs on a thread of its own.
    pub fn fit(&self) -> Stack {
        Stack {
            weights: from_fn(|horizon| self.lessons[horizon].fit().unwrap_or_default()),
        }
    }
}

impl Lessons {
    fn fit(&self) -> Option<[f32; VOICES]> {
        if self.rows.len() < LESSONS_MIN {
            return None;
        }
        // smartcore fits no intercept unless it also rescales the columns, and it refuses
        // that for a constant one. None is wanted: where no expert expects a change, the
        // stack should not either.
        let rows = DenseMatrix::from_2d_vec(&self.rows).ok()?;
        let parameters = RidgeRegressionParameters::default()
            .with_alpha(PENALTY)
            .with_normalize(false);
        let model = RidgeRegression::fit(&rows, &self.actual, parameters).ok()?;
        let fitted = model.coefficients();
        let weights: [f32; VOICES] = from_fn(|voice| *fitted.get((voice, 0)));
        weights
            .iter()
            .all(|weight| weight.is_finite())
            .then_some(weights)
    }
}
