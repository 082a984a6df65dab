//! Starts nats-server, the dispatcher and the workers, and waits until all are ready.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use rolecast_common::id::{JobId, Priority};
use rolecast_common::options::HEADER_MSG_ID;
use rolecast_common::subjects::Source;
use rolecast_common::wire::{NodeHealth, NodeStatus, RecordStatus};
use rolecast_nats::{Settings, connect, publish_with_retry};
use tokio::time::{sleep, timeout};

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::status;
use super::super::terminal::Terminal;
use super::super::waiting::{Hints, wait_for_record};
use super::cluster::Cluster;
use super::cores::Cores;
use super::own_load;
use super::programs::Programs;
use crate::demo::configs::{dispatcher_toml, nats_conf, worker_toml};
use crate::demo::fleet::{COUNT, FLEET};
use crate::demo::logins::{AUDIENCE, DISPATCHER, OPERATOR, url_as};

/// Long for a program that starts in half a second: the machine may be busy.
const READY_MAX: Duration = Duration::from_secs(30);
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// Connections of the demonstration.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) session: Session,
    /// Receives heartbeats, which an operator need not.
    pub(super) audience: Client,
    /// The URL of the server, without a login.
    pub(super) url: String,
}

/// Returns once every node is ready.
pub(super) async fn start(
    programs: &Programs,
    cluster: &mut Cluster,
    terminal: &Terminal,
) -> Result<Stage, Failure> {
    terminal.note(&format!(
        "starting nats-server {}, a dispatcher and {} workers in {}",
        programs.nats_version,
        FLEET.len(),
        cluster.path().display(),
    ));
    cluster.write("nats.conf", &nats_conf())?;
    cluster.start("nats-server", &programs.nats_server, &["-c", "nats.conf"])?;
    let url = server_url(cluster).await?;
    cluster.write("rolecast.toml", &dispatcher_toml())?;
    let own_url = url_as(&url, DISPATCHER);
    let arguments = ["--config", "rolecast.toml", "--nats-url", &own_url];
    cluster.start("dispatcher", &programs.dispatcher, &arguments)?;
    let cores = Cores::allowed()?;
    for (index, member) in FLEET.iter().enumerate() {
        let config = format!("{}.toml", member.node);
        cluster.write(&config, &worker_toml(member))?;
        let own_url = url_as(&url, member.node);
        let arguments = ["--config", config.as_str(), "--nats-url", &own_url];
        cores.confined(index, || {
            own_load::start_worker(cluster, member.node, &programs.worker, &arguments)
        })?;
    }
    let settings = settings(&url, OPERATOR);
    let connection = connect(&settings, "rolecast-demo", READY_MAX).await?;
    let session = Session::new(connection, &settings, None);
    let audience = connect(&self::settings(&url, AUDIENCE), "rolecast-demo", READY_MAX).await?;
    wait_until_ready(&session, cluster).await?;
    warm_up(&session).await?;
    Ok(Stage {
        session,
        audience: audience.client,
        url,
    })
}

fn settings(url: &str, user: &str) -> Settings {
    Settings {
        url: Some(url.to_owned()),
        user: Some(user.to_owned()),
        password: Some(user.to_owned()),
        ..Settings::default()
    }
}

/// Reads the URL from the file the server writes once it listens.
async fn server_url(cluster: &mut Cluster) -> anyhow::Result<String> {
    let end = Instant::now() + READY_MAX;
    while Instant::now() < end {
        if let Some(url) = ports_file_url(cluster) {
            return Ok(url);
        }
        cluster.check()?;
        sleep(CHECK_EVERY).await;
    }
    bail!(
        "nats-server does not listen\n{}",
        cluster.log_tail("nats-server")
    )
}

fn ports_file_url(cluster: &Cluster) -> Option<String> {
    let mut entries = fs::read_dir(cluster.path()).ok()?.flatten();
    let file = entries.find(|entry| entry.file_name().to_string_lossy().ends_with(".ports"))?;
    // It may be half written; the next look finds it complete.
    let ports: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).ok()?).ok()?;
    Some(ports["nats"][0].as_str()?.to_owned())
}

async fn wait_until_ready(session: &Session, cluster: &mut Cluster) -> Result<(), Failure> {
    let end = Instant::now() + READY_MAX;
    loop {
        cluster.check()?;
        let status = status::request(session).await?;
        let nodes = status.map(|status| status.nodes).unwrap_or_default();
        let is_ready = |node: &&NodeStatus| {
            let mut members = FLEET.iter();
            let member = members.find(|member| member.node == node.node.as_str());
            let role = member.and_then(|member| member.role.parse().ok());
            node.health == NodeHealth::Ready && role.is_some_and(|role| node.roles.contains(&role))
        };
        let ready = nodes.iter().filter(is_ready).count();
        if ready == FLEET.len() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(not_ready(ready, cluster).into());
        }
        sleep(CHECK_EVERY).await;
    }
}

/// Runs one job that does not count: a dispatcher listens for a moment before
/// it sends its first job, and the first run of a tool is slow.
async fn warm_up(session: &Session) -> Result<(), Failure> {
    let job = JobId::new("warm-up")?;
    let source = Source {
        category: COUNT.category.parse()?,
        priority: Priority::Normal,
    };
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_MSG_ID, job.as_str());
    let payload = Bytes::from_static(b"to be or not to be");
    let mut hints = Hints::subscribe(session, &job).await?;
    publish_with_retry(&session.jetstream, &source.subject(), &headers, &payload).await?;
    let record = timeout(READY_MAX, wait_for_record(session, &job, &mut hints)).await;
    let record = record.map_err(|_| anyhow!("the first job did not end"))??;
    if record.status != RecordStatus::Completed {
        return Err(anyhow!("the first job failed: {}", record.reason).into());
    }
    Ok(())
}

fn not_ready(ready: usize, cluster: &Cluster) -> anyhow::Error {
    anyhow!(
        "only {ready} of {} nodes are ready\n{}\n{}",
        FLEET.len(),
        cluster.log_tail("dispatcher"),
        cluster.log_tail(FLEET[0].node),
    )
}
