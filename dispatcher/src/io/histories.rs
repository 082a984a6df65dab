//! Keeps the failed attempts of living jobs over a restart, in a bucket.

use std::collections::BTreeMap;

use anyhow::Context as _;
use async_nats::jetstream::kv::Store;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use rolecast_common::id::{JobId, Sequence};
use rolecast_common::wire::FailedAttempt;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::machine::History;

/// Keys written at once: enough to use the connection, few enough to be fair.
const WRITES_MAX: usize = 64;

/// What a job's key is to hold; `None` removes it.
pub(super) type Change = (Sequence, Option<History>);

#[derive(Serialize, Deserialize)]
struct Stored {
    job: JobId,
    attempt: u32,
    failures: Vec<FailedAttempt>,
}

/// Reads all histories; one that cannot be read is dropped with a warning.
pub(super) async fn load(bucket: &Store) -> anyhow::Result<Vec<(Sequence, History)>> {
    let mut keys = bucket.keys().await.context("cannot list failed attempts")?;
    let mut histories = Vec::new();
    while let Some(key) = keys.next().await {
        let key = key.context("cannot list failed attempts")?;
        let value = bucket
            .get(&key)
            .await
            .context("cannot read failed attempts")?;
        let stored = value.and_then(|value| serde_json::from_slice::<Stored>(&value).ok());
        let (Ok(sequence), Some(stored)) = (key.parse(), stored) else {
            tracing::warn!(event = "history_dropped", key, "history cannot be read");
            continue;
        };
        let Stored {
            job,
            attempt,
            failures,
        } = stored;
        let history = History {
            job,
            attempt,
            failures,
        };
        histories.push((Sequence::new(sequence), history));
    }
    Ok(histories)
}

/// Writes changes until the channel closes, the latest of each job.
pub(super) async fn write(bucket: Store, mut changes: mpsc::UnboundedReceiver<Change>) {
    while let Some(first) = changes.recv().await {
        let mut latest = BTreeMap::from([first]);
        while latest.len() < WRITES_MAX
            && let Ok((sequence, history)) = changes.try_recv()
        {
            latest.insert(sequence, history);
        }
        let writes = latest
            .into_iter()
            .map(|(sequence, history)| write_one(&bucket, sequence, history));
        join_all(writes).await;
    }
}

async fn write_one(bucket: &Store, sequence: Sequence, history: Option<History>) {
    let key = sequence.to_string();
    let result = match history {
        Some(history) => put(bucket, &key, history).await,
        None => remove(bucket, &key).await,
    };
    if let Err(error) = result {
        // Forgetting a failed attempt grants another one; nothing is lost.
        tracing::warn!(event = "history_not_kept", %sequence, "history not kept: {error:#}");
    }
}

async fn put(bucket: &Store, key: &str, history: History) -> anyhow::Result<()> {
    let History {
        job,
        attempt,
        failures,
    } = history;
    let stored = Stored {
        job,
        attempt,
        failures,
    };
    bucket.put(key, serde_json::to_vec(&stored)?.into()).await?;
    Ok(())
}

/// Purges the key's subject: deleting the key would leave a marker for ever.
async fn remove(bucket: &Store, key: &str) -> anyhow::Result<()> {
    let subject = format!("$KV.{}.{key}", bucket.name);
    bucket.stream.purge().filter(subject).await?;
    Ok(())
}
