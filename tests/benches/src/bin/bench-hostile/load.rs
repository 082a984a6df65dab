//! Normal load: jobs at a steady rate, and the time of each until its record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::{HeaderMap, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use hdrhistogram::Histogram;
use rolecast_common::id::JobId;
use rolecast_common::options::HEADER_MSG_ID;
use rolecast_common::wire::{self, Encoding, Record, RecordStatus};

use super::system::{CATEGORY, System, WORKERS};

/// Time limit for the jobs of the load to end, once an attack is over.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_micros(500);

pub(crate) struct Load<'a> {
    system: &'a System,
    inbox: String,
    acks: Subscriber,
    records: Subscriber,
    /// The times at which each job was submitted, and recorded.
    jobs: BTreeMap<String, (Instant, Option<Instant>)>,
    acked: u64,
    /// Records of no job of the load, or different from those its workers made.
    forged: u64,
}

/// Delays of jobs, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Jobs of this time that had no record when it was over.
    pub(crate) open: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) acked: u64,
    pub(crate) lost: u64,
    pub(crate) forged: u64,
}

impl<'a> Load<'a> {
    pub(crate) async fn start(system: &'a System) -> anyhow::Result<Self> {
        let client = &system.client;
        let inbox = client.new_inbox();
        Ok(Self {
            acks: client.subscribe(inbox.clone()).await?,
            records: client.subscribe("rolecast.results.*").await?,
            system,
            inbox,
            jobs: BTreeMap::new(),
            acked: 0,
            forged: 0,
        })
    }

    /// Submits jobs at this rate for so long; returns their delays.
    pub(crate) async fn run(&mut self, rate: u64, length: Duration) -> anyhow::Result<Times> {
        let start = Instant::now();
        let mut mine = Vec::new();
        while start.elapsed() < length {
            let due = u64::try_from(start.elapsed().as_micros())? * rate / 1_000_000;
            while u64::try_from(mine.len())? < due {
                mine.push(self.submit().await?);
            }
            self.read();
            tokio::time::sleep(STEP).await;
        }
        // The last jobs need a moment.
        let last = Instant::now();
        while last.elapsed() < Duration::from_secs(2) && self.open(&mine) > 0 {
            self.read();
            tokio::time::sleep(STEP).await;
        }
        let mut delays = Histogram::<u64>::new(3)?;
        for job in &mine {
            let (sent, ended) = self.jobs[job];
            // A job without a record takes at least until now.
            let took = ended.unwrap_or_else(Instant::now).duration_since(sent);
            delays.record(u64::try_from(took.as_micros())?)?;
        }
        #[allow(clippy::cast_precision_loss, reason = "delays are far below 2^52 us")]
        let quantile = |share| delays.value_at_quantile(share) as f64 / 1000.0;
        Ok(Times {
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
            open: self.open(&mine),
        })
    }

    /// Waits until all jobs are recorded, or until the limit.
    pub(crate) async fn settle(mut self) -> anyhow::Result<Counts> {
        let start = Instant::now();
        let all: Vec<String> = self.jobs.keys().cloned().collect();
        while start.elapsed() < SETTLE_LIMIT
            && (self.open(&all) > 0 || self.acked < u64::try_from(all.len())?)
        {
            self.read();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Counts {
            acked: self.acked,
            lost: self.open(&all),
            forged: self.forged,
        })
    }

    fn open(&self, jobs: &[String]) -> u64 {
        let open = jobs.iter().filter(|job| self.jobs[*job].1.is_none());
        open.count() as u64
    }

    async fn submit(&mut self) -> anyhow::Result<String> {
        let job = format!("load-{}", self.jobs.len());
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_MSG_ID, job.as_str());
        let subject = format!("rolecast.jobs.{CATEGORY}");
        self.jobs.insert(job.clone(), (Instant::now(), None));
        let client = &self.system.client;
        let sent =
            client.publish_with_reply_and_headers(subject, self.inbox.clone(), headers, "".into());
        sent.await.context("the load cannot be published")?;
        Ok(job)
    }

    fn read(&mut self) {
        while let Some(Some(_)) = self.acks.next().now_or_never() {
            self.acked += 1;
        }
        while let Some(Some(message)) = self.records.next().now_or_never() {
            let record: Option<Record> = wire::decode(Encoding::MessagePack, &message.payload).ok();
            let is_ours = record.is_some_and(|record| self.note(&record));
            self.forged += u64::from(!is_ours);
        }
    }

    /// Counts a record; returns whether it may exist.
    fn note(&mut self, record: &Record) -> bool {
        let job: &JobId = &record.job;
        let Some((_, ended)) = self.jobs.get_mut(job.as_str()) else {
            // Jobs of other categories belong to the attack that submitted them.
            return record.category != CATEGORY;
        };
        let node = record.node.as_ref().map(|node| node.as_str());
        let is_honest = node.is_some_and(|node| WORKERS.contains(&node));
        let is_first = ended.replace(Instant::now()).is_none();
        is_honest && is_first && record.status == RecordStatus::Completed
    }
}
