//! The loop: wait, read what arrived, let the machine decide, carry it out.

use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::connection::State as ConnectionState;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::kv::Store;
use async_nats::{HeaderMap, Message, Subscriber};
use foldhash::{HashMap, HashMapExt as _};
use futures_util::{FutureExt as _, StreamExt as _};
use rolecast_common::id::{Epoch, Sequence};
use rolecast_common::label::ShardKey;
use rolecast_common::nats::{Clock, Connection, Timer};
use rolecast_common::subjects::{self, Source};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::Decision;
use tokio::sync::mpsc;

use super::burial::Held;
use super::discovery::{self, Undeclared};
use super::lease::Keeper;
use super::pings::Pings;
use super::roles::Orders;
use super::{Buckets, Streams, api, assets, forecasts, histories, intake, training};
use crate::forecast::Lesson;
use crate::machine::{Input, Machine, Output};
use crate::roles;

/// Messages read from one subscription before the others get their turn.
const DRAIN_MAX: usize = 256;
/// Reports of side tasks that may wait for the loop.
const REPORTS_MAX: usize = 1024;
/// After a pull failed, the next one waits: a missing consumer must not spin.
const PULL_RETRY: Duration = Duration::from_millis(500);
/// How long a stopping dispatcher waits for outcomes that are being recorded.
const STOP_LIMIT: Duration = Duration::from_secs(5);

pub(super) struct Service {
    pub(super) connection: Connection,
    pub(super) streams: Streams,
    pub(super) clock: Clock,
    /// What the clocks read when the present turn began.
    now: Now,
    machine: Machine,
    outputs: Vec<Output>,
    inputs: Inputs,
    /// Pulls answer on `<inbox>.pull.<consumer>`, records on `<inbox>.record.<sequence>`.
    pub(super) inbox: String,
    pub(super) held: HashMap<Sequence, Held>,
    pub(super) pings: Pings,
    pub(super) reports: mpsc::Sender<Input>,
    pub(super) histories: mpsc::UnboundedSender<histories::Change>,
    pub(super) capacity: Store,
    pub(super) roles: Store,
    pub(super) orders: Orders,
    pub(super) keeper: forecasts::Keeper,
    pub(super) lessons: mpsc::Sender<Vec<Lesson>>,
    pub(super) expected_none: HeaderMap,
    lease: Keeper,
    pub(super) stepped_down: Option<String>,
}

/// How a service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was asked to.
    Stopped,
    /// Another dispatcher leads, or must: this is the largest epoch known.
    SteppedDown(Epoch),
}

/// What a service begins with.
pub(super) struct Start {
    pub(super) connection: Connection,
    pub(super) streams: Streams,
    pub(super) buckets: Buckets,
    pub(super) clock: Clock,
    /// It leads already.
    pub(super) machine: Machine,
    /// What it said to that.
    pub(super) outputs: Vec<Output>,
    /// Whether there is a stack from before the start.
    pub(super) has_stack: bool,
    pub(super) heartbeats: Subscriber,
    pub(super) lease: Keeper,
}

/// What a turn begins with.
enum Arrived {
    Pull(Message),
    Done(Message),
    Record(Message),
    Heartbeat(Message),
    Request(Message),
    Report(Input),
    Connection,
    /// Until when the lease is held; `None` if another dispatcher leads.
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

impl Service {
    pub(super) async fn open(start: Start) -> anyhow::Result<Self> {
        let Start {
            connection,
            streams,
            buckets,
            clock,
            machine,
            outputs,
            has_stack,
            heartbeats,
            lease,
        } = start;
        let client = &connection.client;
        let inbox = client.new_inbox();
        let (reports, reports_in) = mpsc::channel(REPORTS_MAX);
        let (histories, changes) = mpsc::unbounded_channel();
        let inputs = Inputs {
            pulls: client.subscribe(format!("{inbox}.pull.*")).await?,
            records: client.subscribe(format!("{inbox}.record.*")).await?,
            done: client.subscribe(subjects::DONE).await?,
            heartbeats,
            api: client.subscribe(subjects::API).await?,
            reports: reports_in,
        };
        client.flush().await.context("cannot subscribe")?;
        tokio::spawn(histories::write(buckets.attempts, changes));
        let lessons = training::start(reports.clone(), has_stack)?;
        let mut expected_none = HeaderMap::new();
        expected_none.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
        let service = Self {
            connection,
            streams,
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
            expected_none,
            lease,
            stepped_down: None,
        };
        service.discover();
        Ok(service)
    }

    fn discover(&self) {
        let undeclared = match self.machine.serves_undeclared() {
            true => Undeclared::Serve,
            false => Undeclared::Bury,
        };
        let served = self.machine.served().into_iter().collect();
        let streams = self.streams.clone();
        tokio::spawn(discovery::run(
            streams,
            served,
            undeclared,
            self.reports.clone(),
        ));
    }

    pub(super) async fn run(
        mut self,
        mut shutdown: Pin<&mut impl Future<Output = ()>>,
    ) -> anyhow::Result<Ended> {
        let mut timer = Timer::new();
        let mut stop_at = None;
        self.end_turn().await;
        loop {
            timer.set(&self.clock, self.machine.next_deadline());
            tokio::select! {
                () = shutdown.as_mut(), if stop_at.is_none() => {
                    tracing::info!(event = "stopping", "stopping");
                    stop_at = Some(tokio::time::Instant::now() + STOP_LIMIT);
                    self.now = self.clock.now();
                    self.tell(Input::Stop);
                }
                result = self.receive(&mut timer) => result?,
            }
            self.end_turn().await;
            if let Some(reason) = self.stepped_down.take() {
                // Operators who wait learn that their orders are not carried out here.
                self.tell(Input::Roles(roles::Input::Unlead));
                self.end_turn().await;
                let flushed = self.connection.client.flush().await;
                tracing::debug!(event = "flushed", ok = flushed.is_ok());
                tracing::warn!(event = "stepped_down", "stepping down: {reason}");
                return Ok(Ended::SteppedDown(self.machine.known_epoch()));
            }
            if let Some(stop_at) = stop_at
                && (self.machine.is_idle() || tokio::time::Instant::now() >= stop_at)
            {
                break;
            }
        }
        self.keeper.finish().await;
        self.connection
            .client
            .flush()
            .await
            .context("cannot flush")?;
        self.lease.resign().await;
        tracing::info!(event = "stopped", "dispatcher stopped");
        Ok(Ended::Stopped)
    }

    /// Waits for something to arrive, then reads what else is there already.
    async fn receive(&mut self, timer: &mut Timer) -> anyhow::Result<()> {
        let message = self.wait(timer).await?;
        // One look at the clocks does for all that arrived together.
        self.now = self.clock.now();
        match message {
            Arrived::Pull(message) => self.on_pull(message),
            Arrived::Done(message) => self.on_done(&message),
            Arrived::Record(message) => self.on_record(&message),
            Arrived::Heartbeat(message) => self.tell(intake::heartbeat(&message)),
            Arrived::Request(message) => self.on_request(message),
            Arrived::Report(input) => self.on_report(input),
            Arrived::Connection => self.tell(Input::Reconnected),
            Arrived::Lease(Some(until)) => self.tell(Input::Renewed { until }),
            Arrived::Lease(None) => {
                self.stepped_down = Some("another one holds the lease".to_owned());
            }
            Arrived::Nothing => {}
        }
        self.drain();
        Ok(())
    }

    async fn wait(&mut self, timer: &mut Timer) -> anyhow::Result<Arrived> {
        let closed = "the connection to NATS was closed";
        tokio::select! {
            message = self.inputs.pulls.next() => message.map(Arrived::Pull).context(closed),
            message = self.inputs.done.next() => message.map(Arrived::Done).context(closed),
            message = self.inputs.records.next() => message.map(Arrived::Record).context(closed),
            message = self.inputs.heartbeats.next() => {
                message.map(Arrived::Heartbeat).context(closed)
            }
            message = self.inputs.api.next() => message.map(Arrived::Request).context(closed),
            Some(input) = self.inputs.reports.recv() => Ok(Arrived::Report(input)),
            changed = self.connection.connected.changed() => {
                changed.map(|()| Arrived::Connection).context(closed)
            }
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
                break;
            };
            // A role's lease counts from when a heartbeat was heard: never from earlier
            // than it was sent.
            self.now = self.clock.now();
            self.tell(intake::heartbeat(&message));
        }
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.machine.handle(self.now, input, &mut self.outputs);
    }

    fn on_done(&mut self, message: &Message) {
        let Some((node, number)) = subjects::parse_pong(&message.subject) else {
            return self.tell(intake::outcomes(message));
        };
        let round_trip = self.pings.answered(self.now.time, &node, number);
        // The server answers in the place of a node that does not listen.
        if let (Some(round_trip), None) = (round_trip, message.status) {
            self.tell(Input::Latency { node, round_trip });
        }
    }

    fn on_pull(&mut self, message: Message) {
        if let Some(status) = message.status {
            self.on_pull_end(&message, status);
            return;
        }
        let Some(delivery) = intake::delivery(&message, self.streams.jobs_created) else {
            tracing::warn!(event = "delivery_unreadable", subject = %message.subject, "not a job");
            return;
        };
        let held = Held {
            subject: message.subject,
            headers: message.headers,
            payload: message.payload,
        };
        self.held.insert(delivery.ack.sequence(), held);
        self.tell(Input::Delivered(delivery));
    }

    fn on_pull_end(&mut self, message: &Message, status: async_nats::StatusCode) {
        let name = message.subject.rsplit('.').next().unwrap_or_default();
        let Some(source) = Source::from_consumer(name) else {
            return;
        };
        let Some(end) = intake::pull_end(message, status) else {
            return;
        };
        let undelivered = end.undelivered;
        let input = Input::PullEnded {
            source: source.clone(),
            undelivered,
        };
        if !end.is_failure {
            self.tell(input);
            return;
        }
        let why = message.description.clone().unwrap_or_default();
        tracing::warn!(event = "pull_failed", %source, %status, why, "pull failed");
        let reports = self.reports.clone();
        let jetstream = self.streams.jetstream.clone();
        tokio::spawn(async move {
            tokio::time::sleep(PULL_RETRY).await;
            if let Err(error) = assets::ensure_consumers(&jetstream, &source.category).await {
                tracing::warn!(event = "consumer_missing", %source, "{error:#}");
            }
            // The receiver is gone only when the program ends.
            let _ = reports.send(input).await;
        });
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
        let result = intake::recorded(message);
        self.tell(Input::Recorded {
            sequence: Sequence::new(sequence),
            result,
        });
    }

    fn on_report(&mut self, report: Input) {
        if let Input::StackFitted(stack) = &report {
            self.keeper.keep_stack(stack);
        }
        self.tell(report);
    }

    fn on_request(&mut self, request: Message) {
        let streams = self.streams.clone();
        match request.subject.as_str() {
            subjects::API_STATUS => {
                let status = self.machine.status(self.now);
                tokio::spawn(api::answer_status(streams, status, request));
            }
            subjects::API_JOB => {
                let jobs = api::requested_jobs(&request, self.streams.jobs_created);
                let known = jobs.iter().find_map(|job| self.machine.job(job));
                tokio::spawn(api::answer_job(streams, jobs, known, request));
            }
            subjects::API_CAPACITY => {
                let map = self.machine.capacity(self.now);
                tokio::spawn(api::answer(streams, map, request));
            }
            subjects::API_FORECAST => {
                let Some(node) = api::requested_node(&request) else {
                    return;
                };
                let view = self.machine.forecast(self.now, &node);
                tokio::spawn(api::answer(streams, view, request));
            }
            subjects::API_ROLES => match self.machine.roles_view() {
                Some(view) => {
                    tokio::spawn(api::answer(streams, view, request));
                }
                None => {
                    let why = "who holds which role is not known yet; ask again".to_owned();
                    tokio::spawn(api::refuse(streams, why, request));
                }
            },
            subjects::API_ROLE_ORDER => self.order(request),
            subjects::API_EXPLAIN => match self.explain(&request) {
                Ok(decision) => {
                    tokio::spawn(api::answer(streams, decision, request));
                }
                Err(why) => {
                    tokio::spawn(api::refuse(streams, why, request));
                }
            },
            _ => {}
        }
    }

    fn explain(&mut self, request: &Message) -> Result<Decision, String> {
        let job = api::imagined(request)?;
        let key = job.key.as_ref().map(ShardKey::hash);
        self.machine
            .explain(self.now, &job.category, &job.requirement, key)
            .ok_or_else(|| api::not_served(&job.category, self.machine.serves_undeclared()))
    }

    async fn end_turn(&mut self) {
        self.tell(Input::Turn);
        let mut outputs = std::mem::take(&mut self.outputs);
        // While there is no connection, or another dispatcher may lead, nothing is
        // sent late instead: every output is safe to lose, for the machine asks again.
        let is_heard =
            self.connection.client.connection_state() == ConnectionState::Connected && self.leads();
        for output in outputs.drain(..) {
            if let Err(error) = self.carry_out(output, is_heard).await {
                tracing::warn!(event = "send_failed", "cannot send: {error:#}");
            }
        }
        self.outputs = outputs;
    }

    /// Returns whether nobody else can be at work.
    pub(super) fn leads(&self) -> bool {
        self.lease.is_held(self.clock.now().time)
    }

    /// Tells the machine in its next turn.
    pub(super) fn report(&self, input: Input) {
        let reports = self.reports.clone();
        tokio::spawn(async move {
            // The receiver is gone only when the program ends.
            let _ = reports.send(input).await;
        });
    }
}
