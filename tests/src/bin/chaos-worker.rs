//! Worker for the fault matrix: waits as long as a job asks, and records each run.

#![allow(
    clippy::disallowed_methods,
    reason = "end-to-end tests live in real time"
)]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Parser;
use rolecast_common::unit::{Bytes as Memory, Cores};
use rolecast_nats::{Settings, nats_settings};
use rolecast_worker::Scope;
use rolecast_worker::config::Capacity;
use rolecast_worker::{Job, JobError, Worker};

/// What the fault matrix starts each of its workers with.
#[derive(Debug, Parser)]
struct Arguments {
    /// The servers, separated by commas
    url: String,
    node: String,
    /// Where a line is added when a run begins and when it ends
    runs: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runs = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&arguments.runs)
        .with_context(|| format!("cannot write {}", arguments.runs.display()))?;
    let nats = Settings {
        url: Some(arguments.url),
        ..Settings::default()
    };
    let nats = nats_settings(nats, Settings::default())?;
    let runs = Arc::new(runs);
    let handler = move |job: Job| run(job, Arc::clone(&runs));
    // Waiting takes no resources, and other load of the host does not matter for this
    // test.
    let capacity = Capacity {
        cpu: Some(Cores::clamped(32.0)),
        memory: Some(Memory::from_mib(32 * 1024)),
        ..Capacity::default()
    };
    Worker::builder()
        .node(&arguments.node)
        .role("follower")
        .offer("leader")
        .state_directory("state")
        .max_jobs(64)
        .capacity(capacity)
        .usage_scope(Scope::Process)
        .nats(nats)
        .handle("short", handler.clone())
        .handle("long", handler.clone())
        .handle("lead", handler.clone())
        .handle("bulk", handler)
        .build()?
        .run(std::future::pending::<()>())
        .await
}

/// Waits for the milliseconds at the beginning of the payload.
async fn run(job: Job, runs: Arc<File>) -> Result<Bytes, JobError> {
    write(&runs, "start", &job)?;
    let text = job.payload().split(|byte| *byte == b' ').next();
    let text = String::from_utf8_lossy(text.unwrap_or_default());
    let wait = text.parse().map_err(|_| JobError::give_up("not a time"))?;
    tokio::time::sleep(Duration::from_millis(wait)).await;
    write(&runs, "end", &job)?;
    Ok(Bytes::new())
}

/// Adds one line in one piece, so that a kill never leaves a part of it.
fn write(mut runs: &File, what: &str, job: &Job) -> std::io::Result<()> {
    let line = format!("{what} {} {}\n", job.id(), job.attempt());
    runs.write_all(line.as_bytes())
}
