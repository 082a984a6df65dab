//! Rights of each party: the subjects it publishes and subscribes to, and their purpose.
//!
//! One table serves everybody who needs it: `rolecast permissions` prints it, the
//! dispatcher checks its own login by it, and the end-to-end tests run under it. It is
//! made of the names in [`crate::subjects`] and [`crate::requests`] that the programs
//! use.
//!
//! Two rules of NATS shape it. A request names the subject of its answer, and the server
//! does not check that subject: a party with access to JetStream's API can have a stored
//! message sent to any subject, and one that may create a consumer a whole stream of
//! them. So a party that only reads asks the dispatcher, which answers to inboxes alone.
//! And an inbox that is shared is read by all: so each login has its own,
//! `_INBOX.<user>`.

mod check;
mod config;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::id::{Category, NodeId};
use crate::requests;

pub use check::{Allowed, missing};
pub use config::{Login, authorization, nsc, server};
pub use table::{own_rights_request, rights};

/// The usual prefix of the subjects of answers.
pub const INBOX: &str = "_INBOX";

/// A party that logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    Dispatcher {
        /// Prefixes of the subjects on which it may answer requests.
        inbox_prefixes: Vec<String>,
    },
    /// The worker of a node.
    Worker(NodeId),
    Producer {
        categories: Vec<Category>,
        /// Whether it waits for outcomes. Records are kept by job and not by category, so
        /// a producer that reads its own can read those of others.
        reads_outcomes: bool,
    },
    /// Does all that the command `rolecast` can do.
    Operator,
    /// Makes requests to the dispatcher, and can change nothing.
    Viewer,
}

impl Party {
    /// Returns the dispatcher, which answers to usual inboxes.
    pub fn dispatcher() -> Self {
        Party::Dispatcher {
            inbox_prefixes: vec![INBOX.to_owned()],
        }
    }

    /// Returns the name that it logs in with unless it is given another one.
    pub fn user(&self) -> &str {
        match self {
            Party::Dispatcher { .. } => "dispatcher",
            Party::Worker(node) => node.as_str(),
            Party::Producer { .. } => "producer",
            Party::Operator => "operator",
            Party::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Party::Dispatcher { .. } => f.write_str("the dispatchers"),
            Party::Worker(node) => write!(f, "the worker of node {node}"),
            Party::Producer { categories, .. } => {
                let names: Vec<&str> = categories.iter().map(Category::as_str).collect();
                write!(f, "a producer of {}", names.join(", "))
            }
            Party::Operator => f.write_str("operators: all commands of rolecast"),
            Party::Viewer => f.write_str("viewers: they read, and change nothing"),
        }
    }
}

/// The kind of access that a right permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Publish,
    Subscribe,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Publish => "publish",
            Action::Subscribe => "subscribe",
        }
    }
}

/// A right to a subject, and its purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    pub action: Action,
    pub subject: String,
    pub purpose: &'static str,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match self.action {
            Action::Publish => "publish to",
            Action::Subscribe => "subscribe to",
        };
        write!(f, "{to} {} ({})", self.subject, self.purpose)
    }
}

/// Prefixes of a party's requests and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The prefix of JetStream's API.
    pub api: String,
    /// The prefix of the party's own inboxes.
    pub inbox: String,
}

impl Place {
    /// Returns the prefixes of a user on a server with default settings.
    pub fn of(user: &str) -> Self {
        Self {
            api: requests::PREFIX.to_owned(),
            inbox: inbox(user).unwrap_or_else(|| INBOX.to_owned()),
        }
    }
}

/// Returns the prefix of a user's own inboxes, if its name can be part of a subject.
pub fn inbox(user: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_token = !user.is_empty() && user.len() <= 64 && user.bytes().all(is_plain);
    is_token.then(|| format!("{INBOX}.{user}"))
}
