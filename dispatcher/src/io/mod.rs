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
mod histories;
mod intake;
mod outbox;
mod service;

use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use rolecast_common::nats::Settings;
use rolecast_common::nats::{Clock, Connection, check_jetstream, connect, explain};
use rolecast_common::subjects;
use rolecast_common::time::WallTime;

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
    let attempts = streams
        .jetstream
        .get_key_value(subjects::BUCKET_ATTEMPTS)
        .await
        .context("cannot open the bucket of failed attempts")?;
    let known = histories::load(&attempts).await?;
    let clock = Clock::new();
    let params = Params {
        name: config.name.clone(),
        epoch,
        forecast: config.forecast,
        policies: config.policies.clone(),
        undeclared: config.undeclared.clone(),
        warm_up: WARM_UP,
        ack_wait: ACK_WAIT,
        seed: fastrand::u64(..),
    };
    let machine = Machine::new(params, clock.now(), known);
    for category in machine.served() {
        assets::ensure_consumers(&streams.jetstream, &category).await?;
    }
    tracing::info!(
        event = "started",
        name = config.name,
        %epoch,
        categories = config.policies.len(),
        server = connection.client.server_info().version,
        "dispatcher started"
    );
    service::Service::open(connection.clone(), streams, attempts, clock, epoch, machine).await
}

fn api_prefix(settings: &Settings) -> String {
    match (&settings.jetstream_api_prefix, &settings.jetstream_domain) {
        (Some(prefix), _) => prefix.clone(),
        (None, Some(domain)) => format!("$JS.{domain}.API"),
        (None, None) => "$JS.API".to_owned(),
    }
}
