//! The views, one module for each.

mod categories;
mod courses;
mod decisions;
mod dispatchers;
mod events;
mod forecasts;
mod jobs;
mod keys;
mod map;
mod node;
mod nodes;
mod overview;
mod roles;
mod rooms;

use maud::{Markup, html};
use rolecast_common::id::NodeId;
use rolecast_common::wire::NodeHealth;

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

#[cfg(test)]
mod tests;
