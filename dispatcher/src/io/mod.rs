//! The shell: feeds the machine from NATS and carries out what it says.
//!
//! One task owns the machine and the subscriptions. What needs an answer from
//! JetStream before it is done (burials, histories, new consumers) runs in
//! tasks of its own and reports back as an input.

#![allow(
    clippy::disallowed_methods,
    reason = "the shell reads clocks; nothing else does"
)]

mod api;
mod assets;
mod burial;
mod discovery;
mod events;
mod forecasts;
mod histories;
mod intake;
mod kv;
mod lease;
mod outbox;
mod pings;
mod role_events;
mod roles;
mod service;
mod sizing;
mod standby;
mod training;

use std::pin::{Pin, pin};
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use async_nats::jetstream::kv::Store;
use rolecast_common::id::Epoch;
use rolecast_common::nats::{Clock, Connection, Settings, check_jetstream, connect, explain};
use rolecast_common::subjects;
use rolecast_common::time::WallTime;
use rolecast_common::wire::ForecastMode;

use uuid::Uuid;

use self::lease::Keeper;
use self::service::{Ended, Service};
use self::standby::Standby;
use crate::config::Config;
use crate::machine::{Input, Machine, Params};

/// How long the server waits for a sign of life before it delivers a job again.
/// Jobs are kept alive at a third of it, so two signs may be lost.
const ACK_WAIT: Duration = Duration::from_secs(15);
/// A heartbeat interval and a little: by then every worker has said what it has in
/// hand, to a dispatcher that knows its epoch.
const WARM_UP: Duration = Duration::from_millis(1300);

/// The streams and how to reach them.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    pub(crate) jetstream: jetstream::Context,
    /// The prefix of the JetStream API, which pull requests are sent to.
    pub(crate) api_prefix: String,
    pub(crate) jobs_created: WallTime,
}

/// The buckets a dispatcher writes to while it runs.
#[derive(Debug)]
struct Buckets {
    attempts: Store,
    capacity: Store,
    forecasts: Store,
    roles: Store,
}

impl Buckets {
    async fn open(jetstream: &jetstream::Context) -> anyhow::Result<Self> {
        let open = async |name: &str| {
            let bucket = jetstream.get_key_value(name).await;
            bucket.with_context(|| format!("cannot open bucket {name}"))
        };
        Ok(Self {
            attempts: open(subjects::BUCKET_ATTEMPTS).await?,
            capacity: open(subjects::BUCKET_CAPACITY).await?,
            forecasts: open(subjects::BUCKET_FORECASTS).await?,
            roles: open(subjects::BUCKET_ROLES).await?,
        })
    }
}

/// Runs a dispatcher until `shutdown` ends: it stands by until it holds the lease,
/// leads, and stands by again should it lose it.
pub async fn run(
    config: Config,
    nats: Settings,
    connect_limit: Duration,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut shutdown = pin!(shutdown);
    let name = format!("rolecast-dispatcher {}", config.name);
    let connection = tokio::select! {
        connection = connect(&nats, &name, connect_limit) => connection?,
        () = &mut shutdown => return Ok(()),
    };
    let dispatcher = Dispatcher {
        incarnation: Uuid::now_v7().simple().to_string(),
        clock: Clock::new(),
        config,
        nats,
        connection,
    };
    let ended = dispatcher.run(shutdown).await;
    ended.map_err(|error| explain(&dispatcher.connection, error))
}

/// What stays the same from start to end.
struct Dispatcher {
    config: Config,
    nats: Settings,
    connection: Connection,
    clock: Clock,
    incarnation: String,
}

impl Dispatcher {
    async fn run(&self, mut shutdown: Pin<&mut impl Future<Output = ()>>) -> anyhow::Result<()> {
        let mut known = Epoch::default();
        loop {
            let service = tokio::select! {
                service = self.lead(known) => service?,
                () = shutdown.as_mut() => return Ok(()),
            };
            match service.run(shutdown.as_mut()).await? {
                Ended::Stopped => return Ok(()),
                Ended::SteppedDown(epoch) => known = epoch,
            }
        }
    }

    /// Stands by until this dispatcher leads.
    async fn lead(&self, known: Epoch) -> anyhow::Result<Service> {
        let config = &self.config;
        check_jetstream(&self.connection).await?;
        let jetstream = self.connection.jetstream(&self.nats);
        let jobs_created = assets::ensure(&jetstream, &config.streams).await?;
        let streams = Streams {
            jobs_created,
            api_prefix: api_prefix(&self.nats),
            jetstream,
        };
        let buckets = Buckets::open(&streams.jetstream).await?;
        let (machine, has_stack) = self.machine(&buckets).await?;
        let mut standby = self.stand_by(&streams.jetstream, machine, known).await?;
        let held = standby.wait().await?;
        let Standby {
            mut machine,
            heartbeats,
            lease,
            ..
        } = standby;
        let lead = Input::Lead {
            epoch: held.epoch,
            until: held.until,
            histories: histories::load(&buckets.attempts).await?,
        };
        let mut outputs = Vec::new();
        machine.handle(self.clock.now(), lead, &mut outputs);
        for category in machine.served() {
            assets::ensure_consumers(&streams.jetstream, &category).await?;
        }
        tracing::info!(
            event = "started",
            name = config.name,
            epoch = %held.epoch,
            categories = config.policies.len(),
            server = self.connection.client.server_info().version,
            "dispatcher started"
        );
        let start = service::Start {
            connection: self.connection.clone(),
            streams,
            buckets,
            clock: self.clock,
            machine,
            outputs,
            has_stack,
            heartbeats,
            lease,
        };
        Service::open(start).await
    }

    /// Makes a machine that knows the forecasts that were kept; says also whether
    /// a stack was.
    async fn machine(&self, buckets: &Buckets) -> anyhow::Result<(Machine, bool)> {
        let config = &self.config;
        let kept = match config.forecast.mode {
            ForecastMode::Off => forecasts::Kept::default(),
            ForecastMode::On | ForecastMode::Advisory => {
                forecasts::load(&buckets.forecasts, config.forecast).await?
            }
        };
        let params = Params {
            name: config.name.clone(),
            forecast: config.forecast,
            policies: config.policies.clone(),
            roles: config.roles.clone(),
            has_feedback: config.has_feedback,
            undeclared: config.undeclared.clone(),
            warm_up: WARM_UP,
            ack_wait: ACK_WAIT,
            seed: fastrand::u64(..),
        };
        let mut machine = Machine::new(params, self.clock.now());
        tracing::info!(event = "forecasts_loaded", nodes = kept.nodes.len());
        let has_stack = kept.stack.is_some();
        machine.remember_forecasts(kept.nodes, kept.stack.as_ref());
        Ok((machine, has_stack))
    }

    async fn stand_by(
        &self,
        jetstream: &jetstream::Context,
        machine: Machine,
        known: Epoch,
    ) -> anyhow::Result<Standby> {
        let client = &self.connection.client;
        let heartbeats = client.subscribe(subjects::HEARTBEATS).await;
        let heartbeats = heartbeats.context("cannot subscribe to heartbeats")?;
        let (name, incarnation) = (&self.config.name, &self.incarnation);
        let lease = Keeper::start(jetstream, self.clock, name, incarnation, known);
        Ok(Standby {
            clock: self.clock,
            machine,
            heartbeats,
            lease: lease.await?,
        })
    }
}

fn api_prefix(settings: &Settings) -> String {
    match (&settings.jetstream_api_prefix, &settings.jetstream_domain) {
        (Some(prefix), _) => prefix.clone(),
        (None, Some(domain)) => format!("$JS.{domain}.API"),
        (None, None) => "$JS.API".to_owned(),
    }
}
