//! The dispatcher's page in the demonstration: its address, and its summary in one line.

use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::cluster::Cluster;

/// Time for an answer on this machine.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The most bytes of a page.
const LEN_MAX: u64 = 1024 * 1024;
/// The text before the summary in a page's head.
const SUMMARY: &str = "<meta name=\"description\" content=\"";

/// Returns the address, which the dispatcher has logged; such as `127.0.0.1:8640`.
pub(super) fn address(cluster: &Cluster) -> Option<String> {
    let log = cluster.log("dispatcher");
    let line = log.lines().find(|line| line.contains("http_listening"))?;
    let (_, rest) = line.split_once("http://")?;
    Some(rest.split('/').next()?.to_owned())
}

/// Reads the first view, and returns its summary.
pub(super) async fn summary(address: &str) -> anyhow::Result<String> {
    let page = timeout(ANSWER_MAX, get(address)).await;
    let page = page.context("no answer in time")??;
    let summary = page.split_once(SUMMARY).map(|(_, rest)| rest);
    let summary = summary.and_then(|rest| Some(rest.split_once('"')?.0));
    Ok(summary.context("it has no summary")?.to_owned())
}

async fn get(address: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(LEN_MAX).read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
