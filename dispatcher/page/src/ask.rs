//! Addresses of the page: a view, and the selection that its query names.

use std::fmt::Write as _;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::wire::NodeHealth;

use crate::picture::AHEAD_S;

/// The longest text to search for, and the longest name of a label.
const TEXT_CHARS_MAX: usize = 64;
/// The time ahead that is shown unless asked otherwise: the place of 15 minutes.
const AHEAD_DEFAULT: usize = 2;

/// A view and its selection. Equal ones have equal pages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ask {
    pub(crate) view: View,
    pub(crate) query: Query,
}

/// The views, in the order of the navigation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum View {
    Overview,
    Nodes,
    Node(NodeId),
    Map,
    Roles,
    Categories,
    Forecasts,
    Decisions,
    Keys,
    Dispatchers,
}

/// The entries of the navigation.
pub(crate) const NAVIGATION: [(View, &str); 9] = [
    (View::Overview, "Overview"),
    (View::Nodes, "Nodes"),
    (View::Map, "Map"),
    (View::Roles, "Roles"),
    (View::Categories, "Categories"),
    (View::Forecasts, "Forecasts"),
    (View::Decisions, "Decisions"),
    (View::Keys, "Keys"),
    (View::Dispatchers, "Dispatchers"),
];

impl View {
    fn parse(path: &str) -> Option<Self> {
        if let Some(node) = path.strip_prefix("/node/") {
            return NodeId::new(node).ok().map(View::Node);
        }
        let mut views = NAVIGATION.into_iter().map(|(view, _)| view);
        views.find(|view| view.path() == path)
    }

    pub(crate) fn path(&self) -> String {
        let name = match self {
            View::Overview => return "/".to_owned(),
            View::Node(node) => return format!("/node/{node}"),
            View::Nodes => "nodes",
            View::Map => "map",
            View::Roles => "roles",
            View::Categories => "categories",
            View::Forecasts => "forecasts",
            View::Decisions => "decisions",
            View::Keys => "keys",
            View::Dispatchers => "dispatchers",
        };
        format!("/{name}")
    }
}

/// The order of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sort {
    /// Those with trouble first.
    #[default]
    Trouble,
    Name,
    Cpu,
    Memory,
    Jobs,
    Reserved,
    Feedback,
    Trip,
    Heartbeat,
    Failed,
}

impl Sort {
    const ALL: [(Sort, &'static str); 10] = [
        (Sort::Trouble, "trouble"),
        (Sort::Name, "name"),
        (Sort::Cpu, "cpu"),
        (Sort::Memory, "memory"),
        (Sort::Jobs, "jobs"),
        (Sort::Reserved, "reserved"),
        (Sort::Feedback, "feedback"),
        (Sort::Trip, "trip"),
        (Sort::Heartbeat, "heartbeat"),
        (Sort::Failed, "failed"),
    ];

    fn parse(text: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, name)| *name == text).map(|(sort, _)| sort)
    }

    pub(crate) fn name(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(sort, _)| *sort == self);
        found.map_or("trouble", |(_, name)| name)
    }
}

/// The selection within a view. What a view does not use is ignored by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Query {
    /// Text that the names or labels of nodes contain.
    pub(crate) text: String,
    pub(crate) role: Option<Role>,
    pub(crate) health: Option<Health>,
    pub(crate) sort: Sort,
    /// Whether the order is the other way round.
    pub(crate) is_reversed: bool,
    /// Counted from 0.
    pub(crate) page: u32,
    /// The label by which the map is grouped, instead of the role.
    pub(crate) by: Option<String>,
    /// The place among [`AHEAD_S`].
    pub(crate) ahead: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            text: String::new(),
            role: None,
            health: None,
            sort: Sort::default(),
            is_reversed: false,
            page: 0,
            by: None,
            ahead: AHEAD_DEFAULT,
        }
    }
}

/// The health of a node, in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Health {
    Ready,
    Draining,
    Gone,
}

impl Health {
    pub(crate) const ALL: [Health; 3] = [Health::Ready, Health::Draining, Health::Gone];

    pub(crate) fn of(health: NodeHealth) -> Self {
        match health {
            NodeHealth::Ready => Health::Ready,
            NodeHealth::Draining => Health::Draining,
            NodeHealth::Gone => Health::Gone,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Health::Ready => "ready",
            Health::Draining => "draining",
            Health::Gone => "gone",
        }
    }
}

impl Query {
    fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            query.set(name, &decode(value));
        }
        query
    }

    /// Takes one value; one that means nothing is ignored.
    fn set(&mut self, name: &str, value: &str) {
        match name {
            "q" => self.text = value.trim().to_lowercase(),
            "role" => self.role = Role::new(value).ok(),
            "health" => self.health = Health::ALL.into_iter().find(|one| one.name() == value),
            "sort" => self.sort = Sort::parse(value).unwrap_or_default(),
            "order" => self.is_reversed = value == "reverse",
            "page" => self.page = value.parse().unwrap_or(1).max(1) - 1,
            "by" => self.by = (!matches!(value, "" | "role")).then(|| value.to_owned()),
            "in" => {
                let found = AHEAD_S.iter().position(|ahead| ahead.to_string() == value);
                self.ahead = found.unwrap_or(AHEAD_DEFAULT);
            }
            _ => {}
        }
    }

    /// Returns the query as text, `?` included; empty if all is as usual.
    fn write(&self) -> String {
        let usual = Self::default();
        let mut pairs = Vec::new();
        if !self.text.is_empty() {
            pairs.push(("q", encode(&self.text)));
        }
        if let Some(role) = &self.role {
            pairs.push(("role", role.to_string()));
        }
        if let Some(health) = self.health {
            pairs.push(("health", health.name().to_owned()));
        }
        if self.sort != usual.sort {
            pairs.push(("sort", self.sort.name().to_owned()));
        }
        if self.is_reversed {
            pairs.push(("order", "reverse".to_owned()));
        }
        if let Some(by) = &self.by {
            pairs.push(("by", encode(by)));
        }
        if self.ahead != usual.ahead {
            pairs.push(("in", AHEAD_S[self.ahead].to_string()));
        }
        if self.page > 0 {
            pairs.push(("page", (self.page + 1).to_string()));
        }
        let mut text = String::new();
        for (index, (name, value)) in pairs.into_iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            let _ = write!(text, "{separator}{name}={value}");
        }
        text
    }
}

impl Ask {
    /// The paths of all views, as a router writes them.
    pub const PATHS: [&str; 10] = [
        "/",
        "/nodes",
        "/node/{node}",
        "/map",
        "/roles",
        "/categories",
        "/forecasts",
        "/decisions",
        "/keys",
        "/dispatchers",
    ];

    /// Reads an address; `None` if there is no such view.
    pub fn parse(path: &str, query: &str) -> Option<Self> {
        Some(Self {
            view: View::parse(path)?,
            query: Query::parse(query),
        })
    }

    pub(crate) fn of(view: View) -> Self {
        Self {
            view,
            query: Query::default(),
        }
    }

    /// Returns the address.
    pub fn href(&self) -> String {
        format!("{}{}", self.view.path(), self.query.write())
    }

    /// Returns the address of the same view with another selection, on its first page.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Query)) -> String {
        let mut other = self.clone();
        other.query.page = 0;
        change(&mut other.query);
        other.href()
    }
}

/// Decodes a value of a query; invalid bytes are replaced, and it is not long.
fn decode(value: &str) -> String {
    let plain = value.replace('+', " ");
    let text = percent_encoding::percent_decode_str(&plain).decode_utf8_lossy();
    text.chars()
        .filter(|c| !c.is_control())
        .take(TEXT_CHARS_MAX)
        .collect()
}

fn encode(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for address in [
            "/",
            "/nodes?q=web&role=api&health=gone&sort=cpu&order=reverse&page=3",
            "/map?by=z%C3%BCrich%26&in=3600",
            "/node/web-1",
            "/dispatchers",
        ] {
            let (path, query) = address.split_once('?').unwrap_or((address, ""));
            assert_eq!(Ask::parse(path, query).unwrap().href(), address);
        }
        for path in ["", "/node/", "/node/A", "/nodes/", "/../nodes"] {
            assert_eq!(Ask::parse(path, ""), None, "{path}");
        }
    }

    #[test]
    fn each_view_has_a_path() {
        assert_eq!(Ask::PATHS.len(), NAVIGATION.len() + 1);
        for path in Ask::PATHS {
            let path = path.replace("{node}", "n1");
            assert!(Ask::parse(&path, "").is_some(), "{path}");
        }
    }

    #[test]
    fn values_without_a_meaning_are_ignored_and_long_ones_cut() {
        let long = "x".repeat(1000);
        let query = format!("sort=nothing&page=-1&role=A+B&in=7&health=well&q=%00%ff{long}&&=");
        let ask = Ask::parse("/nodes", &query).unwrap();
        let expected = format!("\u{fffd}{}", "x".repeat(TEXT_CHARS_MAX - 1));
        assert_eq!(
            ask.query,
            Query {
                text: expected,
                ..Query::default()
            }
        );
    }
}
