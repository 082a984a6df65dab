//! Checkpoints of forecasts in a bucket, for a restart: a key `node.<id>` for each node,
//! and `stack` for the model over the experts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::kv::Store;
use futures_util::future::join_all;
use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use rolecast_common::id::NodeId;
use rolecast_forecast::{NodeForecast, Params, Stack};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::bucket::Bucket;

/// Keys read or written at once: enough to use the connection, few enough to be fair.
const AT_ONCE_MAX: usize = 16;
/// Time that the last writes may take when the dispatcher stops.
const FINISH_LIMIT: Duration = Duration::from_secs(5);
/// Time that reading may take: 10,000 nodes take a second or two.
const LOAD_LIMIT: Duration = Duration::from_secs(5);
const STACK: &str = "stack";
const NODE_PREFIX: &str = "node.";

/// The checkpoints from before the start.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) nodes: Vec<(NodeId, NodeForecast)>,
    pub(super) stack: Option<Arc<Stack>>,
}

/// Reads all that can be read soon: without it, forecasts are learned again, and nothing
/// else waits for them.
pub(super) async fn load_or_none(bucket: &Bucket, params: Params) -> Kept {
    let loaded = async { load(bucket.open().await?, params).await };
    match tokio::time::timeout(LOAD_LIMIT, loaded).await {
        Ok(Ok(kept)) => kept,
        Ok(Err(error)) => {
            // At the very first start there is no bucket yet.
            tracing::debug!(event = "no_forecasts", "cannot read forecasts: {error:#}");
            Kept::default()
        }
        Err(_) => {
            tracing::warn!(event = "no_forecasts", "no time to read the forecasts");
            Kept::default()
        }
    }
}

/// Reads everything; unreadable entries are dropped with a warning.
async fn load(bucket: &Store, params: Params) -> anyhow::Result<Kept> {
    let keys = bucket.keys().await.context("cannot list forecasts")?;
    let entries = keys.map(|key| async move {
        let key = key?;
        let value = bucket.get(&key).await?;
        anyhow::Ok((key, value))
    });
    let mut entries = entries.buffer_unordered(AT_ONCE_MAX);
    let mut kept = Kept::default();
    while let Some((key, value)) = entries.try_next().await.context("cannot read forecasts")? {
        let Some(value) = value else {
            continue;
        };
        if !kept.take(&key, &value, params) {
            tracing::warn!(
                event = "forecast_dropped",
                key,
                "forecast is damaged, or of another model or version; it is learned again"
            );
        }
    }
    Ok(kept)
}

impl Kept {
    /// Reads one entry; returns whether that succeeded.
    fn take(&mut self, key: &str, value: &[u8], params: Params) -> bool {
        if key == STACK {
            self.stack = Stack::load(&mut &*value).map(Arc::new);
            return self.stack.is_some();
        }
        let node = key.strip_prefix(NODE_PREFIX);
        let Some(node) = node.and_then(|id| NodeId::new(id).ok()) else {
            return false;
        };
        let forecast = NodeForecast::load(&node, params, value);
        let is_read = forecast.is_some();
        self.nodes.extend(forecast.map(|forecast| (node, forecast)));
        is_read
    }
}

/// Writer of states in the background.
#[derive(Debug)]
pub(super) struct Keeper {
    states: mpsc::UnboundedSender<Put>,
    writer: JoinHandle<()>,
}

/// A key and its new content.
type Put = (String, Vec<u8>);

impl Keeper {
    pub(super) fn start(bucket: Bucket) -> Self {
        let (states, changes) = mpsc::unbounded_channel();
        let writer = tokio::spawn(write(bucket, changes));
        Self { states, writer }
    }

    pub(super) fn keep(&self, node: &NodeId, bytes: Vec<u8>) {
        // The writer ends only with the program.
        let _ = self.states.send((format!("{NODE_PREFIX}{node}"), bytes));
    }

    pub(super) fn keep_stack(&self, stack: &Stack) {
        let mut bytes = Vec::new();
        stack.save(&mut bytes);
        // The writer ends only with the program.
        let _ = self.states.send((STACK.to_owned(), bytes));
    }

    /// Waits until everything is written, or the limit has passed.
    pub(super) async fn finish(self) {
        drop(self.states);
        if tokio::time::timeout(FINISH_LIMIT, self.writer)
            .await
            .is_err()
        {
            tracing::warn!(
                event = "forecasts_not_kept",
                "no time to store all forecasts"
            );
        }
    }
}

async fn write(bucket: Bucket, mut states: mpsc::UnboundedReceiver<Put>) {
    while let Some(first) = states.recv().await {
        let mut latest = BTreeMap::from([first]);
        while latest.len() < AT_ONCE_MAX
            && let Ok((key, bytes)) = states.try_recv()
        {
            latest.insert(key, bytes);
        }
        let writes = latest
            .into_iter()
            .map(|(key, bytes)| write_one(&bucket, key, bytes));
        join_all(writes).await;
    }
}

async fn write_one(bucket: &Bucket, key: String, bytes: Vec<u8>) {
    let written = async {
        bucket.open().await?.put(&key, bytes.into()).await?;
        anyhow::Ok(())
    };
    if let Err(error) = written.await {
        // The next checkpoint makes up for it.
        tracing::warn!(
            event = "forecast_not_kept",
            key,
            "forecast not kept: {error:#}"
        );
    }
}
