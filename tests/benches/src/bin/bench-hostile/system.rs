//! System under attack: a server, a dispatcher and honest workers.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use rolecast_common::id::NodeId;
use rolecast_common::rights::{Login, Party};
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, NodeHealth, Status};
use rolecast_nats::{Settings, nats_settings};
use rolecast_tests::logins;
use rolecast_tests::process::Process;
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_until;
use rolecast_worker::{Job, JobError, Worker};

/// The category of the load.
pub(crate) const CATEGORY: &str = "noop";
pub(crate) const WORKERS: [&str; 3] = ["n1", "n2", "n3"];
/// The worker that is hostile; it has the login of a node.
pub(crate) const EVIL: &str = "evil";
/// Another application's stream, and its consumer.
const FOREIGN: &str = "FOREIGN";
const READER: &str = "reader";
const START_LIMIT: Duration = Duration::from_secs(20);
const IN_HAND_MAX: u32 = 64;
const CONFIG: &str = "[categories.noop]\ncpu = 0.0\nmemory = \"1KiB\"\n";

pub(crate) struct System {
    dispatcher: std::cell::RefCell<Process>,
    _workers: Vec<Process>,
    pub(crate) client: Client,
    pub(crate) server: Server,
}

impl System {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let evil = NodeId::new(EVIL)?;
        let evil = Login::new(&Party::Worker(evil), EVIL);
        let server = Server::start_with_users(&logins::entries(&[evil])).await;
        let client = server.client().await;
        let directory = server.directory();
        directory.write("rolecast.toml", CONFIG);
        let url = server.url_as(logins::DISPATCHER);
        let program = std::env::current_exe()?.with_file_name("rolecast-dispatcher");
        anyhow::ensure!(
            program.is_file(),
            "{} is missing: run `make bench-hostile`",
            program.display()
        );
        let arguments = ["--config", "rolecast.toml", "--nats-url", url.as_str()];
        let dispatcher = Process::spawn("dispatcher", directory.path(), &program, arguments);
        let own = std::env::current_exe()?;
        let spawn = |name: &&str| {
            let url = server.url_as(name);
            let arguments = ["worker", url.as_str(), *name];
            Process::spawn(name, directory.path(), &own, arguments)
        };
        let workers = WORKERS.iter().map(spawn).collect();
        let system = Self {
            dispatcher: dispatcher.into(),
            _workers: workers,
            client,
            server,
        };
        let is_ready = async || {
            let status = system.status().await;
            status.is_some_and(|status| {
                let ready = status.nodes.iter();
                let ready = ready.filter(|node| node.health == NodeHealth::Ready);
                ready.count() == WORKERS.len()
            })
        };
        wait_until("all workers are ready", START_LIMIT, is_ready).await;
        Ok(system)
    }

    async fn status(&self) -> Option<Status> {
        let asked = self.client.request(subjects::API_STATUS, "".into()).await;
        wire::decode(Encoding::Json, &asked.ok()?.payload).ok()
    }

    pub(crate) fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.client.clone())
    }

    /// Returns the peak memory of the dispatcher, in MiB.
    pub(crate) fn dispatcher_rss_mib(&self) -> f64 {
        let pid = self.dispatcher.borrow().pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.unwrap_or(f64::NAN) / 1024.0
    }

    pub(crate) fn is_dispatcher_running(&self) -> bool {
        self.dispatcher.borrow_mut().is_running()
    }

    /// Lets another application's consumer have a message in hand; returns its ack
    /// subject, which anybody who receives the delivery knows.
    pub(crate) async fn hold_foreign_message(&self) -> anyhow::Result<String> {
        let jetstream = self.jetstream();
        let config = stream::Config {
            name: FOREIGN.to_owned(),
            subjects: vec!["foreign".to_owned()],
            ..stream::Config::default()
        };
        let stream = jetstream.create_stream(config).await?;
        jetstream.publish("foreign", "x".into()).await?.await?;
        let config = pull::Config {
            durable_name: Some(READER.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(3600),
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await?;
        let mut messages = consumer.fetch().max_messages(1).messages().await?;
        let message = messages.next().await.context("the message is there")?;
        let message = message.map_err(|error| anyhow::anyhow!("{error}"))?;
        let reply = message.reply.as_ref().context("it is to be acknowledged")?;
        Ok(reply.to_string())
    }

    /// Returns whether somebody acknowledged it.
    pub(crate) async fn is_foreign_acked(&self) -> anyhow::Result<bool> {
        let stream = self.jetstream().get_stream_no_info(FOREIGN).await?;
        let info = stream.consumer_info(READER).await?;
        Ok(info.num_ack_pending != 1)
    }
}

/// Runs jobs that do nothing, with the Rust library.
pub(crate) async fn work(url: &str, name: &str) -> anyhow::Result<()> {
    let nats = Settings {
        url: Some(url.to_owned()),
        ..Settings::default()
    };
    let nats = nats_settings(nats, Settings::default())?;
    let nothing = |_: Job| std::future::ready(Ok::<Bytes, JobError>(Bytes::new()));
    Worker::builder()
        .node(name)
        .role("follower")
        .max_jobs(IN_HAND_MAX)
        .nats(nats)
        .handle(CATEGORY, nothing)
        .build()?
        .run(std::future::pending::<()>())
        .await
}
