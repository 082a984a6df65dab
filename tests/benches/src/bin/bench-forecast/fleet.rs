//! Fleet benchmark: heartbeats of many nodes, into the dispatcher's scheduler.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use rolecast_common::id::{Epoch, NodeId};
use rolecast_common::subjects;
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire::{self, Encoding, Heartbeat};
use rolecast_dispatcher::allowance::Allowances;
use rolecast_dispatcher::config;
use rolecast_dispatcher::roles::Settings as RoleSettings;
use rolecast_dispatcher::scheduler::{Input, Output, Params, Scheduler};
use rolecast_dispatcher::seal::Seals;
use rolecast_forecast::NodeForecast;
use rolecast_tests::cpu;

use super::ALLOCATOR;
use super::heartbeats::Host;

/// Turns in a simulated second, each of which takes what arrived before it.
const TURNS: u32 = 40;
/// Interval of requests for checkpoints, as in the shell.
const CHECKPOINTS_EVERY_S: u32 = 300;
/// A midnight.
const STARTED_MS: u64 = 1_764_028_800_000;

/// Settings of the simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fleet {
    pub(crate) nodes: u32,
    pub(crate) warm_up: u32,
    pub(crate) seconds: u32,
    pub(crate) seed: u64,
}

/// Cost of the simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) nodes: u32,
    pub(crate) warm_up: u32,
    pub(crate) seconds: u32,
    pub(crate) spent: Spent,
    /// The second that took the most.
    pub(crate) peak: Duration,
    pub(crate) heartbeat_len: usize,
    pub(crate) resident_mib: f64,
}

/// CPU time by purpose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) heartbeats: u64,
    /// Time from bytes to heartbeats.
    pub(crate) decoding: Duration,
    /// Handling heartbeats: the figures of nodes, spans of time and forecasts.
    pub(crate) handling: Duration,
    /// Ends of turns: sweeps, the capacity map, checkpoints.
    pub(crate) turns: Duration,
    /// Bytes that were allocated for handling heartbeats.
    pub(crate) allocated: u64,
}

impl Spent {
    pub(crate) fn total(&self) -> Duration {
        self.decoding + self.handling + self.turns
    }
}

impl Fleet {
    pub(crate) fn run(self) -> anyhow::Result<Cost> {
        let mut world = World::new(self)?;
        for second in 0..self.warm_up {
            world.second(second)?;
            progress("warming up", second, self.warm_up);
        }
        world.spent = Spent::default();
        let mut peak = Duration::ZERO;
        for second in 0..self.seconds {
            let before = world.spent.total();
            world.second(self.warm_up + second)?;
            peak = peak.max(world.spent.total() - before);
            progress("measuring", second, self.seconds);
        }
        let resident_mib = cpu::resident_mib()?;
        world.check()?;
        Ok(Cost {
            nodes: self.nodes,
            warm_up: self.warm_up,
            seconds: self.seconds,
            spent: world.spent,
            peak,
            heartbeat_len: world.heartbeat_len,
            resident_mib,
        })
    }
}

/// The scheduler, the hosts around it, and the CPU time of the scheduler.
struct World {
    machine: Scheduler,
    hosts: Vec<Host>,
    outputs: Vec<Output>,
    sent: u64,
    heartbeat_len: usize,
    now: Now,
    spent: Spent,
}

impl World {
    fn new(fleet: Fleet) -> anyhow::Result<Self> {
        let epoch = Epoch::new(1);
        let params = Params {
            name: "bench".to_owned(),
            forecast: config::parse("", "bench")?.forecast,
            has_feedback: true,
            policies: Vec::new(),
            allowances: Allowances::default(),
            roles: RoleSettings::default(),
            undeclared: None,
            warm_up: Duration::ZERO,
            ack_wait: Duration::from_secs(30),
            seed: fleet.seed,
        };
        let now = at(0, 0);
        let hosts = (0..fleet.nodes).map(|number| Host::new(number, epoch, fleet.seed));
        let hosts: Vec<Host> = hosts.collect::<anyhow::Result<_>>()?;
        // Of nodes that have completed no job, only some get a forecast; these have one from
        // before the start.
        let stack = Arc::default();
        let forecasts = hosts.iter().map(|host| {
            let forecast = NodeForecast::new(host.node(), params.forecast, &stack);
            (host.node().clone(), forecast)
        });
        let forecasts = forecasts.collect();
        let mut machine = Scheduler::new(params, now);
        machine.remember_forecasts(forecasts, None);
        let lead = Input::Lead {
            epoch,
            until: Time::from_start(Duration::MAX),
            seals: Seals::default(),
            histories: Vec::new(),
        };
        machine.handle(now, lead, &mut Vec::new());
        Ok(Self {
            machine,
            hosts,
            outputs: Vec::new(),
            sent: 0,
            heartbeat_len: 0,
            now,
            spent: Spent::default(),
        })
    }

    /// Lets every host send a heartbeat, and the scheduler take them.
    fn second(&mut self, second: u32) -> anyhow::Result<()> {
        if second > 0 && second.is_multiple_of(CHECKPOINTS_EVERY_S) {
            self.handle(Input::CheckpointsDue);
        }
        let per_turn = self.hosts.len().div_ceil(TURNS as usize).max(1);
        let mut hosts = std::mem::take(&mut self.hosts);
        for (turn, arrived) in (0..).zip(hosts.chunks_mut(per_turn)) {
            self.now = at(second, turn * (1000 / TURNS));
            self.turn(second, arrived)?;
        }
        self.hosts = hosts;
        Ok(())
    }

    fn turn(&mut self, second: u32, hosts: &mut [Host]) -> anyhow::Result<()> {
        let bytes: Vec<Vec<u8>> = hosts
            .iter_mut()
            .map(|host| host.beat(f64::from(second)))
            .collect();
        self.heartbeat_len = bytes.first().map_or(0, Vec::len);
        let mut beats: Vec<(NodeId, Box<Heartbeat>)> = Vec::with_capacity(hosts.len());
        let begun = cpu::time();
        for (host, bytes) in hosts.iter().zip(&bytes) {
            let from = subjects::parse_heartbeat(&host.subject)?;
            let beat = wire::decode(Encoding::MessagePack, bytes)?;
            beats.push((from, Box::new(beat)));
        }
        let decoded = cpu::time();
        let allocated = ALLOCATOR.total_allocated();
        self.sent += beats.len() as u64;
        self.spent.heartbeats += beats.len() as u64;
        for (from, heartbeat) in beats {
            self.handle(Input::Heartbeat { from, heartbeat });
        }
        self.spent.allocated += (ALLOCATOR.total_allocated() - allocated) as u64;
        let handled = cpu::time();
        self.handle(Input::Turn);
        self.carry_out();
        self.spent.turns += cpu::time() - handled;
        self.spent.handling += handled - decoded;
        self.spent.decoding += decoded - begun;
        Ok(())
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(self.now, input, &mut self.outputs);
    }

    /// Writes the map, which the shell does beside its loop but in the same process; the
    /// traffic to NATS is left out, as is fitting the stack.
    fn carry_out(&mut self) {
        for output in self.outputs.drain(..) {
            if let Output::PublishCapacity(map) = output {
                std::hint::black_box(wire::encode(Encoding::Json, &*map));
            }
        }
    }

    /// Checks that the real work was measured.
    fn check(&self) -> anyhow::Result<()> {
        let counters = self.machine.status(self.now).counters;
        ensure!(
            counters.heartbeats == self.sent && counters.heartbeats_refused == 0,
            "of {} heartbeats {} arrived and {} were refused",
            self.sent,
            counters.heartbeats,
            counters.heartbeats_refused,
        );
        for host in &self.hosts {
            let view = self.machine.forecast(self.now, host.node());
            let is_forecast = |name: &str| {
                let resource = view.resources.get(name);
                resource.is_some_and(|resource| !resource.horizons.is_empty())
            };
            ensure!(
                ["cpu", "memory", "network", "disk"]
                    .into_iter()
                    .all(is_forecast),
                "{} has no forecasts",
                host.node(),
            );
        }
        Ok(())
    }
}

fn at(second: u32, millis: u32) -> Now {
    let elapsed = u64::from(second) * 1000 + u64::from(millis);
    Now {
        time: Time::from_start(Duration::from_millis(elapsed)),
        wall: WallTime::from_millis(STARTED_MS + elapsed),
    }
}

fn progress(what: &str, second: u32, seconds: u32) {
    if (second + 1).is_multiple_of(60) {
        eprintln!("{what}: {} of {seconds} s", second + 1);
    }
}
