//! Requests to JetStream that the client library lacks or answers too slowly: the names of
//! streams and consumers, and any other in JSON.

use std::collections::BTreeSet;

use async_nats::jetstream;
use rolecast_common::requests;
use rolecast_common::subjects::STREAM_JOBS;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The most pages that are read of the server's answers with names.
const PAGES_MAX: usize = 64;

#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    total: usize,
    #[serde(default)]
    streams: Option<Vec<String>>,
    #[serde(default)]
    consumers: Option<Vec<String>>,
}

/// Returns the names of all streams.
pub(super) async fn stream_names(
    jetstream: &jetstream::Context,
) -> anyhow::Result<BTreeSet<String>> {
    names(jetstream, requests::STREAM_NAMES, |names: Names| {
        names.streams
    })
    .await
}

/// Returns the names of the consumers of the jobs stream.
pub(super) async fn consumer_names(
    jetstream: &jetstream::Context,
) -> anyhow::Result<BTreeSet<String>> {
    let subject = requests::consumer_names(STREAM_JOBS);
    names(jetstream, &subject, |names| names.consumers).await
}

async fn names(
    jetstream: &jetstream::Context,
    subject: &str,
    read: impl Fn(Names) -> Option<Vec<String>>,
) -> anyhow::Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for _ in 0..PAGES_MAX {
        let page: Names = ask(jetstream, subject, &json!({"offset": all.len()})).await?;
        let total = page.total;
        let found = read(page).unwrap_or_default();
        let is_last = found.is_empty();
        all.extend(found);
        if is_last || all.len() >= total {
            break;
        }
    }
    Ok(all)
}

/// Sends JetStream a request and returns its answer.
pub(super) async fn ask<T: DeserializeOwned>(
    jetstream: &jetstream::Context,
    subject: &str,
    request: &Value,
) -> anyhow::Result<T> {
    use jetstream::response::Response;

    let answer = jetstream.request(subject.to_owned(), request).await?;
    match answer {
        Response::Ok(answer) => Ok(answer),
        Response::Err { error } => Err(error.into()),
    }
}
