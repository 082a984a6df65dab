//! Fluid world: a role on one of five nodes, jobs that are shed from it, and heartbeats
//! that report both.
//!
//! In steps of a quarter of a second. The demand on a node is that of others, the role if
//! it is there, and jobs; jobs go where the last heartbeats left room. A share of the
//! role's operations misses that depends on the whole demand: it is the world's own, and
//! no rule knows it. A change leaves the role nowhere for half of its cost, and
//! afterwards at least half of its operations miss for as long again as it costs: this many
//! bad seconds in all.

use fastrand::Rng;
use rolecast_simulator::random::normal;

use super::trace::{NODES, STEPS, Trace};

/// Length of a step.
const STEP_S: f64 = 1.0 / STEPS as f64;
/// Share of its holder that the role takes.
pub(crate) const DUTY: f64 = 0.3;
/// Jobs for each node on average, and the load up to which they may fill one.
const JOBS: f64 = 0.2;
const JOBS_UNTIL: f64 = 0.85;
/// Time constants of jobs that drain and fill, in seconds.
const DRAIN_S: f64 = 3.0;
const FILL_S: f64 = 1.0;
/// The memory of pressure (`avg10`), and of measured run times.
const PRESSURE_S: f64 = 10.0;
const SLOW_S: f64 = 5.0;
/// The change of others' use at which a heartbeat is sent at once (as workers do).
const MOVED: f64 = 0.1;
/// The error of a heartbeat's figure.
const NOISE: f64 = 0.02;
/// The distance of the limit below the load at which half of the operations miss.
const LIMIT_BELOW: f64 = 0.1;
/// The share of operations that miss while a moved role warms up.
const WARMING: f64 = 0.5;

/// Properties of the world that no rule knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth {
    /// The load at which half of the operations miss, and the variation of load within a
    /// second.
    pub(crate) half: f64,
    pub(crate) spread: f64,
    /// Bad seconds that a change costs.
    pub(crate) cost_s: f64,
}

impl Truth {
    /// Returns the share of the role's operations that miss; below its limit a holder is
    /// not bad.
    pub(crate) fn missed(self, load: f64) -> f64 {
        if load < self.half - LIMIT_BELOW {
            return 0.0;
        }
        let z = (load - self.half) / self.spread;
        // The normal distribution, to 0.001 (Page, 1977).
        let y = 1.5976 * z + 0.07056 * z * z * z;
        1.0 / (1.0 + (-y).exp())
    }
}

/// Returns the load by jobs of a node with so much other use.
pub(crate) fn jobs_beside(own: f64) -> f64 {
    (JOBS_UNTIL - own).clamp(0.0, JOBS)
}

/// The contents of a heartbeat, as shares of the node's CPU.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beat {
    pub(crate) used: f64,
    pub(crate) jobs: f64,
    pub(crate) pressure: f64,
    pub(crate) slow_down: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    /// Its last reported use without jobs.
    seen: f64,
    jobs: f64,
    used_sum: f64,
    jobs_sum: f64,
    pressure: f64,
    slow_down: f64,
    /// Steps since its last heartbeat.
    since_beat: usize,
}

/// A rule that moves the role.
pub(crate) trait Rule {
    /// Takes a heartbeat in this second.
    fn hear(&mut self, step: usize, node: usize, beat: &Beat);
    /// Returns the node that should hold the role; called after heartbeats, unless a
    /// change is under way.
    fn decide(&mut self, step: usize, holder: usize) -> usize;
    /// Receives the end of a change.
    fn changed(&mut self, step: usize);
}

/// Results of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) hours: f64,
    pub(crate) bad_s: f64,
    pub(crate) changes: f64,
}

/// Runs the role under a rule; the first seconds do not count.
pub(crate) fn run(
    trace: &Trace,
    truth: Truth,
    warm_up_s: usize,
    seed: u64,
    rule: &mut dyn Rule,
) -> Outcome {
    let mut world = World {
        hosts: [Host::default(); NODES],
        rng: Rng::with_seed(seed),
        holder: 0,
        stalled: 0,
        warming: 0,
    };
    let mut outcome = Outcome {
        hours: (trace.demand.len() / STEPS - warm_up_s) as f64 / 3600.0,
        ..Outcome::default()
    };
    for (step, demand) in trace.demand.iter().enumerate() {
        let bad = world.step(demand, truth);
        let is_counted = step >= warm_up_s * STEPS;
        if is_counted {
            outcome.bad_s += bad * STEP_S;
        }
        if world.talk(step, truth, rule) && is_counted {
            outcome.changes += 1.0;
        }
    }
    outcome
}

struct World {
    hosts: [Host; NODES],
    rng: Rng,
    holder: usize,
    /// Steps until the role has a holder, and until it is warm.
    stalled: usize,
    warming: usize,
}

impl World {
    /// Advances by one step, and returns the share of the role's operations that missed
    /// in it.
    fn step(&mut self, demand: &[f32; NODES], truth: Truth) -> f64 {
        let rooms = self.hosts.map(|host| (JOBS_UNTIL - host.seen).max(0.0));
        let fill = (JOBS * NODES as f64 / rooms.iter().sum::<f64>().max(1e-9)).min(1.0);
        let mut asked = 0.0;
        for (node, host) in self.hosts.iter_mut().enumerate() {
            let has_role = node == self.holder && self.stalled == 0;
            let own = f64::from(demand[node]) + if has_role { DUTY } else { 0.0 };
            host.go_on(own, rooms[node] * fill);
            if node == self.holder {
                asked = own + host.jobs;
            }
        }
        if self.stalled > 0 {
            return 1.0;
        }
        let missed = truth.missed(asked);
        if self.warming > 0 {
            self.warming -= 1;
            return missed.max(WARMING);
        }
        missed
    }

    /// Sends the heartbeats that are due and asks the rule; returns whether a change
    /// began.
    fn talk(&mut self, step: usize, truth: Truth, rule: &mut dyn Rule) -> bool {
        if self.stalled > 0 {
            self.stalled -= 1;
            if self.stalled == 0 {
                rule.changed(step);
            }
        }
        let mut is_news = false;
        for node in 0..NODES {
            if (step + node).is_multiple_of(STEPS) || self.hosts[node].has_moved() {
                let beat = self.hosts[node].beat(&mut self.rng);
                rule.hear(step, node, &beat);
                is_news = true;
            }
        }
        if !is_news || self.stalled > 0 {
            return false;
        }
        let to = rule.decide(step, self.holder);
        if to == self.holder {
            return false;
        }
        self.holder = to;
        self.stalled = steps(truth.cost_s / 2.0);
        self.warming = steps(truth.cost_s);
        true
    }
}

impl Host {
    fn go_on(&mut self, own: f64, jobs: f64) {
        let memory_s = if jobs < self.jobs { DRAIN_S } else { FILL_S };
        self.jobs += (jobs - self.jobs) * (STEP_S / memory_s);
        let asked = own + self.jobs;
        let served = 1.0 / asked.max(1.0);
        self.since_beat += 1;
        self.used_sum += asked * served;
        self.jobs_sum += self.jobs * served;
        let stalled = 1.0 - served + 0.1 * asked.min(1.0).powi(2);
        self.pressure += (stalled.min(1.0) - self.pressure) * (STEP_S / PRESSURE_S);
        // Run times are reported by jobs; without any the last figure fades.
        let slow_down = if self.jobs > 0.02 {
            asked.max(1.0) * (1.0 + 0.15 * asked.min(1.0).powi(2)) / 1.03
        } else {
            1.0
        };
        self.slow_down += (slow_down - self.slow_down) * (STEP_S / SLOW_S);
    }

    /// Returns whether others' use changed so much that it is reported at once.
    fn has_moved(&self) -> bool {
        let own = (self.used_sum - self.jobs_sum) / self.since_beat as f64;
        (own - self.seen).abs() > MOVED
    }

    fn beat(&mut self, rng: &mut Rng) -> Beat {
        let noise = 1.0 + NOISE * normal(rng);
        let steps = self.since_beat as f64;
        let used = (self.used_sum / steps * noise).min(1.0);
        let jobs = (self.jobs_sum / steps).min(used);
        (self.used_sum, self.jobs_sum, self.since_beat) = (0.0, 0.0, 0);
        self.seen = used - jobs;
        Beat {
            used,
            jobs,
            pressure: self.pressure,
            slow_down: self.slow_down * (1.0 + NOISE * normal(rng)),
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cost is some seconds"
)]
fn steps(seconds: f64) -> usize {
    ((seconds * STEPS as f64).round() as usize).max(1)
}
