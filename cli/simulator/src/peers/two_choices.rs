//! Two choices: the better of two random hosts, by jobs in flight or by latency as well.
//!
//! `p2c` is from Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing"
//! (2001); the moving average that keeps peaks is that of Finagle (Peak EWMA).

use super::super::policy::{End, HostIndex};
use super::super::world::World;
use super::push::{Choice, Flight, Query};

/// Returns two random candidates, different ones if there are two.
fn draw(candidates: &[HostIndex], rng: &mut fastrand::Rng) -> Option<(HostIndex, HostIndex)> {
    let one = rng.usize(..candidates.len().max(1));
    if candidates.len() < 2 {
        return candidates.first().map(|host| (*host, *host));
    }
    let other = rng.usize(..candidates.len() - 1);
    let other = if other < one { other } else { other + 1 };
    Some((candidates[one], candidates[other]))
}

/// Fewer jobs in flight for its capacity.
pub(super) struct TwoChoices {
    rng: fastrand::Rng,
}

impl TwoChoices {
    pub(super) fn new(world: &World) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(world.seed),
        }
    }
}

impl Choice for TwoChoices {
    fn choose(&mut self, query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex> {
        let (one, other) = draw(candidates, &mut self.rng)?;
        let fleet = query.fleet;
        let cost = |host: HostIndex| (fleet.in_flight[host] + 1.0) / fleet.capacity(host);
        Some(if cost(other) < cost(one) { other } else { one })
    }
}

/// Time constant of the decay of a measured latency.
const DECAY_S: f64 = 10.0;

/// Latency times pending jobs, where latency is an average that jumps to every
/// peak and sinks slowly.
pub(super) struct PeakEwma {
    rng: fastrand::Rng,
    /// For each kind and host.
    latencies: Vec<Vec<Latency>>,
}

/// A latency at some time; it decays towards zero.
#[derive(Clone, Copy, Debug)]
struct Latency {
    seconds: f64,
    at_s: f64,
}

impl Latency {
    /// Returns the share of it that is left.
    fn weight(self, now_s: f64) -> f64 {
        (-(now_s - self.at_s).max(0.0) / DECAY_S).exp()
    }

    fn seconds(self, now_s: f64) -> f64 {
        self.seconds * self.weight(now_s)
    }

    fn observe(&mut self, now_s: f64, seconds: f64) {
        let weight = self.weight(now_s);
        let mean = self.seconds * weight + seconds * (1.0 - weight);
        // A peak counts at once and in full.
        self.seconds = if seconds > self.seconds {
            seconds
        } else {
            mean
        };
        self.at_s = now_s;
    }
}

impl PeakEwma {
    pub(super) fn new(world: &World) -> Self {
        let expected = |seconds: f64| Latency { seconds, at_s: 0.0 };
        let kinds = world.kinds.iter();
        Self {
            rng: fastrand::Rng::with_seed(world.seed),
            latencies: kinds
                .map(|kind| vec![expected(kind.duration_s); world.hosts.len()])
                .collect(),
        }
    }
}

impl Choice for PeakEwma {
    fn choose(&mut self, query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex> {
        let (one, other) = draw(candidates, &mut self.rng)?;
        let (fleet, latencies) = (query.fleet, &self.latencies[query.kind]);
        // The speed of the cores is in the latency.
        let cost = |host: HostIndex| {
            let pending = (fleet.in_flight[host] + 1.0) / fleet.cores[host];
            latencies[host].seconds(query.now_s) * pending
        };
        Some(if cost(other) < cost(one) { other } else { one })
    }

    fn ended(&mut self, query: &Query<'_>, flight: &Flight, _end: &End) {
        let latency = &mut self.latencies[query.kind][flight.host];
        latency.observe(query.now_s, query.now_s - flight.sent_s);
    }
}
