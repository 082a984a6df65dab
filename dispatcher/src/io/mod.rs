//! The shell: feeds the scheduler from NATS and carries out its commands.
//!
//! One task owns the scheduler and the subscriptions. Work that needs an answer from
//! JetStream (dead-lettering, histories, new consumers) runs in tasks of its own and
//! reports back as an input.

#![allow(
    clippy::disallowed_methods,
    reason = "the shell reads clocks; nothing else does"
)]

mod api;
mod assets;
mod bucket;
mod budget;
mod cancel_commands;
mod cancels;
mod commands;
mod dead_lettering;
mod dead_letters;
pub mod difference;
mod discovery;
mod endpoints;
mod event_feed;
mod event_pages;
mod events;
mod forecasts;
mod histories;
mod holder;
mod http;
mod inputs;
pub mod inspection;
mod intake;
mod job_list;
mod kv;
mod leader;
mod lease;
mod links;
mod listing;
mod logs;
mod outbox;
mod persist;
mod pings;
mod pulls;
mod questions;
mod recovery;
mod refusals;
mod request;
mod requests;
mod rights;
mod role_events;
mod roles;
mod server_clock;
mod service;
mod setup;
mod side_tasks;
mod signs;
mod sizing;
mod standby;
mod status_desk;
mod store_check;
pub mod strangers;
mod traces;
mod training;
mod upkeep;
mod verdict_events;
mod watch;

use std::pin::{Pin, pin};
use std::time::Duration;

use anyhow::anyhow;
use async_nats::jetstream;
use rolecast_common::id::Epoch;
use rolecast_common::time::WallTime;
use rolecast_common::wire::Totals;
use rolecast_http::{Door, Server};
use rolecast_nats::{
    Clock, Connection, ServiceManager, Settings, Stage, check_jetstream, connect, explain,
};

use uuid::Uuid;

use self::http::{Observatory, Phase};
use self::leader::{Ended, Leader};
use self::lease::HeldLease;
use self::setup::Ready;
use self::signs::Signs;
use self::standby::{Closed, Standby};
use self::traces::Tracer;
use crate::config::Config;
use crate::scheduler::{CancelInput, Input, Scheduler};

/// Time without a sign of life after which the server delivers a job again. Deliveries
/// are extended at a third of it, so two signs may be lost.
const ACK_WAIT: Duration = Duration::from_secs(15);
/// Time limit of one request to JetStream. An answer takes milliseconds; a stream that
/// elects its leader gives none, and the request is repeated.
const REQUEST_LIMIT: Duration = Duration::from_secs(2);
/// Time within which the holder of the lease must be ready to lead. NATS elects a
/// stream's leader in 4 to 9 s, and a request that was made just before the end of it is
/// repeated after [`REQUEST_LIMIT`].
const SETUP_LIMIT: Duration = Duration::from_secs(12);
/// Pause of a dispatcher that gave the lease back, so that others can take it; up to
/// twice that.
const GIVE_BACK_PAUSE: Duration = Duration::from_secs(2);

/// The streams, and the way to reach them.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    pub(crate) jetstream: jetstream::Context,
    /// The prefix of the JetStream API for pull requests.
    pub(crate) api_prefix: String,
    pub(crate) jobs_created: WallTime,
}

/// Runs a dispatcher until `shutdown` ends: it stands by until it holds the lease, leads,
/// and stands by again if it loses the lease. It ends earlier only for faults that no
/// retry can correct.
pub async fn run(
    config: Config,
    nats: Settings,
    connect_limit: Duration,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let name = format!("rolecast-dispatcher {}", config.name);
    let incarnation = Uuid::now_v7().simple().to_string();
    let clock = Clock::new();
    let manager = ServiceManager::of_environment();
    let report = |stage, status: &str| manager.report(stage, || status.to_owned());
    let mut shutdown = pin!(async {
        shutdown.await;
        report(Stage::Stopping, "ends: records the last outcomes");
    });
    let observatory = Observatory::new(&config.name, clock);
    let door = Door::open(&config.http)?;
    let server = door
        .map(|door| door.serve(http::routes(&observatory)))
        .transpose()?;
    let page = server.as_ref().map(Server::address);
    let mut known = Epoch::default();
    let tracer = Tracer::start(config.traces.as_deref(), &config.name).await?;
    let result = loop {
        observatory.enter(Phase::Connecting);
        report(Stage::Starting, "connects to NATS");
        let connection = tokio::select! {
            connection = connect_to_jetstream(&config, &nats, &name, connect_limit) => connection,
            () = &mut shutdown => break Ok(()),
            never = manager.keep() => match never {},
        };
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) => break Err(error),
        };
        let client = &connection.client;
        let mut dispatcher = Dispatcher {
            config: &config,
            nats: &nats,
            signs: Signs::start(client, clock, (&config.name, &incarnation), page),
            connection,
            clock,
            manager: &manager,
            incarnation: &incarnation,
            observatory: &observatory,
            known,
            tracer: tracer.clone(),
        };
        match dispatcher.run(shutdown.as_mut()).await {
            Ok(Closing::Stopped) => {
                dispatcher.signs.leave().await;
                break Ok(());
            }
            Ok(Closing::Disconnected) => {
                tracing::warn!(event = "nats_closed", "the connection was closed for good");
                known = dispatcher.known;
            }
            Err(error) => break Err(explain(&dispatcher.connection, error)),
        }
    };
    tracer.finish().await;
    result
}

/// Connects, and waits for JetStream within the same limit: a cluster needs a while to
/// start.
async fn connect_to_jetstream(
    config: &Config,
    nats: &Settings,
    name: &str,
    limit: Duration,
) -> anyhow::Result<Connection> {
    let begun = tokio::time::Instant::now();
    let connection = connect(nats, name, limit).await?;
    rights::check(&connection, nats, &config.api).await?;
    let mut tries = 0;
    loop {
        let checked = tokio::time::timeout(REQUEST_LIMIT, check_jetstream(&connection)).await;
        let error = match checked {
            Ok(Ok(())) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => anyhow!("JetStream does not answer"),
        };
        if let Some(text) = connection.take_violation() {
            let lacks = anyhow!("this login lacks a permission: {text}");
            return Err(lacks.context(error));
        }
        if begun.elapsed() >= limit {
            return Err(error);
        }
        tracing::warn!(event = "jetstream_awaited", "not ready yet: {error:#}");
        tokio::time::sleep(persist::delay(tries, fastrand::f64())).await;
        tries += 1;
    }
}

/// The reason why a dispatcher is done with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Stopped,
    Disconnected,
}

impl From<Closed> for Closing {
    fn from(_: Closed) -> Self {
        Closing::Disconnected
    }
}

/// The parts that stay the same as long as the client keeps its connection.
struct Dispatcher<'a> {
    config: &'a Config,
    nats: &'a Settings,
    connection: Connection,
    signs: Signs,
    clock: Clock,
    manager: &'a ServiceManager,
    incarnation: &'a str,
    observatory: &'a Observatory,
    /// The largest epoch known from any source.
    known: Epoch,
    tracer: Tracer,
}

impl Dispatcher<'_> {
    async fn run(
        &mut self,
        mut shutdown: Pin<&mut impl Future<Output = ()>>,
    ) -> anyhow::Result<Closing> {
        let manager = self.manager;
        let link = self.connection.link.clone();
        loop {
            let led = tokio::select! {
                led = self.lead() => led?,
                () = shutdown.as_mut() => return Ok(Closing::Stopped),
                never = manager.keep() => match never {},
            };
            let Ok(leader) = led else {
                return Ok(Closing::Disconnected);
            };
            let ended = tokio::select! {
                ended = leader.run(shutdown.as_mut(), manager) => ended,
                never = manager.keep_without(&link) => match never {},
            };
            self.signs.set_lead(None);
            match ended {
                Ended::Stopped => return Ok(Closing::Stopped),
                Ended::SteppedDown(epoch) => self.known = self.known.max(epoch),
                Ended::Disconnected(epoch) => {
                    self.known = self.known.max(epoch);
                    return Ok(Closing::Disconnected);
                }
            }
        }
    }

    /// Stands by until this dispatcher leads and is set up. If it cannot set up in time
    /// it gives the lease back: another one may fare better.
    async fn lead(&self) -> anyhow::Result<Result<Leader, Closed>> {
        self.observatory.enter(Phase::Preparing);
        let mut standby = self.stand_by().await?;
        let jetstream = self.jetstream();
        loop {
            self.observatory.enter(Phase::StandingBy);
            let held = tokio::select! {
                held = standby.wait() => held,
                never = setup::keep_control(&jetstream, &self.config.streams) => match never {},
            };
            let Ok(held) = held else {
                return Ok(Err(Closed));
            };
            self.observatory.enter(Phase::SettingUp);
            let set_up = tokio::time::timeout(SETUP_LIMIT, self.set_up());
            let Ok(set_up) = standby.during(set_up).await else {
                return Ok(Err(Closed));
            };
            let Ok(ready) = set_up else {
                let pause = GIVE_BACK_PAUSE.mul_f32(1.0 + fastrand::f32());
                tracing::warn!(
                    event = "lease_given_back",
                    ?pause,
                    "cannot set up within {} s; another dispatcher may lead",
                    SETUP_LIMIT.as_secs()
                );
                if standby.lease.give_back(pause).await.is_err() {
                    return Ok(Err(Closed));
                }
                continue;
            };
            return self.take_lead(standby, held, ready?).await;
        }
    }

    async fn take_lead(
        &self,
        standby: Standby,
        held: HeldLease,
        ready: Ready,
    ) -> anyhow::Result<Result<Leader, Closed>> {
        let Standby {
            mut machine,
            links,
            questions,
            feeds,
            lease,
            has_stack,
            ..
        } = standby;
        let Ready {
            streams,
            buckets,
            histories,
            cancels,
        } = ready;
        let timekeeper = server_clock::keep(streams.jetstream.clone(), self.clock).await;
        let lead = Input::Lead {
            epoch: held.epoch,
            until: lease.until().unwrap_or(held.until),
            seals: held.seals,
            histories,
        };
        let mut outputs = Vec::new();
        let created = streams.jobs_created;
        let renewed = Input::StreamRenewed { created };
        machine.handle(self.clock.now(), renewed, &mut Vec::new());
        let cancels = Input::Cancel(CancelInput::Restored(cancels));
        machine.handle(self.clock.now(), cancels, &mut Vec::new());
        machine.handle(self.clock.now(), lead, &mut outputs);
        tracing::info!(
            event = "started",
            name = self.config.name,
            epoch = %held.epoch,
            categories = self.config.policies.len(),
            server = self.connection.client.server_info().version,
            "dispatcher started"
        );
        let start = leader::Start {
            connection: self.connection.clone(),
            config: self.config,
            streams,
            buckets,
            clock: self.clock,
            machine,
            outputs,
            has_stack,
            links,
            feeds,
            lease,
            timekeeper,
        };
        self.signs.set_lead(Some(held.epoch));
        let leader = Leader::open(start, questions, self.signs.seen(), self.tracer.clone()).await;
        self.observatory.enter(Phase::Leading(held.epoch));
        leader
    }

    fn jetstream(&self) -> jetstream::Context {
        let mut jetstream = self.connection.jetstream(self.nats);
        jetstream.set_timeout(REQUEST_LIMIT);
        jetstream
    }
}

/// Returns the line that the service manager shows.
fn status_line(machine: &Scheduler, is_connected: bool) -> String {
    if !is_connected {
        return "has no connection to NATS, and reconnects".to_owned();
    }
    let (epoch, totals) = (machine.known_epoch(), machine.totals(0));
    let Totals {
        nodes, ready, jobs, ..
    } = totals;
    format!("leads with epoch {epoch}: {ready} of {nodes} nodes ready, {jobs} jobs in hand")
}
