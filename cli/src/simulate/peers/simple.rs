//! Chance, and the fewest jobs in flight.

use std::collections::VecDeque;

use fastrand::Rng;

use super::retries::Retries;
use crate::simulate::policy::{EndStatus, Event, HostIndex, JobIndex, Live, Policy, Send};
use crate::simulate::world::World;

/// How much more memory than declared a job is reckoned with.
const MEMORY_RESERVE: f64 = 1.2;
/// The share of a host's memory that jobs and others may fill.
const MEMORY_MAX: f64 = 0.92;

/// Any host that may run the job, with equal chances.
#[derive(Debug)]
pub(crate) struct Random {
    /// By kind.
    hosts: Vec<Vec<HostIndex>>,
    retries: Retries,
    rng: Rng,
}

impl Random {
    pub(crate) fn new(world: &World) -> Self {
        Self {
            hosts: eligible(world),
            retries: Retries::default(),
            rng: Rng::with_seed(world.seed),
        }
    }

    fn place(&mut self, job: JobIndex, kind: usize) -> Send {
        let hosts = &self.hosts[kind];
        let host = hosts[self.rng.usize(..hosts.len())];
        Send { job, host }
    }
}

impl Policy for Random {
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>) {
        match event {
            Event::Arrived { job, arrival } => sends.push(self.place(job, arrival.kind)),
            Event::Ended { job, end, .. } => {
                if end.status == EndStatus::Killed {
                    self.retries.killed(now_s, job);
                }
            }
            Event::Heartbeat { .. } => {}
            Event::Turn => {
                while let Some(job) = self.retries.take(now_s) {
                    sends.push(self.place(job, live.world().arrivals[job].kind));
                }
            }
        }
    }

    fn next_deadline_s(&self) -> Option<f64> {
        self.retries.next_s()
    }
}

/// The host with the fewest jobs in flight, of all that may run the job.
#[derive(Debug)]
pub(crate) struct LeastInFlight {
    options: Options,
    /// By kind.
    hosts: Vec<Vec<HostIndex>>,
    ledgers: Vec<Ledger>,
    /// Jobs that fit nowhere, by kind, oldest first.
    waiting: Vec<VecDeque<JobIndex>>,
    retries: Retries,
    rng: Rng,
}

/// What a policy of this family minds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Whether jobs in flight count per declared capacity.
    pub(crate) is_weighted: bool,
    /// Whether a job waits until its declared memory fits somewhere.
    pub(crate) has_memory_check: bool,
}

/// What is known of a host.
#[derive(Clone, Debug)]
struct Ledger {
    capacity: f64,
    memory: f64,
    /// As last reported.
    others_memory: f64,
    /// Declared for the jobs in flight.
    jobs_memory: f64,
    in_flight: u32,
}

impl LeastInFlight {
    pub(crate) fn new(world: &World, options: Options) -> Self {
        let ledger = |host: &crate::simulate::world::Host| Ledger {
            capacity: host.declared_cores * host.declared_speed,
            memory: host.memory,
            others_memory: 0.0,
            jobs_memory: 0.0,
            in_flight: 0,
        };
        Self {
            options,
            hosts: eligible(world),
            ledgers: world.hosts.iter().map(ledger).collect(),
            waiting: vec![VecDeque::new(); world.kinds.len()],
            retries: Retries::default(),
            rng: Rng::with_seed(world.seed),
        }
    }

    /// Sends the job, or keeps it behind those of its kind that wait.
    fn take(&mut self, job: JobIndex, kind: usize, world: &World, sends: &mut Vec<Send>) {
        self.waiting[kind].push_back(job);
        if self.waiting[kind].len() == 1 {
            self.send_waiting(kind, world, sends);
        }
    }

    fn send_waiting(&mut self, kind: usize, world: &World, sends: &mut Vec<Send>) {
        let memory = MEMORY_RESERVE * world.kinds[kind].average.memory;
        while let Some(job) = self.waiting[kind].front().copied() {
            let Some(host) = self.choose(kind, memory) else {
                return;
            };
            self.waiting[kind].pop_front();
            self.ledgers[host].in_flight += 1;
            self.ledgers[host].jobs_memory += memory;
            sends.push(Send { job, host });
        }
    }

    /// Returns the host with the least load; of several, a random one's successor.
    fn choose(&mut self, kind: usize, memory: f64) -> Option<HostIndex> {
        let hosts = &self.hosts[kind];
        let (before, after) = hosts.split_at(self.rng.usize(..hosts.len()));
        let mut best = None;
        for &host in after.iter().chain(before) {
            let ledger = &self.ledgers[host];
            if self.options.has_memory_check && !ledger.fits(memory) {
                continue;
            }
            let load = ledger.load(self.options);
            if best.is_none_or(|(least, _)| load < least) {
                best = Some((load, host));
            }
        }
        best.map(|(_, host)| host)
    }
}

impl Ledger {
    fn load(&self, options: Options) -> f64 {
        let in_flight = f64::from(self.in_flight);
        if options.is_weighted {
            return (in_flight + 1.0) / self.capacity;
        }
        in_flight
    }

    fn fits(&self, memory: f64) -> bool {
        self.others_memory + self.jobs_memory + memory <= MEMORY_MAX * self.memory
    }
}

impl Policy for LeastInFlight {
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>) {
        let world = live.world();
        match event {
            Event::Arrived { job, arrival } => self.take(job, arrival.kind, world, sends),
            Event::Ended { job, host, end } => {
                let kind = world.arrivals[job].kind;
                let memory = MEMORY_RESERVE * world.kinds[kind].average.memory;
                self.ledgers[host].in_flight -= 1;
                self.ledgers[host].jobs_memory -= memory;
                if end.status == EndStatus::Killed {
                    self.retries.killed(now_s, job);
                }
            }
            Event::Heartbeat { host, report } => {
                let usage = report.usage;
                let others = usage.total.memory.minus(usage.jobs.memory);
                self.ledgers[host].others_memory = others.get() as f64;
            }
            Event::Turn => {
                while let Some(job) = self.retries.take(now_s) {
                    self.take(job, world.arrivals[job].kind, world, sends);
                }
                for kind in 0..self.waiting.len() {
                    self.send_waiting(kind, world, sends);
                }
            }
        }
    }

    fn next_deadline_s(&self) -> Option<f64> {
        self.retries.next_s()
    }
}

/// Returns the hosts that may run each kind.
fn eligible(world: &World) -> Vec<Vec<HostIndex>> {
    let hosts = |kind| {
        let hosts = 0..world.hosts.len();
        hosts.filter(|host| world.may_run(kind, *host)).collect()
    };
    (0..world.kinds.len()).map(hosts).collect()
}
