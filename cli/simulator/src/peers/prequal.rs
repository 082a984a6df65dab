//! Prequal: asynchronous probes of jobs in flight and latency, hot hosts last.
//!
//! After Wydrowski and others, "Load is not what you should balance: Introducing Prequal"
//! (NSDI 2024).
//!
//! Each job sends three probes, whose answers join a pool. Of the pool's hosts, those
//! with more jobs in flight than most probes found are hot. The choice is the cold host
//! with the least latency, or, if all are hot, the one with the fewest jobs. An answer is
//! used twice at most, and forgotten after a second. One pool serves all kinds, whose
//! latencies differ a thousandfold: an answer carries those of each. Answers arrive at
//! once, which favours this policy.

use std::collections::VecDeque;

use super::super::policy::{End, HostIndex};
use super::super::world::World;
use super::push::{Choice, Flight, Query};

const POOL_MAX: usize = 16;
const PROBES_PER_JOB: usize = 3;
const USES_MAX: u32 = 2;
const AGE_MAX_S: f64 = 1.0;
/// Hosts above this quantile of jobs in flight are hot.
const HOT_QUANTILE: f64 = 0.84;
/// Recent probes that the quantile is computed from.
const RECENT_PROBES: usize = 128;
/// Recent latencies that a host keeps of each kind.
const RECENT_LATENCIES: usize = 32;
/// The reported latency is the median of this many whose jobs in flight are nearest to
/// the present number.
const NEAREST: usize = 5;

pub(super) struct Prequal {
    rng: fastrand::Rng,
    pool: Pool,
    /// For each kind and host, jobs in flight when a job was sent, and its latency.
    latencies: Vec<Vec<VecDeque<(f64, f64)>>>,
}

#[derive(Debug, Default)]
struct Pool {
    /// The oldest first.
    answers: Vec<Answer>,
    recent: VecDeque<f64>,
    /// Whether the next one to be dropped is the oldest, or else the worst.
    drops_oldest: bool,
}

/// The answer of a probe.
#[derive(Debug)]
struct Answer {
    host: HostIndex,
    at_s: f64,
    in_flight_per_core: f64,
    /// Of each kind.
    latencies_s: Vec<f64>,
    uses: u32,
}

impl Prequal {
    pub(super) fn new(world: &World) -> Self {
        let kinds = &world.kinds;
        Self {
            rng: fastrand::Rng::with_seed(world.seed),
            pool: Pool::default(),
            latencies: vec![vec![VecDeque::new(); world.hosts.len()]; kinds.len()],
        }
    }

    fn probe(&self, query: &Query<'_>, host: HostIndex) -> Answer {
        let in_flight = query.live.in_flight(host) as f64;
        // An unknown host is tried.
        let latency_s =
            |hosts: &Vec<VecDeque<_>>| median_nearest(&hosts[host], in_flight).unwrap_or(0.0);
        Answer {
            host,
            at_s: query.now_s,
            in_flight_per_core: in_flight / query.fleet.cores[host],
            latencies_s: self.latencies.iter().map(latency_s).collect(),
            uses: 0,
        }
    }
}

impl Choice for Prequal {
    fn choose(&mut self, query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex> {
        for _ in 0..PROBES_PER_JOB {
            let host = candidates[self.rng.usize(..candidates.len())];
            let answer = self.probe(query, host);
            self.pool.add(answer);
        }
        let pool = &mut self.pool;
        pool.forget(query.now_s);
        let hot = pool.hot();
        let is_candidate = |answer: &Answer| candidates.binary_search(&answer.host).is_ok();
        let at = best(&pool.answers, query.kind, hot, is_candidate)?;
        let chosen = &mut pool.answers[at];
        let host = chosen.host;
        chosen.uses += 1;
        chosen.in_flight_per_core += 1.0 / query.fleet.cores[host];
        if chosen.uses >= USES_MAX {
            pool.answers.remove(at);
        }
        pool.drop_one(query.kind, hot);
        Some(host)
    }

    fn ended(&mut self, query: &Query<'_>, flight: &Flight, _end: &End) {
        let known = &mut self.latencies[query.kind][flight.host];
        if known.len() == RECENT_LATENCIES {
            known.pop_front();
        }
        known.push_back((flight.in_flight, query.now_s - flight.sent_s));
    }
}

impl Pool {
    fn add(&mut self, answer: Answer) {
        if self.answers.len() == POOL_MAX {
            self.answers.remove(0);
        }
        if self.recent.len() == RECENT_PROBES {
            self.recent.pop_front();
        }
        self.recent.push_back(answer.in_flight_per_core);
        self.answers.push(answer);
    }

    fn forget(&mut self, now_s: f64) {
        self.answers
            .retain(|answer| now_s - answer.at_s <= AGE_MAX_S);
    }

    /// Returns the jobs in flight per core above which a host is hot.
    fn hot(&self) -> f64 {
        let mut recent = [0.0; RECENT_PROBES];
        let recent = &mut recent[..self.recent.len()];
        for (place, known) in recent.iter_mut().zip(&self.recent) {
            *place = *known;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the share of a small count"
        )]
        let at = ((recent.len() - 1) as f64 * HOT_QUANTILE) as usize;
        *recent.select_nth_unstable_by(at, f64::total_cmp).1
    }

    /// Keeps the pool from filling with hosts that are never chosen.
    fn drop_one(&mut self, kind: usize, hot: f64) {
        self.drops_oldest = !self.drops_oldest;
        if self.answers.is_empty() {
            return;
        }
        let at = if self.drops_oldest {
            0
        } else {
            worst(&self.answers, kind, hot)
        };
        self.answers.remove(at);
    }
}

impl Answer {
    /// Returns its rank for a kind: cold before hot, then by latency or by jobs.
    fn rank(&self, kind: usize, hot: f64) -> (bool, f64) {
        let is_hot = self.in_flight_per_core > hot;
        let cost = if is_hot {
            self.in_flight_per_core
        } else {
            self.latencies_s[kind]
        };
        (is_hot, cost)
    }
}

fn compare(one: (bool, f64), other: (bool, f64)) -> std::cmp::Ordering {
    one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
}

fn best(
    answers: &[Answer],
    kind: usize,
    hot: f64,
    is_candidate: impl Fn(&Answer) -> bool,
) -> Option<usize> {
    (0..answers.len())
        .filter(|at| is_candidate(&answers[*at]))
        .min_by(|one, other| {
            compare(
                answers[*one].rank(kind, hot),
                answers[*other].rank(kind, hot),
            )
        })
}

fn worst(answers: &[Answer], kind: usize, hot: f64) -> usize {
    (0..answers.len())
        .max_by(|one, other| {
            compare(
                answers[*one].rank(kind, hot),
                answers[*other].rank(kind, hot),
            )
        })
        .unwrap_or(0)
}

/// Returns the median latency of the samples nearest to this many jobs in flight.
fn median_nearest(known: &VecDeque<(f64, f64)>, in_flight: f64) -> Option<f64> {
    if known.is_empty() {
        return None;
    }
    let mut by_distance = [(0.0, 0.0); RECENT_LATENCIES];
    let by_distance = &mut by_distance[..known.len()];
    for (place, (at, latency_s)) in by_distance.iter_mut().zip(known) {
        *place = ((at - in_flight).abs(), *latency_s);
    }
    let count = NEAREST.min(by_distance.len());
    by_distance.select_nth_unstable_by(count - 1, |one, other| one.0.total_cmp(&other.0));
    let nearest = &mut by_distance[..count];
    nearest.sort_unstable_by(|one, other| one.1.total_cmp(&other.1));
    Some(nearest[count / 2].1)
}
