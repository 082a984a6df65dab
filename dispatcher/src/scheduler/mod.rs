//! The decision core: one state machine over explicit time.
//!
//! The life of a job, and the file that holds each step:
//!
//! 1. `fetch`: requests as many jobs from the stream as can be placed, and a few more.
//! 2. `delivery`: a job arrives; it is checked (delayed, expired, invalid) and joins the
//!    waiting `room` of its category and priority.
//! 3. `sending`: at the end of a turn, waiting jobs are placed in fair order, reserved in
//!    the node's ledger, and forwarded.
//! 4. `nodes`: heartbeats list the jobs in hand; a node that is gone loses its jobs,
//!    which are given back to the stream at once.
//! 5. `outcomes`: the worker reports; a report of a revoked attempt changes nothing.
//! 6. `settling`: the outcome is recorded by compare-and-set, then the job is
//!    acknowledged, then the worker is answered; or the job is given back for another
//!    attempt; or it is dead-lettered with its reasons.
//!
//! `restriction` excludes nodes for one job by its earlier attempts, and `quarantine`
//! keeps nodes free for jobs that must run alone.
//!
//! A job that goes down with its node is not blamed for it (`losses`), unless it was
//! alone there again and again (`suspects`).
//!
//! `sweep` does what is due by time alone, `overdue` ends what runs too long, `hearing`
//! knows since when silence counts, `absence` probes late nodes and takes the jobs of
//! those that are gone, `pinging` selects the nodes to ping, and `forecasting` has the
//! forecast duties beside heartbeats. Whatever dies in between, an unacknowledged job is
//! delivered again.

mod absence;
mod context;
mod delivery;
mod fetch;
mod forecasting;
mod input;
mod job;
mod judging;
mod leadership;
mod losses;
mod nodes;
mod outcomes;
mod output;
mod overdue;
mod pulls;
mod quarantine;
mod renewal;
mod reporting;
mod restriction;
mod roles;
mod room;
mod sending;
mod serving;
mod settled;
mod settling;
mod status;
mod suspects;
mod sweep;
mod unsendable;
mod verdict;
mod waiting;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};
use rolecast_common::assignment::Ack;
use rolecast_common::id::{Category, Epoch, JobId, NodeId, Sequence};
use rolecast_common::label::Requirement;
use rolecast_common::subjects::Source;
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire::{FailedAttempt, LostAttempt, Record};
use rolecast_forecast::Demand;

pub use input::{Delivery, Input, Malformed, Recorded, Stray};
pub use output::{Diversion, Event, History, JobsGone, KeptAway, LongWait, Output};
pub use pulls::{PULL_BEAT, PULL_EXPIRES};
pub use reporting::Trouble;
pub use suspects::Suspicion;

pub use verdict::{DoubtedNode, LostJob, Verdict};

use crate::allowance::Allowances;
use crate::category::Policy;
use crate::fleet::{self, Fleet};
use crate::placement::{CategoryIndex, Shortfall};
use crate::roles::{Coordinator, Settings as RoleSettings};
use context::Context;
use forecasting::Forecasting;
use judging::Judging;
use leadership::Leadership;
use quarantine::Quarantine;
use reporting::Reporting;
use room::Room;
use settled::Settled;
use watch::Watch;

/// Parameters of the machine, fixed at its start.
#[derive(Clone, Debug)]
pub struct Params {
    pub name: String,
    pub forecast: rolecast_forecast::Params,
    pub policies: Vec<Policy>,
    pub allowances: Allowances,
    pub roles: RoleSettings,
    /// Whether nodes whose jobs take longer than predicted are avoided.
    pub has_feedback: bool,
    /// The policy of undeclared categories; `None` dead-letters their jobs.
    pub undeclared: Option<Policy>,
    /// Delay between taking the lead and fetching, so that heartbeats can first report
    /// the jobs that are already in hand.
    pub warm_up: Duration,
    /// Time without a sign of life after which the server delivers a job again.
    pub ack_wait: Duration,
    pub seed: u64,
}

/// The dispatcher's state.
#[derive(Debug)]
pub struct Scheduler {
    params: Params,
    leadership: Leadership,
    watch: Watch,
    /// Creation time of the jobs stream; zero if that is not known.
    stream_created: WallTime,
    fleet: Fleet,
    services: BTreeMap<Category, Service>,
    rooms: BTreeMap<Source, Room>,
    jobs: HashMap<Sequence, Job>,
    /// Jobs given back, until they are delivered again.
    away: HashMap<Sequence, Away>,
    settled: Settled,
    /// Jobs without a consumer that are being dead-lettered.
    strays: HashSet<Sequence>,
    confirmations: HashMap<u64, Confirmation>,
    next_confirmation: u64,
    reporting: Reporting,
    roles: Coordinator,
    judging: Judging,
    /// Time when the coordinator last received the nodes by room.
    ranked: Option<Time>,
    forecasting: Forecasting,
    quarantine: Quarantine,
    rng: fastrand::Rng,
    /// Rises with every turn in which a room was served; gives the fair order.
    turn: u64,
    is_stopping: bool,
}

/// A category that is served.
#[derive(Debug)]
struct Service {
    policy: Policy,
    /// Whether its jobs are only for nodes that act in a role that can be lost.
    is_for_managed: bool,
    /// Its index among the fleet's categories.
    index: CategoryIndex,
    demand: Demand,
    /// Jobs that left the stream since the start.
    settled: u64,
    completed: u64,
    retried: u64,
    dead: u64,
    expired: u64,
}

/// A job that is held here.
#[derive(Debug)]
struct Job {
    source: Source,
    job: JobId,
    /// The acknowledgement of the latest delivery: an older one must not be given back.
    ack: Ack,
    deadline: Option<WallTime>,
    /// The labels its node must have.
    requirement: Requirement,
    /// The hash of its shard key.
    key: Option<u64>,
    /// Time when it began to wait here.
    since: Time,
    /// Whether a record of its waiting was considered, and whether one was made.
    is_noted: bool,
    is_recorded: bool,
    /// Time and result of the last look at all nodes for it.
    judged: Option<(Time, Shortfall)>,
    /// The number of the last attempt sent, or 0.
    attempt: u32,
    failures: Vec<FailedAttempt>,
    losses: Vec<LostAttempt>,
    /// The reason why it may have taken its node down.
    suspicion: Option<Suspicion>,
    kept_alive: Time,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting,
    Running {
        node: NodeId,
        sent: Time,
    },
    /// The outcome is being written to the results stream.
    Recording {
        record: Box<Record>,
        asked: Time,
        confirmation: Option<u64>,
    },
    /// The job is being written to the dead-letter stream.
    Burying {
        record: Box<Record>,
        asked: Time,
        is_running: bool,
    },
}

/// A job that waits in the stream for another delivery.
#[derive(Debug)]
struct Away {
    history: History,
    /// Time when it should be back; long after that it is forgotten.
    until: Time,
    reason: String,
}

/// A worker's request that waits for its outcomes to be settled.
#[derive(Debug)]
struct Confirmation {
    reply: String,
    open: usize,
}

impl Scheduler {
    /// Returns a machine that stands by until [`Input::Lead`].
    pub fn new(params: Params, now: Now) -> Self {
        let mut machine = Self {
            fleet: Fleet::new(fleet::Settings {
                forecast: params.forecast,
                has_feedback: params.has_feedback,
                seed: params.seed,
            }),
            services: BTreeMap::new(),
            rooms: BTreeMap::new(),
            jobs: HashMap::new(),
            away: HashMap::new(),
            settled: Settled::default(),
            strays: HashSet::new(),
            confirmations: HashMap::new(),
            next_confirmation: 0,
            reporting: Reporting::default(),
            judging: Judging::new(&params.roles),
            ranked: None,
            roles: Coordinator::new(params.roles.clone()),
            forecasting: Forecasting::new(now.time),
            quarantine: Quarantine::default(),
            rng: fastrand::Rng::with_seed(params.seed),
            turn: 0,
            leadership: Leadership::new(now.time, params.warm_up),
            watch: Watch::new(now),
            stream_created: WallTime::default(),
            is_stopping: false,
            params,
        };
        for policy in machine.params.policies.clone() {
            machine.serve(policy);
        }
        machine
    }

    /// Returns the categories that need consumers from the start.
    pub fn served(&self) -> Vec<Category> {
        self.services.keys().cloned().collect()
    }

    /// Returns the largest epoch that it has led under or that most nodes have reported.
    pub fn known_epoch(&self) -> Epoch {
        self.leadership.known()
    }

    /// Whether jobs of undeclared categories are run rather than dead-lettered.
    pub fn serves_undeclared(&self) -> bool {
        self.params.undeclared.is_some()
    }

    /// Handles one input and adds the resulting commands to `out`.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        let cx = &mut Context::new(now, out);
        self.watch.check_stall(now.time);
        match input {
            Input::Delivered(delivery) => self.deliver(cx, delivery),
            Input::PullEnded {
                source,
                undelivered,
            } => self.end_pull(now.time, &source, undelivered),
            Input::PullAlive { source } => self.keep_pulls(now.time, &source),
            Input::PullFailed { source } => self.fail_pulls(now.time, &source),
            Input::Disconnected => self.watch.reception_mut().disconnect(now.time),
            Input::Reconnected => {
                self.watch.reception_mut().connect(now.time);
                self.void_pulls();
                self.revive_jobs(cx);
            }
            Input::Behind => self.watch.reception_mut().fall_behind(now.time),
            Input::Heartbeat { from, heartbeat } => self.hear(cx, &from, *heartbeat),
            Input::Latency { node, round_trip } => {
                self.fleet.note_answer(now.time, &node);
                self.fleet.note_latency(&node, round_trip);
            }
            Input::Absent { node } => self.watch.record_absence(cx, &mut self.fleet, &node),
            Input::Unsent { sequence, attempt } => self.take_back(cx, sequence, attempt),
            Input::Outcomes {
                from,
                reply,
                outcomes,
            } => self.take_outcomes(cx, &from, reply, outcomes),
            Input::Bounced { node, assignment } => self.bounce(cx, &node, &assignment),
            Input::Unsendable {
                sequence,
                attempt,
                why,
            } => self.bury_unsendable(cx, sequence, attempt, why),
            Input::Recorded { sequence, result } => self.finish_record(cx, sequence, result),
            Input::Buried { sequence, is_done } => self.finish_burial(cx, sequence, is_done),
            Input::StreamRenewed { created } => self.renew_stream(cx, created),
            Input::Recovered => self.leadership.record_recovered(now.time),
            Input::Found(category) => self.find(cx, category),
            Input::Deserted(category) => self.desert(&category),
            Input::Backlogs(held) => self.count_arrivals(now, &held),
            Input::StackFitted(stack) => self.set_stack(&stack),
            Input::CheckpointsDue => self.begin_checkpoints(),
            Input::Stray(stray) => self.bury_stray(cx, stray),
            Input::Troubled(trouble) => self.reporting.report_trouble(cx, trouble),
            Input::Mended { what } => self.reporting.end_trouble(cx, &what),
            Input::Malformed { what, from, why } => self.reporting.refuse(cx, what, &from, why),
            Input::Lead {
                epoch,
                until,
                seals,
                histories,
            } => {
                self.watch.reception_mut().lead(until);
                self.leadership.lead(now.time, epoch, seals);
                self.restore(now, histories);
                self.begin_takeover(cx);
                self.manage(cx, crate::roles::Input::Lead { epoch, until });
            }
            Input::Renewed { until } => self.renew(cx, until),
            Input::Roles(input) => self.manage(cx, input),
            Input::Stop => self.stop(cx),
            Input::Turn => self.end_turn(cx),
        }
    }

    /// Returns the time at which [`Input::Turn`] is due at the latest.
    pub fn next_deadline(&self) -> Time {
        let others = [
            self.roles_deadline(),
            self.watch.check_due(&self.fleet),
            self.leadership.recovery_due(),
        ];
        let sweep = self.watch.sweep_due();
        others.into_iter().flatten().fold(sweep, Time::min)
    }

    /// Whether nothing is left to wait for after [`Input::Stop`].
    pub fn is_idle(&self) -> bool {
        self.jobs
            .values()
            .all(|job| matches!(job.state, State::Running { .. }))
    }

    fn end_turn(&mut self, cx: &mut Context<'_>) {
        self.tick_roles(cx);
        self.check_nodes(cx);
        if self.watch.take_sweep(cx.now.time) {
            self.sweep(cx);
        }
        if self.is_stopping
            || !self.leadership.leads()
            || !self.watch.reception().is_open(cx.now.time)
        {
            return;
        }
        self.recover(cx);
        self.send_waiting(cx);
        self.fetch(cx);
    }

    /// Asks all nodes for their jobs in hand.
    fn begin_takeover(&mut self, cx: &mut Context<'_>) {
        let alive = self.fleet.nodes().filter(|node| !node.is_gone());
        let alive: BTreeSet<NodeId> = alive.map(|node| node.id().clone()).collect();
        for node in &alive {
            self.watch.request_report(cx, node);
        }
        self.leadership.begin_takeover(cx.now.time, alive);
    }

    /// Orders the redelivery of the jobs that nobody has in hand, once these are known.
    /// The deliveries of those that are held or run are extended just before.
    fn recover(&mut self, cx: &mut Context<'_>) {
        let is_again = self.leadership.recovery_due().is_some();
        if self.leadership.may_recover(cx.now.time) {
            if is_again {
                self.revive_jobs(cx);
            }
            cx.push(Output::Recover);
        }
    }

    /// Restores the histories that a former leader stored.
    fn restore(&mut self, now: Now, histories: Vec<(Sequence, History)>) {
        for (sequence, history) in histories {
            // A take-over shortens a delay only if less than this is left of it.
            let delay = history.not_before.unwrap_or_default().since(now.wall);
            let delay = delay.min(self.params.ack_wait);
            self.send_away(now.time, sequence, history, delay, String::new());
        }
    }

    fn renew(&mut self, cx: &mut Context<'_>, until: Time) {
        if self.watch.reception_mut().renew(cx.now.time, until) {
            self.leadership.record_break(cx.now.time);
            self.void_pulls();
            self.revive_jobs(cx);
        }
        let epoch = self.leadership.epoch();
        self.manage(cx, crate::roles::Input::Lead { epoch, until });
    }

    fn stop(&mut self, cx: &mut Context<'_>) {
        self.is_stopping = true;
        self.end_checkpoints(cx);
        let mut waiting: Vec<Sequence> = self
            .jobs
            .iter()
            .filter(|(_, job)| matches!(job.state, State::Waiting))
            .map(|(sequence, _)| *sequence)
            .collect();
        waiting.sort_unstable();
        for sequence in waiting {
            let job = self.jobs.remove(&sequence).expect("it was just listed");
            cx.push(Output::GiveBack {
                sequence,
                ack: job.ack,
                delay: Duration::ZERO,
            });
        }
        self.rooms.clear();
    }

    fn send_away(
        &mut self,
        now: Time,
        sequence: Sequence,
        history: History,
        delay: Duration,
        reason: String,
    ) {
        let until = now + delay;
        self.away.insert(
            sequence,
            Away {
                history,
                until,
                reason,
            },
        );
    }
}

#[cfg(test)]
mod tests;
