//! Upkeep of the server's assets: ensures each stream, bucket and consumer by itself,
//! detects within seconds those that vanished, and finds new categories.
//!
//! Only the holder of the lease creates anything, except the bucket of the lease.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use rolecast_common::id::Category;
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_common::time::WallTime;
use rolecast_nats::{Clock, Meaning, meaning_of};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::assets::{self, Asset};
use super::discovery::{self, Discovery, Found};
use super::lease::View;
use super::listing::{consumer_names, stream_names};
use super::{Streams, recovery, setup, watch};
use crate::config;
use crate::scheduler::{Input, Trouble};

/// Interval between checks of all assets, with three requests each: a loss is noticed
/// within 5 s even if one check fails.
const INTERVAL: Duration = Duration::from_secs(2);
/// The longest delay of a requested check, so that many pulls that fail together cause
/// one check.
const NUDGE_DELAY: Duration = Duration::from_millis(300);
/// Requests at once: enough to use the connection, few enough to be fair.
const AT_ONCE_MAX: usize = 32;
/// Time for which operators are shown that an asset had to be recreated.
const RESTORED_SHOWN: Duration = Duration::from_secs(3600);
/// Checks after which an asset that cannot be ensured is a trouble: an election takes
/// fewer.
const TRIES_QUIET: u32 = 5;
/// The most orders that may wait; one check serves all of them.
const ORDERS_MAX: usize = 8;
const JETSTREAM: &str = "JetStream";
const LEASE: &str = "the dispatcher's lease";

/// An order of the loop to the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// An asset seems to be missing: check soon.
    Check,
    /// Have jobs redelivered that were delivered to a former leader; answered with
    /// [`Input::Recovered`].
    Recover,
}

/// The initial parts of the task.
pub(super) struct Start {
    pub(super) streams: Streams,
    pub(super) settings: config::Streams,
    pub(super) served: Vec<Category>,
    pub(super) discovery: Discovery,
    pub(super) clock: Clock,
    pub(super) lease: View,
    pub(super) reports: mpsc::Sender<Input>,
}

struct Upkeep {
    streams: Streams,
    settings: config::Streams,
    /// Streams and buckets.
    wanted: Vec<Asset>,
    /// Assets that may not be in order, with the number of tries.
    unsure: Vec<(Asset, u32)>,
    discovery: Discovery,
    clock: Clock,
    lease: View,
    reports: mpsc::Sender<Input>,
}

/// The loop has ended, and with it this task.
struct Over;

/// Starts the task; it ends when the returned sender is dropped.
pub(super) fn start(start: Start) -> mpsc::Sender<Order> {
    let Start {
        streams,
        settings,
        served,
        discovery,
        clock,
        lease,
        reports,
    } = start;
    tokio::spawn(watch::run(watch::Start {
        streams: streams.clone(),
        settings,
        clock,
        lease: lease.clone(),
        reports: reports.clone(),
    }));
    let wanted = assets::all(&settings);
    let consumers = served.iter().flat_map(assets::consumers);
    let unsure = wanted.iter().cloned().chain(consumers);
    let upkeep = Upkeep {
        unsure: unsure.map(|asset| (asset, 0)).collect(),
        streams,
        settings,
        wanted,
        discovery,
        clock,
        lease,
        reports,
    };
    let (orders, orders_in) = mpsc::channel(ORDERS_MAX);
    tokio::spawn(upkeep.run(orders_in));
    orders
}

impl Upkeep {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            if self.check().await.is_err() {
                return;
            }
            let order = tokio::select! {
                () = sleep(INTERVAL) => continue,
                order = orders.recv() => order,
            };
            let Some(mut order) = order else {
                return;
            };
            if order == Order::Check {
                sleep(NUDGE_DELAY.mul_f32(0.3 + 0.7 * fastrand::f32())).await;
                // One check serves all that was ordered meanwhile.
                while order == Order::Check
                    && let Ok(next) = orders.try_recv()
                {
                    order = next;
                }
            }
            if order == Order::Recover && self.recover().await.is_err() {
                return;
            }
        }
    }

    fn leads(&self) -> bool {
        self.lease.is_held(self.clock.now().time)
    }

    /// Checks all assets, and finds new categories.
    async fn check(&mut self) -> Result<(), Over> {
        if !self.leads() {
            // Without its bucket there is no lease at all.
            self.report_lapse().await?;
            setup::ensure_control(&self.streams.jetstream, &self.settings).await;
            return Ok(());
        }
        self.mended(LEASE).await?;
        match self.check_streams().await {
            Ok(()) => {}
            Err(error) => return self.report_trouble(JETSTREAM, &error).await,
        }
        self.ensure().await?;
        let backlogs = match discovery::backlogs(&self.streams.jetstream).await {
            Ok(backlogs) => backlogs,
            Err(error) => return self.report_trouble(JETSTREAM, &error).await,
        };
        self.mended(JETSTREAM).await?;
        if backlogs.created != self.streams.jobs_created {
            self.renew(backlogs.created).await?;
        }
        match self.check_consumers().await {
            Ok(()) => {}
            Err(error) => return self.report_trouble(JETSTREAM, &error).await,
        }
        self.ensure().await?;
        let Found {
            inputs,
            found,
            idle,
        } = self.discovery.search(&self.streams, backlogs).await;
        for category in found {
            let consumers = assets::consumers(&category);
            self.unsure.extend(consumers.map(|asset| (asset, 0)));
        }
        self.ensure().await?;
        for category in idle {
            self.leave(category).await?;
        }
        for input in inputs {
            self.send(input).await?;
        }
        Ok(())
    }

    /// Stops serving an undeclared category. If a job of it has arrived meanwhile, it
    /// stays in the stream, and the category is found again.
    async fn leave(&mut self, category: Category) -> Result<(), Over> {
        for asset in assets::consumers(&category) {
            let Asset::Consumer(source) = &asset else {
                continue;
            };
            let what = asset.to_string();
            self.unsure.retain(|(unsure, _)| unsure.to_string() != what);
            if let Err(error) = recovery::remove_if_unused(&self.streams.jetstream, source).await {
                tracing::debug!(event = "consumer_kept", what, "{error:#}");
            }
        }
        self.send(Input::Deserted(category)).await
    }

    /// Detects streams and buckets that vanished.
    async fn check_streams(&mut self) -> anyhow::Result<()> {
        let names = stream_names(&self.streams.jetstream).await?;
        for asset in self.wanted.clone() {
            if !names.contains(&asset.stream()) {
                self.miss(asset).await;
            }
        }
        Ok(())
    }

    async fn check_consumers(&mut self) -> anyhow::Result<()> {
        let names = consumer_names(&self.streams.jetstream).await?;
        let wanted: Vec<Asset> = self
            .discovery
            .served()
            .flat_map(assets::consumers)
            .collect();
        for asset in wanted {
            let Asset::Consumer(source) = &asset else {
                continue;
            };
            if !names.contains(&source.consumer()) {
                self.miss(asset).await;
            }
        }
        Ok(())
    }

    /// Records that an asset is missing; the loss of an existing one is worth an event.
    async fn miss(&mut self, asset: Asset) {
        let what = asset.to_string();
        if self
            .unsure
            .iter()
            .any(|(unsure, _)| unsure.to_string() == what)
        {
            return;
        }
        tracing::error!(
            event = "asset_missing",
            what,
            "it is missing; it is created again"
        );
        let trouble = Trouble {
            what,
            why: "it is missing, with all that it held".to_owned(),
            remedy: "it is created again automatically; find out who deletes it, or whether a \
            nats-server lost its store"
                .to_owned(),
            lasts: Some(RESTORED_SHOWN),
        };
        // If the loop is over, the next report shows it.
        let _ = self.send(Input::Troubled(trouble)).await;
        self.unsure.push((asset, 0));
    }

    /// Ensures each asset that is not known to be in order, all at once.
    async fn ensure(&mut self) -> Result<(), Over> {
        let jetstream = &self.streams.jetstream;
        let (first, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unsure)
            .into_iter()
            .partition(|(asset, _)| asset.is_jobs_stream());
        let mut all = Vec::new();
        // Consumers need their stream.
        for assets in [first, others] {
            let tries = stream::iter(assets).map(|(asset, tries)| async move {
                let done = asset.ensure(jetstream).await;
                (asset, tries, done)
            });
            let done: Vec<_> = tries.buffer_unordered(AT_ONCE_MAX).collect().await;
            all.extend(done);
        }
        for (asset, tries, done) in all {
            let what = asset.to_string();
            match done {
                Ok(()) if tries > 0 => self.mended(&what).await?,
                Ok(()) => {}
                Err(error) => {
                    tracing::debug!(event = "asset_not_ensured", what, "{error:#}");
                    if tries > TRIES_QUIET || !is_passing(&error) {
                        self.report_trouble(&what, &error).await?;
                    }
                    self.unsure.push((asset, tries.saturating_add(1)));
                }
            }
        }
        Ok(())
    }

    async fn recover(&mut self) -> Result<(), Over> {
        let jetstream = &self.streams.jetstream;
        let sources = self.discovery.sources();
        let recoveries = stream::iter(sources).map(|source| async move {
            let done = recovery::recover(jetstream, &source).await;
            (source, done)
        });
        let done: Vec<_> = recoveries.buffer_unordered(AT_ONCE_MAX).collect().await;
        for (source, done) in done {
            if let Err(error) = done {
                tracing::warn!(event = "not_recovered", %source, "{error:#}");
                self.unsure.push((Asset::Consumer(source), 0));
            }
        }
        self.send(Input::Recovered).await
    }

    /// Handles another jobs stream than before. Nothing is delivered from it before the
    /// scheduler is notified: it has no consumers yet.
    async fn renew(&mut self, created: WallTime) -> Result<(), Over> {
        tracing::error!(
            event = "jobs_stream_renewed",
            %created,
            "stream {STREAM_JOBS} was created again; the jobs in it before are gone"
        );
        self.streams.jobs_created = created;
        self.send(Input::StreamRenewed { created }).await
    }

    async fn report_lapse(&self) -> Result<(), Over> {
        let trouble = Trouble {
            what: LEASE.to_owned(),
            why: "it cannot be renewed, so nothing is sent: its bucket does not answer, as \
                  without a quorum or in an election"
                .to_owned(),
            remedy: "it continues automatically when the bucket answers; see nats server \
            report jetstream"
                .to_owned(),
            lasts: None,
        };
        self.send(Input::Troubled(trouble)).await
    }

    async fn report_trouble(&self, what: &str, error: &anyhow::Error) -> Result<(), Over> {
        let trouble = Trouble {
            what: what.to_owned(),
            why: causes(error),
            remedy: "it is tried again; see nats server report jetstream".to_owned(),
            lasts: None,
        };
        self.send(Input::Troubled(trouble)).await
    }

    async fn mended(&self, what: &str) -> Result<(), Over> {
        let what = what.to_owned();
        self.send(Input::Mended { what }).await
    }

    async fn send(&self, input: Input) -> Result<(), Over> {
        self.reports.send(input).await.map_err(|_| Over)
    }
}

/// Returns the error and its causes; errors of the client repeat theirs.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            let gap = if text.is_empty() { "" } else { ": " };
            text.push_str(gap);
            text.push_str(&cause);
        }
    }
    text
}

/// Whether an election may be the cause: no answer, or one that asks to wait.
fn is_passing(error: &anyhow::Error) -> bool {
    meaning_of(error.as_ref()).is_none_or(Meaning::is_passing)
}
