//! Producer that publishes with a bounded number of open acknowledgements.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::Client;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};

use super::contender::CATEGORY;
use super::worker::now_nanos;

/// Publishes awaiting their acknowledgement: the fastest number in research for this
/// benchmark.
const WINDOW: u64 = 512;

fn payload(len: usize) -> Bytes {
    let mut payload = vec![b'x'; len];
    payload[..8].copy_from_slice(&now_nanos().to_be_bytes());
    payload.into()
}

/// Publishes `jobs` jobs as fast as the stream acknowledges them.
pub(crate) async fn flood(client: &Client, jobs: u64, payload_len: usize) -> anyhow::Result<()> {
    let inbox = client.new_inbox();
    let mut acks = client.subscribe(inbox.clone()).await?;
    let subject = format!("rolecast.jobs.{CATEGORY}");
    let (mut sent, mut acked) = (0, 0);
    while acked < jobs {
        while sent < jobs && sent - acked < WINDOW {
            let subject = subject.clone();
            client
                .publish_with_reply(subject, inbox.clone(), payload(payload_len))
                .await?;
            sent += 1;
        }
        acks.next().await.context("the connection was closed")?;
        acked += 1;
        while let Some(Some(_)) = acks.next().now_or_never() {
            acked += 1;
        }
    }
    acks.unsubscribe().await?;
    Ok(())
}

/// Publishes at a steady rate, a job at a time.
pub(crate) async fn pace(client: &Client, rate: u64, length: Duration) -> anyhow::Result<u64> {
    let inbox = client.new_inbox();
    let mut acks = client.subscribe(inbox.clone()).await?;
    let subject = format!("rolecast.jobs.{CATEGORY}");
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < length {
        let due = u64::try_from(start.elapsed().as_micros())? * rate / 1_000_000;
        while sent < due {
            let subject = subject.clone();
            client
                .publish_with_reply(subject, inbox.clone(), payload(128))
                .await?;
            sent += 1;
        }
        while let Some(Some(_)) = acks.next().now_or_never() {}
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    acks.unsubscribe().await?;
    Ok(sent)
}
