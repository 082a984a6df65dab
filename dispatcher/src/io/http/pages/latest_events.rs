//! The latest published events: those of former leaders too, and on a standby as well.

use rolecast_common::subjects::{self, STREAM_EVENTS};
use rolecast_common::wire::{CloudEvent, Encoding, EventsRequest};

use super::latest::Latest;
use crate::io::{Streams, event_pages};

/// Events that are kept: what fits beside the rest of a view.
const KEPT_MAX: usize = 10;
/// Bytes of one reading: an event has some hundred.
const LEN_MAX: usize = 256 * 1024;

pub(super) type LatestEvents = Latest<CloudEvent, KEPT_MAX>;

/// Returns the last sequence of the stream, and the events after `read`, the last ones of
/// them.
pub(super) async fn newest(streams: &Streams, read: u64) -> anyhow::Result<(u64, Vec<CloudEvent>)> {
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
