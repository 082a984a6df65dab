//! Reads a key as the leader of its bucket's stream has it.

use anyhow::{Context as _, bail};
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use bytes::Bytes;

const OPERATION: &str = "KV-Operation";

/// Returns the revision and the value of a key; `None` if it was never written.
///
/// Any replica answers a usual read, with what it has so far: a value that seems older
/// than one seen before would then be taken for that of a bucket that was set back.
pub(super) async fn newest(bucket: &Store, key: &str) -> anyhow::Result<Option<(u64, Bytes)>> {
    let subject = format!("{}{key}", bucket.prefix);
    let found = bucket.stream.get_last_raw_message_by_subject(&subject);
    let message = match found.await {
        Ok(message) => message,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("key {key} in bucket {}", bucket.name));
        }
    };
    if message.headers.get(OPERATION).is_some() {
        let (bucket, stream) = (&bucket.name, &bucket.stream_name);
        bail!(
            "key {key} in bucket {bucket} was deleted; to begin anew, remove what is left of \
             it: nats stream purge {stream} --subject '{subject}'"
        );
    }
    Ok(Some((message.sequence, message.payload)))
}
