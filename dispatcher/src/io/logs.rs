//! Logs of attempts, as requests get them: one at a time, in the order of the stream.

use anyhow::Context as _;
use async_nats::jetstream::{self, stream::DirectGetErrorKind};
use rolecast_common::subjects::{STREAM_LOGS, logs_of};
use rolecast_common::wire::{self, Encoding, LogPage, LogRequest, VERSION};

use super::request::Request;
use super::{Streams, api};
use crate::fitting::shorten_log;

const EXAMPLE: &str = r#"{"v": 1, "job": "order-7"}"#;

/// Reads which logs are requested.
pub(super) fn requested(request: &Request) -> Result<LogRequest, String> {
    let read = api::body(request);
    read.map_err(|error| format!("{error}; request logs with a body such as {EXAMPLE}"))
}

/// Answers with the oldest log of a job behind a position.
pub(super) async fn answer(streams: Streams, asked: LogRequest, request: Request) {
    match next(&streams.jetstream, &asked).await {
        Ok(page) => api::answer_large(streams, page, shorten_log, request).await,
        Err(error) => {
            let why = format!("cannot read the logs of job {}: {error:#}", asked.job);
            api::refuse(streams, why, request).await;
        }
    }
}

async fn next(jetstream: &jetstream::Context, asked: &LogRequest) -> anyhow::Result<LogPage> {
    let stream = jetstream.get_stream_no_info(STREAM_LOGS).await?;
    let from = asked.after.saturating_add(1);
    let found = stream
        .direct_get_next_for_subject(logs_of(&asked.job), Some(from))
        .await;
    match found {
        Ok(message) => {
            let log = wire::decode(Encoding::MessagePack, &message.payload);
            Ok(LogPage {
                v: VERSION,
                position: message.sequence,
                log: Some(log.context("a log cannot be read")?),
            })
        }
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(LogPage {
            v: VERSION,
            position: 0,
            log: None,
        }),
        Err(error) => Err(error.into()),
    }
}
