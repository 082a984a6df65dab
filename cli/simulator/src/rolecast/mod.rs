//! The dispatcher's scheduler as a policy; the simulation is its stream, workers and clock.
//!
//! Jobs are stored in a queue for each category and priority, and delivered as the
//! scheduler pulls them. Jobs that it forwards are sent; ends and reports become outcomes
//! and heartbeats; jobs that it gives back are delivered again.

mod clock;
mod heartbeat;
mod outcome;
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Category, Epoch, NodeId};
use rolecast_common::label::{Requirement, ShardKey};
use rolecast_common::options::Options;
use rolecast_common::subjects::Source;
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{ForecastMode, Heartbeat};
use rolecast_dispatcher::allowance::Allowances;
use rolecast_dispatcher::category::{
    Backoff, Patience, Policy as CategoryPolicy, Profile, Weights,
};
use rolecast_dispatcher::claim::Claimed;
use rolecast_dispatcher::roles::Settings as RoleSettings;
use rolecast_dispatcher::scheduler::{
    Delivery, Input, Output, PULL_EXPIRES, Params, Recorded, Scheduler,
};
use rolecast_dispatcher::seal::Seals;
use rolecast_forecast::{Model, Quantile};

use clock::Clock;
use heartbeat::{heartbeat, resources};
use outcome::Ended;
use stream::{Stream, ack, index_of, job_id};

use super::policy::{Event, HostIndex, JobIndex, Live, Policy, Report, Send};
use super::world::{Kind, World};

/// Attempts that may fail before a job is dead.
const ATTEMPTS_MAX: u32 = 10;
/// Retries wait a second, as those of other policies do. Half of the wait is random, so
/// this gives one second on average.
const BACKOFF: Duration = Duration::from_millis(1333);
/// Slots a core: more than it can ever use, so that the placement decides.
const SLOTS_PER_CORE: f64 = 64.0;

/// Returns the parameters of the scheduler for the world, as a config would set them.
fn params(world: &World, mode: ForecastMode, has_feedback: bool) -> Params {
    Params {
        name: "simulation".to_owned(),
        forecast: rolecast_forecast::Params {
            mode,
            model: Model::default(),
            step_s: 10,
            quantile: Quantile::P90,
        },
        has_feedback,
        roles: RoleSettings::default(),
        policies: world.kinds.iter().map(category_policy).collect(),
        allowances: Allowances::default(),
        undeclared: None,
        warm_up: Duration::ZERO,
        ack_wait: Duration::from_secs(30),
        seed: world.seed,
    }
}

fn category_policy(kind: &Kind) -> CategoryPolicy {
    CategoryPolicy {
        category: kind.category.clone(),
        declared: true,
        roles: kind.roles.clone(),
        profile: Profile {
            average: resources(&kind.average),
            peak: resources(&kind.peak),
            duration: Duration::from_secs_f64(kind.duration_s),
        },
        weights: Weights::default(),
        patience: Patience::default(),
        wait_max: Duration::MAX,
        running_max: None,
        time_limit: None,
        attempts_max: ATTEMPTS_MAX,
        backoff: Backoff {
            min: BACKOFF,
            max: BACKOFF,
        },
        records_completed: false,
    }
}

/// The dispatcher under simulation.
pub(crate) struct Rolecast {
    machine: Scheduler,
    learns: bool,
    clock: Clock,
    hosts: BTreeMap<NodeId, HostIndex>,
    /// The constant part of each host's heartbeats.
    heartbeats: Vec<Heartbeat>,
    requirements: BTreeMap<Category, Requirement>,
    /// The shard key of each job.
    keys: Vec<Option<u32>>,
    streams: BTreeMap<Source, Stream>,
    /// Jobs sent, with their assignments.
    in_hand: BTreeMap<JobIndex, Assignment>,
    /// Jobs given back, with the times of their redelivery.
    away: BTreeSet<(Time, JobIndex)>,
    /// Whether the scheduler received an input since its last turn.
    is_stirred: bool,
    /// Reused for each input.
    outputs: Vec<Output>,
}

impl Rolecast {
    pub(crate) fn new(world: &World, mode: ForecastMode, has_feedback: bool) -> Self {
        let clock = Clock {
            start_s: -world.history_s,
            epoch_ms: world.epoch_ms as f64,
        };
        let start = clock.now(clock.start_s);
        let heartbeats = world.hosts.iter().map(|host| heartbeat(world, host));
        let ids = world.hosts.iter().map(|host| host.id.clone());
        Self {
            machine: leading(
                Scheduler::new(params(world, mode, has_feedback), start),
                start,
            ),
            learns: mode != ForecastMode::Off,
            clock,
            heartbeats: heartbeats.collect(),
            hosts: ids.zip(0..).collect(),
            requirements: world
                .kinds
                .iter()
                .map(|kind| (kind.category.clone(), kind.require.clone()))
                .collect(),
            keys: world.arrivals.iter().map(|arrival| arrival.key).collect(),
            streams: BTreeMap::new(),
            in_hand: BTreeMap::new(),
            away: BTreeSet::new(),
            is_stirred: false,
            outputs: Vec::new(),
        }
    }

    /// Stores a job and delivers it if a pull is open.
    fn store(&mut self, now: Now, job: JobIndex, source: &Source, sends: &mut Vec<Send>) {
        self.stream(source).store(job);
        self.deliver(now, source, sends);
    }

    fn stream(&mut self, source: &Source) -> &mut Stream {
        self.streams.entry(source.clone()).or_default()
    }

    /// Delivers stored jobs as far as pulls are open.
    fn deliver(&mut self, now: Now, source: &Source, sends: &mut Vec<Send>) {
        while let Some(job) = self.stream(source).take() {
            let ack = ack(job, now.wall);
            let id = job_id(job);
            let options = Ok(Options {
                require: self.requirements[&source.category].clone(),
                key: self.keys[job].and_then(|key| ShardKey::parse(&format!("k{key}"))),
                ..Options::new(id.clone())
            });
            let delivery = Delivery {
                source: source.clone(),
                ack,
                job: id,
                options,
            };
            self.feed(now, Input::Delivered(delivery), sends);
        }
    }

    /// Gives the scheduler an input that another turn must follow.
    fn feed(&mut self, now: Now, input: Input, sends: &mut Vec<Send>) {
        self.is_stirred = true;
        self.handle_input(now, input, sends);
    }

    fn handle_input(&mut self, now: Now, input: Input, sends: &mut Vec<Send>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.machine.handle(now, input, &mut outputs);
        for output in outputs.drain(..) {
            self.carry_out(now, output, sends);
        }
        self.outputs = outputs;
    }

    fn carry_out(&mut self, now: Now, output: Output, sends: &mut Vec<Send>) {
        match output {
            Output::Fetch { source, batch } => {
                let expires = now.time + PULL_EXPIRES;
                self.stream(&source).pull(expires, batch);
                self.deliver(now, &source, sends);
            }
            Output::Forward {
                sequence,
                node,
                assignment,
                ..
            } => {
                let job = index_of(sequence);
                let host = self.hosts[&node];
                self.in_hand.insert(job, assignment);
                sends.push(Send { job, host });
            }
            Output::GiveBack {
                sequence, delay, ..
            } => {
                self.away.insert((now.time + delay, index_of(sequence)));
            }
            Output::Record(record) => {
                let sequence = record.sequence;
                let result = Recorded::Stored;
                self.feed(now, Input::Recorded { sequence, result }, sends);
            }
            Output::DeadLetter { record, .. } => {
                let sequence = record.sequence;
                let is_done = true;
                self.feed(now, Input::DeadLettered { sequence, is_done }, sends);
            }
            Output::StepDown { reason } => unreachable!("there is one dispatcher: {reason}"),
            Output::Drop(_)
            | Output::Ack { .. }
            | Output::KeepAlive(_)
            | Output::SaveHistory { .. }
            | Output::ForgetHistory(_)
            | Output::PublishCapacity(_)
            | Output::RecordDecision(_)
            | Output::StoreLog(_)
            | Output::Roles(_)
            | Output::Cancel(_)
            | Output::Ping { .. }
            | Output::AskReport { .. }
            | Output::Recover
            | Output::DoubtLease
            | Output::SaveForecast { .. }
            | Output::Learn(_)
            | Output::Trace(_)
            | Output::Confirm(_)
            | Output::Admit { .. }
            | Output::Event(_) => {}
        }
    }

    fn receive_report(
        &mut self,
        now: Now,
        host: HostIndex,
        report: &Report<'_>,
        sends: &mut Vec<Send>,
    ) {
        let jobs = report.jobs.iter();
        let heartbeat = Heartbeat {
            sequence: report.sequence,
            usage: report.usage,
            // A job that was killed and is sent again is not in hand.
            jobs: jobs
                .filter_map(|job| self.in_hand.get(job).cloned())
                .collect(),
            ..self.heartbeats[host].clone()
        };
        let from = heartbeat.node.clone();
        let heartbeat = Box::new(heartbeat);
        self.feed(now, Input::Heartbeat { from, heartbeat }, sends);
    }

    fn report_end(&mut self, now: Now, job: JobIndex, ended: &Ended, sends: &mut Vec<Send>) {
        let assignment = self.in_hand.remove(&job).expect("only jobs sent end");
        let input = Input::Outcomes {
            from: self.heartbeats[ended.host].node.clone(),
            reply: None,
            outcomes: vec![(Claimed::new(assignment), ended.outcome(self.clock))],
        };
        self.feed(now, input, sends);
    }

    fn turn(&mut self, now: Now, live: &dyn Live, sends: &mut Vec<Send>) {
        self.expire_pulls(now, sends);
        while let Some((due, job)) = self.away.first().copied()
            && due <= now.time
        {
            self.away.remove(&(due, job));
            self.store(now, job, &source(live.world(), job), sends);
        }
        self.is_stirred |= self.machine.next_deadline() <= now.time;
        // A turn may pull jobs, which are then to be placed.
        while std::mem::take(&mut self.is_stirred) {
            self.handle_input(now, Input::Turn, sends);
        }
    }

    fn expire_pulls(&mut self, now: Now, sends: &mut Vec<Send>) {
        let (mut ended, mut alive) = (Vec::new(), Vec::new());
        for (source, stream) in &mut self.streams {
            for undelivered in stream.expire_pulls(now.time) {
                ended.push((source.clone(), undelivered));
            }
            if stream.next_expiry().is_some() {
                alive.push(source.clone());
            }
        }
        // The server's idle heartbeats: pulls without any are void.
        for source in alive {
            self.handle_input(now, Input::PullAlive { source }, sends);
        }
        for (source, undelivered) in ended {
            let input = Input::PullEnded {
                source,
                undelivered,
            };
            self.feed(now, input, sends);
        }
    }
}

impl Policy for Rolecast {
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>) {
        let now = self.clock.now(now_s);
        match event {
            Event::Arrived { job, .. } => {
                self.store(now, job, &source(live.world(), job), sends);
            }
            Event::Ended { job, host, end } => {
                let ended_s = now_s - live.world().hosts[host].latency_s;
                let ended = Ended { host, ended_s, end };
                self.report_end(now, job, &ended, sends);
            }
            Event::Heartbeat { host, report } => self.receive_report(now, host, &report, sends),
            Event::Turn => self.turn(now, live, sends),
        }
    }

    fn next_deadline_s(&self) -> Option<f64> {
        let expiries = self.streams.values().filter_map(Stream::next_expiry);
        let away = self.away.first().map(|(due, _)| *due);
        let first = expiries.chain(away).min();
        let machine = self.machine.next_deadline();
        let first = first.map_or(machine, |first| first.min(machine));
        Some(self.clock.seconds(first))
    }

    fn learns(&self) -> bool {
        self.learns
    }
}

/// Gives the scheduler the lead.
fn leading(mut machine: Scheduler, now: Now) -> Scheduler {
    let lead = Input::Lead {
        epoch: Epoch::new(1),
        until: Time::from_start(Duration::MAX),
        seals: Seals::default(),
        histories: Vec::new(),
    };
    machine.handle(now, lead, &mut Vec::new());
    machine
}

fn source(world: &World, job: JobIndex) -> Source {
    let arrival = &world.arrivals[job];
    Source {
        category: world.kinds[arrival.kind].category.clone(),
        priority: arrival.priority,
    }
}
