//! Periodic checks for changes by hand on the streams and consumers: settings that lose
//! jobs are restored, and others are reported.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use rolecast_common::requests;
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_nats::Clock;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::lease::View;
use super::sizing::restore_stream;
use super::strangers::{self, Consumer};
use super::{ACK_WAIT, Streams, assets};
use crate::config;
use crate::scheduler::{Input, Trouble};

/// Interval of the checks: each costs a request for each stream and one for 256
/// consumers.
const INTERVAL: Duration = Duration::from_secs(20);
/// Delay of the first check, after everything is set up.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// Pages of consumers that are read; each has 256.
const PAGES_MAX: usize = 16;

/// The initial parts of the task.
pub(super) struct Start {
    pub(super) streams: Streams,
    pub(super) settings: config::Streams,
    pub(super) clock: Clock,
    pub(super) lease: View,
    pub(super) reports: mpsc::Sender<Input>,
}

/// Checks until the receiver of the reports is gone.
pub(super) async fn run(start: Start) {
    let jetstream = &start.streams.jetstream;
    sleep(FIRST_LOOK).await;
    while !start.reports.is_closed() {
        if start.lease.is_held(start.clock.now().time) {
            for wanted in assets::streams(&start.settings) {
                if let Err(error) = restore_stream(jetstream, &wanted).await {
                    let stream = wanted.name;
                    tracing::debug!(event = "stream_not_ensured", stream, "{error:#}");
                }
            }
            match consumers(jetstream).await {
                Ok(consumers) => check(jetstream, &consumers, &start.reports).await,
                Err(error) => {
                    tracing::warn!(event = "consumers_not_listed", "{error:#}");
                }
            }
        }
        sleep(INTERVAL).await;
    }
}

async fn check(
    jetstream: &jetstream::Context,
    consumers: &[Consumer],
    reports: &mpsc::Sender<Input>,
) {
    for trouble in strangers::among(consumers) {
        // The receiver is gone only when the loop is.
        let _ = reports.send(Input::Troubled(trouble)).await;
    }
    for consumer in consumers {
        let Some((source, why)) = strangers::drift(consumer) else {
            continue;
        };
        let restored = assets::set_consumer(jetstream, &source, ACK_WAIT).await;
        let remedy = match &restored {
            Ok(()) => "it was restored; jobs in hand may have run twice",
            Err(_) => "delete the consumer; the dispatcher creates it again",
        };
        tracing::warn!(event = "consumer_changed", %source, why, ok = restored.is_ok());
        let trouble = Trouble {
            what: format!("consumer {} on {STREAM_JOBS}", consumer.name),
            why,
            remedy: remedy.to_owned(),
            lasts: Some(strangers::LASTS),
        };
        let _ = reports.send(Input::Troubled(trouble)).await;
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    total: usize,
    #[serde(default)]
    consumers: Option<Vec<Consumer>>,
}

async fn consumers(jetstream: &jetstream::Context) -> anyhow::Result<Vec<Consumer>> {
    use jetstream::response::Response;

    let mut all = Vec::new();
    for _ in 0..PAGES_MAX {
        let subject = requests::consumer_list(STREAM_JOBS);
        let request = json!({"offset": all.len()});
        let answer: Response<Page> = jetstream.request(subject, &request).await?;
        let page = match answer {
            Response::Ok(page) => page,
            Response::Err { error } => return Err(error).context("cannot list the consumers"),
        };
        let found = page.consumers.unwrap_or_default();
        let is_last = found.is_empty();
        all.extend(found);
        if is_last || all.len() >= page.total {
            break;
        }
    }
    Ok(all)
}
