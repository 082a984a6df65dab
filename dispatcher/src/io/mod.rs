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
mod epoch;
mod events;
mod forecasts;
mod histories;
mod intake;
mod outbox;
mod pings;
mod service;
mod training;

use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use async_nats::jetstream::kv::Store;
use rolecast_common::nats::Settings;
use rolecast_common::nats::{Clock, Connection, check_jetstream, connect, explain};
use rolecast_common::subjects;
use rolecast_common::time::WallTime;
use rolecast_common::wire::ForecastMode;

use crate::config::Config;
use crate::machine::{Machine, Params};

/// How long the server waits for a sign of life before it delivers a job again.
/// Jobs are kept alive at a third of it, so two signs may be lost.
const ACK_WAIT: Duration = Duration::from_secs(15);
/// A heartbeat interval and a little: by then every worker has said what it has in hand.
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
        })
    }
}

/// Runs a dispatcher until `shutdown` ends or it must step down.
pub async fn run(
    config: Config,
    nats: Settings,
    connect_limit: Duration,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut shutdown = pin!(shutdown);
    let service = tokio::select! {
        service = open(&config, &nats, connect_limit) => service?,
        () = &mut shutdown => return Ok(()),
    };
    service.run(shutdown).await
}

async fn open(
    config: &Config,
    nats: &Settings,
    connect_limit: Duration,
) -> anyhow::Result<service::Service> {
    let name = format!("rolecast-dispatcher {}", config.name);
    let connection = connect(nats, &name, connect_limit).await?;
    let started = start(config, nats, &connection).await;
    started.map_err(|error| explain(&connection, error))
}

async fn start(
    config: &Config,
    settings: &Settings,
    connection: &Connection,
) -> anyhow::Result<service::Service> {
    check_jetstream(connection).await?;
    let jetstream = connection.jetstream(settings);
    let jobs_created = assets::ensure(&jetstream, &config.streams).await?;
    let streams = Streams {
        jobs_created,
        api_prefix: api_prefix(settings),
        jetstream,
    };
    let epoch = epoch::claim(&streams.jetstream, &config.name).await?;
    let buckets = Buckets::open(&streams.jetstream).await?;
    let known = histories::load(&buckets.attempts).await?;
    let kept = match config.forecast.mode {
        ForecastMode::Off => forecasts::Kept::default(),
        ForecastMode::On | ForecastMode::Advisory => {
            forecasts::load(&buckets.forecasts, config.forecast).await?
        }
    };
    let clock = Clock::new();
    let params = Params {
        name: config.name.clone(),
        epoch,
        forecast: config.forecast,
        policies: config.policies.clone(),
        has_feedback: config.has_feedback,
        undeclared: config.undeclared.clone(),
        warm_up: WARM_UP,
        ack_wait: ACK_WAIT,
        seed: fastrand::u64(..),
    };
    let mut machine = Machine::new(params, clock.now(), known);
    let (has_stack, nodes_known) = (kept.stack.is_some(), kept.nodes.len());
    machine.remember_forecasts(kept.nodes, kept.stack.as_ref());
    for category in machine.served() {
        assets::ensure_consumers(&streams.jetstream, &category).await?;
    }
    tracing::info!(
        event = "started",
        name = config.name,
        %epoch,
        categories = config.policies.len(),
        forecasts = nodes_known,
        server = connection.client.server_info().version,
        "dispatcher started"
    );
    let start = service::Start {
        connection: connection.clone(),
        streams,
        buckets,
        clock,
        epoch,
        machine,
        has_stack,
    };
    service::Service::open(start).await
}

fn api_prefix(settings: &Settings) -> String {
    match (&settings.jetstream_api_prefix, &settings.jetstream_domain) {
        (Some(prefix), _) => prefix.clone(),
        (None, Some(domain)) => format!("$JS.{domain}.API"),
        (None, None) => "$JS.API".to_owned(),
    }
}
