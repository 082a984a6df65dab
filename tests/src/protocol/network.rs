//! Network that delays, drops, repeats, reorders and cuts.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;

/// Source or destination of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Node(usize),
    Dispatcher(usize),
    Store,
}

/// Quality of the network for a whole run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    drop: f64,
    repeat: f64,
    linger: f64,
}

impl Weather {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut choose = |chances: [f64; 3]| chances[rng.usize(..3)];
        Self {
            drop: choose([0.0, 0.05, 0.3]),
            repeat: choose([0.0, 0.05, 0.2]),
            linger: choose([0.0, 0.02, 0.15]),
        }
    }

    pub(super) const FAIR: Weather = Weather {
        drop: 0.0,
        repeat: 0.0,
        linger: 0.0,
    };
}

/// The links between all places.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) weather: Weather,
    /// Directed: from, to.
    cuts: BTreeSet<(Place, Place)>,
}

impl Network {
    pub(super) fn new(weather: Weather) -> Self {
        let cuts = BTreeSet::new();
        Self { weather, cuts }
    }

    pub(super) fn cut(&mut self, from: Place, to: Place) {
        self.cuts.insert((from, to));
    }

    pub(super) fn reconnect(&mut self, from: Place, to: Place) {
        self.cuts.remove(&(from, to));
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
        self.weather = Weather::FAIR;
    }

    /// Returns the delays after which a message arrives: never, once, or more often.
    pub(super) fn delays(&self, rng: &mut Rng, from: Place, to: Place) -> Vec<Duration> {
        let is_lost = self.cuts.contains(&(from, to)) || rng.f64() < self.weather.drop;
        if is_lost {
            return Vec::new();
        }
        let mut delays = vec![self.delay(rng)];
        if rng.f64() < self.weather.repeat {
            delays.push(self.delay(rng));
        }
        delays
    }

    fn delay(&self, rng: &mut Rng) -> Duration {
        if rng.f64() < self.weather.linger {
            // Up to beyond every lease.
            return Duration::from_millis(rng.u64(100..14_000));
        }
        Duration::from_micros(rng.u64(200..20_000))
    }
}
