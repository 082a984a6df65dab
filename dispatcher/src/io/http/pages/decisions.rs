//! The latest recorded decisions.

use async_nats::jetstream;
use futures_util::StreamExt as _;
use futures_util::stream;
use rolecast_common::subjects::STREAM_DECISIONS;
use rolecast_common::wire::{self, Decision, Encoding};
use rolecast_page::Choice;

use super::latest::Latest;
use crate::placement::decision::replay;

/// Decisions that are kept, and the most that are read at once.
const KEPT_MAX: usize = 100;
const READ_MAX: u64 = 100;
/// Requests at once: a page must not disturb the server.
const AT_ONCE_MAX: usize = 8;

pub(super) type Decisions = Latest<Choice, KEPT_MAX>;

/// Returns the last sequence of the stream, and the decisions after `read`, the last ones
/// of them.
pub(super) async fn newest(
    jetstream: &jetstream::Context,
    read: u64,
) -> anyhow::Result<(u64, Vec<Choice>)> {
    let stream = jetstream.get_stream(STREAM_DECISIONS).await?;
    let last = stream.cached_info().state.last_sequence;
    let from = if read > last { 0 } else { read };
    let first = from.max(last.saturating_sub(READ_MAX)) + 1;
    let stream = &stream;
    let messages = stream::iter(first..=last).map(async |sequence| {
        let message = stream.get_raw_message(sequence).await.ok()?;
        wire::decode(Encoding::MessagePack, &message.payload).ok()
    });
    let found = messages.buffered(AT_ONCE_MAX);
    let found: Vec<Option<Decision>> = found.collect().await;
    let choice = |decision: Decision| {
        let replayed = replay(&decision).cloned();
        Choice { decision, replayed }
    };
    Ok((last, found.into_iter().flatten().map(choice).collect()))
}
