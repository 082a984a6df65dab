//! Failed attempts of living jobs in a bucket, for a restart.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::kv::Store;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use rolecast_common::id::{JobId, Sequence};
use rolecast_common::subjects::{BUCKET_ATTEMPTS, bucket_key};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{FailedAttempt, LostAttempt};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::{bucket::Bucket, refusals};
use crate::scheduler::{History, Input, Suspicion};

/// Keys written at once: enough to use the connection, few enough to be fair.
const WRITES_MAX: usize = 64;
const AT_ONCE_MAX: usize = 64;
/// Time that reading may take: half of a leader's time for setting up; a hundred thousand
/// take some seconds.
const LOAD_LIMIT: Duration = Duration::from_secs(4);

/// The new content of a job's key; `None` removes it.
pub(super) type Change = (Sequence, Option<History>);

#[derive(Serialize, Deserialize)]
struct Stored {
    job: JobId,
    attempt: u32,
    failures: Vec<FailedAttempt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before_ms: Option<WallTime>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    losses: Vec<LostAttempt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suspicion: Option<StoredSuspicion>,
}

#[derive(Serialize, Deserialize)]
struct StoredSuspicion {
    group: u64,
    batch: u64,
    round: u32,
}

/// Reads the histories. One that cannot be read is dropped with a warning, and so are
/// those for which there is no time: a leader that never begins is worse than a job that
/// gets another attempt.
pub(super) async fn load(bucket: &Store) -> anyhow::Result<Vec<(Sequence, History)>> {
    let deadline = Instant::now() + LOAD_LIMIT;
    let keys = bucket.keys().await.context("cannot list failed attempts")?;
    let entries = keys.map(|key| async move {
        let key = key?;
        let value = bucket.get(&key).await?;
        anyhow::Ok((key, value))
    });
    let mut entries = pin!(entries.buffer_unordered(AT_ONCE_MAX));
    let mut histories = Vec::new();
    loop {
        let Ok(entry) = timeout_at(deadline, entries.next()).await else {
            let read = histories.len();
            tracing::warn!(
                event = "histories_dropped",
                read,
                "no time to read them all"
            );
            break;
        };
        let Some(entry) = entry else {
            break;
        };
        let (key, value) = entry.context("cannot read failed attempts")?;
        match value.and_then(|value| read(&key, &value)) {
            Some(history) => histories.push(history),
            None => tracing::warn!(event = "history_dropped", key, "history cannot be read"),
        }
    }
    Ok(histories)
}

fn read(key: &str, value: &[u8]) -> Option<(Sequence, History)> {
    let stored: Stored = serde_json::from_slice(value).ok()?;
    Some((Sequence::new(key.parse().ok()?), stored.into()))
}

/// Writes changes until the channel closes, the latest of each job.
pub(super) async fn write(
    bucket: Bucket,
    mut changes: mpsc::UnboundedReceiver<Change>,
    reports: mpsc::Sender<Input>,
) {
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
        for error in join_all(writes).await.into_iter().flatten() {
            if let Some(trouble) = refusals::trouble_of(BUCKET_ATTEMPTS, &error) {
                // The receiver is gone only when the program ends.
                let _ = reports.send(Input::Troubled(trouble)).await;
            }
        }
    }
}

async fn write_one(
    bucket: &Bucket,
    sequence: Sequence,
    history: Option<History>,
) -> Option<anyhow::Error> {
    let key = sequence.to_string();
    let result = async {
        let bucket = bucket.open().await?;
        match history {
            Some(history) => put(bucket, &key, history).await,
            None => remove(bucket, &key).await,
        }
    };
    let error = result.await.err()?;
    // Forgetting a failed attempt grants another one; nothing is lost.
    tracing::warn!(event = "history_not_kept", %sequence, "history not kept: {error:#}");
    Some(error)
}

async fn put(bucket: &Store, key: &str, history: History) -> anyhow::Result<()> {
    let stored = Stored::from(history);
    bucket.put(key, serde_json::to_vec(&stored)?.into()).await?;
    Ok(())
}

/// Purges the key's subject: deleting the key would leave a marker for ever.
async fn remove(bucket: &Store, key: &str) -> anyhow::Result<()> {
    let subject = bucket_key(&bucket.name, key);
    bucket.stream.purge().filter(subject).await?;
    Ok(())
}

impl From<Stored> for History {
    fn from(stored: Stored) -> Self {
        Self {
            job: stored.job,
            attempt: stored.attempt,
            failures: stored.failures,
            not_before: stored.not_before_ms,
            losses: stored.losses,
            suspicion: stored.suspicion.map(|stored| Suspicion {
                group: stored.group,
                batch: stored.batch,
                round: stored.round,
            }),
        }
    }
}

impl From<History> for Stored {
    fn from(history: History) -> Self {
        Self {
            job: history.job,
            attempt: history.attempt,
            failures: history.failures,
            not_before_ms: history.not_before,
            losses: history.losses,
            suspicion: history.suspicion.map(|suspicion| StoredSuspicion {
                group: suspicion.group,
                batch: suspicion.batch,
                round: suspicion.round,
            }),
        }
    }
}
