//! Run of one contender: throughput of a flood, or delays at a steady rate.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_nats::{Client, jetstream};
use futures_util::StreamExt as _;
use hdrhistogram::Histogram;
use rolecast_common::subjects::STREAM_JOBS;

use super::contender::{Contender, Running, WORKERS};
use super::publisher;
use super::worker::{COUNT, REPORT};

/// The time limit of a run; a longer one is stuck.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// Jobs before the measured ones, so that windows are open and caches warm.
const WARM_UP_JOBS: u64 = 2000;
const POLL: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    pub(crate) jobs_per_second: f64,
    pub(crate) server_us: f64,
    pub(crate) dispatcher_us: f64,
    pub(crate) workers_us: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) server_us: f64,
    pub(crate) dispatcher_us: f64,
    pub(crate) workers_us: f64,
}

/// Returns the number of jobs a second that are published, run and taken off the queue.
pub(crate) async fn throughput(
    contender: Contender,
    payload_len: usize,
    jobs: u64,
) -> anyhow::Result<Throughput> {
    let running = Running::start(contender).await?;
    publisher::flood(&running.client, WARM_UP_JOBS, payload_len).await?;
    drain(&running.client, WARM_UP_JOBS).await?;
    let cpu = Cpu::read(&running);
    let start = Instant::now();
    publisher::flood(&running.client, jobs, payload_len).await?;
    drain(&running.client, WARM_UP_JOBS + jobs).await?;
    let seconds = start.elapsed().as_secs_f64();
    let used = Cpu::read(&running).since(cpu);
    #[allow(clippy::cast_precision_loss, reason = "job counts are far below 2^52")]
    let count = jobs as f64;
    Ok(Throughput {
        jobs_per_second: count / seconds,
        server_us: used.server * 1e6 / count,
        dispatcher_us: used.dispatcher * 1e6 / count,
        workers_us: used.workers * 1e6 / count,
    })
}

/// Returns the delays of jobs from their submission to their start.
pub(crate) async fn latency(
    contender: Contender,
    rate: u64,
    seconds: u64,
) -> anyhow::Result<Latency> {
    let running = Running::start(contender).await?;
    let client = &running.client;
    let early = publisher::pace(client, rate, Duration::from_secs(1)).await?;
    drain(client, early).await?;
    let cpu = Cpu::read(&running);
    let sent = publisher::pace(client, rate, Duration::from_secs(seconds)).await?;
    drain(client, early + sent).await?;
    let used = Cpu::read(&running).since(cpu);
    let mut delays = Histogram::<u64>::new(3)?;
    for worker in ask(client, REPORT).await? {
        let all: Vec<u64> = worker
            .chunks_exact(4)
            .map(|bytes| u64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
            .collect();
        // Each worker ran about its share of the early jobs first.
        let skipped = usize::try_from(early)? / WORKERS;
        for delay in all.iter().skip(skipped.min(all.len())) {
            delays.record(*delay)?;
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "job counts are far below 2^52")]
    let count = sent as f64;
    Ok(Latency {
        p50_us: delays.value_at_quantile(0.5),
        p99_us: delays.value_at_quantile(0.99),
        server_us: used.server * 1e6 / count,
        dispatcher_us: used.dispatcher * 1e6 / count,
        workers_us: used.workers * 1e6 / count,
    })
}

/// Waits until all jobs ran and none is left in the stream.
async fn drain(client: &Client, jobs: u64) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        ensure!(start.elapsed() < RUN_LIMIT, "jobs are stuck");
        let counts = ask(client, COUNT).await?;
        let counts = counts
            .iter()
            .map(|count| String::from_utf8_lossy(count).parse::<u64>());
        let done: u64 = counts.collect::<Result<Vec<u64>, _>>()?.into_iter().sum();
        if done >= jobs {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    let jetstream = jetstream::new(client.clone());
    let stream = jetstream.get_stream_no_info(STREAM_JOBS).await?;
    while stream.get_info().await?.state.messages > 0 {
        ensure!(start.elapsed() < RUN_LIMIT, "jobs are stuck in the stream");
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Asks all workers and returns their answers.
async fn ask(client: &Client, subject: &'static str) -> anyhow::Result<Vec<bytes::Bytes>> {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    client.publish_with_reply(subject, inbox, "".into()).await?;
    let mut all = Vec::new();
    while all.len() < WORKERS {
        let answer = tokio::time::timeout(RUN_LIMIT, answers.next()).await?;
        all.push(answer.context("the connection was closed")?.payload);
    }
    Ok(all)
}

/// CPU seconds used so far.
#[derive(Clone, Copy, Debug)]
struct Cpu {
    server: f64,
    dispatcher: f64,
    workers: f64,
}

impl Cpu {
    fn read(running: &Running) -> Self {
        let dispatcher = running.dispatcher.as_ref();
        Self {
            server: cpu_seconds(running.server.process().pid()),
            dispatcher: dispatcher.map_or(0.0, |process| cpu_seconds(process.pid())),
            workers: running
                .workers
                .iter()
                .map(|worker| cpu_seconds(worker.pid()))
                .sum(),
        }
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            server: self.server - earlier.server,
            dispatcher: self.dispatcher - earlier.dispatcher,
            workers: self.workers - earlier.workers,
        }
    }
}

/// Reads user and system time of a process; 0 where there is no /proc.
fn cpu_seconds(pid: i32) -> f64 {
    /// The unit of times in /proc, which is fixed for user space.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may contain anything; the times follow it.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}
