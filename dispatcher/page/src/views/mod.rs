//! The views, one module for each.

mod categories;
mod decisions;
mod dispatchers;
mod forecasts;
mod keys;
mod map;
mod node;
pub(crate) mod nodes;
mod overview;
mod roles;
mod rooms;

use std::time::Duration;

use maud::{Markup, html};
use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::format_duration;
use rolecast_common::wire::{NodeHealth, Status};

use crate::ask::{Ask, View};
use crate::picture::Picture;

/// Renders the view that is asked for.
pub(crate) fn view(picture: &Picture, ask: &Ask) -> Markup {
    let Some(status) = picture.status.as_deref() else {
        return html! {
            (overview::alarm_section(picture))
            p { "Nothing is known yet. This page renews itself." }
        };
    };
    match &ask.view {
        View::Overview => overview::view(picture, status, ask),
        View::Nodes => nodes::view(picture, status, ask),
        View::Node(node) => node::view(picture, status, node),
        View::Map => map::view(picture, status, ask),
        View::Roles => roles::view(picture, status),
        View::Categories => categories::view(status),
        View::Forecasts => forecasts::view(picture, status, ask),
        View::Decisions => decisions::view(picture, None),
        View::Keys => keys::view(picture, status),
        View::Dispatchers => dispatchers::view(picture, status),
    }
}

/// A node's name as a link to its view.
fn node_link(node: &NodeId) -> Markup {
    html! { a href={ "/node/" (node) } { (node) } }
}

fn health(health: NodeHealth) -> Markup {
    let (class, text) = match health {
        NodeHealth::Ready => ("good", "ready"),
        NodeHealth::Draining => ("warning", "draining"),
        NodeHealth::Gone => ("bad", "gone"),
    };
    html! { span class={ "mark " (class) } { (text) } }
}

fn role_list(roles: &[Role], empty: &str) -> String {
    if roles.is_empty() {
        return empty.to_owned();
    }
    let names: Vec<&str> = roles.iter().map(Role::as_str).collect();
    names.join(", ")
}

/// Writes a length of time that is a second or longer.
pub(crate) fn seconds(length: Duration) -> String {
    if length < Duration::from_secs(60) {
        return format!("{:.1} s", length.as_secs_f64());
    }
    format_duration(length)
}

fn age(millis: u64) -> String {
    seconds(Duration::from_millis(millis))
}

/// Shows the number of expected jobs; small ones with a fraction.
fn arrivals(per_minute: Option<f64>) -> String {
    match per_minute {
        None => "-".to_owned(),
        Some(rate) if rate < 9.95 => format!("{rate:.1}/min"),
        Some(rate) => format!("{rate:.0}/min"),
    }
}

pub(crate) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Returns the number of nodes that run anything.
pub(crate) fn ready(status: &Status) -> usize {
    let nodes = status.nodes.iter();
    nodes
        .filter(|node| node.health == NodeHealth::Ready)
        .count()
}

#[cfg(test)]
pub(crate) mod tests;
