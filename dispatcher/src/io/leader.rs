//! Loop of the leading dispatcher: it waits for messages, passes them to the scheduler and
//! carries its commands out.

use std::pin::Pin;
use std::time::Duration;

use async_nats::{Message, StatusCode};
use rolecast_common::id::{Epoch, Sequence};
use rolecast_common::subjects;
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::DispatcherStatus;
use rolecast_nats::{Clock, Connection, ServiceManager, Stage, Timer};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::bucket::Buckets;
use super::discovery::Discovery;
use super::event_feed::EventFeed;
use super::inputs::{Arrived, Feed, Inputs};
use super::lease::Keeper;
use super::links::Links;
use super::outbox::Outbox;
use super::pulls::{self, Pulled};
use super::questions::{self, Inbox, Lead};
use super::requests::RequestDesk;
use super::service::Service;
use super::side_tasks::SideTasks;
use super::standby::{Closed, Feeds};
use super::status_desk::Surroundings;
use super::traces::Tracer;
use super::{Streams, intake, server_clock, store_check, upkeep};
use crate::config::Config;
use crate::roles;
use crate::scheduler::{Input, Output, Scheduler};

/// Messages read from one subscription before the others get their turn.
const DRAIN_MAX: usize = 256;
/// Reports of side tasks that may wait for the loop.
const REPORTS_MAX: usize = 1024;
/// Time that a stopping dispatcher waits for outcomes that are being recorded.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Time that the last messages may take to be sent: NATS may be away.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// A dispatcher that leads.
pub(super) struct Leader {
    clock: Clock,
    /// The clocks at the beginning of the present turn.
    pub(super) now: Now,
    machine: Scheduler,
    outputs: Vec<Output>,
    pub(super) streams: Streams,
    inputs: Inputs,
    pub(super) outbox: Outbox,
    pub(super) tasks: SideTasks,
    pub(super) requests: RequestDesk,
    pub(super) lease: Keeper,
    pub(super) events: EventFeed,
    pub(super) stepped_down: Option<String>,
}

/// The reason for the end of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was asked to.
    Stopped,
    /// Another dispatcher leads, or must: this is the largest epoch known.
    SteppedDown(Epoch),
    /// The client has given the connection up; this is the largest epoch known.
    Disconnected(Epoch),
}

/// The initial parts of a leader.
pub(super) struct Start<'a> {
    pub(super) connection: Connection,
    pub(super) config: &'a Config,
    pub(super) streams: Streams,
    pub(super) buckets: Buckets,
    pub(super) clock: Clock,
    /// The scheduler, which leads already.
    pub(super) machine: Scheduler,
    /// Its outputs so far.
    pub(super) outputs: Vec<Output>,
    /// Whether there is a stack from before the start.
    pub(super) has_stack: bool,
    pub(super) links: Links,
    pub(super) feeds: Feeds,
    pub(super) lease: Keeper,
    pub(super) timekeeper: server_clock::Keeper,
}

impl Leader {
    pub(super) async fn open(
        start: Start<'_>,
        questions: Inbox,
        dispatchers: watch::Receiver<Vec<DispatcherStatus>>,
        tracer: Tracer,
    ) -> anyhow::Result<Result<Self, Closed>> {
        let Start {
            connection,
            config,
            streams,
            buckets,
            clock,
            machine,
            outputs,
            has_stack,
            links,
            feeds,
            lease,
            timekeeper,
        } = start;
        let client = &connection.client;
        let outbox = Outbox::new(client.clone(), clock, streams.api_prefix.clone(), tracer);
        let (reports, reports_in) = mpsc::channel(REPORTS_MAX);
        let inbox = outbox.inbox();
        let inputs = Inputs::open(client, inbox, feeds, reports_in, questions, links);
        let Ok(inputs) = inputs.await else {
            return Ok(Err(Closed));
        };
        let upkeep = upkeep::Start {
            streams: streams.clone(),
            settings: config.streams,
            served: machine.served(),
            discovery: Discovery::of(&machine),
            clock,
            lease: lease.view(),
            reports,
        };
        let tasks = SideTasks::start(buckets, upkeep, has_stack, timekeeper)?;
        tasks.watch_rights(&connection);
        let now = clock.now();
        let epoch = machine.known_epoch();
        let service = Service::new(client.clone(), config, Some(epoch), now.time);
        let surroundings = Surroundings {
            nats: store_check::start(&streams.jetstream, clock),
            dispatchers,
        };
        let events = EventFeed::start(streams.jetstream.clone(), &config.name, epoch, now);
        Ok(Ok(Self {
            clock,
            now,
            machine,
            outputs,
            requests: RequestDesk::start(
                (config.api.clone(), service),
                &streams,
                now.time,
                (inputs.asker(), surroundings),
            ),
            streams,
            inputs,
            outbox,
            tasks,
            lease,
            events,
            stepped_down: None,
        }))
    }

    pub(super) async fn run(
        mut self,
        mut shutdown: Pin<&mut impl Future<Output = ()>>,
        manager: &ServiceManager,
    ) -> Ended {
        let mut timer = Timer::new();
        let mut stop_at = None;
        self.end_turn().await;
        loop {
            if stop_at.is_none() {
                let status = || super::status_line(&self.machine, self.outbox.is_connected());
                manager.report(Stage::Ready, status);
            }
            timer.set(&self.clock, self.machine.next_deadline());
            let stop_limit = stop_at.unwrap_or_else(far_away);
            let begun = tokio::select! {
                () = shutdown.as_mut(), if stop_at.is_none() => {
                    tracing::info!(event = "stopping", "stopping");
                    stop_at = Some(Instant::now() + STOP_LIMIT);
                    self.now = self.clock.now();
                    self.pass(Input::Stop);
                    self.now.time
                }
                received = self.receive(&mut timer) => match received {
                    Ok(begun) => begun,
                    Err(Closed) => return Ended::Disconnected(self.machine.known_epoch()),
                },
                () = sleep_until(stop_limit), if stop_at.is_some() => break,
            };
            let turn = timeout_at(stop_limit, self.end_turn()).await;
            let took = self.clock.now().time.since(begun);
            self.outbox.work.turns.observe(took);
            if let Some(reason) = self.stepped_down.take() {
                return self.step_down(&reason).await;
            }
            if stop_at.is_some() && (self.machine.is_idle() || turn.is_err()) {
                break;
            }
        }
        self.stop().await;
        Ended::Stopped
    }

    async fn step_down(mut self, reason: &str) -> Ended {
        // Waiting operators are notified that their orders are not carried out here.
        self.pass(Input::Roles(roles::Input::Unlead));
        let notified = timeout(FLUSH_LIMIT, self.end_turn()).await;
        tracing::debug!(event = "orders_ended", ok = notified.is_ok());
        self.outbox.flush(FLUSH_LIMIT).await;
        tracing::warn!(event = "stepped_down", "stepping down: {reason}");
        self.events.finish(self.now.wall, reason, FLUSH_LIMIT).await;
        Ended::SteppedDown(self.machine.known_epoch())
    }

    async fn stop(self) {
        self.outbox.flush(FLUSH_LIMIT).await;
        self.tasks.finish().await;
        self.lease.resign().await;
        let at = self.clock.now().wall;
        self.events.finish(at, "it is stopped", FLUSH_LIMIT).await;
        tracing::info!(event = "stopped", "dispatcher stopped");
    }

    /// Waits for a message, then reads others that have already arrived. Returns the time of
    /// the first.
    async fn receive(&mut self, timer: &mut Timer) -> Result<Time, Closed> {
        let next = self.inputs.next(&mut self.lease, timer);
        let arrived = next.await?;
        // One reading of the clocks serves all that arrived together.
        self.now = self.clock.now();
        let begun = self.now.time;
        match arrived {
            Arrived::Message(feed, message) => self.on_message(feed, message),
            Arrived::Question(question) => {
                let (lead, work) = (self.lead(), &self.outbox.work);
                questions::answer(self.now, &self.machine, lead, work, question);
            }
            Arrived::Report(input) => self.on_report(input).await,
            Arrived::Link(input) => {
                self.pass(input);
                self.tasks.check_assets();
            }
            Arrived::Lease(Some(until)) => self.pass(Input::Renewed { until }),
            Arrived::Lease(None) => {
                self.stepped_down = Some("another one holds the lease".to_owned());
            }
            Arrived::Nothing => {}
        }
        self.read_ready();
        Ok(begun)
    }

    fn read_ready(&mut self) {
        for feed in [Feed::Pulls, Feed::Done, Feed::Records] {
            for _ in 0..DRAIN_MAX {
                let Some(message) = self.inputs.ready(feed) else {
                    break;
                };
                self.on_message(feed, message);
            }
        }
        for _ in 0..DRAIN_MAX {
            let Some(message) = self.inputs.ready(Feed::Heartbeats) else {
                return;
            };
            // A role's lease counts from when a heartbeat was received: never from
            // earlier than it was sent.
            self.now = self.clock.now();
            self.on_message(Feed::Heartbeats, message);
        }
        self.pass(Input::Behind);
    }

    /// Passes an input to the scheduler.
    fn pass(&mut self, input: Input) {
        self.machine.handle(self.now, input, &mut self.outputs);
    }

    fn on_message(&mut self, feed: Feed, message: Message) {
        match feed {
            Feed::Pulls => self.on_pull(message),
            Feed::Done => self.on_done(&message),
            Feed::Records => self.on_record(&message),
            Feed::Heartbeats => self.pass(intake::heartbeat(&message)),
            Feed::Requests => {
                let machine = &mut self.machine;
                let input = self
                    .requests
                    .handle(self.now, machine, &self.streams, message);
                if let Some(input) = input {
                    self.pass(input);
                }
            }
        }
    }

    fn on_pull(&mut self, message: Message) {
        match pulls::read(message, self.streams.jobs_created) {
            Some(Pulled::Job(delivery, message)) => {
                self.outbox.hold(delivery.ack.sequence(), message);
                self.pass(Input::Delivered(delivery));
            }
            Some(Pulled::Status(input)) => {
                if matches!(input, Input::PullFailed { .. }) {
                    self.outbox.work.pulls_failed += 1;
                    self.tasks.check_assets();
                }
                self.pass(input);
            }
            None => {}
        }
    }

    fn on_done(&mut self, message: &Message) {
        let Some((node, number)) = subjects::parse_pong(&message.subject) else {
            return self.pass(intake::outcomes(message));
        };
        let Some(round_trip) = self.outbox.pinged(self.now.time, &node, number) else {
            return;
        };
        match message.status {
            None => self.pass(Input::Latency { node, round_trip }),
            // The server answers in the place of a node that does not listen.
            Some(StatusCode::NO_RESPONDERS) => self.pass(Input::Absent { node }),
            Some(_) => {}
        }
    }

    fn on_record(&mut self, message: &Message) {
        let sequence = message
            .subject
            .rsplit('.')
            .next()
            .and_then(|s| s.parse().ok());
        let Some(sequence) = sequence else {
            return;
        };
        let (result, error) = intake::recorded(message);
        if let Some(error) = error
            && let Some(trouble) = self.tasks.on_record_error(self.now.time, &error)
        {
            self.pass(Input::Troubled(trouble));
        }
        self.pass(Input::Recorded {
            sequence: Sequence::new(sequence),
            result,
        });
    }

    async fn on_report(&mut self, report: Input) {
        if let Input::StackFitted(stack) = &report {
            self.tasks.save_stack(stack);
        }
        if let Input::StreamRenewed { created } = &report {
            self.streams.jobs_created = *created;
        }
        if matches!(report, Input::Recovered) {
            self.outbox.end_recovery(self.now.time).await;
        }
        self.pass(report);
    }

    async fn end_turn(&mut self) {
        self.pass(Input::Turn);
        let mut outputs = std::mem::take(&mut self.outputs);
        // While there is no connection, or another dispatcher may lead, nothing is sent
        // late: every output is safe to lose, because the scheduler repeats it.
        let may_send = self.outbox.is_connected() && self.leads();
        for output in outputs.drain(..) {
            if let Err(error) = self.carry_out(output, may_send).await {
                self.outbox.work.messages_unsent += 1;
                tracing::warn!(event = "send_failed", "cannot send: {error:#}");
            }
        }
        self.outputs = outputs;
    }

    fn lead(&self) -> Lead {
        let until = self.lease.until();
        let held = until.filter(|until| self.clock.now().time < *until);
        held.map_or(Lead::Lapsed, Lead::Held)
    }

    /// Whether no other dispatcher can lead.
    pub(super) fn leads(&self) -> bool {
        self.lease.is_held(self.clock.now().time)
    }
}

/// Returns a time far in the future.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(24 * 3600)
}
