//! The latest published events, read from their stream beside the loop: those of former
//! leaders too, and on a standby as well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::subjects::{self, STREAM_EVENTS};
use rolecast_common::wire::{CloudEvent, Encoding, EventsRequest};
use tokio::time::{Instant, timeout};

use crate::io::{Streams, event_pages};

/// Events that are kept: what fits beside the rest of a view.
const KEPT_MAX: usize = 10;
/// The least time between two readings, and the time that one may take.
const INTERVAL: Duration = Duration::from_millis(900);
const READ_LIMIT: Duration = Duration::from_secs(2);
/// Bytes of one reading: an event has some hundred.
const LEN_MAX: usize = 256 * 1024;

/// The last ones, the newest first.
#[derive(Debug, Default)]
pub(super) struct LatestEvents {
    kept: VecDeque<Arc<CloudEvent>>,
    /// The sequence up to which the stream was read.
    read: u64,
    at: Option<Instant>,
}

impl LatestEvents {
    pub(super) fn all(&self) -> Vec<Arc<CloudEvent>> {
        self.kept.iter().cloned().collect()
    }

    /// Reads what is new, if the last reading is a while ago. What cannot be read is left
    /// out: `rolecast events` reports why.
    pub(super) async fn read(&mut self, streams: &Streams) {
        if self.at.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        self.at = Some(Instant::now());
        match timeout(READ_LIMIT, newest(streams, self.read)).await {
            Ok(Ok((read, new))) => self.add(read, new),
            Ok(Err(error)) => tracing::debug!(event = "events_unread", "{error:#}"),
            Err(_) => tracing::debug!(event = "events_unread", "no answer in time"),
        }
    }

    /// Adds events in their order in the stream.
    fn add(&mut self, read: u64, new: Vec<CloudEvent>) {
        // A stream that was made again counts from 1.
        if read < self.read {
            self.kept.clear();
        }
        self.read = read;
        for event in new {
            self.kept.push_front(Arc::new(event));
        }
        self.kept.truncate(KEPT_MAX);
    }
}

/// Returns the last sequence of the stream, and the events after `read`, the last ones of
/// them.
async fn newest(streams: &Streams, read: u64) -> anyhow::Result<(u64, Vec<CloudEvent>)> {
    let stream = streams.jetstream.get_stream(STREAM_EVENTS).await?;
    let last = stream.cached_info().state.last_sequence;
    let from = if read > last { 0 } else { read };
    let after = from.max(last.saturating_sub(KEPT_MAX as u64));
    if after == last {
        return Ok((last, Vec::new()));
    }
    let asked = EventsRequest {
        after: Some(after),
        ..EventsRequest::first()
    };
    let len_max = (Encoding::Json, LEN_MAX);
    let page = event_pages::read(streams, &asked, subjects::EVENTS, len_max).await?;
    Ok((page.next.unwrap_or(last), page.events))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> CloudEvent {
        let text = format!(
            r#"{{"specversion": "1.0", "id": "3-{number}", "source": "/", "type": "rolecast.node.gone",
                "subject": "n1", "time": "", "datacontenttype": "", "severity": "", "data": {{}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn ids(events: &LatestEvents) -> Vec<String> {
        let all = events.all().into_iter();
        all.map(|event| event.id.clone()).collect()
    }

    #[test]
    fn the_newest_are_first_and_a_stream_that_was_made_again_begins_anew() {
        let mut events = LatestEvents::default();
        events.add(12, (1..=12).map(event).collect());
        let expected: Vec<String> = (3..=12).rev().map(|id| format!("3-{id}")).collect();
        assert_eq!(ids(&events), expected);
        events.add(12, Vec::new());
        assert_eq!(ids(&events).len(), KEPT_MAX);
        events.add(1, vec![event(20)]);
        assert_eq!(ids(&events), ["3-20"]);
    }
}
