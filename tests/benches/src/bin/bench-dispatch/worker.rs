//! Two kinds of worker. Both record the start of a job and do nothing more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use async_nats::Client;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_nats::{Settings, nats_settings};
use rolecast_tests::logins;
use rolecast_worker::{Job, JobError, Worker};
use serde_json::json;

use super::contender::CATEGORY;

/// Jobs a worker may have in hand, the same for both kinds.
const IN_HAND_MAX: u32 = 800;
/// Subject on which a worker is asked for the delays it measured.
pub(crate) const REPORT: &str = "bench.report";
/// Subject on which a worker is asked for the number of jobs it ran.
pub(crate) const COUNT: &str = "bench.count";

/// Returns the wall clock in nanoseconds: the one clock all processes share.
pub(crate) fn now_nanos() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the time since the submission of the job, in microseconds.
fn delay_us(payload: &[u8]) -> u32 {
    let stamp = payload
        .first_chunk::<8>()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes));
    u32::try_from(now_nanos().saturating_sub(stamp) / 1000).unwrap_or(u32::MAX)
}

fn encode(delays: &[u32]) -> Bytes {
    delays
        .iter()
        .flat_map(|delay| delay.to_be_bytes())
        .collect::<Vec<u8>>()
        .into()
}

/// Pulls batches and asks for more when half of one is done.
pub(crate) async fn direct(url: &str, name: &str) -> anyhow::Result<()> {
    let client = logins::options(logins::ADMIN).connect(url).await?;
    let inbox = format!("_INBOX.{name}");
    let mut jobs = client.subscribe(inbox.clone()).await?;
    let mut reports = client.subscribe(REPORT).await?;
    let mut counts = client.subscribe(COUNT).await?;
    let mut delays: Vec<u32> = Vec::new();
    let request = |batch: u32| {
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM_JOBS}.{CATEGORY}");
        let request = json!({"batch": batch, "expires": 600_000_000_000u64}).to_string();
        client.publish_with_reply(subject, inbox.clone(), request.into())
    };
    request(IN_HAND_MAX).await?;
    let mut done = 0;
    loop {
        tokio::select! {
            job = jobs.next() => {
                let mut next = job;
                loop {
                    let job = next.context("the connection was closed")?;
                    delays.push(delay_us(&job.payload));
                    if let Some(reply) = job.reply {
                        client.publish(reply, "+ACK".into()).await?;
                    }
                    done += 1;
                    match jobs.next().now_or_never() {
                        Some(more) => next = more,
                        None => break,
                    }
                }
                if done >= IN_HAND_MAX / 2 {
                    request(done).await?;
                    done = 0;
                }
            }
            Some(question) = reports.next() => answer(&client, question.reply, encode(&delays)).await?,
            Some(question) = counts.next() => {
                let count = delays.len().to_string();
                answer(&client, question.reply, count.into()).await?;
            }
        }
    }
}

/// Runs the jobs with the Rust library.
pub(crate) async fn library(url: &str, name: &str) -> anyhow::Result<()> {
    let delays = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&delays);
    let nats = Settings {
        url: Some(url.to_owned()),
        ..Settings::default()
    };
    let nats = nats_settings(nats, Settings::default())?;
    let worker = Worker::builder()
        .node(name)
        .role("follower")
        .max_jobs(IN_HAND_MAX)
        .nats(nats)
        .handle(CATEGORY, move |job: Job| {
            let delay = delay_us(job.payload());
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(delay);
            std::future::ready(Ok::<Bytes, JobError>(Bytes::new()))
        })
        .build()?;
    let client = logins::options(logins::ADMIN).connect(url).await?;
    let answers = tokio::spawn(answer_all(client, delays));
    worker.run(std::future::pending::<()>()).await?;
    answers.abort();
    Ok(())
}

async fn answer_all(client: Client, delays: Arc<Mutex<Vec<u32>>>) -> anyhow::Result<()> {
    let mut reports = client.subscribe(REPORT).await?;
    let mut counts = client.subscribe(COUNT).await?;
    let read = || delays.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        tokio::select! {
            Some(question) = reports.next() => {
                let payload = encode(&read());
                answer(&client, question.reply, payload).await?;
            }
            Some(question) = counts.next() => {
                let count = read().len().to_string();
                answer(&client, question.reply, count.into()).await?;
            }
        }
    }
}

async fn answer(
    client: &Client,
    reply: Option<async_nats::Subject>,
    payload: Bytes,
) -> anyhow::Result<()> {
    if let Some(reply) = reply {
        client.publish(reply, payload).await?;
    }
    Ok(())
}
