//! Contender: its processes, started on a fresh server.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use async_nats::jetstream::{self};
use rolecast_benches::viewer::Viewer;
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, NodeHealth, Status};
use rolecast_tests::http::{get, port_of};
use rolecast_tests::process::Process;
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_until;
use tokio::task::JoinHandle;

pub(crate) const WORKERS: usize = 4;
/// The category of all jobs, and of the direct workers' consumer.
pub(crate) const CATEGORY: &str = "noop";
/// Far shorter than the usual 15 seconds.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);
const START_LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Direct,
    Rolecast,
    Recorded,
    Seen,
}

impl Contender {
    pub(crate) const ALL: [Contender; 4] = [
        Contender::Direct,
        Contender::Rolecast,
        Contender::Recorded,
        Contender::Seen,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Contender::Direct => "direct",
            Contender::Rolecast => "rolecast",
            Contender::Recorded => "recorded",
            Contender::Seen => "seen",
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A contender's running processes.
pub(crate) struct Running {
    pub(crate) workers: Vec<Process>,
    pub(crate) dispatcher: Option<Process>,
    readers: Option<Readers>,
    pub(crate) client: async_nats::Client,
    pub(crate) server: Server,
}

impl Running {
    pub(crate) async fn start(contender: Contender) -> anyhow::Result<Self> {
        let server = Server::start().await;
        let client = server.client().await;
        let mut running = Self {
            workers: Vec::new(),
            dispatcher: None,
            readers: None,
            client,
            server,
        };
        match contender {
            Contender::Direct => running.start_direct().await?,
            Contender::Rolecast => running.start_rolecast(false, "off").await?,
            Contender::Recorded => running.start_rolecast(true, "off").await?,
            Contender::Seen => {
                running.start_rolecast(true, "127.0.0.1:0").await?;
                running.readers = running.start_readers().await;
            }
        }
        Ok(running)
    }

    async fn start_direct(&mut self) -> anyhow::Result<()> {
        let jetstream = jetstream::new(self.client.clone());
        let stream = Config {
            name: subjects::STREAM_JOBS.to_owned(),
            subjects: subjects::JOBS.map(str::to_owned).to_vec(),
            retention: RetentionPolicy::WorkQueue,
            ..Config::default()
        };
        jetstream.create_stream(stream).await?;
        let consumer = pull::Config {
            durable_name: Some(CATEGORY.to_owned()),
            filter_subject: format!("rolecast.jobs.{CATEGORY}"),
            ack_policy: AckPolicy::Explicit,
            max_ack_pending: 5000,
            ..pull::Config::default()
        };
        let created = jetstream.create_consumer_on_stream(consumer, subjects::STREAM_JOBS);
        created.await?;
        self.startworkers("direct-worker")?;
        let waiting = async || {
            let stream = jetstream.get_stream_no_info(subjects::STREAM_JOBS).await;
            let Ok(stream) = stream else {
                return false;
            };
            let info = stream.consumer_info(CATEGORY).await;
            info.is_ok_and(|info| info.num_waiting >= WORKERS)
        };
        wait_until("all direct workers pull", START_LIMIT, waiting).await;
        Ok(())
    }

    async fn start_rolecast(&mut self, is_recorded: bool, listen: &str) -> anyhow::Result<()> {
        let config = format!(
            "[http]\nlisten = \"{listen}\"\n[categories.{CATEGORY}]\ncpu = 0.0\n\
             memory = \"1KiB\"\nrecord_outcomes = {is_recorded}\n"
        );
        let directory = self.server.directory();
        directory.write("rolecast.toml", &config);
        let url = self.server.url();
        let arguments = ["--config", "rolecast.toml", "--nats-url", url.as_str()];
        let program = sibling("rolecast-dispatcher")?;
        let dispatcher = Process::spawn("dispatcher", directory.path(), &program, arguments);
        self.dispatcher = Some(dispatcher);
        self.startworkers("library-worker")?;
        let client = &self.client;
        let ready = async || {
            let answer = client.request(subjects::API_STATUS, "".into()).await;
            let Ok(answer) = answer else {
                return false;
            };
            let status = wire::decode::<Status>(Encoding::Json, &answer.payload);
            status.is_ok_and(|status| {
                let nodes = status.nodes.iter();
                nodes
                    .filter(|node| node.health == NodeHealth::Ready)
                    .count()
                    == WORKERS
            })
        };
        wait_until("all workers are ready", START_LIMIT, ready).await;
        // The dispatcher fetches nothing in its first heartbeat interval.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Ok(())
    }

    /// Has a viewer of the live page, and the metrics read each second.
    async fn start_readers(&self) -> Option<Readers> {
        let port = port_of(self.dispatcher.as_ref()?).await;
        let scraper = tokio::spawn(async move {
            loop {
                get(port, "/metrics").await;
                tokio::time::sleep(SCRAPE_INTERVAL).await;
            }
        });
        Some(Readers {
            scraper,
            _viewer: Viewer::open(port, "/"),
        })
    }

    fn startworkers(&mut self, role: &str) -> anyhow::Result<()> {
        let program = std::env::current_exe()?;
        let url = self.server.url();
        for index in 0..WORKERS {
            let name = format!("worker-{index}");
            let arguments = [role, url.as_str(), name.as_str()];
            let directory = self.server.directory().path();
            self.workers
                .push(Process::spawn(&name, directory, &program, arguments));
        }
        Ok(())
    }
}

/// Those who read what a dispatcher shows; they end when this is dropped.
struct Readers {
    scraper: JoinHandle<()>,
    _viewer: Viewer,
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.scraper.abort();
    }
}

fn sibling(name: &str) -> anyhow::Result<std::path::PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    anyhow::ensure!(
        program.is_file(),
        "{} is missing: run `make bench-dispatch`",
        program.display()
    );
    Ok(program)
}
