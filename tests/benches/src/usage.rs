//! Made-up use of a resource, as a share of what there is, for benchmarks.

use std::f64::consts::TAU;

use fastrand::Rng;

const DAY_S: f64 = 86_400.0;

/// A daily wave around a level, autocorrelated noise, and bursts.
#[derive(Clone, Debug)]
pub struct Usage {
    rng: Rng,
    level: f64,
    wave: f64,
    phase: f64,
    /// The share of the noise that stays until the next value, and the size of the new
    /// noise.
    memory: f64,
    noise: f64,
    drift: f64,
    /// The probability that a burst begins at a value.
    burst_chance: f64,
    burst: f64,
    burst_left: u32,
}

impl Usage {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut between = |low: f64, high: f64| low + rng.f64() * (high - low);
        let level = between(0.1, 0.6);
        let wave = between(0.0, 0.2);
        let phase = between(0.0, 1.0);
        let memory = between(0.8, 0.995);
        let noise = between(0.002, 0.03);
        let burst_chance = between(0.0, 0.01);
        Self {
            rng,
            level,
            wave,
            phase,
            memory,
            noise,
            drift: 0.0,
            burst_chance,
            burst: 0.0,
            burst_left: 0,
        }
    }

    /// Returns the value at a second of a day.
    pub fn next(&mut self, second: f64) -> f64 {
        // Three uniform numbers add up to one that is close enough to normal.
        let uniform: f64 = (0..3).map(|_| self.rng.f64()).sum();
        self.drift = self.memory * self.drift + self.noise * (2.0 * uniform - 3.0);
        if self.burst_left > 0 {
            self.burst_left -= 1;
        } else if self.rng.f64() < self.burst_chance {
            self.burst_left = self.rng.u32(3..40);
            self.burst = 0.1 + 0.5 * self.rng.f64();
        }
        let burst = if self.burst_left > 0 { self.burst } else { 0.0 };
        let wave = self.wave * (TAU * (second / DAY_S + self.phase)).sin();
        (self.level + wave + self.drift + burst).clamp(0.0, 1.0)
    }
}
