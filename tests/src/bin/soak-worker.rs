//! Worker for the soak test: reports that a job started, waits a little, completes.

#![allow(
    clippy::disallowed_methods,
    reason = "end-to-end tests live in real time"
)]

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use rolecast_nats::{Settings, nats_settings};
use rolecast_tests::logins::{self, ADMIN};
use rolecast_worker::{Job, JobError, Worker};

const USAGE: &str = "usage: soak-worker URL NODE COUNTED_URL";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context(USAGE)?;
    let node = arguments.next().context(USAGE)?;
    let counted_url = arguments.next().context(USAGE)?;
    // A worker has no right to report this.
    let client = logins::options(ADMIN).connect(&counted_url).await?;
    let nats = Settings {
        url: Some(url),
        ..Settings::default()
    };
    let nats = nats_settings(nats, Settings::default())?;
    let run = move |job: Job| {
        let client = client.clone();
        async move {
            let id = job.id().to_string();
            client.publish("soak.started", id.into()).await?;
            client.flush().await?;
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..60))).await;
            Ok::<Bytes, JobError>(Bytes::new())
        }
    };
    Worker::builder()
        .node(&node)
        .role("follower")
        .max_jobs(32)
        .nats(nats)
        .handle("soak", run)
        .build()?
        .run(std::future::pending::<()>())
        .await
}
