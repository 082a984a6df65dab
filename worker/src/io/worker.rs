//! Life of a worker, from connecting to leaving.

use std::collections::{BTreeMap, BTreeSet};
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
use rolecast_http::{Door, Settings as HttpSettings};
use rolecast_nats::{Clock, Connection, ServiceManager, Settings, Stage, connect};

use super::epoch::EpochFile;
use super::executions::Executions;
use super::gauge::Gauge;
use super::groups::{Groups, OwnGroup};
use super::hook::{Hook, Hooks};
use super::http::{self, Observed};
use super::leash::Leash;
use super::outbox::Outbox;
use super::rehearsal::rehearse;
use super::runner::{Program, Runner};
use super::sampler::{Meter, Sampler};
use super::shell::{Feeds, Shell};
use crate::agent::{Agent, Params, RoleParams};
use crate::config::{Capacity, Config};
use crate::usage::Scope;

/// Long enough for a NATS server that starts together with the worker.
pub(super) const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// Time that the first heartbeat waits for the first reading of the system.
const FIRST_USAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// A node that is ready to run jobs.
///
/// What it reports as the use by its jobs is that of their processes, and with handlers
/// that of this process.
#[derive(Debug)]
pub struct Worker {
    pub(super) node: NodeId,
    pub(super) settings: NodeSettings,
    pub(super) hook: Option<Hook>,
    pub(super) runners: BTreeMap<Category, Runner>,
    pub(super) nats: Settings,
    pub(super) http: HttpSettings,
    pub(super) connect_timeout: Duration,
    pub(super) is_leashed: bool,
    /// Files that jobs which run as another user must not be able to read.
    pub(super) secrets: Vec<PathBuf>,
    /// The manager of the program, if the worker is all of it.
    pub(super) manager: ServiceManager,
}

/// Settings of a node, from a configuration or a builder.
#[derive(Debug)]
pub(super) struct NodeSettings {
    pub(super) roles: Vec<Role>,
    pub(super) offers: Vec<Role>,
    pub(super) state_directory: Option<PathBuf>,
    pub(super) labels: Labels,
    pub(super) speed: Speed,
    pub(super) scope: Scope,
    pub(super) jobs_max: u32,
    pub(super) grace: Duration,
    pub(super) heartbeat_on_change: bool,
    pub(super) capacity: Capacity,
}

/// The parts of a worker that exist before it is connected.
struct Parts {
    sampler: Sampler,
    gauge: Arc<Gauge>,
    leash: Arc<Leash>,
    observed: Observed,
}

impl Worker {
    /// Returns the worker that a configuration describes, at the NATS of `nats`, which it
    /// must reach within `connect_timeout` at first.
    ///
    /// The program must call [`crate::run_if_leashed`] first in its `main`: commands do not
    /// start otherwise.
    pub fn from_config(config: Config, nats: Settings, connect_timeout: Duration) -> Self {
        let runners = config.categories.into_iter();
        let runners = runners.map(|(category, service)| {
            let runner = Runner {
                limits: service.limits,
                program: Program::Command(Arc::new(service.command)),
            };
            (category, runner)
        });
        Self {
            node: config.node,
            settings: NodeSettings {
                roles: config.roles,
                offers: config.offers,
                state_directory: config.state_directory,
                labels: config.labels,
                speed: config.speed,
                scope: config.scope,
                jobs_max: config.jobs_max,
                grace: config.grace,
                heartbeat_on_change: config.heartbeat_on_change,
                capacity: config.capacity,
            },
            hook: config.hook.map(Hook::new),
            runners: runners.collect(),
            secrets: nats.secret_files(),
            nats,
            http: config.http,
            connect_timeout,
            is_leashed: true,
            manager: ServiceManager::of_environment(),
        }
    }

    /// Also keeps this file from jobs that run as another user: it holds a login. If such a
    /// user may read it, [`Worker::run`] fails.
    pub fn guard(&mut self, file: PathBuf) {
        self.secrets.push(file);
    }

    /// Checks that jobs can be run as they are configured.
    fn prepare(&self) -> anyhow::Result<Leash> {
        let confined = || {
            let runners = self.runners.iter();
            runners.filter_map(|(category, runner)| Some((category, runner.confinement()?)))
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
            // Of the group that it is in after it has opened those.
            own_group: OwnGroup::find(),
            groups,
        })
    }

    /// Runs jobs until `shutdown` completes, then drains and returns: running jobs may finish
    /// within the grace time, others are given back.
    ///
    /// It needs a tokio runtime with IO and time; handlers are tasks of it. Once the grace time
    /// is over, what a handler does is dropped at its next `await`.
    ///
    /// # Errors
    /// One that the worker cannot correct: NATS was not reached in time, the login lacks a
    /// permission, another worker has the name of the node, the use of the host cannot be
    /// read, a command cannot run as its category requires, or the epoch cannot be kept while
    /// roles are offered. A lost connection is none; the worker reconnects.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        self.run_until(pin!(once(shutdown))).await
    }

    /// Runs jobs until `drain` yields, then drains; when it yields again, the grace time
    /// is over. A stream that ends without an item never drains. Before the worker has
    /// reached NATS there is nothing to drain, and it returns at once.
    ///
    /// # Errors
    /// As [`Worker::run`].
    pub async fn run_until(self, mut drain: impl Stream<Item = ()> + Unpin) -> anyhow::Result<()> {
        let gauge = Arc::new(Gauge::default());
        let has_handlers = self.runners.values().any(Runner::is_handler);
        let settings = &self.settings;
        let meter = Meter::new(settings.scope, has_handlers, Arc::clone(&gauge))?;
        let mut sampler = Sampler::start(meter, settings.capacity, settings.heartbeat_on_change)?;
        let (observer, observed) = http::observe(&self.node);
        let door = Door::open(&self.http)?;
        let _server = door
            .map(|door| door.serve(http::routes(observer)))
            .transpose()?;
        // After the meter found the worker's group, which it may now leave for one below.
        let leash = Arc::new(self.prepare()?);
        let name = format!("rolecast-worker {}", self.node);
        let status = || "connects to NATS".to_owned();
        self.manager.report(Stage::Starting, status);
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
            tracing::warn!(event = "usage_slow", "the first reading of the use is late");
        }
        observed.connect(connection.link.clone());
        let parts = Parts {
            sampler,
            gauge,
            leash,
            observed,
        };
        self.serve(connection, parts, drain).await
    }

    async fn serve(
        self,
        connection: Connection,
        parts: Parts,
        drain: impl Stream<Item = ()> + Unpin,
    ) -> anyhow::Result<()> {
        let clock = Clock::new();
        let boot = connection.client.new_inbox();
        let boot = boot.rsplit('.').next().unwrap_or_default();
        let boot = BootId::new(boot).context("cannot name this start of the worker")?;
        let settings = self.settings;
        let (epoch_file, epoch) = match (&settings.state_directory, settings.offers.is_empty()) {
            (Some(directory), false) => {
                let (file, epoch) = EpochFile::open(directory, &self.node)?;
                (Some(file), epoch)
            }
            (None, false) => bail!("a worker that offers roles needs a state directory"),
            (_, true) => (None, Epoch::default()),
        };
        let messages = subscribe(&connection.client, &self.node).await?;
        let categories = self.runners.iter();
        let params = Params {
            node: self.node.clone(),
            boot,
            roles: RoleParams {
                fixed: settings.roles,
                offers: settings.offers,
                hook_limit: self.hook.as_ref().map(|hook| hook.limit),
                epoch,
            },
            labels: settings.labels,
            speed: settings.speed,
            capacity: parts.sampler.capacity,
            jobs_max: settings.jobs_max,
            categories: categories
                .map(|(category, runner)| (category.clone(), runner.limits))
                .collect(),
            grace: settings.grace,
            heartbeat_on_change: settings.heartbeat_on_change,
            max_payload: connection.client.max_payload(),
        };
        let names: Vec<&str> = self.runners.keys().map(Category::as_str).collect();
        tracing::info!(
            event = "worker_started",
            node = %self.node,
            boot = %params.boot,
            categories = names.join(","),
            max_jobs = params.jobs_max,
            cpu = params.capacity.cpu.get(),
            memory = %params.capacity.memory,
        );
        let agent = Agent::new(clock.now(), params);
        let outbox = Outbox::new(connection, &self.node);
        let (executions, ends) =
            Executions::new(self.node, self.runners, parts.gauge, parts.leash.clone());
        let (hooks, hook_ends) = Hooks::new(self.hook, parts.leash);
        let shell = Shell::new(agent, clock, outbox, executions, hooks, epoch_file);
        let feeds = Feeds {
            messages,
            usage: parts.sampler.usage.clone(),
            ends,
            hook_ends,
            observed: parts.observed,
        };
        shell.run(feeds, drain, &self.manager).await
    }
}

/// Subscribes to everything addressed to the node except its jobs and pings: a subscription
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
        subjects::node_cancel(node),
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
