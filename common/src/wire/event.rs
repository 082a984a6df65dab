//! Published events, in the form of CloudEvents 1.0, and requests for those of the last day.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Message, VERSION};
use crate::time::WallTime;

/// The version of the specification of CloudEvents.
pub const CLOUD_EVENTS_VERSION: &str = "1.0";
/// The `Content-Type` of a published event.
pub const CONTENT_TYPE_EVENT: &str = "application/cloudevents+json";

/// An event as it is published and stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// The version of the specification, `1.0`.
    pub specversion: String,
    /// Unique: the epoch of its dispatcher and a number.
    pub id: String,
    pub source: String,
    /// `rolecast.` and its kind.
    #[serde(rename = "type")]
    pub kind: String,
    pub subject: String,
    /// RFC 3339.
    pub time: String,
    pub datacontenttype: String,
    /// `info`, `warning` or `error`.
    pub severity: String,
    pub data: Map<String, Value>,
}

/// A request on [`crate::subjects::API_EVENTS`]; an empty body stands for the oldest page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsRequest {
    pub v: u8,
    /// A kind, or the first part of some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The earliest time at which the wanted events were stored; without effect if there is
    /// an `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<WallTime>,
    /// The field `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// The most events of the page; it has fewer if they would not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<NonZeroU32>,
}

impl EventsRequest {
    /// Returns the request for the oldest page.
    pub fn first() -> Self {
        Self {
            v: VERSION,
            kind: None,
            since_ms: None,
            after: None,
            limit: None,
        }
    }
}

impl Message for EventsRequest {
    /// A name and three numbers.
    const LEN_MAX: usize = 1024;

    fn version(&self) -> u8 {
        self.v
    }
}

/// Stored events, the oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventsPage {
    pub v: u8,
    pub events: Vec<CloudEvent>,
    /// The place after the last of them; absent if the page is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Whether there were no more at that moment.
    pub is_last: bool,
}

impl Message for EventsPage {
    fn version(&self) -> u8 {
        self.v
    }
}
