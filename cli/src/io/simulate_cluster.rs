//! `rolecast simulate --from-cluster`: runs worlds made from the records of a running
//! system, which it requests first.

use anyhow::{Context as _, anyhow};
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use bytes::Bytes;
use futures_util::StreamExt as _;
use rolecast_common::id::NodeId;
use rolecast_common::subjects::{self, STREAM_DECISIONS};
use rolecast_common::wire::{self, Encoding, ForecastView};
use rolecast_simulator::cluster::{Changes, Cluster, RECORDED_MAX, RecordedJob, Recording};
use rolecast_simulator::report::Report;
use rolecast_simulator::scenario::Scenario;
use rolecast_simulator::scenario::build::Cell;
use tokio::time::timeout;

use super::failure::Failure;
use super::session::{Session, no_dispatcher};
use super::simulate::{run_all, show};
use super::status;
use super::terminal::Terminal;
use crate::args::simulate::Simulate;
use crate::exit::Exit;

pub(crate) async fn run(
    session: Session,
    simulate: &Simulate,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let recording = record(&session).await?;
    // A run may take minutes, in which there are no requests.
    drop(session);
    let changes = Changes {
        jobs: simulate.jobs,
        hosts: simulate.hosts,
        length_s: simulate.length.map(|length| length.as_secs_f64()),
    };
    let cluster = Cluster::new(&recording, &changes)?;
    drop(recording);
    let usual = Scenario::default();
    let sharings = if simulate.sharings.is_empty() {
        &usual.sharings
    } else {
        &simulate.sharings
    };
    let seeds = simulate.seeds.unwrap_or(usual.seeds);
    let cells = cluster.cells(sharings, seeds, simulate.seed);
    let make = |cell: &Cell| Ok(cluster.world(cell));
    let runs = run_all(&cells, &make, simulate, terminal)?;
    let report = Report {
        scenario: cluster.name.clone(),
        kinds: cluster.kinds(),
        runs,
        notes: cluster.notes.clone(),
    };
    show(&report, simulate, terminal)
}

/// Requests all records.
async fn record(session: &Session) -> Result<Recording, Failure> {
    let status = status::request(session).await?.ok_or_else(no_dispatcher)?;
    let mut forecasts = Vec::new();
    for node in &status.nodes {
        forecasts.push(forecast(session, &node.node).await?);
    }
    let jobs = jobs(session).await?;
    Ok(Recording {
        status,
        forecasts,
        jobs,
    })
}

async fn forecast(session: &Session, node: &NodeId) -> Result<ForecastView, Failure> {
    let body = Bytes::copy_from_slice(node.as_str().as_bytes());
    let view = session.request(subjects::API_FORECAST, body).await?;
    view.ok_or_else(no_dispatcher)
}

/// Reads the decisions of the last hour, the oldest first.
async fn jobs(session: &Session) -> Result<Vec<RecordedJob>, Failure> {
    let stream = match session.jetstream.get_stream(STREAM_DECISIONS).await {
        Ok(stream) => stream,
        Err(error) => return Err(session.diagnose(error.into(), STREAM_DECISIONS).await),
    };
    let state = &stream.cached_info().state;
    if state.messages == 0 {
        return Ok(Vec::new());
    }
    let config = pull::OrderedConfig {
        deliver_policy: DeliverPolicy::ByStartTime {
            start_time: state.last_timestamp - RECORDED_MAX,
        },
        ..pull::OrderedConfig::default()
    };
    let consumer = stream.create_consumer(config).await?;
    let mut jobs = Vec::new();
    if consumer.cached_info().num_pending == 0 {
        return Ok(jobs);
    }
    let mut messages = consumer.messages().await?;
    loop {
        let next = timeout(session.answer_max, messages.next()).await;
        let silent = |_| anyhow!("the list of decisions ended early; run the command again");
        let Some(message) = next.map_err(silent)? else {
            return Ok(jobs);
        };
        let message = message?;
        let info = message.info().map_err(anyhow::Error::from_boxed)?;
        let decision = wire::decode(Encoding::MessagePack, &message.payload)
            .with_context(|| format!("cannot read the decision on {}", message.subject))?;
        jobs.push(RecordedJob::of(decision));
        if info.pending == 0 {
            return Ok(jobs);
        }
    }
}
