//! The first view: backlog and flow, alarms with their causes, categories, roles and the
//! room ahead.

use std::time::Duration;

use maud::{Markup, html};
use rolecast_common::unit::Resources;
use rolecast_common::wire::{CapacityMap, CategoryStatus, RoleCapacity, Status};
use rolecast_common::words::{ahead, amounts, counted};

use super::{events, map, node_link, rooms};
use crate::alarms::alarms;
use crate::ask::{Ask, View};
use crate::parts::alarm_list;
use crate::picture::{AHEAD_S, Picture, Standing};
use crate::svg::bar::bar;
use crate::svg::spark::spark;
use crate::table::{number, table, text};
use crate::words::{age, arrivals, count, ready, seconds};

/// Roles whose room is shown here; the others are on their own view.
const ROLES_MAX: usize = 8;

pub(super) fn view(picture: &Picture, status: &Status, ask: &Ask) -> Markup {
    html! {
        (alarm_section(picture))
        (figures(picture, status))
        section aria-labelledby="h-categories" {
            h2 #h-categories { "Categories" }
            (categories(status))
        }
        section aria-labelledby="h-fleet" {
            h2 #h-fleet { "Fleet" }
            (fleet(picture, status, ask))
        }
        (events::section(picture))
        (room(picture))
        (holders(picture))
    }
}

pub(super) fn alarm_section(picture: &Picture) -> Markup {
    let alarms = alarms(picture);
    html! {
        section aria-label="Alarms" {
            @if alarms.is_empty() {
                @if picture.status.is_some() { p.calm { "No alarms: nothing needs attention." } }
            } @else {
                (alarm_list(&alarms, picture.at))
            }
        }
    }
}

fn figures(picture: &Picture, status: &Status) -> Markup {
    let backlog: u64 = status
        .categories
        .iter()
        .map(|category| category.backlog)
        .sum();
    let running: u64 = status
        .categories
        .iter()
        .map(|category| u64::from(category.running))
        .sum();
    let oldest = status
        .categories
        .iter()
        .filter_map(|category| category.oldest_ms)
        .max();
    let late = status
        .categories
        .iter()
        .filter(|category| category.late)
        .count();
    let flow = &picture.flow;
    let span = seconds(Duration::from_secs(flow.seconds()));
    let rate = flow
        .per_second()
        .map_or("-".to_owned(), |rate| format!("{rate:.1}"));
    let tile = |name: &str, value: &str, detail: &str, line: Option<Markup>| {
        html! {
            div.figure {
                dt { (name) }
                dd { span { span.value { (value) } " " span.faint { (detail) } } @if let Some(line) = line { (line) } }
            }
        }
    };
    let late = match late {
        0 => "none is late".to_owned(),
        late => format!("{} late", counted(count(late), "category")),
    };
    let nodes = format!(
        "of {}",
        status
            .totals
            .nodes
            .max(u32::try_from(status.nodes.len()).unwrap_or(u32::MAX))
    );
    html! {
        dl.figures {
            (tile("Backlog", &backlog.to_string(), &late, Some(spark(&format!("backlog over the last {span}"), &flow.backlog()))))
            (tile("Ended a second", &rate, "jobs", Some(spark(&format!("jobs ended a second over the last {span}"), &flow.rates()))))
            (tile("Running", &running.to_string(), &format!("{} in hand of nodes", status.totals.jobs), Some(spark(&format!("running jobs over the last {span}"), &flow.running()))))
            (tile("Nodes ready", &ready(status).to_string(), &nodes, None))
            (tile("Oldest job", &oldest.map_or("-".to_owned(), age), "in the queue", None))
            (tile("Dead letters", &status.dead_letters.map_or("-".to_owned(), |dead| dead.to_string()), "rolecast dead ls", None))
        }
    }
}

fn categories(status: &Status) -> Markup {
    if status.categories.is_empty() {
        return html! { p { "No categories yet: none is configured, and no job has arrived. " code { "rolecast submit CATEGORY" } " submits one." } };
    }
    let columns = [
        text("category"),
        text("state"),
        number("backlog"),
        number("waiting"),
        number("running"),
        number("expected"),
        number("oldest"),
        number("nodes"),
    ];
    let rows = status.categories.iter().map(|category| {
        vec![
            html! { a href={ "/categories#" (category.category) } { (category.category) } },
            state(category),
            html! { (category.backlog) },
            html! { (category.waiting) },
            html! { (category.running) },
            html! { (arrivals(category.expected_per_minute)) },
            html! { (category.oldest_ms.map_or("-".to_owned(), age)) },
            html! { (category.nodes_eligible) },
        ]
    });
    table("Jobs by category", &columns, None, rows.collect())
}

pub(super) fn state(category: &CategoryStatus) -> Markup {
    let (class, text) = match category {
        stuck if stuck.backlog > 0 && stuck.nodes_eligible == 0 => ("bad", "no node can run it"),
        late if late.late => ("warning", "late"),
        busy if busy.waiting > 0 => ("", "waits for room"),
        busy if busy.running > 0 => ("good", "flows"),
        _ => ("faint", "idle"),
    };
    html! { span class={ "mark " (class) } { (text) } }
}

/// The rooms of the nodes as one bar; the map shows each node.
fn fleet(picture: &Picture, status: &Status, ask: &Ask) -> Markup {
    if status.nodes.is_empty() {
        return html! { p { "No nodes yet. " code { "rolecast-worker --config worker.toml" } " on a host makes it one." } };
    }
    let counts = rooms::counts(picture, status);
    let classes = rooms::CLASSES.iter().map(|class| class.class);
    #[allow(clippy::cast_precision_loss, reason = "nodes are counted in thousands")]
    let parts: Vec<(&str, f64)> = classes
        .zip(counts)
        .map(|(class, count)| (class, count as f64))
        .collect();
    #[allow(clippy::cast_precision_loss, reason = "nodes are counted in thousands")]
    let whole = status.nodes.len() as f64;
    let title = format!(
        "{} by the room expected within {}",
        counted(count(status.nodes.len()), "node"),
        ahead(AHEAD_S[ask.query.ahead])
    );
    html! {
        p.faint { (title) " (" a href=(Ask::of(View::Map).href()) { "map" } ", " a href=(Ask::of(View::Nodes).href()) { "nodes" } ")" }
        div.fleet-bar { (bar(&title, whole, &parts)) }
        (map::legend(&counts))
    }
}

fn room(picture: &Picture) -> Markup {
    let Some(map) = picture
        .capacity
        .as_deref()
        .filter(|map| !map.roles.is_empty())
    else {
        return html! {};
    };
    html! {
        section aria-labelledby="h-room" {
            h2 #h-room { "Room ahead by role" }
            (capacity(map, ROLES_MAX))
        }
    }
}

/// Shows the room of roles at each time ahead, beside the jobs expected.
pub(super) fn capacity(map: &CapacityMap, roles_max: usize) -> Markup {
    let columns = [
        text("role"),
        number("nodes"),
        text("free CPU ahead"),
        text("needed at most"),
        text("shortage"),
    ];
    let rows = map.roles.iter().take(roles_max).map(|(role, room)| {
        let first_short = room.horizons.iter().find(|at| at.shortage != Resources::default());
        let needed = room.horizons.iter().map(|at| at.demand.cpu.get()).fold(0.0, f64::max);
        vec![
            html! { (role) },
            html! { (room.nodes) },
            free(room),
            html! { (format!("{needed:.2} cores")) },
            match first_short {
                None => html! { span.faint { "none" } },
                Some(at) => html! { span.mark.warning { (amounts(&at.shortage)) " within " (ahead(at.seconds)) } },
            },
        ]
    });
    let percent = map.quantile * 100.0;
    let caption = format!("Free at all times until then, with a probability of {percent:.0} %");
    let more = map.roles.len().saturating_sub(roles_max);
    html! {
        (table(&caption, &columns, None, rows.collect()))
        @if more > 0 { p.faint { (counted(count(more), "more role")) " on the view " a href="/roles" { "Roles" } } }
    }
}

/// Lists the free cores at each time ahead.
fn free(room: &RoleCapacity) -> Markup {
    html! {
        span.steps {
            @for at in &room.horizons {
                span.step { span.faint { (ahead(at.seconds)) } " " (format!("{:.1}", at.available.safe.cpu.get())) }
            }
        }
    }
}

fn holders(picture: &Picture) -> Markup {
    let roles = picture.roles.as_deref();
    let lease = picture.lease.as_ref();
    html! {
        section.pair {
            div {
                h2 { "Managed roles" }
                @match roles {
                    Some(view) if !view.roles.is_empty() => {
                        dl.plain {
                            @for role in view.roles.keys() {
                                @let holders = view.document.roles.get(role).map_or(&[][..], Vec::as_slice);
                                dt { (role) }
                                dd {
                                    @if holders.is_empty() { span.mark.bad { "vacant" } }
                                    @for (index, node) in holders.iter().enumerate() { @if index > 0 { ", " } (node_link(node)) }
                                }
                            }
                        }
                        p { a href="/roles" { "Time line and reasons" } }
                    },
                    Some(_) => { p.faint { "No role has holders in the dispatcher's configuration: [roles.leader] holders = 1 manages one." } },
                    None => { p.faint { "Not known here: the leading dispatcher knows them." } },
                }
            }
            div {
                h2 { "Lease" }
                @if let Some(lease) = lease {
                    p { (lease.holder) " leads in epoch " (lease.epoch) }
                } @else if let Standing::Leading { epoch } = &picture.standing {
                    p { (picture.name) " leads in epoch " (epoch) }
                } @else {
                    p.faint { "Its holder is not known here." }
                }
                p { a href="/dispatchers" { "Dispatchers and lease" } }
            }
        }
    }
}
