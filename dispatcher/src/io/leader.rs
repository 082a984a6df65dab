//! Loop of the leading dispatcher: it waits for messages, passes them to the machine and
//! carries its commands out.

use std::pin::Pin;
use std::time::Duration;

use async_nats::connection::State as ConnectionState;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::{Client, HeaderMap, Message, StatusCode, SubscribeError, Subscriber};
use foldhash::{HashMap, HashMapExt as _};
use futures_util::{FutureExt as _, StreamExt as _};
use rolecast_common::assignment::Ack;
use rolecast_common::id::{Epoch, Sequence};
use rolecast_common::subjects::{self, STREAM_RESULTS};
use rolecast_common::time::{Now, Time};
use rolecast_forecast::Lesson;
use rolecast_nats::{Clock, Connection, Meaning, ServerError, Timer};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::dead_lettering::JobMessage;
use super::discovery::Discovery;
use super::lease::Keeper;
use super::links::Links;
use super::pings::Pings;
use super::requests::Budget;
use super::roles::Orders;
use super::standby::Closed;
use super::status_desk::{Question, StatusDesk};
use super::{
    Buckets, Streams, bucket::Bucket, events, forecasts, histories, intake, refusals, rights,
    server_clock, training, upkeep,
};
use crate::config;
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

pub(super) struct Leader {
    pub(super) connection: Connection,
    links: Links,
    pub(super) streams: Streams,
    pub(super) api: config::Api,
    pub(super) clock: Clock,
    /// The clocks at the beginning of the present turn.
    pub(super) now: Now,
    pub(super) machine: Scheduler,
    outputs: Vec<Output>,
    inputs: Inputs,
    /// Pulls answer on `<inbox>.pull.<consumer>`, records on `<inbox>.record.<sequence>`.
    pub(super) inbox: String,
    pub(super) held: HashMap<Sequence, JobMessage>,
    pub(super) pings: Pings,
    pub(super) reports: mpsc::Sender<Input>,
    pub(super) histories: mpsc::UnboundedSender<histories::Change>,
    pub(super) capacity: Bucket,
    pub(super) roles: Bucket,
    pub(super) orders: Orders,
    pub(super) keeper: forecasts::Keeper,
    pub(super) lessons: mpsc::Sender<Vec<Lesson>>,
    pub(super) expected_none: HeaderMap,
    lease: Keeper,
    /// Time when room for outcomes was last made.
    reclaimed: Option<Time>,
    pub(super) upkeep: mpsc::Sender<upkeep::Order>,
    /// Deliveries to give back, with the ends of their delays, during a recovery.
    pub(super) postponed: Option<Vec<(Ack, Time)>>,
    /// Keeps the clock set while it exists.
    _timekeeper: server_clock::Keeper,
    pub(super) stepped_down: Option<String>,
    pub(super) log: events::Log,
    pub(super) budget: Budget,
    pub(super) desk: StatusDesk,
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
pub(super) struct Start {
    pub(super) connection: Connection,
    pub(super) settings: config::Streams,
    pub(super) api: config::Api,
    pub(super) streams: Streams,
    pub(super) buckets: Buckets,
    pub(super) clock: Clock,
    /// The machine, which leads already.
    pub(super) machine: Scheduler,
    /// Its outputs so far.
    pub(super) outputs: Vec<Output>,
    /// Whether there is a stack from before the start.
    pub(super) has_stack: bool,
    pub(super) links: Links,
    pub(super) heartbeats: Subscriber,
    pub(super) lease: Keeper,
    pub(super) timekeeper: server_clock::Keeper,
}

/// The first input of a turn.
enum Arrived {
    Pull(Message),
    Done(Message),
    Record(Message),
    Heartbeat(Message),
    Request(Message),
    /// The desk wants the status.
    Question(Question),
    Report(Input),
    /// The connection was lost or restored.
    Link(Input),
    /// End of the lease; `None` if another dispatcher leads.
    Lease(Option<Time>),
    Nothing,
}

struct Inputs {
    pulls: Subscriber,
    records: Subscriber,
    done: Subscriber,
    heartbeats: Subscriber,
    api: Subscriber,
    reports: mpsc::Receiver<Input>,
}

impl Inputs {
    async fn open(
        client: &Client,
        inbox: &str,
        heartbeats: Subscriber,
        reports: mpsc::Receiver<Input>,
    ) -> Result<Self, SubscribeError> {
        Ok(Self {
            pulls: client.subscribe(format!("{inbox}.pull.*")).await?,
            records: client.subscribe(format!("{inbox}.record.*")).await?,
            done: client.subscribe(subjects::DONE).await?,
            heartbeats,
            api: client.subscribe(subjects::API).await?,
            reports,
        })
    }
}

impl Leader {
    pub(super) async fn open(start: Start) -> anyhow::Result<Result<Self, Closed>> {
        let Start {
            connection,
            settings,
            api,
            streams,
            buckets,
            clock,
            machine,
            outputs,
            has_stack,
            links,
            heartbeats,
            lease,
            timekeeper,
        } = start;
        let client = &connection.client;
        let inbox = client.new_inbox();
        let (reports, reports_in) = mpsc::channel(REPORTS_MAX);
        let (histories, changes) = mpsc::unbounded_channel();
        let Ok(inputs) = Inputs::open(client, &inbox, heartbeats, reports_in).await else {
            return Ok(Err(Closed));
        };
        tokio::spawn(histories::write(buckets.attempts, changes, reports.clone()));
        let lessons = training::start(reports.clone(), has_stack)?;
        let upkeep = upkeep::start(upkeep::Start {
            streams: streams.clone(),
            settings,
            served: machine.served(),
            discovery: Discovery::of(&machine),
            clock,
            lease: lease.view(),
            reports: reports.clone(),
        });
        let desk = StatusDesk::start(streams.clone());
        let leader = Self {
            links,
            connection,
            streams,
            api,
            now: clock.now(),
            clock,
            machine,
            outputs,
            inputs,
            inbox,
            held: HashMap::new(),
            pings: Pings::default(),
            reports,
            histories,
            capacity: buckets.capacity,
            roles: buckets.roles,
            orders: Orders::new(),
            keeper: forecasts::Keeper::start(buckets.forecasts),
            lessons,
            expected_none: expected_none(),
            lease,
            reclaimed: None,
            upkeep,
            postponed: None,
            _timekeeper: timekeeper,
            stepped_down: None,
            log: events::Log::default(),
            budget: Budget::new(clock.now().time),
            desk,
        };
        Ok(Ok(leader))
    }

    pub(super) async fn run(mut self, mut shutdown: Pin<&mut impl Future<Output = ()>>) -> Ended {
        let mut timer = Timer::new();
        let mut stop_at = None;
        tokio::spawn(rights::watch(self.connection.clone(), self.reports.clone()));
        self.end_turn().await;
        loop {
            timer.set(&self.clock, self.machine.next_deadline());
            let stop_limit = stop_at.unwrap_or_else(far_away);
            tokio::select! {
                () = shutdown.as_mut(), if stop_at.is_none() => {
                    tracing::info!(event = "stopping", "stopping");
                    stop_at = Some(Instant::now() + STOP_LIMIT);
                    self.now = self.clock.now();
                    self.tell(Input::Stop);
                }
                received = self.receive(&mut timer) => if received.is_err() {
                    return Ended::Disconnected(self.machine.known_epoch());
                },
                () = sleep_until(stop_limit), if stop_at.is_some() => break,
            }
            let turn = timeout_at(stop_limit, self.end_turn()).await;
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
        self.tell(Input::Roles(roles::Input::Unlead));
        let told = timeout(FLUSH_LIMIT, self.end_turn()).await;
        tracing::debug!(event = "orders_ended", ok = told.is_ok());
        self.flush().await;
        tracing::warn!(event = "stepped_down", "stepping down: {reason}");
        Ended::SteppedDown(self.machine.known_epoch())
    }

    async fn stop(self) {
        self.flush().await;
        self.keeper.finish().await;
        self.lease.resign().await;
        tracing::info!(event = "stopped", "dispatcher stopped");
    }

    /// Flushes pending messages, as far as NATS is reachable.
    async fn flush(&self) {
        let flushed = timeout(FLUSH_LIMIT, self.connection.client.flush()).await;
        tracing::debug!(event = "flushed", ok = matches!(flushed, Ok(Ok(()))));
    }

    /// Waits for a message, then reads others that have already arrived.
    async fn receive(&mut self, timer: &mut Timer) -> Result<(), Closed> {
        let message = self.wait(timer).await?;
        // One reading of the clocks serves all that arrived together.
        self.now = self.clock.now();
        match message {
            Arrived::Pull(message) => self.on_pull(message),
            Arrived::Done(message) => self.on_done(&message),
            Arrived::Record(message) => self.on_record(&message),
            Arrived::Heartbeat(message) => self.tell(intake::heartbeat(&message)),
            Arrived::Request(message) => self.on_request(message),
            Arrived::Question(question) => self.answer_desk(question),
            Arrived::Report(Input::Recovered) => {
                self.end_recovery().await;
                self.tell(Input::Recovered);
            }
            Arrived::Report(input) => self.on_report(input),
            Arrived::Link(input) => {
                self.tell(input);
                self.look_soon();
            }
            Arrived::Lease(Some(until)) => self.tell(Input::Renewed { until }),
            Arrived::Lease(None) => {
                self.stepped_down = Some("another one holds the lease".to_owned());
            }
            Arrived::Nothing => {}
        }
        self.drain();
        Ok(())
    }

    async fn wait(&mut self, timer: &mut Timer) -> Result<Arrived, Closed> {
        tokio::select! {
            message = self.inputs.pulls.next() => message.map(Arrived::Pull).ok_or(Closed),
            message = self.inputs.done.next() => message.map(Arrived::Done).ok_or(Closed),
            message = self.inputs.records.next() => message.map(Arrived::Record).ok_or(Closed),
            message = self.inputs.heartbeats.next() => {
                message.map(Arrived::Heartbeat).ok_or(Closed)
            }
            message = self.inputs.api.next() => message.map(Arrived::Request).ok_or(Closed),
            Some(question) = self.desk.question() => Ok(Arrived::Question(question)),
            Some(input) = self.inputs.reports.recv() => Ok(Arrived::Report(input)),
            input = self.links.changed() => Ok(Arrived::Link(input)),
            until = self.lease.changed() => Ok(Arrived::Lease(until)),
            () = timer.ring() => Ok(Arrived::Nothing),
        }
    }

    fn drain(&mut self) {
        for _ in 0..DRAIN_MAX {
            let Some(Some(message)) = self.inputs.pulls.next().now_or_never() else {
                break;
            };
            self.on_pull(message);
        }
        for _ in 0..DRAIN_MAX {
            let Some(Some(message)) = self.inputs.done.next().now_or_never() else {
                break;
            };
            self.on_done(&message);
        }
        for _ in 0..DRAIN_MAX {
            let Some(Some(message)) = self.inputs.records.next().now_or_never() else {
                break;
            };
            self.on_record(&message);
        }
        for _ in 0..DRAIN_MAX {
            let Some(Some(message)) = self.inputs.heartbeats.next().now_or_never() else {
                return;
            };
            // A role's lease counts from when a heartbeat was received: never from
            // earlier than it was sent.
            self.now = self.clock.now();
            self.tell(intake::heartbeat(&message));
        }
        self.tell(Input::Behind);
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.machine.handle(self.now, input, &mut self.outputs);
    }

    fn on_done(&mut self, message: &Message) {
        let Some((node, number)) = subjects::parse_pong(&message.subject) else {
            return self.tell(intake::outcomes(message));
        };
        let Some(round_trip) = self.pings.answered(self.now.time, &node, number) else {
            return;
        };
        match message.status {
            None => self.tell(Input::Latency { node, round_trip }),
            // The server answers in the place of a node that does not listen.
            Some(StatusCode::NO_RESPONDERS) => self.tell(Input::Absent { node }),
            Some(_) => {}
        }
    }

    /// Has the assets checked soon, as one may be missing.
    pub(super) fn look_soon(&self) {
        // If there is no room, a check is due already.
        let _ = self.upkeep.try_send(upkeep::Order::Look);
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
        if let Some(error) = error {
            self.note_refusal(&error);
        }
        self.tell(Input::Recorded {
            sequence: Sequence::new(sequence),
            result,
        });
    }

    /// Reports that outcomes are not stored, and makes room for them if possible.
    fn note_refusal(&mut self, error: &ServerError) {
        if let Some(trouble) = refusals::trouble(STREAM_RESULTS, error) {
            self.tell(Input::Troubled(trouble));
        }
        let is_due = self
            .reclaimed
            .is_none_or(|last| self.now.time.since(last) >= refusals::RECLAIM_INTERVAL);
        if error.meaning() == Meaning::NoResources && is_due {
            self.reclaimed = Some(self.now.time);
            let jetstream = self.streams.jetstream.clone();
            tokio::spawn(async move { refusals::reclaim(&jetstream).await });
        }
    }

    fn on_report(&mut self, report: Input) {
        if let Input::StackFitted(stack) = &report {
            self.keeper.keep_stack(stack);
        }
        if let Input::StreamRenewed { created } = &report {
            self.streams.jobs_created = *created;
        }
        self.tell(report);
    }

    async fn end_turn(&mut self) {
        self.tell(Input::Turn);
        let mut outputs = std::mem::take(&mut self.outputs);
        // While there is no connection, or another dispatcher may lead, nothing is sent
        // late: every output is safe to lose, because the machine repeats it.
        let may_send =
            self.connection.client.connection_state() == ConnectionState::Connected && self.leads();
        for output in outputs.drain(..) {
            if let Err(error) = self.carry_out(output, may_send).await {
                tracing::warn!(event = "send_failed", "cannot send: {error:#}");
            }
        }
        self.outputs = outputs;
    }

    /// Has the lease read at once.
    pub(super) fn doubt_lease(&self) {
        self.lease.doubt();
    }

    /// Whether no other dispatcher can lead.
    pub(super) fn leads(&self) -> bool {
        self.lease.is_held(self.clock.now().time)
    }

    /// Passes an input to the machine in its next turn.
    pub(super) fn report(&self, input: Input) {
        let reports = self.reports.clone();
        tokio::spawn(async move {
            // The receiver is gone only when the program ends.
            let _ = reports.send(input).await;
        });
    }
}

/// Returns the headers of a write that must be the first on its subject.
fn expected_none() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    headers
}

/// Returns a time far in the future.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(24 * 3600)
}
