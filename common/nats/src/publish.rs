//! Publishing to a stream, repeated until the server confirms that the message is stored.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::publish::PublishAck;
use bytes::Bytes;

use super::codes::{Meaning, meaning_of};

/// Tries before giving up; with the delays below about ten seconds.
const TRIES_MAX: u32 = 6;
const RETRY_MIN: Duration = Duration::from_millis(200);

/// Publishes and waits for the stream's acknowledgement. It tries again where the answer
/// was lost, nobody was there to store it, or another write was in flight.
///
/// Trying again is safe only with a `Nats-Msg-Id` or an expected sequence in `headers`;
/// without one a job may be stored twice.
pub async fn publish_with_retry(
    jetstream: &Context,
    subject: &str,
    headers: &HeaderMap,
    payload: &Bytes,
) -> Result<PublishAck, PublishError> {
    publish_reporting(jetstream, subject, headers, payload, |_| {}).await
}

/// As [`publish_with_retry`]; `report` receives each error that causes another try.
pub async fn publish_reporting(
    jetstream: &Context,
    subject: &str,
    headers: &HeaderMap,
    payload: &Bytes,
    mut report: impl FnMut(&PublishError),
) -> Result<PublishAck, PublishError> {
    let mut tries = 0;
    loop {
        let sent = jetstream
            .publish_with_headers(subject.to_owned(), headers.clone(), payload.clone())
            .await;
        let error = match sent {
            Ok(ack) => match ack.await {
                Ok(ack) => return Ok(ack),
                Err(error) => error,
            },
            Err(error) => error,
        };
        tries += 1;
        if tries >= TRIES_MAX || !meaning_of(&error).is_some_and(Meaning::is_passing) {
            return Err(error);
        }
        report(&error);
        tokio::time::sleep(RETRY_MIN * 2u32.pow(tries - 1)).await;
    }
}
