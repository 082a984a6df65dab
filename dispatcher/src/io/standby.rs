//! Standby: before a dispatcher leads it observes every heartbeat, so that its forecasts
//! are as good as the leader's, and does nothing else.

use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::{Client, Message, SubscribeError, Subscriber, jetstream};
use futures_util::StreamExt as _;
use futures_util::stream::SelectAll;
use rolecast_common::id::Epoch;
use rolecast_common::subjects;
use rolecast_common::time::WallTime;
use rolecast_common::wire::ForecastMode;
use rolecast_nats::{Clock, Stage, Timer};
use tokio::time::sleep;

use super::bucket::Bucket;
use super::http::View;
use super::lease::{HeldLease, Keeper, STANDBY_REPORT_DELAY};
use super::links::Links;
use super::persist::persist;
use super::questions::{self, Inbox, Lead, Question};
use super::service::{self, Service};
use super::{ACK_WAIT, Dispatcher, Streams, assets, events, forecasts, intake, setup};
use crate::metrics::Loop;
use crate::scheduler::{Input, Output, Params, Scheduler};

/// A heartbeat interval and a little: by then every worker has reported its jobs in hand,
/// to a dispatcher that knows its epoch.
const WARM_UP: Duration = Duration::from_millis(1300);
/// The client has given the connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// Subscriptions of a standby, which it keeps when it leads.
pub(super) struct Feeds {
    pub(super) heartbeats: Subscriber,
    /// Requests that find services.
    pub(super) requests: SelectAll<Subscriber>,
}

impl Feeds {
    async fn open(client: &Client) -> Result<Self, SubscribeError> {
        Ok(Self {
            heartbeats: client.subscribe(subjects::HEARTBEATS).await?,
            requests: service::subscribe(client).await?,
        })
    }
}

/// A dispatcher that waits for the lease.
pub(super) struct Standby {
    pub(super) clock: Clock,
    pub(super) links: Links,
    pub(super) questions: Inbox,
    pub(super) machine: Scheduler,
    pub(super) feeds: Feeds,
    pub(super) service: Service,
    pub(super) lease: Keeper,
    /// Whether there is a stack from before the start.
    pub(super) has_stack: bool,
    pub(super) log: events::Log,
}

impl Dispatcher<'_> {
    /// Returns a scheduler with the stored forecasts, if they can be read, and whether a
    /// stack was among them.
    async fn machine(&self, jetstream: &jetstream::Context) -> (Scheduler, bool) {
        let config = self.config;
        let kept = match config.forecast.mode {
            ForecastMode::Off => forecasts::Kept::default(),
            ForecastMode::On | ForecastMode::Advisory => {
                let bucket = Bucket::new(jetstream, subjects::BUCKET_FORECASTS);
                forecasts::load_or_none(&bucket, config.forecast).await
            }
        };
        let params = Params {
            name: config.name.clone(),
            forecast: config.forecast,
            policies: config.policies.clone(),
            allowances: config.allowances.clone(),
            roles: config.roles.clone(),
            has_feedback: config.has_feedback,
            undeclared: config.undeclared.clone(),
            warm_up: WARM_UP,
            ack_wait: ACK_WAIT,
            seed: fastrand::u64(..),
        };
        let mut machine = Scheduler::new(params, self.clock.now());
        tracing::info!(event = "forecasts_loaded", nodes = kept.nodes.len());
        let has_stack = kept.stack.is_some();
        machine.remember_forecasts(kept.nodes, kept.stack.as_ref());
        (machine, has_stack)
    }

    /// Begins to contend for the lease. The error is one that no retry can correct.
    pub(super) async fn stand_by(&self) -> anyhow::Result<Standby> {
        let jetstream = self.jetstream();
        let connection = &self.connection;
        let control = assets::control(&self.config.streams);
        setup::ensure(connection, &jetstream, control).await?;
        let (machine, has_stack) = self.machine(&jetstream).await;
        let feeds = persist(connection, "heartbeats", async || {
            let feeds = Feeds::open(&connection.client).await;
            feeds.context("cannot subscribe to heartbeats and to requests that find services")
        });
        let feeds = feeds.await?;
        let (name, incarnation) = (&self.config.name, self.incarnation);
        let lease = persist(connection, "the lease", async || {
            Keeper::start(&jetstream, self.clock, name, incarnation, self.known).await
        });
        let lease = lease.await?;
        let questions = Inbox::open();
        self.observatory.open(View {
            asker: questions.asker(),
            streams: Streams {
                api_prefix: setup::api_prefix(self.nats),
                jetstream,
                jobs_created: WallTime::default(),
            },
            link: connection.link.clone(),
            holder: lease.holder(),
            dispatchers: self.signs.seen(),
        });
        let status = || "stands by: it leads when no other dispatcher does".to_owned();
        self.manager.report(Stage::Ready, status);
        let now = self.clock.now().time;
        Ok(Standby {
            clock: self.clock,
            links: Links::new(self.connection.link.clone()),
            questions,
            machine,
            feeds,
            service: Service::new(connection.client.clone(), self.config, None, now),
            lease,
            has_stack,
            log: events::Log::default(),
        })
    }
}

impl Standby {
    /// Waits until the lease is held.
    pub(super) async fn wait(&mut self) -> Result<HeldLease, Closed> {
        let mut timer = Timer::new();
        let mut report = pin!(sleep(STANDBY_REPORT_DELAY));
        let mut is_reported = false;
        let mut observed = Epoch::default();
        loop {
            timer.set(&self.clock, self.machine.next_deadline());
            tokio::select! {
                held = self.lease.taken() => return held.map_err(|_| Closed),
                message = self.feeds.heartbeats.next() => {
                    let message = message.ok_or(Closed)?;
                    self.pass(intake::heartbeat(&message));
                }
                request = self.feeds.requests.next() => self.serve(request.ok_or(Closed)?),
                input = self.links.changed() => self.pass(input),
                question = self.questions.next() => self.answer(question),
                () = timer.ring() => self.pass(Input::Turn),
                () = report.as_mut(), if !is_reported => {
                    is_reported = true;
                    tracing::info!(event = "standing_by", "another dispatcher leads; standing by");
                }
            }
            let known = self.machine.known_epoch();
            if known > observed {
                self.lease.observe(known);
                observed = known;
            }
        }
    }

    /// Continues to observe during other work.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Closed> {
        let mut timer = Timer::new();
        let mut work = pin!(work);
        loop {
            timer.set(&self.clock, self.machine.next_deadline());
            tokio::select! {
                done = work.as_mut() => return Ok(done),
                message = self.feeds.heartbeats.next() => {
                    let message = message.ok_or(Closed)?;
                    self.pass(intake::heartbeat(&message));
                }
                request = self.feeds.requests.next() => self.serve(request.ok_or(Closed)?),
                input = self.links.changed() => self.pass(input),
                question = self.questions.next() => self.answer(question),
                () = timer.ring() => self.pass(Input::Turn),
            }
        }
    }

    /// Answers a request that finds services.
    fn serve(&mut self, request: Message) {
        let now = self.clock.now();
        let refusal = self.service.handle(now, &self.machine, request);
        if let Some(refusal) = refusal {
            self.pass(refusal);
        }
    }

    fn answer(&self, question: Question) {
        let (now, work) = (self.clock.now(), Loop::default());
        questions::answer(now, &self.machine, Lead::Standby, &work, question);
    }

    fn pass(&mut self, input: Input) {
        let mut outputs = Vec::new();
        let now = self.clock.now();
        self.machine.handle(now, input, &mut outputs);
        for output in outputs {
            // Commands are for the leader to carry out.
            if let Output::Event(event) = output {
                // Only the leader publishes events.
                let _ = self.log.event(now.time, &event);
            }
        }
    }
}
