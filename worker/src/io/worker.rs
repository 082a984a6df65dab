//! Life of a worker, from connecting to leaving.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_nats::{Client, SubscribeError, Subscriber};
use futures_util::stream::{SelectAll, once};
use futures_util::{Stream, StreamExt as _};
use rolecast_common::id::{BootId, Category, Epoch, NodeId, Role};
use rolecast_common::label::Labels;
use rolecast_common::subjects;
use rolecast_common::unit::Speed;
use rolecast_nats::{Clock, Connection, Settings, connect};

use super::builder::Builder;
use super::epoch::EpochFile;
use super::gauge::Gauge;
use super::groups::Groups;
use super::handler::Launch;
use super::hook::Hook;
use super::leash::Leash;
use super::rehearsal::rehearse;
use super::sampler::{Meter, Sampler};
use super::shell::Shell;
use crate::agent::{Agent, Limits, Params, RoleParams};
use crate::command::Command;
use crate::config::{Capacity, Config};
use crate::confinement::Confinement;
use crate::usage::Scope;

/// Long enough for a NATS server that starts together with the worker.
pub(super) const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// Time that the first heartbeat waits for the first reading of the system.
const FIRST_USAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// A node that is ready to run jobs.
#[derive(Debug)]
pub struct Worker {
    pub(super) node: NodeId,
    pub(super) roles: Vec<Role>,
    pub(super) offers: Vec<Role>,
    pub(super) hook: Option<Hook>,
    pub(super) state_directory: Option<PathBuf>,
    pub(super) labels: Labels,
    pub(super) speed: Speed,
    pub(super) scope: Scope,
    pub(super) jobs_max: u32,
    pub(super) grace: Duration,
    pub(super) heartbeat_on_change: bool,
    pub(super) capacity: Capacity,
    pub(super) services: BTreeMap<Category, Service>,
    pub(super) nats: Settings,
    pub(super) connect_timeout: Duration,
    pub(super) is_leashed: bool,
    /// Files that jobs which run as another user must not be able to read.
    pub(super) secrets: Vec<PathBuf>,
}

/// Settings for the jobs of one category.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) limits: Limits,
    pub(super) runner: Runner,
}

impl Service {
    fn confinement(&self) -> Option<&Confinement> {
        match &self.runner {
            Runner::Command(command) => command.confinement.as_ref(),
            Runner::Handler(_) => None,
        }
    }
}

pub(super) enum Runner {
    Handler(Launch),
    Command(Arc<Command>),
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Runner::Handler(_) => f.write_str("Handler"),
            Runner::Command(command) => command.fmt(f),
        }
    }
}

impl Worker {
    /// Returns a builder of a worker whose jobs are run by functions.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Returns the worker that a configuration describes, at the NATS of `nats`.
    ///
    /// The program must call [`crate::run_if_leashed`] first in its `main`.
    pub fn from_config(config: Config, nats: Settings, connect_timeout: Duration) -> Self {
        let services = config.categories.into_iter();
        let services = services.map(|(category, service)| {
            let service = Service {
                limits: service.limits,
                runner: Runner::Command(Arc::new(service.command)),
            };
            (category, service)
        });
        Self {
            node: config.node,
            roles: config.roles,
            offers: config.offers,
            hook: config.hook.map(Hook::new),
            state_directory: config.state_directory,
            labels: config.labels,
            speed: config.speed,
            scope: config.scope,
            jobs_max: config.jobs_max,
            grace: config.grace,
            heartbeat_on_change: config.heartbeat_on_change,
            capacity: config.capacity,
            services: services.collect(),
            secrets: nats.secret_files(),
            nats,
            connect_timeout,
            is_leashed: true,
        }
    }

    /// Also keeps this file from jobs that run as another user: it holds a login.
    pub fn guard(&mut self, file: PathBuf) {
        self.secrets.push(file);
    }

    /// Checks that jobs can be run as they are configured.
    fn prepare(&self) -> anyhow::Result<Leash> {
        let confined = || {
            let services = self.services.iter();
            services.filter_map(|(category, service)| Some((category, service.confinement()?)))
        };
        let limits = confined().flat_map(|(_, confinement)| confinement.limits.controllers());
        let controllers: BTreeSet<&'static str> = limits.collect();
        let groups = match controllers.is_empty() {
            true => None,
            false => Some(Groups::open(&controllers)?),
        };
        for (category, confinement) in confined() {
            rehearse(category, confinement, groups.as_ref(), &self.secrets)?;
        }
        Ok(Leash {
            is_on: self.is_leashed,
            groups,
        })
    }

    /// Runs jobs until `shutdown` completes, then drains and returns.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        self.run_until(pin!(once(shutdown))).await
    }

    /// Runs jobs until `drain` yields, then drains; when it yields again, the grace time
    /// is over. Before it has reached NATS there is nothing to drain, and it returns at
    /// once.
    pub async fn run_until(self, mut drain: impl Stream<Item = ()> + Unpin) -> anyhow::Result<()> {
        let gauge = Arc::new(Gauge::default());
        let runners = self.services.values().map(|service| &service.runner);
        let has_handlers = runners.into_iter().any(|r| matches!(r, Runner::Handler(_)));
        let meter = Meter::new(self.scope, has_handlers, Arc::clone(&gauge))?;
        let mut sampler = Sampler::start(meter, self.capacity, self.heartbeat_on_change)?;
        // After the meter found the worker's group, which it may now leave for one below.
        let leash = Arc::new(self.prepare()?);
        let name = format!("rolecast-worker {}", self.node);
        let connection = tokio::select! {
            connection = connect(&self.nats, &name, self.connect_timeout) => connection?,
            Some(()) = drain.next() => {
                tracing::info!(event = "stopped_early", "asked to end before NATS was reached");
                return Ok(());
            }
        };
        let first = sampler.usage.wait_for(Option::is_some);
        if tokio::time::timeout(FIRST_USAGE_TIMEOUT, first)
            .await
            .is_err()
        {
            tracing::warn!(event = "usage_slow", "the system is slow to tell its use");
        }
        self.serve(connection, sampler, gauge, leash, drain).await
    }

    async fn serve(
        self,
        connection: Connection,
        sampler: Sampler,
        gauge: Arc<Gauge>,
        leash: Arc<Leash>,
        drain: impl Stream<Item = ()> + Unpin,
    ) -> anyhow::Result<()> {
        let clock = Clock::new();
        let boot = connection.client.new_inbox();
        let boot = boot.rsplit('.').next().unwrap_or_default();
        let boot = BootId::new(boot).context("cannot name this start of the worker")?;
        let (epoch_file, epoch) = match (&self.state_directory, self.offers.is_empty()) {
            (Some(directory), false) => {
                let (file, epoch) = EpochFile::open(directory, &self.node)?;
                (Some(file), epoch)
            }
            (None, false) => bail!("a worker that offers roles needs a state directory"),
            (_, true) => (None, Epoch::default()),
        };
        let messages = subscribe(&connection.client, &self.node).await?;
        let categories = self.services.iter();
        let params = Params {
            node: self.node.clone(),
            boot,
            roles: RoleParams {
                fixed: self.roles,
                offers: self.offers,
                hook_limit: self.hook.as_ref().map(|hook| hook.limit),
                epoch,
            },
            labels: self.labels,
            speed: self.speed,
            capacity: sampler.capacity,
            jobs_max: self.jobs_max,
            categories: categories
                .map(|(c, service)| (c.clone(), service.limits))
                .collect(),
            grace: self.grace,
            heartbeat_on_change: self.heartbeat_on_change,
            max_payload: connection.client.max_payload(),
        };
        let names: Vec<&str> = self.services.keys().map(Category::as_str).collect();
        tracing::info!(
            event = "worker_started",
            node = %self.node,
            boot = %params.boot,
            categories = names.join(","),
            max_jobs = self.jobs_max,
            cpu = params.capacity.cpu.get(),
            memory = %params.capacity.memory,
        );
        let agent = Agent::new(clock.now(), params);
        let shell = Shell::new(
            agent,
            clock,
            connection,
            &self.node,
            self.services,
            gauge,
            self.hook,
            epoch_file,
            leash,
        );
        shell.run(messages, sampler.usage.clone(), drain).await
    }
}

/// Listens to everything addressed to the node except its jobs and pings: a subscription
/// to these shows that the node is there, and until the worker is admitted another one
/// may be.
async fn subscribe(
    client: &Client,
    node: &NodeId,
) -> Result<SelectAll<Subscriber>, SubscribeError> {
    let confirmations = subjects::node_all(node).replace('>', "confirm.*");
    let subjects = [
        subjects::node_admission(node),
        subjects::node_roles(node),
        confirmations,
    ];
    let mut messages = SelectAll::new();
    for subject in subjects {
        // Without a group: only to a plain subscription does the server report that
        // nobody listens where the outcomes were sent.
        messages.push(client.subscribe(subject).await?);
    }
    Ok(messages)
}
