//! The scheduler: one state machine over explicit time, whose state has owners.
//!
//! Owners; the fields of each are private to it:
//!
//! - `jobs`: every job that is held, and all transitions between their states;
//! - `queue`: the categories, and their jobs that wait;
//! - [`crate::fleet`]: the nodes, with their reservations;
//! - `leadership`: epochs, seals and the take-over; `watch`: reception and silent nodes;
//! - [`crate::relocation`]: the managed roles;
//! - `reporting`: counters, troubles, rates of events and publications.
//!
//! The life of a job:
//!
//! 1. `queue/fetch` requests as many jobs from the stream as can be placed, and a few more.
//! 2. `jobs/delivery`: a job arrives, is checked, and joins its room of the queue.
//! 3. `sending`: at the end of a turn, waiting jobs are placed in fair order, reserved in
//!    the node's ledger, and forwarded.
//! 4. `nodes`: heartbeats list the jobs in hand; a node that is gone loses its jobs, which
//!    are given back to the stream at once. An attempt that runs too long is ended
//!    (`overdue`).
//! 5. `outcomes`: the worker reports; a report of a revoked attempt changes nothing.
//! 6. `jobs/ending`: the outcome is recorded by compare-and-set, the job acknowledged, and
//!    the worker answered; or the job is given back, or dead-lettered with its reasons.
//!
//! Calls go down only: from here to the flows (`sending`, `outcomes`, `overdue`), then to
//! `jobs`, then to `queue` and `reporting`. A flow names the owners that it touches.

mod cancel;
mod capacity_map;
mod context;
mod figures;
mod input;
mod job_list;
mod jobs;
mod leadership;
mod nodes;
mod outcomes;
mod output;
mod overdue;
mod params;
mod queue;
mod reporting;
mod sending;
mod suspects;
mod verdict;
mod views;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use rolecast_common::id::{Category, NodeId};
use rolecast_common::subjects::Source;
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_forecast::{NodeForecast, Stack};

pub use cancel::{Cancel, CancelInput, CancelOutput, CancelTarget};
pub use input::{Delivery, Input, Malformed, Recorded, Stray};
pub use output::{Diversion, Event, History, JobsGone, KeptAway, LongWait, Output, Trouble};
pub use params::Params;
pub use queue::{PULL_BEAT, PULL_EXPIRES};
pub use suspects::Suspicion;
pub use verdict::{DoubtedNode, LostJob, Verdict};
pub use views::Warmth;

use crate::category::Policy;
use crate::fleet::{self, Fleet};
use crate::relocation::{self, Relocation};
use crate::roles;
use context::Context;
use jobs::Jobs;
use leadership::Leadership;
use outcomes::Outcomes;
use queue::Queue;
use reporting::Reporting;
use sending::Sending;
use watch::Watch;

/// The dispatcher's state, by owner.
#[derive(Debug)]
pub struct Scheduler {
    params: Params,
    fleet: Fleet,
    jobs: Jobs,
    queue: Queue,
    leadership: Leadership,
    watch: Watch,
    relocation: Relocation,
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
            relocation: Relocation::new(params.roles.clone()),
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

    /// Handles one input and adds the resulting commands to `out`.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        let cx = &mut Context::new(now, self.leadership.epoch(), out);
        self.watch.check_stall(now.time);
        match input {
            Input::Delivered(delivery) => self.deliver(cx, delivery),
            Input::PullEnded {
                source,
                undelivered,
            } => self.queue.end_pull(now.time, &source, undelivered),
            Input::PullAlive { source } => self.queue.keep_pulls(now.time, &source),
            Input::PullFailed { source } => self.fail_pulls(now.time, &source),
            Input::Disconnected => self.watch.reception_mut().disconnect(now.time),
            Input::Reconnected => self.reconnect(cx),
            Input::Behind => self.watch.reception_mut().fall_behind(now.time),
            Input::Heartbeat { from, heartbeat } => {
                self.receive_heartbeat(cx, &from, *heartbeat);
            }
            Input::Latency { node, round_trip } => {
                self.fleet.record_answer(now.time, &node);
                self.fleet.record_round_trip(&node, round_trip);
            }
            Input::Absent { node } => self.watch.record_absence(cx, &mut self.fleet, &node),
            Input::Unsent { sequence, attempt } => self.outcomes().take_back(cx, sequence, attempt),
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
            } => self.outcomes().give_up(cx, sequence, attempt, why),
            Input::Recorded { sequence, result } => self.outcomes().finish(cx, sequence, result),
            Input::DeadLettered { sequence, is_done } => {
                self.jobs
                    .finish_dead_letter(cx, &mut self.queue, sequence, is_done);
            }
            Input::Cancel(input) => self.jobs.cancel(cx, &mut self.queue, input),
            Input::StreamRenewed { created } => self.renew_stream(cx, created),
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
                self.leadership
                    .begin_takeover(cx, &self.fleet, &mut self.watch);
                self.relocate(cx, |roles, now, _, out| roles.lead(now, epoch, until, out));
            }
            Input::Renewed { until } => self.renew(cx, until),
            Input::Roles(input) => self.coordinate(cx, input),
            Input::Stop => self.stop(cx),
            Input::Turn => self.end_turn(cx),
        }
    }

    /// Returns the time at which [`Input::Turn`] is due at the latest.
    pub fn next_deadline(&self) -> Time {
        let others = [
            self.relocation.next_deadline(),
            self.watch.check_due(&self.fleet),
            self.leadership.recovery_due(),
            self.jobs.cancels_due(),
        ];
        let sweep = self.watch.sweep_due();
        others.into_iter().flatten().fold(sweep, Time::min)
    }

    /// Whether nothing is left to wait for after [`Input::Stop`].
    pub fn is_idle(&self) -> bool {
        self.jobs.is_idle()
    }

    fn deliver(&mut self, cx: &mut Context<'_>, delivery: Delivery) {
        self.jobs
            .deliver(cx, &mut self.queue, &mut self.reporting, delivery);
    }

    fn fail_pulls(&mut self, now: Time, source: &Source) {
        let jitter = self.jobs.jitter();
        self.queue.fail_pulls(now, source, jitter);
    }

    fn reconnect(&mut self, cx: &mut Context<'_>) {
        self.watch.reception_mut().connect(cx.now.time);
        self.queue.void_pulls();
        self.jobs.revive(cx);
    }

    fn renew_stream(&mut self, cx: &mut Context<'_>, created: WallTime) {
        for (node, sequence) in self.jobs.renew_stream(cx, &mut self.queue, created) {
            self.fleet.release(cx.now.time, &node, sequence);
        }
    }

    fn end_turn(&mut self, cx: &mut Context<'_>) {
        self.relocate(cx, |relocation, now, _, out| relocation.tick(now, out));
        self.check_nodes(cx);
        if self.watch.take_sweep(cx.now.time) {
            self.sweep(cx);
        }
        self.jobs.cancel_due(cx, &mut self.queue);
        if self.queue.is_stopping()
            || !self.leadership.leads()
            || !self.watch.reception().is_open(cx.now.time)
        {
            return;
        }
        self.leadership.recover(cx, &mut self.jobs);
        self.sending().send_waiting(cx);
        if self.leadership.may_fetch(cx.now.time) && !self.waits_for_workers(cx.now.time) {
            let is_sweep = self.watch.has_swept(cx.now.time);
            self.queue.fetch(cx, &self.fleet, is_sweep);
        }
    }

    /// Does the work that is due by time alone, a few times a second.
    fn sweep(&mut self, cx: &mut Context<'_>) {
        for node in self.fleet.forget(cx.now.time) {
            self.relocation.forget(&node);
        }
        self.fleet.refresh();
        self.fleet.try_missing_listener();
        self.sending().check_rooms(cx);
        self.jobs.sweep(cx, &mut self.queue);
        // Outcomes of the time in which nothing was received here may be on their way.
        if let Some(since) = self.watch.reception().since(cx.now.time) {
            let (jobs, queue) = (&mut self.jobs, &mut self.queue);
            overdue::end(cx, since, jobs, queue, &mut self.fleet, &mut self.reporting);
        }
        self.jobs.sweep_cancels(cx);
        self.jobs.check_kept(cx.now.time, &mut self.fleet);
        self.relocate(cx, Relocation::sweep);
        self.reporting
            .publish(cx, &mut self.fleet, self.queue.categories());
        self.watch.ping(cx, &self.fleet);
        self.reporting.expire_troubles(cx);
        self.jobs.forget_old(cx.now.time, &mut self.queue);
    }

    fn renew(&mut self, cx: &mut Context<'_>, until: Time) {
        if self.watch.reception_mut().renew(cx.now.time, until) {
            self.leadership.record_break(cx.now.time);
            self.queue.void_pulls();
            self.jobs.revive(cx);
        }
        let epoch = self.leadership.epoch();
        self.coordinate(cx, roles::Input::Lead { epoch, until });
    }

    fn stop(&mut self, cx: &mut Context<'_>) {
        self.queue.stop();
        self.reporting.end_checkpoints(cx, &self.fleet);
        self.jobs.stop(cx);
    }

    fn serve(&mut self, policy: Policy) {
        let mut roles = policy.roles.iter();
        let is_for_managed = roles.any(|role| self.relocation.manages(role));
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
        let mode = self.params.forecast.mode;
        let categories = self.queue.categories_mut();
        categories.record_backlogs(now.wall, held, mode);
    }

    fn set_stack(&mut self, stack: &Arc<Stack>) {
        self.fleet.set_stack(stack);
        self.queue.categories_mut().set_stack(stack);
    }

    /// Passes an input to the coordinator of the roles.
    fn coordinate(&mut self, cx: &mut Context<'_>, input: roles::Input) {
        self.relocate(cx, |relocation, now, _, out| {
            relocation.handle(now, input, out);
        });
    }

    /// Lets the roles act, and passes their commands on.
    fn relocate(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Relocation, Now, &Fleet, &mut Vec<relocation::Output>),
    ) {
        let mut outputs = Vec::new();
        act(&mut self.relocation, cx.now, &self.fleet, &mut outputs);
        for output in &outputs {
            if let relocation::Output::Roles(output) = output
                && let roles::Output::Event(roles::Event::Overtaken { ours, found }) = &**output
            {
                self.leadership.yield_to_document(cx, *ours, *found);
            }
        }
        cx.extend(outputs.into_iter().map(Output::from));
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
