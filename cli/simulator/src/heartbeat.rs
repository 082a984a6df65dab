//! Heartbeats of a host: their contents, and the times of those on change.

use fastrand::Rng;
use rolecast_common::unit::{Bytes, BytesPerSecond, Cores, Resources};
use rolecast_common::wire;

use super::host::Usage;
use super::moment::Moment;
use super::random::nearly_normal;
use super::world::{self, Needs};

/// The least change of others' CPU that is reported out of turn, as a share of the cores.
const CHANGE_MIN: f64 = 0.1;
/// The time for which a change is measured before it is reported, in seconds: a worker
/// measures every 0.2 s, so half of that. It is also the least distance of a worker's report
/// from the heartbeat before.
const CHANGE_DELAY_S: f64 = 0.1;
/// The least time between two reported changes, in seconds, as in a worker.
const CHANGE_GAP_S: f64 = 0.25;

/// The heartbeats of one host.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    /// Time of the first one within the interval.
    pub(crate) phase_s: f64,
    cores: f64,
    sent: u64,
    /// Others' CPU as last reported.
    reported_cores: f64,
    is_change_due: bool,
    change_reported: Option<Moment>,
}

impl Pulse {
    pub(crate) fn new(host: &world::Host, phase_s: f64) -> Self {
        Self {
            phase_s,
            cores: host.cores,
            sent: 0,
            reported_cores: 0.0,
            is_change_due: false,
            change_reported: None,
        }
    }

    /// Takes the CPU demand of others and returns when it must be reported out of turn.
    pub(crate) fn changed(&mut self, now: Moment, others_cores: f64) -> Option<Moment> {
        let moved = (others_cores - self.reported_cores).abs();
        if self.is_change_due || moved <= CHANGE_MIN * self.cores {
            return None;
        }
        self.is_change_due = true;
        let soonest = now + CHANGE_DELAY_S;
        let at = self
            .change_reported
            .map(|reported| soonest.max(reported + CHANGE_GAP_S));
        Some(at.unwrap_or(soonest))
    }

    /// Returns whether a change is still to be reported, which then counts as reported now.
    pub(crate) fn take_change(&mut self, now: Moment) -> bool {
        if self.is_change_due {
            self.change_reported = Some(now);
        }
        self.is_change_due
    }

    /// Records that the CPU demand of others is reported.
    pub(crate) fn reported(&mut self, others_cores: f64) {
        self.reported_cores = others_cores;
        self.is_change_due = false;
    }

    /// Returns the number of the next heartbeat.
    pub(crate) fn count(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }
}

/// Returns the measured use, with relative noise of this standard deviation.
pub(crate) fn measured(used: Usage, memory: f64, noise: f64, rng: &mut Rng) -> wire::Usage {
    let jobs = noisy(used.jobs, noise, rng);
    let mut total = noisy(used.others, noise, rng);
    total.add(jobs, 1.0);
    total.memory = total.memory.min(memory);
    wire::Usage {
        total: resources(total),
        jobs: resources(jobs),
        pressure: None,
    }
}

/// Returns the mean use by others between two times, within the capacity of the host.
pub(crate) fn mean_load(host: &world::Host, from_s: f64, to_s: f64) -> Needs {
    let load = &host.load;
    let (first, last) = (load.index_at(from_s), load.index_at(to_s));
    let mut mean = Needs::default();
    for sample in first..=last {
        let begin_s = load.begin_s(sample).max(from_s);
        let is_last = sample == last;
        let end_s = if is_last {
            to_s
        } else {
            load.begin_s(sample + 1)
        };
        let share = match to_s - from_s {
            0.0 => 1.0,
            length_s => (end_s - begin_s).max(0.0) / length_s,
        };
        let mut needs = load.samples[sample].needs();
        needs.cores = needs.cores.min(host.cores);
        needs.network = needs.network.min(host.network);
        needs.disk = needs.disk.min(host.disk);
        mean.add(needs, share);
    }
    mean.memory = f64::from(load.samples[last].memory);
    mean
}

fn noisy(needs: Needs, noise: f64, rng: &mut Rng) -> Needs {
    let mut vary = |amount: f64| (amount * (1.0 + noise * nearly_normal(rng))).max(0.0);
    Needs {
        cores: vary(needs.cores),
        memory: vary(needs.memory),
        network: vary(needs.network),
        disk: vary(needs.disk),
    }
}

fn resources(needs: Needs) -> Resources {
    Resources {
        cpu: Cores::clamped(needs.cores),
        memory: Bytes::clamped(needs.memory),
        network: BytesPerSecond::clamped(needs.network),
        disk: BytesPerSecond::clamped(needs.disk),
    }
}
