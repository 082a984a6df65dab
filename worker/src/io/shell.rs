//! Event loop between NATS, the agent and the runners.
//!
//! Messages and ends of executions are taken many at a time when there are many, so that
//! a busy worker pays for a turn of the loop once for all of them.

mod receive;

use std::time::Duration;

use anyhow::{anyhow, bail};
use async_nats::{Message, Subscriber};
use futures_util::stream::{FusedStream as _, SelectAll};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use rolecast_common::id::Epoch;
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::Usage;
use rolecast_nats::{Clock, ServiceManager, Stage, Timer};
use tokio::sync::{mpsc, watch};

use super::epoch::EpochFile;
use super::executions::Executions;
use super::hook::{self, Hooks};
use super::http::Observed;
use super::log::Log;
use super::outbox::Outbox;
use crate::agent::{Agent, Ended, Input, Output, Standing};
use crate::cancellation::Cancellation;
use crate::job::Job;

/// Messages or ends taken in one turn of the loop; enough that the turn itself costs
/// nothing, few enough that heartbeats are never late.
const TURN_MAX: usize = 256;
/// Time at the end of the program for commands to die and for the last messages to be
/// written.
const END_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Shell {
    agent: Agent,
    clock: Clock,
    outbox: Outbox,
    executions: Executions,
    hooks: Hooks,
    epoch_file: Option<EpochFile>,
    /// Subscriptions that are not read yet.
    subscribed: Vec<Subscriber>,
    /// The longest message that the server takes, as the agent knows it.
    max_payload: usize,
    outputs: Vec<Output>,
    log: Log,
    /// The reason why it cannot continue.
    failure: Option<anyhow::Error>,
    is_over: bool,
}

/// Everything that a shell reads, besides the request to drain.
pub(super) struct Feeds {
    pub(super) messages: SelectAll<Subscriber>,
    pub(super) usage: watch::Receiver<Option<Usage>>,
    pub(super) ends: mpsc::UnboundedReceiver<Ended>,
    pub(super) hook_ends: mpsc::UnboundedReceiver<hook::Ended>,
    pub(super) observed: Observed,
}

impl Shell {
    pub(super) fn new(
        agent: Agent,
        clock: Clock,
        outbox: Outbox,
        executions: Executions,
        hooks: Hooks,
        epoch_file: Option<EpochFile>,
    ) -> Self {
        Self {
            agent,
            clock,
            outbox,
            executions,
            hooks,
            epoch_file,
            subscribed: Vec::new(),
            max_payload: 0,
            outputs: Vec::new(),
            log: Log::default(),
            failure: None,
            is_over: false,
        }
    }

    /// Serves until the agent emits that it is over.
    pub(super) async fn run(
        mut self,
        mut feeds: Feeds,
        drain: impl Stream<Item = ()> + Unpin,
        manager: &ServiceManager,
    ) -> anyhow::Result<()> {
        let served = self.serve(&mut feeds, drain, manager).await;
        self.executions.kill(&mut feeds.ends, END_TIMEOUT).await;
        self.outbox.flush(END_TIMEOUT).await;
        served
    }

    async fn serve(
        &mut self,
        feeds: &mut Feeds,
        drain: impl Stream<Item = ()> + Unpin,
        manager: &ServiceManager,
    ) -> anyhow::Result<()> {
        let Feeds {
            messages,
            usage,
            ends,
            hook_ends,
            observed,
        } = feeds;
        let mut drain = drain.fuse();
        let mut ended = Vec::with_capacity(TURN_MAX);
        let mut connected = self.outbox.connected();
        let mut timer = Timer::new();
        self.take_usage(usage);
        self.handle(Input::Tick);
        while !self.is_over {
            report(manager, self.agent.standing());
            self.take_max_payload();
            messages.extend(self.subscribed.drain(..));
            timer.set(&self.clock, self.agent.next_deadline());
            tokio::select! {
                Some(message) = messages.next() => self.receive_ready(message, messages),
                count = ends.recv_many(&mut ended, TURN_MAX) => {
                    debug_assert!(count > 0, "the shell holds a sender");
                    self.end(&mut ended);
                }
                Some((run, result)) = hook_ends.recv() => {
                    self.handle(Input::HookEnded { run, result });
                }
                () = timer.ring() => self.handle(Input::Tick),
                Some(question) = observed.questions.recv() => {
                    // Whoever asked may have gone.
                    let _ = question.send((self.agent.figures(), self.outbox.tally.clone()));
                }
                Ok(()) = usage.changed() => self.take_usage(usage),
                Ok(()) = connected.changed() => self.handle(Input::Connected),
                Some(()) = drain.next() => self.handle(Input::Drain),
            }
            if messages.is_terminated() {
                bail!("the connection to NATS was closed for good");
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if let Some(violation) = self.outbox.take_violation() {
                return Err(violation);
            }
        }
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
        let max_payload = self.outbox.max_payload();
        if max_payload != self.max_payload {
            self.max_payload = max_payload;
            self.handle(Input::MaxPayload(max_payload));
        }
    }

    fn take_usage(&mut self, usage: &mut watch::Receiver<Option<Usage>>) {
        let usage = *usage.borrow_and_update();
        if let Some(usage) = usage {
            // A heartbeat may follow from it at once.
            self.pass_progress(self.clock.now());
            self.handle(Input::Usage(usage));
        }
    }

    #[allow(
        clippy::drain_collect,
        reason = "the buffer stays: a new one of its size for each turn is dear"
    )]
    fn end(&mut self, ended: &mut Vec<Ended>) {
        let ended: Vec<Ended> = ended.drain(..).collect();
        ended
            .iter()
            .for_each(|ended| self.outbox.tally.record_end(ended));
        self.executions.remove(&ended);
        self.handle(Input::Ended(ended));
        self.executions.count();
    }

    fn handle(&mut self, input: Input) {
        self.handle_at(self.clock.now(), input);
    }

    fn handle_at(&mut self, now: Now, input: Input) {
        self.decide(now, input);
        self.carry_out(now.time, None);
    }

    /// Passes an input to the agent, behind the progress of the jobs if a heartbeat may be
    /// due: so it is read as rarely as it is sent.
    fn decide(&mut self, now: Now, input: Input) {
        if self.agent.next_deadline() <= now.time {
            self.pass_progress(now);
        }
        self.agent.handle(now, input, &mut self.outputs);
    }

    fn pass_progress(&mut self, now: Now) {
        let progress = self.executions.take_progress();
        if !progress.is_empty() {
            let input = Input::Progress(progress);
            self.agent.handle(now, input, &mut self.outputs);
        }
    }

    /// Carries out the agent's commands; `offered` is the message of the job it may
    /// start.
    fn carry_out(&mut self, now: Time, mut offered: Option<Message>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            self.outbox.tally.record(&output);
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
                        reporter: self.executions.reporter(run),
                        cancellation: Cancellation::default(),
                    };
                    self.executions.start(run, job, &roles);
                }
                Output::Stop(run) => self.executions.stop(run),
                Output::Cancel(run) => self.executions.cancel(run),
                Output::SendOutcomes { batch, outcomes } => {
                    self.outbox.send_outcomes(batch, &outcomes);
                }
                Output::KeepEpoch(epoch) => {
                    self.keep_epoch(epoch);
                    if self.failure.is_some() {
                        break;
                    }
                }
                Output::Hook { run, old, new } => self.hooks.start(run, &old, &new),
                Output::Heartbeat(heartbeat) => self.outbox.send_heartbeat(&heartbeat),
                Output::Listen => match self.outbox.subscribe() {
                    Ok(subscribed) => self.subscribed.extend(subscribed),
                    Err(error) => {
                        self.failure = Some(error);
                        break;
                    }
                },
                Output::Exit => self.is_over = true,
                Output::Fail(reason) => self.failure = Some(anyhow!(reason)),
                Output::Event(event) => self.log.event(now, &event),
            }
        }
        self.outputs = outputs;
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
}

/// Reports to the service manager. The agent sends a heartbeat every second, with NATS or
/// without, so a loop that is not stuck comes here in time.
fn report(manager: &ServiceManager, standing: Standing) {
    let stage = match standing {
        Standing::Joining => Stage::Starting,
        Standing::Serving { .. } => Stage::Ready,
        Standing::Draining { .. } | Standing::Leaving { .. } => Stage::Stopping,
    };
    manager.report(stage, || match standing {
        Standing::Joining => "waits for a dispatcher to admit this node".to_owned(),
        Standing::Serving { running } => format!("takes jobs: {running} run"),
        Standing::Draining { running } => format!("drains: {running} jobs run"),
        Standing::Leaving { unconfirmed } => {
            format!("leaves: {unconfirmed} outcomes are not confirmed")
        }
    });
}
