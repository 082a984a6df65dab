//! The latest recorded decisions, read from their stream beside the loop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use futures_util::StreamExt as _;
use futures_util::stream;
use rolecast_common::subjects::STREAM_DECISIONS;
use rolecast_common::wire::{self, Decision, Encoding};
use rolecast_page::Choice;
use tokio::time::{Instant, timeout};

use crate::placement::decision::replay;

/// Decisions that are kept, and the most that are read at once.
const KEPT_MAX: usize = 100;
const READ_MAX: u64 = 100;
/// Requests at once: a page must not disturb the server.
const AT_ONCE_MAX: usize = 8;
/// The least time between two readings, and the time that one may take.
const INTERVAL: Duration = Duration::from_millis(900);
const READ_LIMIT: Duration = Duration::from_secs(2);

/// The last ones, the newest first.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    kept: VecDeque<Arc<Choice>>,
    /// The sequence up to which the stream was read.
    read: u64,
    at: Option<Instant>,
}

impl Decisions {
    pub(super) fn all(&self) -> Vec<Arc<Choice>> {
        self.kept.iter().cloned().collect()
    }

    /// Reads what is new, if the last reading is a while ago. What cannot be read is left
    /// out: it is for people to look at, and recorded for `rolecast explain`.
    pub(super) async fn read(&mut self, jetstream: &jetstream::Context) {
        if self.at.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        self.at = Some(Instant::now());
        match timeout(READ_LIMIT, newest(jetstream, self.read)).await {
            Ok(Ok((read, new))) => self.add(read, new),
            Ok(Err(error)) => tracing::debug!(event = "decisions_unread", "{error:#}"),
            Err(_) => tracing::debug!(event = "decisions_unread", "no answer in time"),
        }
    }

    /// Adds decisions in their order in the stream.
    fn add(&mut self, read: u64, new: Vec<Decision>) {
        // A stream that was made again counts from 1.
        if read < self.read {
            self.kept.clear();
        }
        self.read = read;
        for decision in new {
            let replayed = replay(&decision).cloned();
            self.kept
                .push_front(Arc::new(Choice { decision, replayed }));
        }
        self.kept.truncate(KEPT_MAX);
    }
}

/// Returns the last sequence of the stream, and the decisions after `read`, the last ones
/// of them.
async fn newest(jetstream: &jetstream::Context, read: u64) -> anyhow::Result<(u64, Vec<Decision>)> {
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
    Ok((last, found.into_iter().flatten().collect()))
}
