//! Pages of stored events: readers ask the dispatcher, because a right to read a stream is
//! one to have its messages sent to any subject.

use std::time::Duration;

use anyhow::{Context as _, bail};
use async_nats::header::NATS_SEQUENCE;
use async_nats::{Message, StatusCode};
use futures_util::StreamExt as _;
use rolecast_common::requests;
use rolecast_common::subjects::{self, STREAM_EVENTS};
use rolecast_common::wire::{
    CloudEvent, Encoding, EventsPage, EventsRequest, VERSION, encoded_len,
};
use serde_json::json;
use tokio::time::timeout;

use super::request::Request;
use super::{Streams, api};
use crate::events;

/// Events of a page unless fewer are requested; more would rarely fit.
const PAGE_MAX: u32 = 500;
/// Bytes of a page: as JSON it fits the usual `max_payload`.
const PAGE_LEN_MAX: usize = 512 * 1024;
/// Time that the server may take for a page.
const READ_MAX: Duration = Duration::from_secs(2);
const HEADER_PENDING: &str = "Nats-Num-Pending";
const NO_MESSAGES: u16 = 404;
const EXAMPLE: &str = r#"{"v": 1, "kind": "node", "since_ms": 1769860800000}"#;

/// Reads the requested page, and the filter on subjects.
pub(super) fn requested(request: &Message) -> Result<(EventsRequest, String), String> {
    let asked = match request.payload.is_empty() {
        true => EventsRequest::first(),
        false => api::body(request).map_err(|error: rolecast_common::wire::Malformed| {
            format!("{error}; request events without a body, or with one such as {EXAMPLE}")
        })?,
    };
    let filter = match &asked.kind {
        None => subjects::EVENTS.to_owned(),
        Some(kind) => filter(kind)?,
    };
    Ok((asked, filter))
}

/// Returns the subjects of a kind, or of all kinds with this first part.
fn filter(kind: &str) -> Result<String, String> {
    if events::names().any(|name| name == kind) {
        return Ok(subjects::event(kind));
    }
    let is_first = |name: &str| name.split('.').next() == Some(kind);
    if events::names().any(is_first) {
        return Ok(format!("{}.>", subjects::event(kind)));
    }
    let mut groups: Vec<&str> = events::names()
        .filter_map(|name| name.split('.').next())
        .collect();
    groups.dedup();
    Err(format!(
        "there are no events of this kind; the kinds begin with {}, and docs/events.md lists them",
        groups.join(", ")
    ))
}

/// Answers with a page.
pub(super) async fn answer(
    streams: Streams,
    (asked, filter): (EventsRequest, String),
    request: Request,
) {
    let client = streams.jetstream.client();
    let encoding = api::encoding(&request);
    let len_max = api::len_max(&client, encoding).min(PAGE_LEN_MAX);
    let read = timeout(
        READ_MAX,
        read(&streams, &asked, &filter, (encoding, len_max)),
    );
    let why = match read.await {
        Ok(Ok(page)) => return api::answer(streams, page, request).await,
        Ok(Err(error)) => format!("cannot read the events: {error:#}"),
        Err(_) => "cannot read the events: the server does not answer".to_owned(),
    };
    api::refuse(streams, why, request).await;
}

/// Reads as many events as the page takes, in one request to the server.
pub(super) async fn read(
    streams: &Streams,
    asked: &EventsRequest,
    filter: &str,
    (encoding, len_max): (Encoding, usize),
) -> anyhow::Result<EventsPage> {
    let client = streams.jetstream.client();
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    let limit = asked
        .limit
        .map_or(PAGE_MAX, |limit| limit.get().min(PAGE_MAX));
    let mut query = json!({
        "batch": limit,
        "max_bytes": PAGE_LEN_MAX,
        "next_by_subj": filter,
    });
    match (asked.after, asked.since_ms) {
        (Some(after), _) => query["seq"] = after.saturating_add(1).into(),
        (None, Some(since)) => query["start_time"] = since.to_string().into(),
        (None, None) => query["seq"] = 1.into(),
    }
    let request = requests::direct_get(STREAM_EVENTS);
    let subject = format!("{}.{request}", streams.api_prefix);
    let sent = client.publish_with_reply(subject, inbox, query.to_string().into());
    sent.await?;
    let mut page = EventsPage {
        v: VERSION,
        events: Vec::new(),
        next: asked.after,
        is_last: true,
    };
    let mut len = encoded_len(encoding, &page);
    while let Some(message) = answers.next().await {
        match message.status {
            None => {}
            Some(StatusCode::NO_RESPONDERS) => bail!("the stream {STREAM_EVENTS} does not answer"),
            Some(status) if status.as_u16() >= 400 && status.as_u16() != NO_MESSAGES => {
                bail!("{}", message.description.unwrap_or_default());
            }
            // The end of the batch.
            Some(_) => break,
        }
        let sequence = header(&message, NATS_SEQUENCE.as_ref()).context("no sequence")?;
        let event: Option<CloudEvent> = serde_json::from_slice(&message.payload).ok();
        let more = event
            .as_ref()
            .map_or(0, |event| encoded_len(encoding, event));
        len += more;
        if len > len_max {
            page.is_last = false;
            break;
        }
        page.events.extend(event);
        page.next = Some(sequence);
        page.is_last = header(&message, HEADER_PENDING).unwrap_or(0) == 0;
    }
    Ok(page)
}

fn header(message: &Message, name: &str) -> Option<u64> {
    message.headers.as_ref()?.get(name)?.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_one_or_a_group_of_them() {
        assert_eq!(filter("node.gone").unwrap(), "rolecast.events.node.gone");
        assert_eq!(filter("node").unwrap(), "rolecast.events.node.>");
        for other in ["nodes", "node.", "*", ">", "", "node.gone.x"] {
            let why = filter(other).unwrap_err();
            assert!(why.contains("node, role, category"), "{why}");
        }
    }
}
