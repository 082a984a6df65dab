//! The exponentially weighted moving average over time, for uneven samples.
//!
//! With time constant T, a sample taken d after the last weighs `1 - exp(-d/T)`
//! (Brown 1956, in its continuous form). Memory is not averaged: it does not
//! go away between samples, and too little of it kills.

use std::time::Duration;

use rolecast_common::time::Time;
use rolecast_common::unit::{BytesPerSecond, Cores, Resources};

use super::Forecaster;

/// Guessed: long enough to smooth one-second noise, short enough to follow a load.
const TIME_CONSTANT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, Default)]
pub struct Ewma {
    last: Option<(Time, Resources)>,
}

impl Forecaster for Ewma {
    fn observe(&mut self, now: Time, exogenous: Resources) {
        let Some((then, mean)) = self.last else {
            self.last = Some((now, exogenous));
            return;
        };
        let weight = 1.0 - (-now.since(then).as_secs_f64() / TIME_CONSTANT.as_secs_f64()).exp();
        let blend = |mean: f64, sample: f64| mean + weight * (sample - mean);
        let blended = Resources {
            cpu: Cores::clamped(blend(mean.cpu.get(), exogenous.cpu.get())),
            memory: exogenous.memory,
            network: BytesPerSecond::clamped(blend(mean.network.get(), exogenous.network.get())),
            disk: BytesPerSecond::clamped(blend(mean.disk.get(), exogenous.disk.get())),
        };
        self.last = Some((now, blended));
    }

    fn predict(&self, _horizon: Duration) -> Resources {
        self.last.map_or_else(Resources::default, |(_, mean)| mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(cores: f64) -> Resources {
        Resources {
            cpu: Cores::clamped(cores),
            ..Resources::default()
        }
    }

    #[test]
    fn a_step_is_followed_by_two_thirds_within_the_time_constant() {
        let mut model = Ewma::default();
        model.observe(Time::ZERO, cpu(0.0));
        for second in 1..=5 {
            model.observe(Time::from_start(Duration::from_secs(second)), cpu(1.0));
        }
        let predicted = model.predict(Duration::ZERO).cpu.get();
        assert!(
            (predicted - (1.0 - (-1.0f64).exp())).abs() < 1e-9,
            "{predicted}"
        );
    }

    #[test]
    fn uneven_samples_weigh_by_their_distance() {
        let (mut one, mut two) = (Ewma::default(), Ewma::default());
        for model in [&mut one, &mut two] {
            model.observe(Time::ZERO, cpu(0.0));
        }
        one.observe(Time::from_start(Duration::from_secs(4)), cpu(1.0));
        two.observe(Time::from_start(Duration::from_secs(1)), cpu(1.0));
        two.observe(Time::from_start(Duration::from_secs(4)), cpu(1.0));
        let difference =
            one.predict(Duration::ZERO).cpu.get() - two.predict(Duration::ZERO).cpu.get();
        assert!(difference.abs() < 1e-9, "{difference}");
    }
}
