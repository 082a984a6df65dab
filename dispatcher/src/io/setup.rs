//! Preparations of a dispatcher that has just won the lease: only what it needs to begin.
//! [`super::upkeep`] ensures everything else while it leads.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use rolecast_common::id::Sequence;
use rolecast_common::requests::PREFIX;
use rolecast_nats::{Connection, Meaning, Settings, meaning_of};

use super::bucket::Buckets;
use super::persist::persist;
use super::{Dispatcher, Streams, assets, cancels, histories};
use crate::config;
use crate::scheduler::{Cancel, History};

/// Interval at which a standby checks that the bucket of the lease exists.
const CONTROL_INTERVAL: Duration = Duration::from_secs(3);

/// The parts that a leader needs from the server to begin.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) streams: Streams,
    pub(super) buckets: Buckets,
    pub(super) histories: Vec<(Sequence, History)>,
    pub(super) cancels: Vec<Cancel>,
}

impl Dispatcher<'_> {
    /// Retries until the work queue, the failed attempts and the cancels exist and were read. The
    /// error is one that no retry can correct.
    pub(super) async fn set_up(&self) -> anyhow::Result<Ready> {
        let jetstream = self.jetstream();
        let buckets = Buckets::new(&jetstream);
        let settings = &self.config.streams;
        let connection = &self.connection;
        let jobs = ensure(connection, &jetstream, assets::jobs(settings));
        let attempts = ensure(connection, &jetstream, assets::attempts(settings));
        let cancels = ensure(connection, &jetstream, assets::cancels(settings));
        tokio::try_join!(jobs, attempts, cancels)?;
        let created = persist(connection, "the jobs stream", async || {
            assets::jobs_created(&jetstream).await
        });
        let histories = persist(connection, "the failed attempts", async || {
            histories::load(buckets.attempts.open().await?).await
        });
        let cancels = persist(connection, "the cancels", async || {
            cancels::load(buckets.cancels.open().await?).await
        });
        let (jobs_created, histories, cancels) = tokio::try_join!(created, histories, cancels)?;
        let streams = Streams {
            jobs_created,
            api_prefix: api_prefix(self.nats),
            jetstream,
        };
        Ok(Ready {
            streams,
            buckets,
            histories,
            cancels,
        })
    }
}

/// Retries until the asset exists. The error is one that no retry can correct.
pub(super) async fn ensure(
    connection: &Connection,
    jetstream: &jetstream::Context,
    asset: assets::Asset,
) -> anyhow::Result<()> {
    let what = asset.to_string();
    let ensured = persist(connection, &what, async || asset.ensure(jetstream).await);
    ensured.await.context("cannot set up")
}

/// Creates the bucket of the lease if it is missing: without it no dispatcher leads.
pub(super) async fn ensure_control(jetstream: &jetstream::Context, settings: &config::Streams) {
    let control = assets::control(settings);
    let found = jetstream.get_stream(control.stream()).await;
    let is_missing = found.is_err_and(|error| meaning_of(&error) == Some(Meaning::StreamMissing));
    if is_missing && let Err(error) = control.ensure(jetstream).await {
        tracing::warn!(
            event = "control_missing",
            "cannot make the bucket of the lease: {error:#}"
        );
    }
}

/// Checks the bucket of the lease for ever.
pub(super) async fn keep_control(
    jetstream: &jetstream::Context,
    settings: &config::Streams,
) -> Infallible {
    loop {
        tokio::time::sleep(CONTROL_INTERVAL).await;
        ensure_control(jetstream, settings).await;
    }
}

/// Returns the prefix of the JetStream API.
pub(super) fn api_prefix(settings: &Settings) -> String {
    match (&settings.jetstream_api_prefix, &settings.jetstream_domain) {
        (Some(prefix), _) => prefix.clone(),
        (None, Some(domain)) => format!("$JS.{domain}.API"),
        (None, None) => PREFIX.to_owned(),
    }
}
