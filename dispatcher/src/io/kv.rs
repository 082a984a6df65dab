//! Reads of a key from the leader of its bucket's stream.

use anyhow::{Context as _, bail};
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use bytes::Bytes;

const OPERATION: &str = "KV-Operation";
/// The server's own marker of a value that expired or was purged.
const MARKER_REASON: &str = "Nats-Marker-Reason";

/// The content of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Newest {
    /// It was never written.
    Missing,
    /// It was deleted; its deletion marker has this revision, 0 if no marker is left.
    Deleted {
        revision: u64,
    },
    Value {
        revision: u64,
        value: Bytes,
    },
}

/// Returns the content of a key.
///
/// Any replica answers a usual read, with what it has so far: a value that seems older
/// than one seen before would then count as that of a bucket that was rolled back.
pub(super) async fn newest(bucket: &Store, key: &str) -> anyhow::Result<Newest> {
    let subject = format!("{}{key}", bucket.prefix);
    let found = bucket.stream.get_last_raw_message_by_subject(&subject);
    let message = match found.await {
        Ok(message) => message,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
            return nothing(bucket).await;
        }
        Err(error) => {
            return Err(error).with_context(|| format!("key {key} in bucket {}", bucket.name));
        }
    };
    let is_mark = |header| message.headers.get(header).is_some();
    let revision = message.sequence;
    if is_mark(OPERATION) || is_mark(MARKER_REASON) {
        return Ok(Newest::Deleted { revision });
    }
    let value = message.payload;
    Ok(Newest::Value { revision, value })
}

/// Distinguishes a key that was never written from one of which nothing is left. All keys
/// of a bucket are taken together: none that we read is written much later than the
/// others.
async fn nothing(bucket: &Store) -> anyhow::Result<Newest> {
    let info = bucket.stream.get_info().await;
    let info = info.with_context(|| format!("bucket {}", bucket.name))?;
    match info.state.last_sequence {
        0 => Ok(Newest::Missing),
        _ => Ok(Newest::Deleted { revision: 0 }),
    }
}

/// Returns the revision and the value of a key that must not be deleted; `None` if there
/// is none.
pub(super) async fn kept(bucket: &Store, key: &str) -> anyhow::Result<Option<(u64, Bytes)>> {
    match newest(bucket, key).await? {
        Newest::Missing | Newest::Deleted { revision: 0 } => Ok(None),
        Newest::Value { revision, value } => Ok(Some((revision, value))),
        Newest::Deleted { .. } => {
            let (prefix, stream) = (&bucket.prefix, &bucket.stream_name);
            let bucket = &bucket.name;
            bail!(
                "key {key} in bucket {bucket} was deleted; to start without it, remove the \
                rest of it: nats stream purge {stream} --subject '{prefix}{key}'"
            );
        }
    }
}
