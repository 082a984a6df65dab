//! Engine: runs a world under a policy, one event after the other.
//!
//! History is first: heartbeats without jobs, to policies that learn. From second 0 on
//! there are, in the order of their times: changes of others' load, ends of jobs,
//! messages on their way, heartbeats, arrivals, and the policy's deadlines. After all
//! events that the policy receives at one moment, it receives `Event::Turn`. Two runs of
//! one world under one policy are the same to the last bit, and others' load and the
//! heartbeats' chances do not depend on the policy.

mod driver;
mod history;
mod jobs;

use fastrand::Rng;
use rolecast_common::wire::Usage;

use super::agenda::{Agenda, Due};
use super::fleet::Fleet;
use super::heartbeat::{self, Pulse};
use super::host::{Ended, LiveHost};
use super::metrics::{Metrics, Tally};
use super::moment::Moment;
use super::policy::{End, EndStatus, Event, HostIndex, JobIndex, Policy, Report, Send};
use super::slots::Slots;
use super::world::World;
use driver::Driver;
use jobs::Jobs;

/// Heartbeats are delayed by up to this share of their interval, beside the delay itself.
const DELAY_SPREAD: f64 = 0.1;
/// Runs the world under the policy to its end, and returns what was measured.
///
/// It blocks, on one core and without a clock or input, until all jobs have ended or
/// virtual time is over. Two runs of one world under policies with the same decisions
/// return the same to the last bit.
///
/// # Panics
/// If the policy sends a job that it does not have, or to a host that may not run it; if no
/// host may run some kind of the world, or a host has none of a resource, no speed or no
/// samples of its load.
pub fn run(world: &World, policy: &mut dyn Policy) -> Metrics {
    let mut engine = Engine::new(world, policy);
    engine.learn();
    engine.begin();
    while let Some(now) = engine.next_moment() {
        engine.pass(now);
    }
    engine.finish()
}

struct Engine<'a> {
    world: &'a World,
    driver: Driver<'a>,
    jobs: Jobs<'a>,
    fleet: Fleet<'a>,
    pulses: Vec<Pulse>,
    /// Counts the changes to the run times of a host's jobs.
    generations: Vec<u64>,
    agenda: Agenda,
    letters: Slots<Letter>,
    are_arrivals_over: bool,
    tally: Tally<'a>,
    rng: Rng,
    ended: Vec<Ended>,
}

/// A message to the policy.
enum Letter {
    Ended {
        job: JobIndex,
        host: HostIndex,
        end: End,
    },
    Heartbeat {
        host: HostIndex,
        sequence: u64,
        usage: Usage,
        jobs: Vec<JobIndex>,
    },
}

impl<'a> Engine<'a> {
    fn new(world: &'a World, policy: &'a mut dyn Policy) -> Self {
        let mut rng = Rng::with_seed(world.seed);
        let mut hosts = Vec::new();
        let mut pulses = Vec::new();
        let mut ended = Vec::new();
        for plan in &world.hosts {
            let mut host = LiveHost::new(plan, world.sharing);
            let sample = plan.load.samples[plan.load.index_at(0.0)];
            host.set_load(Moment::default(), sample, &mut ended);
            hosts.push(host);
            pulses.push(Pulse::new(plan, rng.f64() * world.heartbeats.interval_s));
        }
        Self {
            world,
            driver: Driver::new(policy),
            jobs: Jobs::new(world),
            fleet: Fleet {
                world,
                now: Moment::default(),
                hosts,
            },
            pulses,
            generations: vec![0; world.hosts.len()],
            agenda: Agenda::default(),
            letters: Slots::default(),
            are_arrivals_over: false,
            tally: Tally::new(world),
            rng,
            ended,
        }
    }

    /// Schedules the first events.
    fn begin(&mut self) {
        for host in 0..self.pulses.len() {
            let plan = &self.world.hosts[host];
            self.pulses[host].reported(self.fleet.hosts[host].others_cores());
            self.schedule(self.pulses[host].phase_s, Due::Heartbeat { host });
            self.schedule_load(host, plan.load.index_at(0.0));
        }
        self.schedule(self.world.warm_up_s, Due::MeasuringBegins);
        self.schedule(self.world.length_s, Due::ArrivalsEnd);
        self.take_turn();
    }

    fn schedule(&mut self, at_s: f64, due: Due) {
        self.agenda.add(self.fleet.now, Moment::at(at_s), due);
    }

    /// Schedules the next change of a load from this sample.
    fn schedule_load(&mut self, host: HostIndex, sample: usize) {
        let load = &self.world.hosts[host].load;
        if let Some(sample) = load.next_change(sample) {
            self.schedule(load.begin_s(sample), Due::Load { host, sample });
        }
    }

    /// Returns the moment of the next event; `None` when the run is over.
    fn next_moment(&self) -> Option<Moment> {
        if self.are_arrivals_over && self.jobs.are_over() {
            return None;
        }
        let now = self.fleet.now;
        let moments = [
            self.agenda.next(now),
            self.jobs.next_arrival(),
            self.driver.deadline(),
        ];
        let next = moments.into_iter().flatten().min()?;
        (next <= self.end()).then_some(next)
    }

    fn end(&self) -> Moment {
        Moment::at(self.world.length_s + self.world.drain_s)
    }

    /// Processes all events of one moment.
    fn pass(&mut self, now: Moment) {
        debug_assert!(self.fleet.now <= now, "time does not run backwards");
        self.fleet.now = now;
        while let Some(due) = self.agenda.take(now) {
            self.carry_out(due);
        }
        while let Some((job, arrival)) = self.jobs.arrive(now) {
            self.notify(Event::Arrived { job, arrival });
        }
        if self.driver.is_turn_due(now) {
            self.take_turn();
        }
    }

    fn take_turn(&mut self) {
        self.notify(Event::Turn);
        self.driver.end_turn(self.fleet.now);
    }

    fn carry_out(&mut self, due: Due) {
        let now = self.fleet.now;
        match due {
            Due::Load { host, sample } => self.change_load(host, sample),
            Due::JobEnds { host, generation } => {
                if generation == self.generations[host] {
                    self.fleet.hosts[host].finish(now, &mut self.ended);
                    self.settle(host);
                }
            }
            Due::JobReaches { job, host } => self.start(job, host),
            Due::LetterReaches { letter } => match self.letters.take(letter) {
                Letter::Ended { job, host, end } => self.receive_end(job, host, end),
                Letter::Heartbeat {
                    host,
                    sequence,
                    usage,
                    jobs,
                } => {
                    let report = Report {
                        sequence,
                        usage,
                        jobs: &jobs,
                    };
                    self.notify(Event::Heartbeat { host, report });
                }
            },
            Due::Heartbeat { host } => {
                let next = now + self.world.heartbeats.interval_s;
                self.agenda.add(now, next, due);
                self.send_heartbeat(host);
            }
            Due::ChangeHeartbeat { host } => {
                if self.pulses[host].take_change(now) {
                    self.send_heartbeat(host);
                }
            }
            Due::MeasuringBegins => {
                for host in &mut self.fleet.hosts {
                    host.take_strain(now);
                }
            }
            Due::ArrivalsEnd => self.end_arrivals(),
        }
    }

    fn change_load(&mut self, host: HostIndex, sample: usize) {
        let now = self.fleet.now;
        let load = self.world.hosts[host].load.samples[sample];
        self.fleet.hosts[host].set_load(now, load, &mut self.ended);
        self.settle(host);
        self.schedule_load(host, sample);
        if !self.world.heartbeats.on_change {
            return;
        }
        let others_cores = self.fleet.hosts[host].others_cores();
        if let Some(at) = self.pulses[host].changed(now, others_cores) {
            // The use in this heartbeat is measured from the change on.
            self.fleet.hosts[host].take_window(now);
            self.agenda.add(now, at, Due::ChangeHeartbeat { host });
        }
    }

    fn end_arrivals(&mut self) {
        let now = self.fleet.now;
        self.are_arrivals_over = true;
        self.tally.queued(self.jobs.queued_count());
        for host in &mut self.fleet.hosts {
            self.tally.strained(host.take_strain(now));
        }
    }

    /// Notifies the policy, and sends the jobs that it wants sent.
    fn notify(&mut self, event: Event<'_>) {
        let now_s = self.fleet.now.seconds();
        let mut sends = Vec::new();
        self.driver.pass(now_s, event, &self.fleet, &mut sends);
        for Send { job, host } in sends {
            self.send(job, host);
        }
    }

    fn send(&mut self, job: JobIndex, host: HostIndex) {
        self.jobs.send(job, host);
        let latency_s = self.world.hosts[host].latency_s;
        if latency_s > 0.0 {
            let now = self.fleet.now;
            let due = Due::JobReaches { job, host };
            self.agenda.add(now, now + latency_s, due);
        } else {
            self.start(job, host);
        }
    }

    fn start(&mut self, job: JobIndex, host: HostIndex) {
        let arrival = &self.world.arrivals[job];
        self.fleet.hosts[host].start(self.fleet.now, job, arrival, &mut self.ended);
        self.settle(host);
    }

    /// Reports the host's jobs that ended, and schedules the end of the next one.
    fn settle(&mut self, host: HostIndex) {
        let now = self.fleet.now;
        let latency_s = self.world.hosts[host].latency_s;
        for Ended { job, end } in self.ended.drain(..) {
            let letter = self.letters.put(Letter::Ended { job, host, end });
            let due = Due::LetterReaches { letter };
            self.agenda.add(now, now + latency_s, due);
        }
        self.generations[host] += 1;
        if let Some(at) = self.fleet.hosts[host].next_end() {
            let generation = self.generations[host];
            self.agenda.add(now, at, Due::JobEnds { host, generation });
        }
    }

    fn receive_end(&mut self, job: JobIndex, host: HostIndex, end: End) {
        let arrival = &self.world.arrivals[job];
        self.jobs.end(job, end.status);
        match end.status {
            EndStatus::Completed => self.tally.completed(self.fleet.now, arrival),
            EndStatus::Killed => self.tally.killed(arrival),
        }
        self.notify(Event::Ended { job, host, end });
    }

    fn send_heartbeat(&mut self, host: HostIndex) {
        let plan = self.world.heartbeats;
        let now = self.fleet.now;
        let node = &mut self.fleet.hosts[host];
        let used = node.take_window(now);
        let sequence = self.pulses[host].count();
        self.pulses[host].reported(node.others_cores());
        let jobs = node.jobs().collect();
        let memory = self.world.hosts[host].memory;
        let usage = heartbeat::measured(used, memory, plan.noise, &mut self.rng);
        let spread_s = self.rng.f64() * DELAY_SPREAD * plan.interval_s;
        let is_lost = self.rng.f64() < plan.loss;
        if is_lost {
            return;
        }
        let letter = self.letters.put(Letter::Heartbeat {
            host,
            sequence,
            usage,
            jobs,
        });
        let due = Due::LetterReaches { letter };
        self.agenda.add(now, now + plan.delay_s + spread_s, due);
    }

    fn finish(mut self) -> Metrics {
        let end = self.end();
        for (arrival, is_failed) in self.jobs.missing() {
            self.tally.missing(end, arrival, is_failed);
        }
        self.tally.finish()
    }
}
