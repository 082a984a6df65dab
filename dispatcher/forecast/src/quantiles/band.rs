//! Band: the quantiles around a path, or of the peaks along it.
//!
//! For each horizon a median and a 90 % quantile by online regression. The 99 % quantile
//! is the latter's distance from the median times a factor that is tracked, since so few
//! outcomes lie beyond it that it could not be learned cue by cue.

use std::array::from_fn;

use super::origins::Origin;
use super::quantile::{CUES, Correction, Cues, QuantileRegression, Scale};
use crate::checkpoint::state;
use crate::series::history::decay_weight;
use crate::series::window::Window;

/// The half-life of the usual error, in steps.
const ERROR_HALF_LIFE: f32 = 1440.0;
/// Width of a band before it has learned, in units times the root of the horizon: for a
/// normal random walk 1.6 would be enough, so it is wide.
const WIDTH_START: f32 = 2.0;
/// Outcomes after which the initial width no longer counts.
const LEARNED_AFTER: f32 = 40.0;
/// The distance of the 99 % quantile, in those of the 90 % one: 1.8 if normal.
const FACTOR_START: f32 = 2.0;
const FACTOR_MAX: f32 = 50.0;
/// Rate at which a miss widens the factor.
const FACTOR_RATE: f32 = 0.05;
/// The index of the cue with the change that the experts expect.
const BASE: usize = CUES - 1;
/// Bounds of the cues, in units: larger for the change that the experts expect.
const CUE_MAX: f32 = 8.0;
const BASE_MAX: f32 = 60.0;

/// The cues of one moment, on which its quantiles depend.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    unit: f32,
    cues: Cues,
}

impl Moment {
    /// Reads the moment `lag` steps ago; `span` is the length in which the recent peak is
    /// looked for.
    pub(crate) fn new(window: &Window, lag: usize, origin: &Origin, span: usize) -> Self {
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
pub(crate) struct Spread {
    pub(crate) p50: f32,
    pub(crate) p90: f32,
    pub(crate) p99: f32,
}

state!(Spread { p50, p90, p99 });

/// The quantiles at `N` horizons.
#[derive(Clone, Debug)]
pub(crate) struct Band<const N: usize> {
    horizons: [u32; N],
    scale: Scale,
    base_squares: [f32; N],
    p50: [QuantileRegression; N],
    p90: [QuantileRegression; N],
    corrections: [Correction; N],
    factors: [f32; N],
    /// The usual distances of outcomes from the path.
    errors: [f32; N],
    scored: [f32; N],
}

state!(Band<N> {
    scale, base_squares, p50, p90, corrections, factors, errors, scored
} for const N: usize);

impl<const N: usize> Band<N> {
    pub(crate) fn new(horizons: &[u32; N]) -> Self {
        let mut weights = [0.0; CUES];
        weights[BASE] = 1.0;
        Self {
            scale: Scale::default(),
            base_squares: [0.0; N],
            p50: from_fn(|_| QuantileRegression::new(weights)),
            p90: from_fn(|_| QuantileRegression::new(weights)),
            horizons: *horizons,
            corrections: [Correction::default(); N],
            factors: [FACTOR_START; N],
            errors: [0.0; N],
            scored: [0.0; N],
        }
    }

    /// Records the size of the cues of a moment.
    pub(crate) fn observe(&mut self, moment: &Moment) {
        self.scale.observe(&moment.cues);
    }

    pub(crate) fn predict(&self, index: usize, moment: &Moment, base: f32) -> Spread {
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

    /// Returns the extra width of the band for lack of outcomes, in units.
    fn ignorance(&self, index: usize) -> f32 {
        #[allow(clippy::cast_precision_loss, reason = "a small count")]
        let root = (self.horizons[index] as f32).sqrt();
        WIDTH_START * root * (1.0 - self.scored[index] / LEARNED_AFTER).max(0.0)
    }

    /// Learns from the outcome of a moment, given its forecast; there are `stride`
    /// moments from one that is learned from to the next.
    pub(crate) fn learn(
        &mut self,
        index: usize,
        stride: u16,
        moment: &Moment,
        (base, forecast): (f32, Spread),
        actual: f32,
    ) {
        let stride = f32::from(stride);
        let cues = moment.cues(base);
        let square = &mut self.base_squares[index];
        *square += cues[BASE] * cues[BASE] - decay_weight(20_000.0 / stride) * *square;
        let scale = self.scale.with(BASE, *square * stride);
        let outcome = actual / moment.unit;
        let pace = stride.sqrt();
        self.p50[index].learn(0.5, &scale, &cues, outcome, pace);
        self.p90[index].learn(0.9, &scale, &cues, outcome, pace);
        self.scored[index] += 1.0;
        let weight = decay_weight(ERROR_HALF_LIFE / stride).max(1.0 / self.scored[index]);
        self.errors[index] += weight * ((actual - base).abs() - self.errors[index]);
        self.corrections[index].learn(0.9, actual > forecast.p90, stride);
        let step = if actual > forecast.p99 { 0.99 } else { -0.01 };
        let factor = self.factors[index] + FACTOR_RATE * pace * step;
        self.factors[index] = factor.clamp(1.0, FACTOR_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HORIZONS;
    use crate::tests::series;

    const UNIT: f32 = 0.5;

    /// A moment of which only the burst is known.
    fn moment(burst: f32) -> Moment {
        let mut cues = [0.0; CUES];
        (cues[0], cues[2]) = (1.0, burst);
        Moment { unit: UNIT, cues }
    }

    /// Learns from outcomes at the first horizon; returns the share of outcomes within
    /// the 50, 90 and 99 % quantile after the first 2000.
    fn coverage(outcomes: &[f64], burst: impl Fn(usize) -> f32) -> [f64; 3] {
        let mut band = Band::new(&HORIZONS);
        let mut within = [0.0; 3];
        for (at, outcome) in outcomes.iter().enumerate() {
            let moment = moment(burst(at));
            band.observe(&moment);
            let forecast = band.predict(0, &moment, 0.0);
            let actual = series::round(*outcome);
            if at >= 2000 {
                for (within, bound) in
                    within
                        .iter_mut()
                        .zip([forecast.p50, forecast.p90, forecast.p99])
                {
                    *within += f64::from(u8::from(actual <= bound));
                }
            }
            band.learn(0, 1, &moment, (0.0, forecast), actual);
        }
        let count = f64::from(u32::try_from(outcomes.len() - 2000).unwrap());
        within.map(|within| within / count)
    }

    fn assert_covered([p50, p90, p99]: [f64; 3]) {
        assert!((p50 - 0.5).abs() < 0.02, "{p50} within the median");
        assert!((p90 - 0.9).abs() < 0.01, "{p90} within the 90 % quantile");
        assert!((p99 - 0.99).abs() < 0.005, "{p99} within the 99 % quantile");
    }

    #[test]
    fn as_many_outcomes_are_within_each_quantile_as_should_be() {
        assert_covered(coverage(&series::noise(1, 20_000), |_| 1.0));
    }

    #[test]
    fn heavy_tails_are_covered_too() {
        let noise = series::noise(2, 20_000);
        let outcomes: Vec<f64> = noise.iter().map(|noise| noise.powi(3)).collect();
        assert_covered(coverage(&outcomes, |_| 1.0));
    }

    #[test]
    fn bursts_that_the_cues_report_are_covered() {
        let burst = |at: usize| {
            if (at / 50).is_multiple_of(4) {
                4.0
            } else {
                1.0
            }
        };
        let noise = series::noise(3, 20_000);
        let scaled = noise.iter().enumerate();
        let outcomes: Vec<f64> = scaled.map(|(at, v)| v * f64::from(burst(at))).collect();
        assert_covered(coverage(&outcomes, burst));
    }

    #[test]
    fn before_outcomes_it_is_wide_and_around_what_the_experts_say() {
        let band = Band::new(&HORIZONS);
        for (index, horizon) in HORIZONS.into_iter().enumerate() {
            let forecast = band.predict(index, &moment(0.0), 3.0);
            let root = f64::from(horizon).sqrt();
            let width = series::round(2.0 * root) * UNIT;
            assert!((forecast.p50 - 3.0).abs() < 1e-5, "{forecast:?}");
            assert!((forecast.p90 - 3.0 - width).abs() < 1e-4, "{forecast:?}");
            assert!(
                (forecast.p99 - 3.0 - 2.0 * width).abs() < 1e-4,
                "{forecast:?}"
            );
        }
    }

    #[test]
    fn outcomes_as_expected_narrow_it() {
        let mut band = Band::new(&HORIZONS);
        let moment = moment(0.0);
        let mut width = f32::INFINITY;
        for _ in 0..4 {
            for _ in 0..10 {
                band.observe(&moment);
                let forecast = band.predict(0, &moment, 0.0);
                band.learn(0, 1, &moment, (0.0, forecast), 0.0);
            }
            let forecast = band.predict(0, &moment, 0.0);
            assert!(forecast.p90 - forecast.p50 < width);
            width = forecast.p90 - forecast.p50;
        }
        assert!(width < 0.2 * WIDTH_START * UNIT, "{width}");
    }

    #[test]
    fn quantiles_are_in_order_whatever_came() {
        let mut band = Band::new(&HORIZONS);
        for noise in series::noise(4, 3000) {
            let moment = moment(series::round(noise).abs());
            band.observe(&moment);
            for index in 0..HORIZONS.len() {
                let base = 10.0 * series::round(noise);
                let forecast = band.predict(index, &moment, base);
                assert!(
                    forecast.p50 <= forecast.p90 && forecast.p90 <= forecast.p99,
                    "{forecast:?}"
                );
                let actual = -1e6 * series::round(noise.powi(3));
                band.learn(index, 1, &moment, (base, forecast), actual);
            }
        }
    }

    #[test]
    fn what_is_learned_at_one_horizon_is_not_shown_at_another() {
        let mut band = Band::new(&HORIZONS);
        let moment = moment(1.0);
        let before = band.predict(3, &moment, 0.0);
        (0..100).for_each(|_| band.learn(2, 1, &moment, (0.0, Spread::default()), 5.0));
        assert_eq!(band.predict(3, &moment, 0.0), before);
        assert_ne!(band.predict(2, &moment, 0.0), before);
    }
}
