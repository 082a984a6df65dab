//! Attacks: abuse by one party, within the rights of its kind.

use std::time::Duration;

use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::StreamExt as _;
use rolecast_common::assignment::Assignment;
use rolecast_common::id::{BootId, Epoch, NodeId};
use rolecast_common::subjects;
use rolecast_common::unit::{Bytes as Amount, Cores, Resources};
use rolecast_common::wire::{
    Blob, Encoding, Heartbeat, JobUsage, OUTCOMES_MAX, Outcome, OutcomeBatch, OutcomeStatus,
    VERSION, encode,
};
use rolecast_tests::logins;
use rolecast_tests::process::Process;

use super::system::{CATEGORY, EVIL, System};

const FAKE_NODES: u64 = 20_000;
const CATEGORIES: u64 = 2_000;
const REQUESTS_PER_SECOND: u64 = 5_000;
const BATCH_LEN: u64 = 7_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    ForgingWorker,
    EpochRaiser,
    Hoarder,
    FakeNodes,
    UndeclaredCategories,
    ApiFlood,
    BatchFlood,
    FullClaimNode,
}

impl Attack {
    pub(crate) const ALL: [Self; 8] = [
        Self::ForgingWorker,
        Self::EpochRaiser,
        Self::Hoarder,
        Self::FakeNodes,
        Self::UndeclaredCategories,
        Self::ApiFlood,
        Self::BatchFlood,
        Self::FullClaimNode,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ForgingWorker => "forging-worker",
            Self::EpochRaiser => "epoch-raiser",
            Self::Hoarder => "hoarder",
            Self::FakeNodes => "fake-nodes",
            Self::UndeclaredCategories => "categories",
            Self::ApiFlood => "api-flood",
            Self::BatchFlood => "batch-flood",
            Self::FullClaimNode => "full-claim-node",
        }
    }

    /// Returns the user that it logs in as.
    fn login(self) -> &'static str {
        match self {
            Self::ForgingWorker
            | Self::EpochRaiser
            | Self::Hoarder
            | Self::BatchFlood
            | Self::FullClaimNode => EVIL,
            Self::ApiFlood => "viewer",
            // Rights that no worker and no producer of a category has.
            Self::FakeNodes | Self::UndeclaredCategories => logins::ADMIN,
        }
    }

    /// Begins the attack; it continues until the process is dropped. `foreign` is the ack
    /// subject of a message that another application has in hand.
    pub(crate) fn begin(self, system: &System, foreign: &str) -> anyhow::Result<Process> {
        // In a process of its own, so that it does not delay the measurement.
        let program = std::env::current_exe()?;
        let url = system.server.url_as(self.login());
        let arguments = ["attack", self.name(), url.as_str(), foreign];
        let directory = system.server.directory().path();
        Ok(Process::spawn("attack", directory, &program, arguments))
    }

    /// Runs the attack without end.
    pub(crate) async fn run(self, url: &str, foreign: String) -> anyhow::Result<()> {
        let client = logins::options(self.login()).connect(url).await?;
        match self {
            Self::ForgingWorker => forge(client, foreign).await,
            Self::EpochRaiser => raise_epochs(client).await,
            Self::Hoarder => hoard(client).await,
            Self::FakeNodes => invent_nodes(client).await,
            Self::UndeclaredCategories => invent_categories(client).await,
            Self::ApiFlood => ask(client).await,
            Self::BatchFlood => send_batches(client).await,
            Self::FullClaimNode => {
                let jobs = client.subscribe(subjects::node_all(&evil())).await?;
                let claims = claim_all(client.clone());
                tokio::try_join!(claims, swallow(client, jobs)).map(|_| ())
            }
        }
    }
}

fn evil() -> NodeId {
    NodeId::new(EVIL).expect("it is a node's name")
}

/// A steady rate without end.
struct Pace {
    ticks: tokio::time::Interval,
    each: u64,
}

impl Pace {
    fn new(per_second: u64) -> Self {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let each = per_second.div_ceil(100);
        Self { ticks, each }
    }

    /// Waits; returns how many actions are due.
    async fn next(&mut self) -> u64 {
        self.ticks.tick().await;
        self.each
    }
}

/// Returns an imitation of an assignment of the load's jobs.
fn assignment(job: u64, epoch: u64, ack: Option<&str>) -> Option<Assignment> {
    let ack = match ack {
        Some(ack) => ack.to_owned(),
        None => {
            let sequence = job + 1;
            let stream = subjects::STREAM_JOBS;
            format!(
                "$JS.ACK.{stream}.normal-{CATEGORY}.1.{sequence}.{sequence}.1800000000000000000.0"
            )
        }
    };
    format!("{epoch}.{CATEGORY}.load-{job}.1.{job:016x}.{ack}")
        .parse()
        .ok()
}

fn outcome(job: Option<Assignment>) -> Outcome {
    Outcome {
        v: VERSION,
        job,
        status: OutcomeStatus::Completed,
        reason: String::new(),
        output: Blob::default(),
        output_truncated: false,
        log: Blob::default(),
        log_truncated: false,
        started_ms: None,
        run_us: 1,
        usage: JobUsage::default(),
        traceparent: None,
    }
}

fn heartbeat(node: &NodeId, sequence: u64) -> Heartbeat {
    let boot = BootId::new(node.as_str()).expect("it may be a boot's name, too");
    Heartbeat {
        capacity: Resources {
            cpu: Cores::clamped(64.0),
            memory: Amount::from_mib(1 << 20),
            ..Resources::default()
        },
        ..Heartbeat::new(node.clone(), boot, sequence)
    }
}

fn packed<M: rolecast_common::wire::Message>(message: &M) -> Bytes {
    encode(Encoding::MessagePack, message).into()
}

/// Sends outcomes of jobs that were never sent to it, requests the answer where it may
/// not publish, and names messages of others to be acknowledged.
async fn forge(client: Client, foreign: String) -> anyhow::Result<()> {
    let replies = [
        "rolecast.node.evil.confirm.1".to_owned(),
        "$JS.API.STREAM.PURGE.FOREIGN".to_owned(),
        "rolecast.jobs.noop".to_owned(),
        foreign.clone(),
    ];
    let mut pace = Pace::new(2_000);
    let mut count: u64 = 0;
    loop {
        for _ in 0..pace.next().await {
            count += 1;
            let ack = count.is_multiple_of(2).then_some(foreign.as_str());
            // Jobs that run at this moment, those that are over, and those to come.
            let job = fastrand::u64(..10_000);
            let Some(assignment) = assignment(job, 1 + count % 3, ack) else {
                continue;
            };
            let reply = replies[usize::try_from(count % 4)?].clone();
            let subject = subjects::done(&evil(), &assignment);
            let payload = packed(&outcome(None));
            client.publish_with_reply(subject, reply, payload).await?;
        }
        client.flush().await?;
    }
}

/// Reports ever later epochs.
async fn raise_epochs(client: Client) -> anyhow::Result<()> {
    let mut pace = Pace::new(100);
    let mut sequence = 0;
    loop {
        for _ in 0..pace.next().await {
            sequence += 1;
            let mut beat = heartbeat(&evil(), sequence);
            beat.epoch = Epoch::new(1_000 * sequence);
            client
                .publish(subjects::heartbeat(&evil()), packed(&beat))
                .await?;
        }
        client.flush().await?;
    }
}

/// Claims to have every job in hand, including future ones.
async fn hoard(client: Client) -> anyhow::Result<()> {
    let mut pace = Pace::new(100);
    let mut sequence: u64 = 0;
    loop {
        for _ in 0..pace.next().await {
            let first = sequence * 100 % 10_000;
            sequence += 1;
            let mut beat = heartbeat(&evil(), sequence);
            let jobs = first..first + 500;
            beat.jobs = jobs.filter_map(|job| assignment(job, 0, None)).collect();
            client
                .publish(subjects::heartbeat(&evil()), packed(&beat))
                .await?;
        }
        client.flush().await?;
    }
}

/// Sends heartbeats of many nodes that do not exist and ask for jobs.
async fn invent_nodes(client: Client) -> anyhow::Result<()> {
    let mut pace = Pace::new(2_000);
    let mut count: u64 = 0;
    loop {
        for _ in 0..pace.next().await {
            let node = NodeId::new(&format!("fake-{}", count % FAKE_NODES))?;
            let mut beat = heartbeat(&node, 1 + count / FAKE_NODES);
            beat.interval_ms = 10_000;
            beat.jobs_max = 64;
            beat.categories.insert(CATEGORY.parse()?, 64);
            client
                .publish(subjects::heartbeat(&node), packed(&beat))
                .await?;
            count += 1;
        }
        client.flush().await?;
    }
}

/// Submits jobs to each of many undeclared categories, repeatedly.
async fn invent_categories(client: Client) -> anyhow::Result<()> {
    let mut pace = Pace::new(500);
    let mut count: u64 = 0;
    loop {
        for _ in 0..pace.next().await {
            let category = count % CATEGORIES;
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("other-{count}").as_str());
            let subject = format!("rolecast.jobs.invented-{category}");
            client
                .publish_with_headers(subject, headers, "".into())
                .await?;
            count += 1;
        }
        client.flush().await?;
    }
}

/// Requests the status without pause, sometimes with an answer that goes elsewhere.
async fn ask(client: Client) -> anyhow::Result<()> {
    let mut pace = Pace::new(REQUESTS_PER_SECOND);
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    let reader = tokio::spawn(async move { while answers.next().await.is_some() {} });
    let mut count: u64 = 0;
    loop {
        for _ in 0..pace.next().await {
            count += 1;
            let reply = match count % 10 {
                0 => "$JS.API.STREAM.PURGE.FOREIGN".to_owned(),
                _ => inbox.clone(),
            };
            let asked = client.publish_with_reply(subjects::API_STATUS, reply, "".into());
            asked.await?;
        }
        if reader.is_finished() {
            anyhow::bail!("the connection was closed");
        }
        client.flush().await?;
    }
}

/// Sends outcomes by the thousands, and every other time as many as a batch may have.
async fn send_batches(client: Client) -> anyhow::Result<()> {
    let lengths = [BATCH_LEN, OUTCOMES_MAX as u64];
    let batches = (0..10).map(|at| batch(at as u64 * BATCH_LEN, lengths[at % 2], &client));
    let batches: Vec<Bytes> = batches.collect();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    for payload in batches.iter().cycle() {
        ticks.tick().await;
        let (subject, reply) = (
            subjects::done_batch(&evil()),
            "rolecast.node.evil.confirm.1",
        );
        client
            .publish_with_reply(subject, reply, payload.clone())
            .await?;
        client.flush().await?;
    }
    Ok(())
}

/// Packs outcomes of that many jobs, or as many as the server takes in one message.
fn batch(first: u64, count: u64, client: &Client) -> Bytes {
    let outcomes = (first..first + count).filter_map(|job| assignment(job, 1, None));
    let mut batch = OutcomeBatch {
        v: VERSION,
        outcomes: outcomes.map(|job| outcome(Some(job))).collect(),
    };
    loop {
        let payload = packed(&batch);
        if payload.len() <= client.max_payload() {
            return payload;
        }
        batch.outcomes.truncate(batch.outcomes.len() * 9 / 10);
    }
}

/// Claims the whole capacity.
async fn claim_all(client: Client) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut sequence = 0;
    loop {
        ticks.tick().await;
        sequence += 1;
        let mut beat = heartbeat(&evil(), sequence);
        for role in ["follower", "backup", "leader"] {
            beat.roles.push(role.parse()?);
        }
        beat.jobs_max = 1_000;
        beat.categories.insert(CATEGORY.parse()?, 1_000);
        client
            .publish(subjects::heartbeat(&evil()), packed(&beat))
            .await?;
        client.flush().await?;
    }
}

/// Takes jobs and does nothing with them, and answers pings.
async fn swallow(client: Client, mut jobs: async_nats::Subscriber) -> anyhow::Result<()> {
    let ping = subjects::node_ping(&evil());
    while let Some(message) = jobs.next().await {
        if message.subject.as_str() == ping
            && let Some(reply) = message.reply
        {
            client.publish(reply, Bytes::new()).await?;
        }
    }
    anyhow::bail!("the connection was closed")
}
