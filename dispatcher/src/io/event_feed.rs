//! Publication of events, by a task with a queue: the loop never waits for it, and a lost
//! event does no harm to any job.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream;
use bytes::Bytes;
use rolecast_common::id::Epoch;
use rolecast_common::subjects;
use rolecast_common::time::{Now, WallTime};
use rolecast_common::wire::{
    CLOUD_EVENTS_VERSION, CONTENT_TYPE_EVENT, CloudEvent, HEADER_CONTENT_TYPE,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::events::Log;
use super::persist;
use crate::events::{Notice, notice};
use crate::scheduler::Event;

/// Events that may wait: the first ones of an outage, some hundred kilobytes.
const QUEUE_MAX: usize = 512;
/// Time for which the publication of one event is repeated: at the first start of all, its
/// stream takes some seconds to be created.
const REPEATED: Duration = Duration::from_secs(60);

/// The publisher of a leader's events.
pub(super) struct EventFeed {
    queue: mpsc::Sender<CloudEvent>,
    writer: JoinHandle<()>,
    dispatcher: String,
    epoch: Epoch,
    log: Log,
    /// The number of the last event under this epoch.
    number: u64,
    /// Events for which the queue had no room.
    dropped: u64,
}

impl EventFeed {
    /// Begins with the event that this dispatcher leads.
    pub(super) fn start(
        jetstream: jetstream::Context,
        dispatcher: &str,
        epoch: Epoch,
        now: Now,
    ) -> Self {
        let (queue, events) = mpsc::channel(QUEUE_MAX);
        let mut feed = Self {
            queue,
            writer: tokio::spawn(write(jetstream, events)),
            dispatcher: dispatcher.to_owned(),
            epoch,
            log: Log::default(),
            number: 0,
            dropped: 0,
        };
        feed.publish(now.wall, Notice::lease_taken(dispatcher, epoch), 0);
        feed
    }

    /// Writes an event to the log, and publishes it if that kind is published. Both have the
    /// same limit.
    pub(super) fn report(&mut self, now: Now, event: &Event) {
        if let Some(suppressed) = self.log.event(now.time, event)
            && let Some(notice) = notice(event)
        {
            self.publish(now.wall, notice, suppressed);
        }
    }

    /// Publishes an event, before which this many related ones were suppressed.
    fn publish(&mut self, at: WallTime, mut notice: Notice, suppressed: u64) {
        let missing = suppressed + self.dropped;
        if missing > 0 {
            notice = notice.with("suppressed", missing);
        }
        self.number += 1;
        let form = notice.kind.form();
        let event = CloudEvent {
            specversion: CLOUD_EVENTS_VERSION.to_owned(),
            id: format!("{}-{}", self.epoch, self.number),
            source: format!("/rolecast/dispatchers/{}", escaped(&self.dispatcher)),
            kind: format!("rolecast.{}", form.name),
            subject: notice.subject,
            time: at.to_string(),
            datacontenttype: "application/json".to_owned(),
            severity: form.severity.as_str().to_owned(),
            data: notice.data,
        };
        self.dropped = match self.queue.try_send(event) {
            Ok(()) => 0,
            Err(_) => missing + 1,
        };
    }

    /// Publishes that this dispatcher leads no longer, and what is left, within the limit.
    pub(super) async fn finish(mut self, at: WallTime, reason: &str, limit: Duration) {
        let lost = Notice::lease_lost(&self.dispatcher, self.epoch, reason);
        self.publish(at, lost, 0);
        drop(self.queue);
        if timeout(limit, &mut self.writer).await.is_err() {
            self.writer.abort();
        }
    }
}

/// Publishes until the queue is closed and empty.
async fn write(jetstream: jetstream::Context, mut events: mpsc::Receiver<CloudEvent>) {
    while let Some(event) = events.recv().await {
        let payload = match serde_json::to_vec(&event) {
            Ok(payload) => Bytes::from(payload),
            Err(error) => {
                tracing::error!(event = "event_not_encoded", "{error}");
                continue;
            }
        };
        let subject = subjects::event(&event.kind);
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_CONTENT_TYPE, CONTENT_TYPE_EVENT);
        // A repetition is stored once.
        headers.insert(NATS_MESSAGE_ID, event.id.as_str());
        store(&jetstream, subject, headers, payload).await;
    }
}

/// Repeats the publication until the stream has stored the event, or it is given up.
async fn store(
    jetstream: &jetstream::Context,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
) {
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        let (subject, headers) = (subject.clone(), headers.clone());
        let sent = jetstream.publish_with_headers(subject, headers, payload.clone());
        let error = match sent.await {
            Ok(stored) => match stored.await {
                Ok(_) => return,
                Err(error) => error,
            },
            Err(error) => error,
        };
        if begun.elapsed() >= REPEATED {
            tracing::warn!(
                event = "event_not_stored",
                "an event was not stored: {error}"
            );
            return;
        }
        sleep(persist::delay(tries, fastrand::f64())).await;
        tries += 1;
    }
}

/// Returns a name as a segment of a URI.
fn escaped(name: &str) -> String {
    let mut segment = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                segment.push(char::from(byte));
            }
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_uri_whatever_the_name_of_the_dispatcher() {
        assert_eq!(escaped("web-1.example"), "web-1.example");
        assert_eq!(escaped("a b/ü"), "a%20b%2F%C3%BC");
    }
}
