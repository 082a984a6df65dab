//! Values of a scenario's keys: ranges, weighted choices, distributions.

use std::time::Duration;

use fastrand::Rng;
use rolecast_common::settings::{Setting, Table};
use rolecast_common::unit::Bytes;
use toml::de::DeValue;

use crate::random::{exponential, normal};

/// The standard normal distribution's 99 % quantile.
const NORMAL_P99: f64 = 2.326;

/// Numbers from low to high, equally likely; both are the same for a fixed one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Range {
    pub(crate) const fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    pub(crate) fn draw(self, rng: &mut Rng) -> f64 {
        self.low + (self.high - self.low) * rng.f64()
    }

    fn of<T: Setting>(value: &DeValue<'_>, number: fn(&T) -> f64) -> Option<Self> {
        let (low, high) = match value.as_array() {
            None => (T::read(value)?, T::read(value)?),
            Some(_) => {
                let mut both = Vec::<T>::read(value)?.into_iter();
                let pair = (both.next()?, both.next()?);
                if both.next().is_some() {
                    return None;
                }
                pair
            }
        };
        let range = Self::new(number(&low), number(&high));
        (range.low <= range.high).then_some(range)
    }
}

impl Setting for Range {
    const EXPECTED: &'static str = "a number, or two in brackets, the smaller first";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Range::of(value, |number: &f64| *number)
    }
}

/// A range of lengths of time, in seconds, above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span(pub(crate) Range);

impl Span {
    pub(crate) const fn new(low_s: f64, high_s: f64) -> Self {
        Self(Range::new(low_s, high_s))
    }
}

impl Setting for Span {
    const EXPECTED: &'static str =
        "a length of time such as \"30s\", or two in brackets, the shorter first";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let range = Range::of(value, Duration::as_secs_f64)?;
        (range.low > 0.0).then_some(Self(range))
    }
}

/// Values that are drawn in proportion to their weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weighted(Vec<(f64, f64)>);

impl Weighted {
    pub(crate) fn fixed(value: f64) -> Self {
        Self(vec![(value, 1.0)])
    }

    pub(crate) fn mean(&self) -> f64 {
        let weights: f64 = self.0.iter().map(|(_, weight)| weight).sum();
        let sum: f64 = self.0.iter().map(|(value, weight)| value * weight).sum();
        sum / weights
    }

    pub(crate) fn draw(&self, rng: &mut Rng) -> f64 {
        self.at(rng.f64())
    }

    /// Deals `count` values, each as often as its weight demands to within one, in random
    /// order: small fleets differ less from each other than if drawn.
    pub(crate) fn deal(&self, count: usize, rng: &mut Rng) -> Vec<f64> {
        let offset = rng.f64();
        let share = |index: usize| (index as f64 + offset) / count as f64;
        let mut dealt: Vec<f64> = (0..count).map(|index| self.at(share(index))).collect();
        rng.shuffle(&mut dealt);
        dealt
    }

    /// Returns the value at this share of all weight.
    fn at(&self, share: f64) -> f64 {
        let mut left = share * self.0.iter().map(|(_, weight)| weight).sum::<f64>();
        for (value, weight) in &self.0 {
            left -= weight;
            if left < 0.0 {
                return *value;
            }
        }
        self.0.last().map_or(0.0, |(value, _)| *value)
    }
}

impl Setting for Weighted {
    const EXPECTED: &'static str =
        "a positive number, a list of them, or a list of pairs [number, weight]";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let choice = |value: &DeValue<'_>| match value.as_array() {
            None => f64::read(value).map(|value| (value, 1.0)),
            Some(pair) if pair.len() == 2 => {
                Some((f64::read(pair[0].get_ref())?, f64::read(pair[1].get_ref())?))
            }
            Some(_) => None,
        };
        let choices: Vec<(f64, f64)> = match value.as_array() {
            None => vec![choice(value)?],
            Some(list) => list
                .iter()
                .map(|element| choice(element.get_ref()))
                .collect::<Option<_>>()?,
        };
        let is_valid = choices
            .iter()
            .all(|(value, weight)| value.min(*weight) > 0.0);
        (is_valid && !choices.is_empty()).then_some(Self(choices))
    }
}

/// Distribution of a quantity around its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Distribution {
    pub(crate) mean: f64,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Fixed,
    Exponential,
    /// With this standard deviation of the logarithm.
    Lognormal(f64),
    /// Bounded: with this exponent, from the least to the greatest value.
    Pareto {
        alpha: f64,
        least: f64,
        most: f64,
    },
}

/// A type in which a mean can be written.
pub(crate) trait Amount: Setting {
    fn number(self) -> f64;
}

impl Amount for Duration {
    fn number(self) -> f64 {
        self.as_secs_f64()
    }
}

impl Amount for Bytes {
    fn number(self) -> f64 {
        self.get() as f64
    }
}

impl Distribution {
    /// Reads a table such as `{ mean = "2s", shape = "lognormal", sigma = 1 }`.
    pub(crate) fn read<T: Amount>(table: &mut Table<'_>) -> Option<Self> {
        let mean = table.require::<T>("mean").map(T::number);
        if mean.is_some_and(|mean| mean <= 0.0) {
            table.mistake("mean", "must be above zero");
        }
        let shape: String = table.get_or("shape", "fixed".to_owned());
        let shape = match shape.as_str() {
            "fixed" => Shape::Fixed,
            "exponential" => Shape::Exponential,
            "lognormal" => Shape::Lognormal(positive(table, "sigma")?),
            "pareto" => {
                let alpha = positive(table, "alpha");
                let most = table.require::<T>("max").map(T::number);
                return bounded_pareto(table, mean?, alpha?, most?);
            }
            _ => {
                let known = "there are fixed, exponential, lognormal and pareto";
                table.mistake("shape", known);
                return None;
            }
        };
        let mean = mean.filter(|mean| *mean > 0.0)?;
        Some(Self { mean, shape })
    }

    pub(crate) fn draw(&self, rng: &mut Rng) -> f64 {
        match self.shape {
            Shape::Fixed => self.mean,
            Shape::Exponential => self.mean * exponential(rng),
            Shape::Lognormal(sigma) => self.lognormal(sigma, normal(rng)),
            Shape::Pareto { alpha, least, most } => pareto(alpha, least, most, rng.f64()),
        }
    }

    /// Returns the value that 99 % do not exceed.
    pub(crate) fn p99(&self) -> f64 {
        match self.shape {
            Shape::Fixed => self.mean,
            Shape::Exponential => self.mean * 100.0_f64.ln(),
            Shape::Lognormal(sigma) => self.lognormal(sigma, NORMAL_P99),
            Shape::Pareto { alpha, least, most } => pareto(alpha, least, most, 0.99),
        }
    }

    /// Returns the value that is this many standard deviations above the median.
    fn lognormal(&self, sigma: f64, deviations: f64) -> f64 {
        self.mean * (sigma * deviations - sigma * sigma / 2.0).exp()
    }
}

fn positive(table: &mut Table<'_>, key: &str) -> Option<f64> {
    let value = table.require::<f64>(key)?;
    if value <= 0.0 {
        table.mistake(key, "must be above zero");
        return None;
    }
    Some(value)
}

/// Finds the least value that gives this mean.
fn bounded_pareto(table: &mut Table<'_>, mean: f64, alpha: f64, most: f64) -> Option<Distribution> {
    if (alpha - 1.0).abs() < 1e-3 {
        table.mistake("alpha", "must not be 1");
        return None;
    }
    if most <= mean {
        table.mistake("max", "must be above the mean");
        return None;
    }
    let (mut low, mut high) = (mean * 1e-9, mean);
    // Each step halves the interval; 60 use up the digits of a number.
    for _ in 0..60 {
        let least = f64::midpoint(low, high);
        if pareto_mean(alpha, least, most) < mean {
            low = least;
        } else {
            high = least;
        }
    }
    let shape = Shape::Pareto {
        alpha,
        least: low,
        most,
    };
    Some(Distribution { mean, shape })
}

fn pareto_mean(alpha: f64, least: f64, most: f64) -> f64 {
    let tail = 1.0 - (least / most).powf(alpha);
    let powers = least.powf(1.0 - alpha) - most.powf(1.0 - alpha);
    least.powf(alpha) / tail * alpha / (alpha - 1.0) * powers
}

/// Returns the value that this share of values does not exceed.
fn pareto(alpha: f64, least: f64, most: f64, share: f64) -> f64 {
    let tail = 1.0 - share * (1.0 - (least / most).powf(alpha));
    least * tail.powf(-1.0 / alpha)
}

#[cfg(test)]
mod tests {
    use rolecast_common::settings::{Mistakes, read};

    use super::*;

    #[test]
    fn each_shape_has_its_mean_and_its_p99() {
        for shape in [
            "",
            "shape = \"exponential\"",
            "shape = \"lognormal\"\nsigma = 1",
            "shape = \"pareto\"\nalpha = 1.6\nmax = \"40s\"",
        ] {
            let distribution = parse(&format!("mean = \"2s\"\n{shape}")).unwrap().unwrap();
            let mut rng = Rng::with_seed(1);
            let mut drawn: Vec<f64> = (0..100_000).map(|_| distribution.draw(&mut rng)).collect();
            let mean = drawn.iter().sum::<f64>() / 1e5;
            assert!((mean - 2.0).abs() < 0.04, "{shape}: {mean}");
            drawn.sort_by(f64::total_cmp);
            let ratio = drawn[99_000] / distribution.p99();
            assert!((ratio - 1.0).abs() < 0.05, "{shape}: {ratio}");
        }
    }

    #[test]
    fn what_no_distribution_has_is_refused_by_name() {
        for (text, part) in [
            ("", "mean: missing"),
            ("mean = \"0s\"", "mean: must be above zero"),
            ("mean = \"1s\"\nshape = \"flat\"", "shape: there are fixed,"),
            ("mean = \"1s\"\nshape = \"lognormal\"", "sigma: missing"),
            (
                "mean = \"1s\"\nshape = \"pareto\"\nalpha = 2\nmax = \"1s\"",
                "max: must be above the mean",
            ),
        ] {
            let error = parse(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn values_are_dealt_as_their_weights_say() {
        let text = "a = [[2, 0.3], [4, 0.7]]\nb = [1, 3]\nc = 5";
        let weights = read(text, |root| {
            ["a", "b", "c"].map(|key| root.require::<Weighted>(key))
        });
        let [a, b, c] = weights.unwrap().map(Option::unwrap);
        assert!((a.mean() - 3.4).abs() < 1e-9);
        let mut rng = Rng::with_seed(7);
        let mut dealt = a.deal(10, &mut rng);
        assert_eq!(dealt.iter().filter(|value| **value < 3.0).count(), 3);
        dealt = b.deal(10, &mut rng);
        assert_eq!(dealt.iter().sum::<f64>(), 20.0);
        assert_eq!(c, Weighted::fixed(5.0));
        let wrong = read("a = []\nb = [[1, 2, 3]]\nc = 0", |root| {
            ["a", "b", "c"].map(|key| root.get::<Weighted>(key))
        });
        assert_eq!(wrong.unwrap_err().0.len(), 3);
    }

    fn parse(text: &str) -> Result<Option<Distribution>, Mistakes> {
        read(text, Distribution::read::<Duration>)
    }
}
