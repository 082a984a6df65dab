//! Claims a dispatcher's epoch: one above all before, by compare-and-set.

use anyhow::{Context as _, bail};
use async_nats::jetstream;
use rolecast_common::id::Epoch;
use rolecast_common::subjects::{BUCKET_CONTROL, KEY_DISPATCHER};
use serde::{Deserialize, Serialize};

/// Several dispatchers may start at once; each claims another epoch.
const TRIES_MAX: usize = 10;

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

fn parse(value: &[u8]) -> anyhow::Result<Holder> {
    serde_json::from_slice(value).with_context(|| {
        format!("key {KEY_DISPATCHER} in bucket {BUCKET_CONTROL} does not hold an epoch")
    })
}
