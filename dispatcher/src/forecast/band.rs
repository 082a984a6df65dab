//! The quantiles around a path, or of the peaks along it.
//!
//! For each horizon a median and a 90 % quantile by online regression; the
//! 99 % quantile is the latter's distance from the median times a factor that
//! is tracked, since so few outcomes lie beyond it that it could not be
//! learned cue by cue.

use std::array::from_fn;

use super::checkpoint::state;
use super::history::decay_weight;
use super::origins::Origin;
use super::quantile::{CUES, Correction, Cues, Quantile, Scale};
use super::window::Window;

/// The half-life of the usual error, in steps.
const ERROR_HALF_LIFE: f32 = 1440.0;
/// How wide a band is before it has learned, in units times the root of the
/// horizon: for a normal random walk 1.6 would do, so it is wide.
const WIDTH_START: f32 = 2.0;
/// Outcomes after which the band is all its own.
const LEARNED_AFTER: f32 = 40.0;
/// The distance of the 99 % quantile, in those of the 90 % one: 1.8 if normal.
const FACTOR_START: f32 = 2.0;
const FACTOR_MAX: f32 = 50.0;
/// How much a miss widens the factor.
const FACTOR_RATE: f32 = 0.05;
/// The cue that holds what the experts expect.
const BASE: usize = CUES - 1;
/// A cue beyond this many units says no more; the experts may expect more.
const CUE_MAX: f32 = 8.0;
const BASE_MAX: f32 = 60.0;

/// What the quantiles of one moment depend on.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    unit: f32,
    cues: Cues,
}

impl Moment {
    /// Reads the moment `lag` steps ago; `span` is how far the recent peak lies back.
    pub(super) fn new(window: &Window, lag: usize, origin: &Origin, span: usize) -> Self {
        let unit = origin.unit;
        let scaled = |change: f32| (change / unit).clamp(-CUE_MAX, CUE_MAX);
        let step = scaled(window.value(lag) - window.value(lag + 1));
        let above = scaled(window.above_mean(lag, 5));
        let cues = [
            1.0,
            origin.usual.min(CUE_MAX),
            origin.burst.min(CUE_MAX),
            origin.medium.min(CUE_MAX),
            origin.miss.min(CUE_MAX),
            step.max(0.0),
            (-step).max(0.0),
            above.max(0.0),
            (-above).max(0.0),
            scaled(window.max_from(lag, span) - window.value(lag)),
            scaled(window.above_mean(lag, 60)),
            0.0,
        ];
        Self { unit, cues }
    }

    fn cues(&self, base: f32) -> Cues {
        let mut cues = self.cues;
        cues[BASE] = (base / self.unit).clamp(-BASE_MAX, BASE_MAX);
        cues
    }
}

/// A forecast, as changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spread {
    pub(super) p50: f32,
    pub(super) p90: f32,
    pub(super) p99: f32,
}

state!(Spread { p50, p90, p99 });

/// The quantiles at `N` horizons.
#[derive(Clone, Debug)]
pub(super) struct Band<const N: usize> {
    horizons: [u32; N],
    scale: Scale,
    base_squares: [f32; N],
    p50: [Quantile; N],
    p90: [Quantile; N],
    corrections: [Correction; N],
    factors: [f32; N],
    /// Usual distances of what came from the path.
    errors: [f32; N],
    scored: [f32; N],
}

state!(Band<N> {
    scale, base_squares, p50, p90, corrections, factors, errors, scored
} for const N: usize);

impl<const N: usize> Band<N> {
    pub(super) fn new(horizons: &[u32; N]) -> Self {
        let mut weights = [0.0; CUES];
        weights[BASE] = 1.0;
        Self {
            scale: Scale::default(),
            base_squares: [0.0; N],
            p50: from_fn(|_| Quantile::new(weights)),
            p90: from_fn(|_| Quantile::new(weights)),
            horizons: *horizons,
            corrections: [Correction::default(); N],
            factors: [FACTOR_START; N],
            errors: [0.0; N],
            scored: [0.0; N],
        }
    }

    /// Takes note of how large the cues of a moment are.
    pub(super) fn observe(&mut self, moment: &Moment) {
        self.scale.observe(&moment.cues);
    }

    pub(super) fn predict(&self, index: usize, moment: &Moment, base: f32) -> Spread {
        let cues = moment.cues(base);
        let p50 = self.p50[index].predict(&cues) * moment.unit;
        let shift = self.corrections[index].shift() * self.errors[index];
        let shift = shift + self.ignorance(index) * moment.unit;
        let p90 = (self.p90[index].predict(&cues) * moment.unit + shift).max(p50);
        let p99 = p50 + self.factors[index] * (p90 - p50).max(1e-3 * moment.unit);
        let finite = |change: f32| if change.is_finite() { change } else { 0.0 };
        Spread {
            p50: finite(p50),
            p90: finite(p90),
            p99: finite(p99),
        }
    }

    /// Returns by how much the band is wider for want of outcomes, in units.
    fn ignorance(&self, index: usize) -> f32 {
        #[allow(clippy::cast_precision_loss, reason = "a small count")]
        let root = (self.horizons[index] as f32).sqrt();
        WIDTH_START * root * (1.0 - self.scored[index] / LEARNED_AFTER).max(0.0)
    }

    /// Learns what came after a moment, given what was said then; `stride`
    /// moments lie between two that are learned from.
    pub(super) fn learn(
        &mut self,
        index: usize,
        stride: u16,
        moment: &Moment,
        (base, said): (f32, Spread),
        came: f32,
    ) {
        let stride = f32::from(stride);
        let cues = moment.cues(base);
        let square = &mut self.base_squares[index];
        *square += cues[BASE] * cues[BASE] - decay_weight(20_000.0 / stride) * *square;
        let scale = self.scale.with(BASE, *square * stride);
        let outcome = came / moment.unit;
        let pace = stride.sqrt();
        self.p50[index].learn(0.5, &scale, &cues, outcome, pace);
        self.p90[index].learn(0.9, &scale, &cues, outcome, pace);
        self.scored[index] += 1.0;
        let weight = decay_weight(ERROR_HALF_LIFE / stride).max(1.0 / self.scored[index]);
        self.errors[index] += weight * ((came - base).abs() - self.errors[index]);
        self.corrections[index].learn(0.9, came > said.p90, stride);
        let step = if came > said.p99 { 0.99 } else { -0.01 };
        let factor = self.factors[index] + FACTOR_RATE * pace * step;
        self.factors[index] = factor.clamp(1.0, FACTOR_MAX);
    }
}
