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

mod capacity_map;
mod context;
mod input;
mod jobs;
mod judging;
mod leadership;
mod nodes;
mod outcomes;
mod output;
mod overdue;
mod queue;
mod reporting;
mod roles;
mod sending;
mod verdict;
mod views;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::id::{Category, Epoch, NodeId, Sequence};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::ForecastMode;
use rolecast_forecast::Demand;

pub use input::{Delivery, Input, Malformed, Recorded, Stray};
pub use jobs::Suspicion;
pub use output::{Diversion, Event, History, JobsGone, KeptAway, LongWait, Output};
pub use queue::{PULL_BEAT, PULL_EXPIRES};
pub use reporting::Trouble;
pub use verdict::{DoubtedNode, LostJob, Verdict};

use crate::allowance::Allowances;
use crate::category::Policy;
use crate::fleet::{self, Fleet};
use crate::roles::{Coordinator, Settings as RoleSettings};
use rolecast_forecast::{NodeForecast, Stack};
use context::Context;
use jobs::Jobs;
use judging::Judging;
use leadership::Leadership;
use outcomes::Outcomes;
use queue::Queue;
use reporting::Reporting;
use sending::Sending;
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

/// The dispatcher's state, by owner.
#[derive(Debug)]
pub struct Scheduler {
    params: Params,
    fleet: Fleet,
    jobs: Jobs,
    queue: Queue,
    leadership: Leadership,
    watch: Watch,
    roles: Coordinator,
    judging: Judging,
    /// Time when the coordinator last received the nodes by room.
    ranked: Option<Time>,
    reporting: Reporting,
}

impl Scheduler {
    /// Returns a scheduler that stands by until [`Input::Lead`].
    pub fn new(params: Params, now: Now) -> Self {
        let mut scheduler = Self {
            fleet: Fleet::new(fleet::Settings {
                forecast: params.forecast,
                has_feedback: params.has_feedback,
                seed: params.seed,
            }),
            jobs: Jobs::new(params.ack_wait, params.seed),
            queue: Queue::new(params.forecast.model),
            leadership: Leadership::new(now.time, params.warm_up),
            watch: Watch::new(now),
            judging: Judging::new(&params.roles),
            ranked: None,
            roles: Coordinator::new(params.roles.clone()),
            reporting: Reporting::new(now.time, params.forecast),
            params,
        };
        for policy in scheduler.params.policies.clone() {
            scheduler.serve(policy);
        }
        scheduler
    }

    /// Restores forecasts from before the start, and the stack over the experts.
    pub fn remember_forecasts(
        &mut self,
        forecasts: Vec<(NodeId, NodeForecast)>,
        stack: Option<&Arc<Stack>>,
    ) {
        self.fleet.remember(forecasts);
        if let Some(stack) = stack {
            self.set_stack(stack);
        }
    }

    /// Returns the categories that need consumers from the start.
    pub fn served(&self) -> Vec<Category> {
        let served = self.queue.categories().iter();
        served
            .map(|state| state.policy().category.clone())
            .collect()
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
        let cx = &mut Context::new(now, self.leadership.epoch(), out);
        self.watch.check_stall(now.time);
        match input {
            Input::Delivered(delivery) => {
                self.jobs
                    .deliver(cx, &mut self.queue, &mut self.reporting, delivery);
            }
            Input::PullEnded {
                source,
                undelivered,
            } => self.queue.end_pull(now.time, &source, undelivered),
            Input::PullAlive { source } => self.queue.keep_pulls(now.time, &source),
            Input::PullFailed { source } => {
                let jitter = self.jobs.jitter();
                self.queue.fail_pulls(now.time, &source, jitter);
            }
            Input::Disconnected => self.watch.reception_mut().disconnect(now.time),
            Input::Reconnected => {
                self.watch.reception_mut().connect(now.time);
                self.queue.void_pulls();
                self.jobs.revive(cx);
            }
            Input::Behind => self.watch.reception_mut().fall_behind(now.time),
            Input::Heartbeat { from, heartbeat } => {
                self.receive_heartbeat(cx, &from, *heartbeat);
            }
            Input::Latency { node, round_trip } => {
                self.fleet.note_answer(now.time, &node);
                self.fleet.note_latency(&node, round_trip);
            }
            Input::Absent { node } => self.watch.record_absence(cx, &mut self.fleet, &node),
            Input::Unsent { sequence, attempt } => {
                let node = self.jobs.take_back(cx, &mut self.queue, sequence, attempt);
                self.release(now.time, node, sequence);
            }
            Input::Outcomes {
                from,
                reply,
                outcomes,
            } => self.outcomes().receive(cx, &from, reply, outcomes),
            Input::Bounced { node, assignment } => self.bounce(cx, &node, &assignment),
            Input::Unsendable {
                sequence,
                attempt,
                why,
            } => {
                let queue = &mut self.queue;
                let node = self.jobs.give_up_unsent(cx, queue, sequence, attempt, why);
                self.release(now.time, node, sequence);
            }
            Input::Recorded { sequence, result } => {
                let (queue, reporting) = (&mut self.queue, &mut self.reporting);
                self.jobs
                    .finish_record(cx, queue, reporting, sequence, result);
            }
            Input::Buried { sequence, is_done } => {
                self.jobs
                    .finish_dead_letter(cx, &mut self.queue, sequence, is_done);
            }
            Input::StreamRenewed { created } => {
                for (node, sequence) in self.jobs.renew_stream(cx, &mut self.queue, created) {
                    self.fleet.release(now.time, &node, sequence);
                }
            }
            Input::Recovered => self.leadership.record_recovered(now.time),
            Input::Found(category) => self.find(cx, category),
            Input::Deserted(category) => self.desert(&category),
            Input::Backlogs(held) => self.record_backlogs(now, &held),
            Input::StackFitted(stack) => self.set_stack(&stack),
            Input::CheckpointsDue => self.reporting.begin_checkpoints(&self.fleet),
            Input::Stray(stray) => self.jobs.dead_letter_stray(cx, stray),
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
                self.jobs.restore(now, histories);
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
        self.jobs.is_idle()
    }

    fn end_turn(&mut self, cx: &mut Context<'_>) {
        self.tick_roles(cx);
        self.check_nodes(cx);
        if self.watch.take_sweep(cx.now.time) {
            self.sweep(cx);
        }
        if self.queue.is_stopping()
            || !self.leadership.leads()
            || !self.watch.reception().is_open(cx.now.time)
        {
            return;
        }
        self.recover(cx);
        self.sending().send_waiting(cx);
        if self.leadership.may_fetch(cx.now.time) && !self.waits_for_workers(cx.now.time) {
            let is_sweep = self.watch.has_swept(cx.now.time);
            self.queue.fetch(cx, &self.fleet, is_sweep);
        }
    }

    /// Does the work that is due by time alone, a few times a second.
    fn sweep(&mut self, cx: &mut Context<'_>) {
        for node in self.fleet.forget(cx.now.time) {
            self.judging.forget(&node);
        }
        self.fleet.refresh();
        self.fleet.try_unheard();
        self.sending().check_rooms(cx);
        self.jobs.sweep(cx, &mut self.queue);
        // Outcomes of the time in which nothing was received here may be on their way.
        if let Some(since) = self.watch.reception().since(cx.now.time) {
            let (jobs, queue) = (&mut self.jobs, &mut self.queue);
            overdue::end(cx, since, jobs, queue, &mut self.fleet, &mut self.reporting);
        }
        self.jobs.check_kept(cx.now.time, &mut self.fleet);
        self.sweep_roles(cx);
        self.reporting
            .publish(cx, &mut self.fleet, self.queue.categories());
        self.watch.ping(cx, &self.fleet);
        self.reporting.expire_troubles(cx.now.time);
        self.jobs.forget_old(cx.now.time, &mut self.queue);
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
                self.jobs.revive(cx);
            }
            cx.push(Output::Recover);
        }
    }

    fn renew(&mut self, cx: &mut Context<'_>, until: Time) {
        if self.watch.reception_mut().renew(cx.now.time, until) {
            self.leadership.record_break(cx.now.time);
            self.queue.void_pulls();
            self.jobs.revive(cx);
        }
        let epoch = self.leadership.epoch();
        self.manage(cx, crate::roles::Input::Lead { epoch, until });
    }

    fn stop(&mut self, cx: &mut Context<'_>) {
        self.queue.stop();
        self.reporting.end_checkpoints(cx, &self.fleet);
        self.jobs.stop(cx);
    }

    fn serve(&mut self, policy: Policy) {
        let managed = &self.params.roles.managed;
        let is_for_managed = policy.roles.iter().any(|role| managed.contains_key(role));
        let index = self.fleet.serve(policy.clone());
        self.queue.serve(policy, index, is_for_managed);
    }

    /// Serves a category that was found in the stream, if that is permitted.
    fn find(&mut self, cx: &mut Context<'_>, category: Category) {
        let Some(default) = self.params.undeclared.clone() else {
            return;
        };
        if self.queue.category(&category).is_some() {
            return;
        }
        self.serve(Policy {
            category: category.clone(),
            declared: false,
            ..default
        });
        cx.event(Event::CategoryFound { category });
    }

    /// Stops serving a category that was found and has no jobs.
    fn desert(&mut self, category: &Category) {
        let has_jobs = self
            .jobs
            .iter()
            .any(|job| job.source().category == *category);
        if !has_jobs {
            self.queue.desert(category);
        }
    }

    fn record_backlogs(&mut self, now: Now, held: &BTreeMap<Category, u64>) {
        if self.params.forecast.mode != ForecastMode::Off {
            self.queue.categories_mut().record_backlogs(now.wall, held);
        }
    }

    fn set_stack(&mut self, stack: &Arc<Stack>) {
        self.fleet.set_stack(stack);
        self.queue.categories_mut().set_stack(stack);
    }

    /// Frees the place of a job that its node did not get.
    fn release(&mut self, now: Time, node: Option<NodeId>, sequence: Sequence) {
        if let Some(node) = node {
            self.fleet.release(now, &node, sequence);
        }
    }

    fn sending(&mut self) -> Sending<'_> {
        Sending {
            jobs: &mut self.jobs,
            queue: &mut self.queue,
            fleet: &mut self.fleet,
            reporting: &mut self.reporting,
            seals: self.leadership.seals(),
            mode: self.params.forecast.mode,
        }
    }

    fn outcomes(&mut self) -> Outcomes<'_> {
        Outcomes {
            jobs: &mut self.jobs,
            queue: &mut self.queue,
            fleet: &mut self.fleet,
            reporting: &mut self.reporting,
            seals: self.leadership.seals(),
        }
    }
}

#[cfg(test)]
mod tests;
