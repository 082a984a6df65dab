//! Paged requests for the status of a large fleet.
//!
//! A status lists categories, roles and nodes in this order, each by name. A page has the
//! entries after a cursor, as many as fit, and names the cursor of the next page.
//! Dispatchers keep no state of readers: a cursor is a name, and another dispatcher, or
//! one whose nodes have changed, continues after it as well.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Message, VERSION};
use crate::id::{Category, NodeId, Role};

/// A request on [`crate::subjects::API_STATUS`]; an empty body stands for the first page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StatusRequest {
    pub v: u8,
    /// The field `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<StatusCursor>,
    /// The most nodes of the page; it has fewer if they would not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<NonZeroU32>,
}

impl StatusRequest {
    /// Returns the request for the first page.
    pub fn first() -> Self {
        Self {
            v: VERSION,
            after: None,
            limit: None,
        }
    }
}

impl Message for StatusRequest {
    /// Two names and a number.
    const LEN_MAX: usize = 1024;

    fn version(&self) -> u8 {
        self.v
    }
}

/// A place in a status. It may be empty: the page starts with the next entry after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusCursor {
    Category(Category),
    Role(Role),
    Node(NodeId),
}

/// Totals of the fleet, independent of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    pub nodes: u32,
    /// Nodes by their health.
    pub ready: u32,
    pub draining: u32,
    pub gone: u32,
    pub categories: u32,
    pub roles: u32,
    /// Jobs that nodes have in hand.
    pub jobs: u64,
}
