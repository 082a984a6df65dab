//! Runs a world under a policy: everything that happens, one moment after the other.
//!
//! History comes first: heartbeats without jobs, to policies that learn. From
//! second 0 on there are, in the order of their times: changes of others' load,
//! ends of jobs, messages on their way, heartbeats, arrivals, and the policy's
//! deadlines. After everything of one moment comes `Event::Turn`. Two runs of one
//! world under one policy are the same to the last bit, and others' load and the
//! heartbeats' chances do not depend on the policy.

use fastrand::Rng;
use rolecast_common::wire::Usage;

use super::agenda::{Agenda, Due};
use super::heartbeat::{self, Pulse};
use super::host::{self, Ended, Host};
use super::metrics::{Metrics, Tally};
use super::moment::Moment;
use super::policy::{End, EndStatus, Event, HostIndex, JobIndex, Live, Policy, Report, Send};
use super::slots::Slots;
use super::world::{Needs, World};

/// After so many kills a job counts as failed.
pub(crate) const KILLS_MAX: u8 = 10;
/// Heartbeats are delayed by up to this share of their interval, beside the delay itself.
const DELAY_SPREAD: f64 = 0.1;
/// The least time from one turn to the next deadline, in seconds: a policy whose
/// deadline has passed gets on nevertheless.
const TURN_GAP_S: f64 = 1e-6;

/// Runs the world to its end.
pub(crate) fn run(world: &World, policy: &mut dyn Policy) -> Metrics {
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
    policy: &'a mut dyn Policy,
    /// Whether a kind may run on a host.
    may_run: Vec<Vec<bool>>,
    fleet: Fleet<'a>,
    pulses: Vec<Pulse>,
    /// Counts what changed how long a host's jobs take.
    generations: Vec<u64>,
    jobs: Vec<Job>,
    /// How many arrivals have come.
    arrived: usize,
    /// Arrivals that have neither completed nor failed.
    open: usize,
    agenda: Agenda,
    letters: Slots<Letter>,
    are_arrivals_over: bool,
    tally: Tally<'a>,
    rng: Rng,
    sends: Vec<Send>,
    ended: Vec<Ended>,
}

/// The hosts as they are at this moment.
struct Fleet<'a> {
    world: &'a World,
    now: Moment,
    hosts: Vec<Host>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Job {
    place: Place,
    kills: u8,
}

/// Who has a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Policy,
    Host,
    Done,
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
            let mut host = Host::new(plan, world.sharing);
            let sample = plan.load.samples[plan.load.index_at(0.0)];
            host.set_load(Moment::default(), sample, &mut ended);
            hosts.push(host);
            pulses.push(Pulse::new(plan, rng.f64() * world.heartbeats.interval_s));
        }
        let may_run = |kind| {
            let hosts = 0..world.hosts.len();
            hosts.map(|host| world.may_run(kind, host)).collect()
        };
        Self {
            world,
            policy,
            may_run: (0..world.kinds.len()).map(may_run).collect(),
            fleet: Fleet {
                world,
                now: Moment::default(),
                hosts,
            },
            pulses,
            generations: vec![0; world.hosts.len()],
            jobs: vec![Job::default(); world.arrivals.len()],
            arrived: 0,
            open: world.arrivals.len(),
            agenda: Agenda::default(),
            letters: Slots::default(),
            are_arrivals_over: false,
            tally: Tally::new(world),
            rng,
            sends: Vec::new(),
            ended,
        }
    }

    /// Sends the heartbeats before second 0, in the order of their times; all take
    /// the least delay. Only a policy that learns hears them.
    fn learn(&mut self) {
        let (history_s, interval_s) = (self.world.history_s, self.world.heartbeats.interval_s);
        let mut order: Vec<HostIndex> = (0..self.pulses.len()).collect();
        order.sort_by(|a, b| self.pulses[*a].phase_s.total_cmp(&self.pulses[*b].phase_s));
        let mut rng = Rng::with_seed(!self.world.seed);
        let mut now_s = -history_s;
        for tick in 0_u32.. {
            let tick_s = f64::from(tick) * interval_s - history_s;
            if tick_s >= 0.0 {
                break;
            }
            for &host in &order {
                let sent_s = tick_s + self.pulses[host].phase_s;
                if sent_s >= 0.0 {
                    continue;
                }
                let sequence = self.pulses[host].count();
                if self.policy.learns() {
                    let heard_s = (sent_s + self.world.heartbeats.delay_s).min(0.0);
                    self.pass_deadlines(now_s, heard_s);
                    now_s = heard_s;
                    let usage = self.past_usage(host, sent_s, &mut rng);
                    if rng.f64() >= self.world.heartbeats.loss {
                        let report = Report {
                            sequence,
                            usage,
                            jobs: &[],
                        };
                        self.tell_past(now_s, Event::Heartbeat { host, report });
                        self.tell_past(now_s, Event::Turn);
                    }
                }
            }
        }
    }

    /// Takes the turns of the history that are due after `now_s` and before `until_s`.
    fn pass_deadlines(&mut self, mut now_s: f64, until_s: f64) {
        while let Some(deadline_s) = self.policy.next_deadline_s() {
            now_s = deadline_s.max(now_s + TURN_GAP_S);
            if now_s >= until_s {
                return;
            }
            self.tell_past(now_s, Event::Turn);
        }
    }

    fn tell_past(&mut self, now_s: f64, event: Event<'_>) {
        self.policy
            .handle(now_s, event, &self.fleet, &mut self.sends);
        assert!(self.sends.is_empty(), "a job was sent before any arrived");
    }

    /// Returns what was used in the interval before `sent_s`, in the history.
    fn past_usage(&self, host: HostIndex, sent_s: f64, rng: &mut Rng) -> Usage {
        let plan = self.world.heartbeats;
        let node = &self.world.hosts[host];
        let from_s = (sent_s - plan.interval_s).max(-self.world.history_s);
        let used = host::Usage {
            others: heartbeat::mean_load(node, from_s, sent_s),
            jobs: Needs::default(),
        };
        heartbeat::measured(used, node.memory, plan.noise, rng)
    }

    /// Notes what is due at first.
    fn begin(&mut self) {
        for host in 0..self.pulses.len() {
            let plan = &self.world.hosts[host];
            self.pulses[host].told(self.fleet.hosts[host].others_cores());
            self.note(self.pulses[host].phase_s, Due::Heartbeat { host });
            self.note_load(host, plan.load.index_at(0.0));
        }
        self.note(self.world.warm_up_s, Due::MeasuringBegins);
        self.note(self.world.length_s, Due::ArrivalsEnd);
    }

    fn note(&mut self, at_s: f64, due: Due) {
        self.agenda.note(self.fleet.now, Moment::at(at_s), due);
    }

    /// Notes when a load differs from this sample.
    fn note_load(&mut self, host: HostIndex, sample: usize) {
        let load = &self.world.hosts[host].load;
        if let Some(sample) = load.next_change(sample) {
            self.note(load.begin_s(sample), Due::Load { host, sample });
        }
    }

    /// Returns the next moment at which something happens; `None` when the run is over.
    fn next_moment(&self) -> Option<Moment> {
        if self.are_arrivals_over && self.open == 0 {
            return None;
        }
        let now = self.fleet.now;
        let arrival = self.world.arrivals.get(self.arrived);
        let deadline_s = self.policy.next_deadline_s();
        let moments = [
            self.agenda.next(now),
            arrival.map(|arrival| Moment::at(arrival.at_s)),
            deadline_s.map(|at_s| Moment::at(at_s).max(now + TURN_GAP_S)),
        ];
        let next = moments.into_iter().flatten().min()?;
        (next <= self.end()).then_some(next)
    }

    fn end(&self) -> Moment {
        Moment::at(self.world.length_s + self.world.drain_s)
    }

    /// Lets everything of one moment happen.
    fn pass(&mut self, now: Moment) {
        debug_assert!(self.fleet.now <= now, "time does not run backwards");
        self.fleet.now = now;
        while let Some(due) = self.agenda.take(now) {
            self.carry_out(due);
        }
        while let Some(arrival) = self.world.arrivals.get(self.arrived)
            && Moment::at(arrival.at_s) <= now
        {
            let job = self.arrived;
            self.arrived += 1;
            self.tell(Event::Arrived { job, arrival });
        }
        self.tell(Event::Turn);
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
                Letter::Ended { job, host, end } => self.hear_end(job, host, end),
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
                    self.tell(Event::Heartbeat { host, report });
                }
            },
            Due::Heartbeat { host } => {
                let next = now + self.world.heartbeats.interval_s;
                self.agenda.note(now, next, due);
                self.send_heartbeat(host);
            }
            Due::ChangeHeartbeat { host } => {
                if self.pulses[host].tells_change(now) {
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
        self.note_load(host, sample);
        if !self.world.heartbeats.on_change {
            return;
        }
        let others_cores = self.fleet.hosts[host].others_cores();
        if let Some(at) = self.pulses[host].changed(now, others_cores) {
            // What is told of a change is measured from the change on.
            self.fleet.hosts[host].take_window(now);
            self.agenda.note(now, at, Due::ChangeHeartbeat { host });
        }
    }

    fn end_arrivals(&mut self) {
        let now = self.fleet.now;
        self.are_arrivals_over = true;
        let arrived = &self.jobs[..self.arrived];
        let is_queued = |job: &&Job| job.place == Place::Policy && job.kills < KILLS_MAX;
        self.tally.queued(arrived.iter().filter(is_queued).count());
        for host in &mut self.fleet.hosts {
            self.tally.strained(host.take_strain(now));
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        let now_s = self.fleet.now.seconds();
        self.policy
            .handle(now_s, event, &self.fleet, &mut self.sends);
        let mut sends = std::mem::take(&mut self.sends);
        for Send { job, host } in sends.drain(..) {
            self.send(job, host);
        }
        self.sends = sends;
    }

    fn send(&mut self, job: JobIndex, host: HostIndex) {
        let place = self.jobs[job].place;
        let is_waiting = job < self.arrived && place == Place::Policy;
        assert!(
            is_waiting,
            "job {job} is sent to host {host} from {place:?}"
        );
        let kind = self.world.arrivals[job].kind;
        let may_run = self.may_run[kind][host];
        assert!(
            may_run,
            "job {job} of kind {kind} may not run on host {host}"
        );
        self.jobs[job].place = Place::Host;
        let latency_s = self.world.hosts[host].latency_s;
        if latency_s > 0.0 {
            let now = self.fleet.now;
            let due = Due::JobReaches { job, host };
            self.agenda.note(now, now + latency_s, due);
        } else {
            self.start(job, host);
        }
    }

    fn start(&mut self, job: JobIndex, host: HostIndex) {
        let arrival = &self.world.arrivals[job];
        self.fleet.hosts[host].start(self.fleet.now, job, arrival, &mut self.ended);
        self.settle(host);
    }

    /// Tells of the host's jobs that ended, and notes when the next one does.
    fn settle(&mut self, host: HostIndex) {
        let now = self.fleet.now;
        let latency_s = self.world.hosts[host].latency_s;
        for Ended { job, end } in self.ended.drain(..) {
            let letter = self.letters.put(Letter::Ended { job, host, end });
            let due = Due::LetterReaches { letter };
            self.agenda.note(now, now + latency_s, due);
        }
        self.generations[host] += 1;
        if let Some(at) = self.fleet.hosts[host].next_end() {
            let generation = self.generations[host];
            self.agenda.note(now, at, Due::JobEnds { host, generation });
        }
    }

    fn hear_end(&mut self, job: JobIndex, host: HostIndex, end: End) {
        let arrival = &self.world.arrivals[job];
        let state = &mut self.jobs[job];
        match end.status {
            EndStatus::Completed => {
                state.place = Place::Done;
                // A job that was sent after it had failed is not open any more.
                self.open -= usize::from(state.kills < KILLS_MAX);
                self.tally.completed(self.fleet.now, arrival);
            }
            EndStatus::Killed => {
                state.place = Place::Policy;
                state.kills = state.kills.saturating_add(1);
                self.open -= usize::from(state.kills == KILLS_MAX);
                self.tally.killed(arrival);
            }
        }
        self.tell(Event::Ended { job, host, end });
    }

    fn send_heartbeat(&mut self, host: HostIndex) {
        let plan = self.world.heartbeats;
        let now = self.fleet.now;
        let node = &mut self.fleet.hosts[host];
        let used = node.take_window(now);
        let sequence = self.pulses[host].count();
        self.pulses[host].told(node.others_cores());
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
        self.agenda.note(now, now + plan.delay_s + spread_s, due);
    }

    fn finish(mut self) -> Metrics {
        let end = self.end();
        for (job, arrival) in self.jobs.iter().zip(&self.world.arrivals) {
            if job.place != Place::Done {
                self.tally.missing(end, arrival, job.kills >= KILLS_MAX);
            }
        }
        self.tally.finish()
    }
}

impl Live for Fleet<'_> {
    fn world(&self) -> &World {
        self.world
    }

    fn utilization(&self, host: HostIndex) -> f64 {
        self.hosts[host].utilization()
    }

    fn memory_share(&self, host: HostIndex) -> f64 {
        self.hosts[host].memory_share()
    }

    fn in_flight(&self, host: HostIndex) -> usize {
        self.hosts[host].job_count()
    }

    fn remaining(&self, host: HostIndex, visit: &mut dyn FnMut(JobIndex, f64)) {
        self.hosts[host].remaining(self.now, visit);
    }
}
