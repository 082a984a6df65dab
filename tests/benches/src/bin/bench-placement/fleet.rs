//! Fleet benchmark: the whole path of jobs and heartbeats in the dispatcher's fleet.
//!
//! A job is placed, sent and completed, and heartbeats are taken.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use rolecast_common::id::Sequence;
use rolecast_common::label::Requirement;
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire::{ForecastMode, Outcome};
use rolecast_dispatcher::fleet::{Fleet, Settings};
use rolecast_dispatcher::placement::{CategoryIndex, Choice, Request, Slot};
use rolecast_forecast::{Model, Params, Quantile};
use rolecast_tests::cpu;

use super::ALLOCATOR;
use super::hosts::{Host, KINDS, Mix};

/// Different ends of jobs, for each category.
const OUTCOMES: usize = 64;
/// Decisions in a second, for each node.
const DECISIONS_PER_NODE: usize = 2;
/// A midnight.
const STARTED_MS: u64 = 1_764_028_800_000;

/// Cost of some seconds, in nanoseconds of CPU time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) decision: f64,
    pub(crate) heartbeat: f64,
}

/// Allocations of a decision.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allocated {
    /// Allocations of its three steps: the choice, sending, and completing.
    pub(crate) steps: [f64; 3],
    pub(crate) bytes: f64,
}

/// A fleet during its work.
pub(crate) struct Measured {
    fleet: Fleet,
    hosts: Vec<Host>,
    /// The jobs of each category.
    in_hand: Vec<Vec<(Slot, Sequence)>>,
    outcomes: Vec<Vec<Outcome>>,
    any: Requirement,
    sequence: u64,
    second: u32,
    rng: Rng,
}

impl Measured {
    pub(crate) fn new(nodes: u32, mode: ForecastMode, seed: u64) -> anyhow::Result<Self> {
        let hosts: Result<Vec<Host>, _> =
            (0..nodes).map(|number| Host::new(number, seed)).collect();
        let mut rng = Rng::with_seed(seed);
        let mut outcomes = |kind: &super::hosts::Kind| {
            let outcomes = (0..OUTCOMES).map(|_| kind.outcome(&mut rng));
            outcomes.collect()
        };
        let mut measured = Self {
            fleet: Fleet::new(settings(mode, seed)),
            hosts: hosts?,
            in_hand: vec![Vec::new(); KINDS.len()],
            outcomes: KINDS.iter().map(&mut outcomes).collect(),
            any: Requirement::default(),
            sequence: 0,
            second: 0,
            rng,
        };
        for kind in &KINDS {
            measured.fleet.serve(kind.policy()?);
        }
        measured.hear()?;
        measured.fill(nodes)?;
        Ok(measured)
    }

    fn fill(&mut self, nodes: u32) -> anyhow::Result<()> {
        for (category, kind) in KINDS.iter().enumerate() {
            for _ in 0..kind.in_hand(nodes) {
                let slot = self.choose(category).context("a new fleet has room")?;
                let job = self.send(slot, category);
                self.in_hand[category].push((slot, job));
            }
        }
        Ok(())
    }

    /// Lets seconds pass in which no jobs arrive.
    pub(crate) fn warm_up(&mut self, seconds: u32) -> anyhow::Result<()> {
        for _ in 0..seconds {
            self.hear()?;
        }
        Ok(())
    }

    /// Lets seconds pass: heartbeats of all nodes, then decisions.
    pub(crate) fn run(&mut self, seconds: u32) -> anyhow::Result<Cost> {
        let mut cost = Cost {
            decision: 0.0,
            heartbeat: 0.0,
        };
        for _ in 0..seconds {
            cost.heartbeat += self.hear()?;
            cost.decision += self.decide()?;
        }
        cost.heartbeat /= f64::from(seconds);
        cost.decision /= f64::from(seconds);
        Ok(cost)
    }

    /// Takes a heartbeat of each node and updates the index; returns the time for each.
    fn hear(&mut self) -> anyhow::Result<f64> {
        self.second += 1;
        for host in &mut self.hosts {
            host.beat(self.second);
        }
        let begun = cpu::time();
        for (number, host) in self.hosts.iter().enumerate() {
            let millis = number * 1000 / self.hosts.len();
            let now = at(self.second, millis as u64);
            self.fleet.take(now, &host.beat.node, &host.beat)?;
        }
        for category in 0..KINDS.len() {
            std::hint::black_box(self.choose(category));
        }
        let spent = cpu::time() - begun;
        // As the scheduler does each second.
        self.fleet.refresh();
        Ok(spent.as_secs_f64() * 1e9 / self.hosts.len() as f64)
    }

    /// Places jobs, and as many end; returns the time for each.
    fn decide(&mut self) -> anyhow::Result<f64> {
        let count = self.hosts.len() * DECISIONS_PER_NODE;
        let categories = Mix::Even.draw(count, &mut self.rng);
        // Changes by `refresh` belong to another cost.
        for category in 0..KINDS.len() {
            std::hint::black_box(self.choose(category));
        }
        let begun = cpu::time();
        let mut sent = 0;
        for category in categories {
            let Some(slot) = self.choose(category) else {
                continue;
            };
            let job = self.send(slot, category);
            let (ended, job) = self.replace(category, (slot, job));
            self.complete(ended, job, category);
            sent += 1;
        }
        let spent = cpu::time() - begun;
        ensure!(sent == count, "of {count} jobs {sent} were sent");
        Ok(spent.as_secs_f64() * 1e9 / count as f64)
    }

    /// Returns the allocations of decisions.
    pub(crate) fn allocated(&mut self) -> anyhow::Result<Allocated> {
        let count = self.hosts.len() * DECISIONS_PER_NODE;
        let mut allocated = Allocated::default();
        let before = ALLOCATOR.total_allocated();
        for category in Mix::Even.draw(count, &mut self.rng) {
            let mut total = ALLOCATOR.total_allocated();
            let mut note = |step: usize| {
                let after = ALLOCATOR.total_allocated();
                allocated.steps[step] += f64::from(u8::from(after > total));
                allocated.bytes += (after - total) as f64;
                total = after;
            };
            let slot = self.choose(category).context("there is room")?;
            note(0);
            let job = self.send(slot, category);
            note(1);
            let (ended, job) = self.replace(category, (slot, job));
            self.complete(ended, job, category);
            note(2);
        }
        ensure!(
            before <= ALLOCATOR.total_allocated(),
            "the allocator counts up"
        );
        let of_each = |sum: f64| sum / count as f64;
        Ok(Allocated {
            steps: allocated.steps.map(of_each),
            bytes: of_each(allocated.bytes),
        })
    }

    fn choose(&mut self, category: usize) -> Option<Slot> {
        let job = Request::new(CategoryIndex::new(category), &self.any, Duration::ZERO);
        match self.fleet.choose(&job) {
            Choice::Node(slot) => Some(slot),
            Choice::Held { .. } | Choice::Nowhere => None,
        }
    }

    fn send(&mut self, slot: Slot, category: usize) -> Sequence {
        self.sequence += 1;
        let job = Sequence::new(self.sequence);
        let (now, category) = (at(self.second, 999).time, CategoryIndex::new(category));
        self.fleet.send(now, slot, job, category);
        job
    }

    /// Replaces a random job of its category by a job, and returns the replaced one.
    fn replace(&mut self, category: usize, job: (Slot, Sequence)) -> (Slot, Sequence) {
        let jobs = &mut self.in_hand[category];
        let place = self.rng.usize(..jobs.len());
        std::mem::replace(&mut jobs[place], job)
    }

    fn complete(&mut self, slot: Slot, job: Sequence, category: usize) {
        let now = at(self.second, 999).time;
        let outcomes = &self.outcomes[category];
        let outcome = &outcomes[self.rng.usize(..outcomes.len())];
        // Hosts joined in their order, so a slot is a host's number.
        let node = &self.hosts[slot.index()].beat.node;
        self.fleet.complete(now, node, job, outcome);
    }
}

fn settings(mode: ForecastMode, seed: u64) -> Settings {
    Settings {
        forecast: Params {
            mode,
            model: Model::default(),
            step_s: 10,
            quantile: Quantile::P90,
        },
        has_feedback: true,
        seed,
    }
}

fn at(second: u32, millis: u64) -> Now {
    let elapsed = u64::from(second) * 1000 + millis;
    Now {
        time: Time::from_start(Duration::from_millis(elapsed)),
        wall: WallTime::from_millis(STARTED_MS + elapsed),
    }
}
