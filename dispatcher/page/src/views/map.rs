//! The map of the fleet: a tile for each node, grouped by role or by a label, coloured by
//! the room that is expected there.

use std::collections::BTreeMap;

use maud::{Markup, html};
use rolecast_common::id::Role;
use rolecast_common::wire::{NodeStatus, Status};
use rolecast_common::words::{ahead, counted};

use super::rooms::{CLASSES, COUNT, class_of, counts, share};
use crate::ask::{Ask, Query, View};
use crate::picture::{AHEAD_S, Picture};
use crate::svg::tiles::{LINKS_MAX, Tile, linked, merged};
use crate::words::{count, role_list};

/// Groups that are shown; the others are counted.
const GROUPS_MAX: usize = 60;

pub(super) fn view(picture: &Picture, status: &Status, ask: &Ask) -> Markup {
    let groups = groups(status, &ask.query);
    let more = groups.len().saturating_sub(GROUPS_MAX);
    html! {
        (form(status, &ask.query))
        (legend(&counts(picture, status)))
        (patterns())
        @if status.nodes.is_empty() { p { "No nodes yet." } }
        div.groups {
            @for (name, nodes) in groups.iter().take(GROUPS_MAX) { (group(picture, status, ask, name, nodes)) }
        }
        @if more > 0 { p { (counted(count(more), "more group")) " not shown: group by another label" } }
    }
}

/// Returns the nodes by role or by label, the largest group first.
fn groups<'a>(status: &'a Status, query: &Query) -> Vec<(String, Vec<&'a NodeStatus>)> {
    let mut groups: BTreeMap<String, Vec<&NodeStatus>> = BTreeMap::new();
    for node in &status.nodes {
        let name = match &query.by {
            Some(label) => match node.labels.get(label) {
                Some(value) => format!("{label}={value}"),
                None => format!("without {label}"),
            },
            None => role_list(&node.roles, "no role"),
        };
        groups.entry(name).or_default().push(node);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
    groups
}

fn group(
    picture: &Picture,
    status: &Status,
    ask: &Ask,
    name: &str,
    nodes: &[&NodeStatus],
) -> Markup {
    let class = |node: &NodeStatus| class_of(node, picture.rooms.get(&node.node));
    let title = format!("{name}: {}", counted(count(nodes.len()), "node"));
    let (columns, width) = columns(nodes.len());
    let drawing = if status.nodes.len() <= LINKS_MAX {
        let tiles: Vec<Tile> = nodes.iter().map(|node| tile(picture, node)).collect();
        linked(&title, &tiles, columns, &names())
    } else {
        let tiles: Vec<usize> = nodes.iter().map(|node| class(node)).collect();
        merged(&title, &tiles, columns, &names(), |row| {
            let first = &nodes[row * columns].node;
            let last = &nodes[(row * columns + columns).min(nodes.len()) - 1].node;
            (
                row_link(ask, nodes[row * columns]),
                format!("{first} to {last}"),
            )
        })
    };
    html! {
        section class={ "group " (width) } {
            h2 { (name) " " span.faint { (nodes.len()) } }
            (drawing)
        }
    }
}

/// Returns the tiles in a row of a group of so many nodes, and the class of its width:
/// tiles of small groups are all of one size.
fn columns(nodes: usize) -> (usize, &'static str) {
    match nodes {
        0..=4 => (4, "w4"),
        5..=24 => (8, "w8"),
        25..=60 => (12, "w12"),
        61..=200 => (20, "w20"),
        201..=LINKS_MAX => (40, "w40"),
        _ => (125, "w125"),
    }
}

/// Returns the address of the nodes around one.
fn row_link(ask: &Ask, first: &NodeStatus) -> String {
    let mut of_row = Ask::of(View::Nodes);
    of_row.query.sort = crate::ask::Sort::Name;
    if ask.query.by.is_none() {
        of_row.query.role = first.roles.first().cloned();
    }
    of_row.query.text = first.node.to_string();
    of_row
        .query
        .text
        .truncate(first.node.as_str().len().saturating_sub(2).max(1));
    of_row.href()
}

fn names() -> [&'static str; COUNT] {
    CLASSES.map(|class| class.class)
}

fn tile(picture: &Picture, node: &NodeStatus) -> Tile {
    let expected = picture.rooms.get(&node.node);
    let class = class_of(node, expected);
    let text = match CLASSES[class].class {
        "gone" => "gone".to_owned(),
        "draining" => "draining".to_owned(),
        _ => format!("{:.0} % free", 100.0 * share(node, expected)),
    };
    Tile {
        class,
        href: format!("/node/{}", node.node),
        title: format!("{}: {text}", node.node),
    }
}

/// The meaning of the colours, with the number of nodes of each.
pub(super) fn legend(counts: &[usize; COUNT]) -> Markup {
    html! {
        ul.legend aria-label="Room expected: the free share of CPU or memory, of whichever there is less" {
            @for (class, count) in CLASSES.iter().zip(counts) {
                li { svg.key viewBox="0 0 1 1" aria-hidden="true" { rect class=(class.class) width=".9" height=".9" {} } (class.text) " " b { (count) } }
            }
        }
    }
}

/// The patterns of nodes that get no jobs, so that colour is not their only sign.
fn patterns() -> Markup {
    html! {
        svg.defs width="0" height="0" aria-hidden="true" {
            defs {
                pattern #stripes patternUnits="userSpaceOnUse" width="1" height="1" {
                    rect.draining-ground width="1" height="1" {}
                    path.draining-line d="M0 .5L.5 0M.36 1L1 .36" {}
                }
                pattern #crosses patternUnits="userSpaceOnUse" width="1" height="1" {
                    rect.gone-ground width="1" height="1" {}
                    path.gone-line d="M.1 .1L.76 .76M.76 .1L.1 .76" {}
                }
            }
        }
    }
}

fn form(status: &Status, query: &Query) -> Markup {
    let labels = label_names(status);
    let roles: Vec<&Role> = status.roles.iter().map(|role| &role.role).collect();
    html! {
        form.filters method="get" action="/map" {
            label { "group by "
                select name="by" {
                    option value="role" selected[query.by.is_none()] { "role" }
                    @for label in &labels {
                        option value=(label) selected[query.by.as_ref() == Some(label)] { (label) }
                    }
                }
            }
            label { "room until "
                select name="in" {
                    @for (index, seconds) in AHEAD_S.iter().enumerate() {
                        option value=(seconds) selected[query.ahead == index] { (ahead(*seconds)) }
                    }
                }
            }
            button { "Show" }
            span.faint { (counted(count(status.nodes.len()), "node")) ", " (counted(count(roles.len()), "role")) }
        }
    }
}

/// Returns the names of labels by which nodes can be grouped: some well-known ones that
/// nodes have, and the one in use.
fn label_names(status: &Status) -> Vec<String> {
    let mut names = std::collections::BTreeSet::new();
    for node in &status.nodes {
        names.extend(node.labels.iter().map(|(name, _)| name.to_owned()));
    }
    names.into_iter().take(32).collect()
}
