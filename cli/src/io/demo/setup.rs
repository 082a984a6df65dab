//! Starts nats-server, the dispatcher and the workers, and waits until all are ready.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rolecast_common::nats::{Settings, connect};
use rolecast_common::wire::NodeHealth;
use tokio::time::sleep;

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::status;
use super::super::terminal::Terminal;
use super::cluster::Cluster;
use super::programs::Programs;
use crate::demo::fleet::{FLEET, dispatcher_toml, nats_conf, worker_toml};

/// Long for a program that starts in half a second: the machine may be busy.
const READY_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Returns a connection and its URL once every node is ready.
pub(super) async fn start(
    programs: &Programs,
    cluster: &mut Cluster,
    terminal: &Terminal,
) -> Result<(Session, String), Failure> {
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
    let arguments = ["--config", "rolecast.toml", "--nats-url", &url];
    cluster.start("dispatcher", &programs.dispatcher, &arguments)?;
    for member in FLEET {
        let config = format!("{}.toml", member.node);
        cluster.write(&config, &worker_toml(&member))?;
        let arguments = ["--config", config.as_str(), "--nats-url", &url];
        cluster.start(member.node, &programs.worker, &arguments)?;
    }
    let settings = Settings {
        url: Some(url.clone()),
        ..Settings::default()
    };
    let connection = connect(&settings, "rolecast-demo", READY_MAX).await?;
    let session = Session::new(connection, &settings, None);
    wait_until_ready(&session, cluster).await?;
    Ok((session, url))
}

/// Reads the URL from the file the server writes once it listens.
async fn server_url(cluster: &mut Cluster) -> anyhow::Result<String> {
    let end = Instant::now() + READY_MAX;
    while Instant::now() < end {
        if let Some(url) = ports_file_url(cluster) {
            return Ok(url);
        }
        cluster.check()?;
        sleep(LOOK_EVERY).await;
    }
    bail!(
        "nats-server does not listen\n{}",
        cluster.log_tail("nats-server")
    )
}

fn ports_file_url(cluster: &Cluster) -> Option<String> {
    let mut entries = fs::read_dir(cluster.path()).ok()?.flatten();
    let file = entries.find(|entry| entry.file_name().to_string_lossy().ends_with(".ports"))?;
    // It may be half written; the next look finds it whole.
    let ports: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).ok()?).ok()?;
    Some(ports["nats"][0].as_str()?.to_owned())
}

async fn wait_until_ready(session: &Session, cluster: &mut Cluster) -> Result<(), Failure> {
    let end = Instant::now() + READY_MAX;
    loop {
        cluster.check()?;
        let status = status::ask(session).await?;
        let nodes = status.map(|status| status.nodes).unwrap_or_default();
        let ready = nodes
            .iter()
            .filter(|node| node.health == NodeHealth::Ready)
            .count();
        if ready == FLEET.len() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(not_ready(ready, cluster)).context("the demo cannot start")?;
        }
        sleep(LOOK_EVERY).await;
    }
}

fn not_ready(ready: usize, cluster: &Cluster) -> anyhow::Error {
    anyhow::anyhow!(
        "only {ready} of {} nodes are ready\n{}\n{}",
        FLEET.len(),
        cluster.log_tail("dispatcher"),
        cluster.log_tail(FLEET[0].node),
    )
}
