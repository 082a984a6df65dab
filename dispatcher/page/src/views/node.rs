//! One node: its state, the fan of each resource, the quality of its forecasts, and the
//! last decisions about it.

use std::time::Duration;

use maud::{Markup, html};
use rolecast_common::alarm::of_node;
use rolecast_common::id::NodeId;
use rolecast_common::wire::{ForecastView, NodeHealth, NodeStatus, ResourceForecast, Status};
use rolecast_common::words::{ahead, amounts, length};

use super::forecasts::{accuracy, last_hour};
use super::{decisions, health, jobs};
use crate::parts::alarm_list;
use crate::picture::{Picture, Standing};
use crate::svg::fan::{LARGE, fan};
use crate::words::{age, amount, role_list};

/// The resources in the order in which they are shown.
const ORDER: [&str; 4] = ["cpu", "memory", "network", "disk"];

pub(super) fn view(picture: &Picture, status: &Status, id: &NodeId) -> Markup {
    let Some(node) = status.nodes.iter().find(|node| node.node == *id) else {
        return html! {
            p { "No node has this name: none has sent a heartbeat under it since the dispatcher started." }
            p { a href="/nodes" { "All nodes" } }
        };
    };
    let found = of_node(node);
    let forecast = picture.forecasts.get(id).map(|view| &**view);
    html! {
        @if !found.is_empty() { section aria-label="Alarms" { (alarm_list(&found, picture.at)) } }
        (facts(picture, node))
        section aria-labelledby="h-jobs" {
            h2 #h-jobs { "Jobs in hand" }
            (jobs::view(id, picture.course.jobs.as_ref().filter(|_| is_leading(picture))))
        }
        section aria-labelledby="h-expected" {
            h2 #h-expected { "Use by others: the last hour, and what is expected" }
            @match forecast {
                Some(forecast) if !forecast.resources.is_empty() => (fans(node, forecast)),
                Some(_) | None => { p.faint { "No forecasts yet: they begin with the first samples." } },
            }
        }
        @if let Some(forecast) = forecast {
            section aria-labelledby="h-accuracy" {
                h2 #h-accuracy { "Forecasts against actual use" }
                (last_hour(id, forecast.resources.get("cpu")))
                (accuracy(&ORDER.map(|name| (name.to_owned(), forecast.resources.get(name)))))
            }
        }
        section aria-labelledby="h-sent" {
            h2 #h-sent { "Last decisions about it" }
            (decisions::view(picture, Some(id)))
        }
    }
}

fn is_leading(picture: &Picture) -> bool {
    matches!(picture.standing, Standing::Leading { .. })
}

fn facts(picture: &Picture, node: &NodeStatus) -> Markup {
    let entry = |name: &str, value: Markup| html! { div { dt { (name) } dd { (value) } } };
    let text = |name: &str, value: String| entry(name, html! { (value) });
    let labels: Vec<String> = node
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let held = picture
        .roles
        .as_deref()
        .map(|view| view.document.roles_of(&node.node))
        .unwrap_or_default();
    let trip = node
        .round_trip_us
        .map_or("-".to_owned(), |trip| length(Duration::from_micros(trip)));
    let pressure = node.usage.pressure.map(|pressure| {
        format!(
            "cpu {:.0}\u{a0}%, memory {:.0}\u{a0}%, disk {:.0}\u{a0}%",
            100.0 * pressure.cpu.get(),
            100.0 * pressure.memory.get(),
            100.0 * pressure.io.get()
        )
    });
    html! {
        dl.facts {
            (entry("health", html! {
                (health(node.health))
                @if node.health == NodeHealth::Draining { " " code { "rolecast node undrain " (node.node) } }
            }))
            (text("roles", role_list(&node.roles, "none")))
            (text("managed roles held", role_list(&held, "none")))
            (text("labels", if labels.is_empty() { "none".to_owned() } else { labels.join(", ") }))
            (text("jobs in hand", format!("{} of {} slots", node.jobs, node.jobs_max)))
            (text("reserved for them", amounts(&node.reserved)))
            (text("in use", amounts(&node.usage.total)))
            (text("by jobs", amounts(&node.usage.jobs)))
            (text("capacity", amounts(&node.capacity)))
            (text("stalled", pressure.unwrap_or_else(|| "not measured there".to_owned())))
            (text("speed", format!("{:.2} declared, {:.2} learned", node.speed.get(), node.learned_speed)))
            (text("feedback", format!("{:.2} times the predicted run time", node.feedback)))
            (text("round trip", trip))
            (text("last heartbeat", format!("{} ago", age(node.heartbeat_age_ms))))
            (text("clock", clock(node)))
            (text("jobs sent", format!("{}, {} completed, {} failed", node.sent, node.completed, node.failed)))
            (text("diverted by forecasts", format!("{} jobs went elsewhere", node.diverted)))
        }
    }
}

/// Returns how far its clock is from the dispatcher's.
fn clock(node: &NodeStatus) -> String {
    let Some(skew) = node.clock_skew_ms else {
        return "-".to_owned();
    };
    let size = length(Duration::from_millis(skew.unsigned_abs()));
    match skew {
        0 => "as the dispatcher's".to_owned(),
        1.. => format!("{size} ahead of the dispatcher's"),
        _ => format!("{size} behind the dispatcher's"),
    }
}

fn fans(node: &NodeStatus, view: &ForecastView) -> Markup {
    html! {
        div.fans {
            @for name in ORDER {
                @if let Some(forecast) = view.resources.get(name).filter(|forecast| !forecast.history.is_empty() || !forecast.horizons.is_empty()) {
                    figure {
                        figcaption { b { (name) } " " (now(name, forecast)) }
                        (fan(&format!("{name} of {}: the last hour, and the next with what is not exceeded in 50, 90 and 99 of 100 cases", node.node), forecast, LARGE))
                        div.axis { span { "1 h ago" } span { "now" } span { "in 1 h" } }
                    }
                }
            }
        }
        ul.legend { li { span.swatch.past {} "measured" } li { span.swatch.p50 {} "likely" } li { span.swatch.p90 {} "9 of 10 cases" } li { span.swatch.p99 {} "99 of 100" } }
    }
}

/// Returns the last value and the expected ones in words.
fn now(name: &str, forecast: &ResourceForecast) -> String {
    let last = forecast.history.last().copied().unwrap_or_default();
    let hour = forecast.horizons.last().map(|at| {
        format!(
            ", within {} at most {} in 9 of 10 cases",
            ahead(at.seconds),
            amount(name, at.p90)
        )
    });
    let whole = match forecast.capacity {
        capacity if capacity > 0.0 => format!(" of {}", amount(name, capacity)),
        _ => String::new(),
    };
    format!("{}{whole}{}", amount(name, last), hour.unwrap_or_default())
}
