//! Policies that placement is compared with, by the names of the field.
//!
//! `push` carries those that choose a host for each job as it arrives, and
//! `pull` those whose hosts request jobs; each family has a file.

mod fleet;
mod oracle;
mod prequal;
mod pull;
mod pull_cpu;
mod push;
mod reported;
mod retries;
mod rotation;
mod simple;
mod two_choices;

use rolecast_common::wire::ForecastMode;

use super::policy::Policy;
use super::rolecast::Rolecast;
use super::world::World;
use oracle::Oracle;
use prequal::Prequal;
use pull::{Pull, Slots};
use pull_cpu::PullCpu;
use push::{Choice, Push};
use reported::{LeastReportedCpu, ThresholdScore};
use rotation::{RoundRobin, WeightedRoundRobin};
use simple::{LeastInFlight, Random};
use two_choices::{PeakEwma, TwoChoices};

/// Suffix that makes a policy that chooses for each job check memory first.
const MEMORY: &str = "+memory";

/// The policies, each with its name and a description.
///
/// Several are known from others: `p2c` (Mitzenmacher, *The Power of Two Choices in
/// Randomized Load Balancing*, 2001), `p2c-peak-ewma` (as in Finagle), `prequal` (Wydrowski
/// et al., *Load is not what you should balance: Introducing Prequal*, 2024). With `+memory`
/// a policy first leaves out the hosts without enough memory; [`create`] also takes the
/// suffix behind some names that are not listed with it.
pub const NAMES: &[(&str, &str)] = &[
    ("rolecast", "the dispatcher, with forecasts"),
    (
        "rolecast-last",
        "the dispatcher on the last heartbeats alone",
    ),
    (
        "rolecast-no-feedback",
        "the dispatcher, without feedback from run times",
    ),
    ("random", "any host"),
    ("round-robin", "each host in turn"),
    ("weighted-round-robin", "each host in turn, by capacity"),
    ("least-in-flight", "the host with the fewest jobs in flight"),
    (
        "least-in-flight-weighted",
        "the host with the fewest jobs in flight for its capacity",
    ),
    (
        "least-in-flight-weighted+memory",
        "the same, where memory fits",
    ),
    ("p2c", "the less loaded of two random hosts"),
    (
        "p2c-peak-ewma",
        "of two random hosts, the one with the lower latency times jobs in flight",
    ),
    ("p2c-peak-ewma+memory", "the same, where memory fits"),
    (
        "least-reported-cpu",
        "the host with the least CPU in use by its last heartbeat",
    ),
    (
        "threshold-score",
        "the best weighted score of the hosts with room by their last heartbeats",
    ),
    (
        "prequal",
        "probes jobs in flight and latency: the fastest host that is not hot",
    ),
    ("prequal+memory", "the same, where memory fits"),
    ("pull", "hosts request jobs, one slot a core"),
    ("pull-2", "hosts request jobs, two slots a core"),
    (
        "pull-percat",
        "hosts request jobs, with slots for each category",
    ),
    (
        "pull-cpu",
        "hosts request jobs while their own CPU and memory have room",
    ),
    (
        "oracle",
        "knows the future use by others and the length of each job",
    ),
];

/// Makes the policy of this name for a world, with its random choices from the world's seed;
/// `None` if there is none of the name. A policy serves one run.
pub fn create(name: &str, world: &World) -> Option<Box<dyn Policy>> {
    let (base, has_memory_check) = match name.strip_suffix(MEMORY) {
        Some(base) => (base, true),
        None => (name, false),
    };
    let chosen: Box<dyn Policy> = match base {
        "round-robin" => push(RoundRobin::new(world), world, has_memory_check),
        "weighted-round-robin" => push(WeightedRoundRobin::new(world), world, has_memory_check),
        "p2c" => push(TwoChoices::new(world), world, has_memory_check),
        "p2c-peak-ewma" => push(PeakEwma::new(world), world, has_memory_check),
        "least-reported-cpu" => push(LeastReportedCpu::new(world), world, has_memory_check),
        "prequal" => push(Prequal::new(world), world, has_memory_check),
        "least-in-flight" => push(LeastInFlight::new(world, false), world, has_memory_check),
        "least-in-flight-weighted" => {
            push(LeastInFlight::new(world, true), world, has_memory_check)
        }
        _ if has_memory_check => return None,
        "random" => push(Random::new(world), world, false),
        "rolecast" => Box::new(Rolecast::new(world, ForecastMode::On, true)),
        "rolecast-last" => Box::new(Rolecast::new(world, ForecastMode::Off, true)),
        "rolecast-no-feedback" => Box::new(Rolecast::new(world, ForecastMode::On, false)),
        "threshold-score" => push(ThresholdScore::new(world), world, false),
        "pull" => Box::new(Pull::new(world, Slots::Shared { per_core: 1.0 })),
        "pull-2" => Box::new(Pull::new(world, Slots::Shared { per_core: 2.0 })),
        "pull-percat" => Box::new(Pull::new(world, Slots::PerCategory)),
        "pull-cpu" => Box::new(PullCpu::new(world)),
        "oracle" => push(Oracle::new(world), world, false),
        _ => return None,
    };
    Some(chosen)
}

fn push<C: Choice + 'static>(choice: C, world: &World, has_memory_check: bool) -> Box<dyn Policy> {
    Box::new(Push::new(choice, world, has_memory_check))
}

#[cfg(test)]
mod tests;
