//! Event loop between NATS, the agent and the runners.
//!
//! Messages and ends of executions are taken many at a time when there are many, so that
//! a busy worker pays for a turn of the loop once for all of them.

mod receive;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use async_nats::connection::State;
use async_nats::{Message, Subject, Subscriber};
use bytes::Bytes;
use foldhash::{HashMap, HashMapExt as _};
use futures_util::stream::{FusedStream as _, SelectAll};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use rolecast_common::id::{Category, Epoch, NodeId, Role};
use rolecast_common::subjects;
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{self, Encoding, Heartbeat, Outcome, OutcomeBatch, Usage};
use rolecast_nats::{Clock, Connection, Timer};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::child::{self, Stop, Task};
use super::epoch::EpochFile;
use super::gauge::Gauge;
use super::hook::{self, Hook};
use super::leash::Leash;
use super::log::Log;
use super::report::Report;
use super::worker::{Runner, Service};
use crate::agent::{Agent, Ended, HookRun, Input, Output, Run};
use crate::command::job_environment;
use crate::job::Job;

/// Messages or ends taken in one turn of the loop; enough that the turn itself costs
/// nothing, few enough that heartbeats are never late.
const TURN_MAX: usize = 256;
/// Time at the end of the program for commands to die and for the last messages to be
/// written.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// Two workers that share a node id by mistake must not both run a job.
const QUEUE_GROUP: &str = "worker";

/// Handle to stop a running execution.
#[derive(Debug)]
enum Stopper {
    Handler(AbortHandle),
    Command(Arc<Stop>),
}

#[derive(Debug)]
pub(super) struct Shell {
    agent: Agent,
    clock: Clock,
    connection: Connection,
    node: NodeId,
    /// `rolecast.node.<node>.`
    node_prefix: String,
    /// `rolecast.done.<node>.`
    done_prefix: String,
    heartbeat_subject: Subject,
    batch_subject: Subject,
    services: BTreeMap<Category, Service>,
    gauge: Arc<Gauge>,
    hook: Option<Hook>,
    hooks_ended: mpsc::UnboundedSender<hook::Ended>,
    hook_ends: Option<mpsc::UnboundedReceiver<hook::Ended>>,
    epoch_file: Option<EpochFile>,
    leash: Arc<Leash>,
    /// Subscriptions that are not read yet.
    subscribed: Vec<Subscriber>,
    /// The longest message that the server takes, as the agent knows it.
    max_payload: usize,
    running: HashMap<Run, Stopper>,
    ended: mpsc::UnboundedSender<Ended>,
    ends: Option<mpsc::UnboundedReceiver<Ended>>,
    outputs: Vec<Output>,
    log: Log,
    /// The reason why it cannot continue.
    failure: Option<anyhow::Error>,
    is_over: bool,
}

impl Shell {
    #[allow(
        clippy::too_many_arguments,
        reason = "one caller, and every argument has its own type"
    )]
    pub(super) fn new(
        agent: Agent,
        clock: Clock,
        connection: Connection,
        node: &NodeId,
        services: BTreeMap<Category, Service>,
        gauge: Arc<Gauge>,
        hook: Option<Hook>,
        epoch_file: Option<EpochFile>,
        leash: Arc<Leash>,
    ) -> Self {
        let (ended, ends) = mpsc::unbounded_channel();
        let (hooks_ended, hook_ends) = mpsc::unbounded_channel();
        let trimmed = |subject: String, end: &str| subject.trim_end_matches(end).to_owned();
        Self {
            agent,
            clock,
            connection,
            node: node.clone(),
            node_prefix: trimmed(subjects::node_all(node), ">"),
            done_prefix: trimmed(subjects::done_batch(node), "batch"),
            heartbeat_subject: subjects::heartbeat(node).into(),
            batch_subject: subjects::done_batch(node).into(),
            services,
            gauge,
            hook,
            hooks_ended,
            hook_ends: Some(hook_ends),
            epoch_file,
            leash,
            subscribed: Vec::new(),
            max_payload: 0,
            running: HashMap::new(),
            ended,
            ends: Some(ends),
            outputs: Vec::new(),
            log: Log::default(),
            failure: None,
            is_over: false,
        }
    }

    /// Serves until the agent emits that it is over.
    pub(super) async fn run(
        mut self,
        mut messages: SelectAll<Subscriber>,
        mut usage: watch::Receiver<Option<Usage>>,
        drain: impl Stream<Item = ()> + Unpin,
    ) -> anyhow::Result<()> {
        let mut drain = drain.fuse();
        let mut ends = self.ends.take().expect("a shell runs once");
        let mut hook_ends = self.hook_ends.take().expect("a shell runs once");
        let mut ended = Vec::with_capacity(TURN_MAX);
        let mut connected = self.connection.connected.clone();
        connected.mark_unchanged();
        let mut timer = Timer::new();
        self.take_usage(&mut usage);
        self.handle(Input::Tick);
        while !self.is_over {
            self.take_max_payload();
            messages.extend(self.subscribed.drain(..));
            timer.set(&self.clock, self.agent.next_deadline());
            tokio::select! {
                Some(message) = messages.next() => self.receive_ready(message, &mut messages),
                count = ends.recv_many(&mut ended, TURN_MAX) => {
                    debug_assert!(count > 0, "the shell holds a sender");
                    self.end(&mut ended);
                }
                Some((run, result)) = hook_ends.recv() => {
                    self.handle(Input::HookEnded { run, result });
                }
                () = timer.ring() => self.handle(Input::Tick),
                Ok(()) = usage.changed() => self.take_usage(&mut usage),
                Ok(()) = connected.changed() => self.handle(Input::Connected),
                Some(()) = drain.next() => self.handle(Input::Drain),
            }
            if messages.is_terminated() {
                self.finish(ends).await;
                bail!("the connection to NATS was closed for good");
            }
            if let Some(failure) = self.failure.take() {
                self.finish(ends).await;
                return Err(failure);
            }
            if let Some(violation) = self.connection.take_violation() {
                let node = self.node.clone();
                self.finish(ends).await;
                bail!(
                    "this login lacks a permission that a worker needs: {violation}; `rolecast \
                     permissions --node {node}` prints what it needs"
                );
            }
        }
        self.finish(ends).await;
        Ok(())
    }

    /// Takes this message and those that are ready behind it.
    fn receive_ready(&mut self, first: Message, messages: &mut SelectAll<Subscriber>) {
        let now = self.clock.now();
        self.receive(now, first);
        for _ in 1..TURN_MAX {
            let Some(Some(message)) = messages.next().now_or_never() else {
                return;
            };
            self.receive(now, message);
        }
    }

    /// Reads the server's limit on messages, at a connection and when it changes.
    fn take_max_payload(&mut self) {
        let max_payload = self.connection.client.max_payload();
        if max_payload != self.max_payload {
            self.max_payload = max_payload;
            self.handle(Input::MaxPayload(max_payload));
        }
    }

    fn take_usage(&mut self, usage: &mut watch::Receiver<Option<Usage>>) {
        let usage = *usage.borrow_and_update();
        if let Some(usage) = usage {
            self.handle(Input::Usage(usage));
        }
    }

    #[allow(
        clippy::drain_collect,
        reason = "the buffer stays: a new one of its size for each turn is dear"
    )]
    fn end(&mut self, ended: &mut Vec<Ended>) {
        let ended: Vec<Ended> = ended.drain(..).collect();
        for ended in &ended {
            self.running.remove(&ended.run);
            if !ended.reason.is_empty() {
                tracing::debug!(event = "job_failed", run = ?ended.run, reason = ended.reason);
            }
        }
        self.handle(Input::Ended(ended));
        self.gauge.set_handlers(self.running.len());
    }

    fn handle(&mut self, input: Input) {
        self.handle_at(self.clock.now(), input);
    }

    fn handle_at(&mut self, now: Now, input: Input) {
        self.agent.handle(now, input, &mut self.outputs);
        self.carry_out(now.time, None);
    }

    /// Carries out the agent's commands; `offered` is the message of the job it may
    /// start.
    fn carry_out(&mut self, now: Time, mut offered: Option<Message>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Start {
                    run,
                    assignment,
                    deadline,
                    roles,
                } => {
                    let message = offered.take().expect("only an offered job is started");
                    let job = Job {
                        assignment,
                        deadline,
                        payload: message.payload,
                        headers: message.headers,
                    };
                    self.start(run, job, &roles);
                }
                Output::Stop(run) => self.stop(run),
                Output::SendOutcomes { batch, outcomes } => self.send_outcomes(batch, &outcomes),
                Output::KeepEpoch(epoch) => {
                    self.keep_epoch(epoch);
                    if self.failure.is_some() {
                        break;
                    }
                }
                Output::Hook { run, old, new } => self.start_hook(run, &old, &new),
                Output::Heartbeat(heartbeat) => self.send_heartbeat(&heartbeat),
                Output::Listen => {
                    self.listen();
                    if self.failure.is_some() {
                        break;
                    }
                }
                Output::Exit => self.is_over = true,
                Output::Fail(reason) => self.failure = Some(anyhow!(reason)),
                Output::Event(event) => self.log.event(now, &event),
            }
        }
        self.outputs = outputs;
    }

    /// Subscribes before the next publication, so that no job arrives too early.
    fn listen(&mut self) {
        let client = &self.connection.client;
        let jobs = subjects::node_jobs(&self.node);
        let subscribe = async {
            let jobs = client.queue_subscribe(jobs, QUEUE_GROUP.to_owned()).await?;
            let pings = client.subscribe(subjects::node_ping(&self.node)).await?;
            anyhow::Ok([jobs, pings])
        };
        let subscribed = tokio::task::unconstrained(subscribe).now_or_never();
        let subscribed = subscribed.context("the client is busy").flatten();
        match subscribed.context("cannot listen for jobs") {
            Ok(subscribed) => self.subscribed.extend(subscribed),
            Err(error) => self.failure = Some(error),
        }
    }

    /// Stores the epoch; a worker that cannot remember its dispatcher's epoch must not
    /// take on roles.
    fn keep_epoch(&mut self, epoch: Epoch) {
        let kept = self
            .epoch_file
            .as_ref()
            .map_or(Ok(()), |file| file.keep(epoch));
        if let Err(error) = kept {
            self.failure = Some(error);
        }
    }

    fn start_hook(&self, run: HookRun, old: &[Role], new: &[Role]) {
        let hook = self.hook.as_ref();
        let hook = hook.expect("the agent was told of a limit only if there is a hook");
        tracing::info!(event = "role_hook", ?old, ?new, "running the hook");
        hook.start(run, old, new, &self.leash, &self.hooks_ended);
    }

    fn start(&mut self, run: Run, job: Job, roles: &[Role]) {
        tracing::debug!(event = "job_started", ?run, assignment = %job.assignment);
        let report = Report::new(run, self.ended.clone());
        let service = self.services.get(job.category());
        let service = service.expect("the agent takes jobs of known categories only");
        let stopper = match &service.runner {
            Runner::Handler(launch) => Stopper::Handler(launch(job, report)),
            Runner::Command(command) => {
                let stop = Arc::new(Stop::default());
                let task = Task {
                    command: Arc::clone(command),
                    variables: job_environment(&self.node, roles, &job.assignment, job.deadline),
                    payload: job.payload,
                    stop: Arc::clone(&stop),
                    gauge: Arc::clone(&self.gauge),
                    leash: Arc::clone(&self.leash),
                };
                child::start(task, report);
                Stopper::Command(stop)
            }
        };
        self.running.insert(run, stopper);
        self.gauge.set_handlers(self.running.len());
    }

    fn stop(&self, run: Run) {
        match self.running.get(&run) {
            Some(Stopper::Handler(task)) => task.abort(),
            Some(Stopper::Command(stop)) => stop.ask(),
            None => {}
        }
    }

    fn send_outcomes(&self, batch: u64, outcomes: &OutcomeBatch) {
        let reply = subjects::node_confirm(&self.node, batch).into();
        let (subject, payload) = match outcomes.outcomes.as_slice() {
            [
                Outcome {
                    job: Some(assignment),
                    ..
                },
            ] => {
                // Alone it needs no name, because the subject names its job.
                let outcome = Outcome {
                    job: None,
                    ..outcomes.outcomes[0].clone()
                };
                let subject = format!("{}{assignment}", self.done_prefix);
                (
                    subject.into(),
                    wire::encode(Encoding::MessagePack, &outcome),
                )
            }
            _ => {
                let payload = wire::encode(Encoding::MessagePack, outcomes);
                (self.batch_subject.clone(), payload)
            }
        };
        self.publish(subject, Some(reply), payload.into());
    }

    fn send_heartbeat(&self, heartbeat: &Heartbeat) {
        let payload = wire::encode(Encoding::MessagePack, heartbeat);
        self.publish(self.heartbeat_subject.clone(), None, payload.into());
    }

    /// Publishes at once or not at all: important messages are repeated, and a loop that
    /// waits for a broken connection could do nothing else.
    fn publish(&self, subject: Subject, reply: Option<Subject>, payload: Bytes) {
        let client = &self.connection.client;
        if client.connection_state() != State::Connected {
            return;
        }
        let published = match reply {
            Some(reply) => {
                let publish = client.publish_with_reply(subject, reply, payload);
                tokio::task::unconstrained(publish).now_or_never()
            }
            None => tokio::task::unconstrained(client.publish(subject, payload)).now_or_never(),
        };
        if let Some(Err(error)) = published {
            tracing::error!(event = "publish_failed", "{error}");
        }
    }

    /// Kills running executions and sends the last messages.
    async fn finish(mut self, mut ends: mpsc::UnboundedReceiver<Ended>) {
        for stopper in self.running.values() {
            match stopper {
                Stopper::Handler(task) => task.abort(),
                Stopper::Command(stop) => stop.force(),
            }
        }
        let all_ended = async {
            while !self.running.is_empty() {
                let Some(ended) = ends.recv().await else {
                    return;
                };
                self.running.remove(&ended.run);
            }
        };
        let _ = tokio::time::timeout(END_TIMEOUT, all_ended).await;
        let flush = self.connection.client.flush();
        if !matches!(tokio::time::timeout(END_TIMEOUT, flush).await, Ok(Ok(()))) {
            tracing::warn!(event = "flush_failed", "the last messages may be lost");
        }
    }
}
