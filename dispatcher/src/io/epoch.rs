//! Claims a dispatcher's epoch: one above all before, by compare-and-set; and
//! watches for a later one.

use std::time::Duration;

use anyhow::{Context as _, bail};
use async_nats::jetstream;
use rolecast_common::id::Epoch;
use rolecast_common::subjects::{BUCKET_CONTROL, KEY_DISPATCHER};
use serde::{Deserialize, Serialize};

/// Several dispatchers may start at once; each claims another epoch.
const TRIES_MAX: usize = 10;
/// How soon a dispatcher notices that another one claimed a later epoch.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Holder {
    epoch: Epoch,
    name: String,
}

/// Returns an epoch that no dispatcher had before.
///
/// The key is never deleted, so an epoch never comes back.
pub(super) async fn claim(jetstream: &jetstream::Context, name: &str) -> anyhow::Result<Epoch> {
    let bucket = jetstream
        .get_key_value(BUCKET_CONTROL)
        .await
        .context("cannot open the control bucket")?;
    for _ in 0..TRIES_MAX {
        let entry = bucket
            .entry(KEY_DISPATCHER)
            .await
            .context("cannot read the epoch")?;
        let (revision, former) = match &entry {
            Some(entry) => (entry.revision, parse(&entry.value)?),
            None => (0, Holder::default()),
        };
        let holder = Holder {
            epoch: former.epoch.next(),
            name: name.to_owned(),
        };
        let value = serde_json::to_vec(&holder).context("cannot write the epoch")?;
        let claimed = bucket.update(KEY_DISPATCHER, value.into(), revision).await;
        if claimed.is_ok() {
            return Ok(holder.epoch);
        }
        tracing::debug!(event = "epoch_contended", epoch = %holder.epoch, "trying again");
    }
    bail!("cannot claim an epoch: {TRIES_MAX} others were quicker")
}

/// Ends when a later epoch was claimed, and returns it.
pub(super) async fn watch(jetstream: jetstream::Context, ours: Epoch) -> Epoch {
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        match current(&jetstream).await {
            Ok(epoch) if epoch > ours => return epoch,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(event = "epoch_unread", "cannot read the epoch: {error:#}");
            }
        }
    }
}

async fn current(jetstream: &jetstream::Context) -> anyhow::Result<Epoch> {
    let bucket = jetstream.get_key_value(BUCKET_CONTROL).await?;
    let value = bucket.get(KEY_DISPATCHER).await?;
    value.map_or(Ok(Epoch::default()), |value| Ok(parse(&value)?.epoch))
}

fn parse(value: &[u8]) -> anyhow::Result<Holder> {
    serde_json::from_slice(value).with_context(|| {
        format!("key {KEY_DISPATCHER} in bucket {BUCKET_CONTROL} does not hold an epoch")
    })
}
