//! Categories: what is declared of their jobs beside what was learned, and why jobs wait.

use std::time::Duration;

use maud::{Markup, html};
use rolecast_common::unit::Bytes;
use rolecast_common::wire::{CategoryStatus, Status};
use rolecast_common::words::{cores, counted, length, one_line, rate};

use super::overview::state;
use super::{age, arrivals, role_list};
use crate::alarms;
use crate::table::{number, table, text};

/// The characters of a list of labels that are shown.
const LABELS_CHARS_MAX: usize = 100;

pub(super) fn view(status: &Status) -> Markup {
    if status.categories.is_empty() {
        return html! { p { "No categories yet: none is configured, and no job has arrived." } };
    }
    html! {
        @for category in &status.categories {
            section.card #(category.category.as_str()) aria-labelledby={ "c-" (category.category) } {
                h2 #{ "c-" (category.category) } { (category.category) " " (state(category)) @if !category.declared { " " span.faint { "undeclared: the profile of [undeclared]" } } }
                (queue(category))
                (waiting(category))
                (profile(category))
            }
        }
    }
}

fn queue(category: &CategoryStatus) -> Markup {
    let entry = |name: &str, value: String| html! { div { dt { (name) } dd { (value) } } };
    html! {
        dl.facts {
            (entry("backlog", category.backlog.to_string()))
            (entry("waiting here", category.waiting.to_string()))
            (entry("running", category.running.to_string()))
            (entry("oldest", category.oldest_ms.map_or("-".to_owned(), age)))
            (entry("expected", arrivals(category.expected_per_minute)))
            (entry("roles", role_list(&category.roles, "any")))
            (entry("nodes that can run it", category.nodes_eligible.to_string()))
            (entry("completed", category.completed.to_string()))
            (entry("retried", category.retried.to_string()))
            (entry("expired", category.expired.to_string()))
            (entry("dead letters", category.dead_letters.map_or("-".to_owned(), |count| count.to_string())))
        }
    }
}

/// Why jobs wait: what keeps nodes from taking them, and what jobs require.
fn waiting(category: &CategoryStatus) -> Markup {
    let is_waiting = category.waiting > 0 || category.backlog > u64::from(category.running);
    let name = &category.category;
    html! {
        @if is_waiting {
            p {
                b { "Why jobs wait: " }
                @if category.obstacles.is_empty() { "no node has anything against them; they are placed in the next turn, or held for a better moment" }
                @else { "nodes: " (alarms::obstacles(&category.obstacles)) }
                ". " span.faint { "next " } code { "rolecast explain --dry-run " (name) }
            }
            @if !category.required.is_empty() {
                p { "Required by waiting jobs: "
                    @for (index, (labels, jobs)) in category.required.iter().enumerate() {
                        @if index > 0 { ", " }
                        code { (one_line(labels, LABELS_CHARS_MAX)) } " by " (counted(u64::from(*jobs), "job"))
                    }
                }
            }
        }
        @if category.dead_letters.is_some_and(|count| count > 0) {
            p { span.mark.warning { "dead letters" } " " span.faint { "next " } code { "rolecast dead ls --category " (name) } }
        }
    }
}

fn profile(category: &CategoryStatus) -> Markup {
    let (profile, learned) = (&category.profile, &category.profile.learned);
    let (average, peak) = (&profile.average, &profile.peak);
    let columns = [
        text("one job"),
        number("declared"),
        number("at most"),
        number("learned"),
        number("half within"),
        number("95 % within"),
    ];
    let none = || "-".to_owned();
    let rows = [
        (
            "run, alone",
            [
                run(profile.duration_s),
                none(),
                run(learned.duration_s),
                run(learned.duration_p50_s),
                run(learned.duration_p95_s),
            ],
        ),
        (
            "cpu",
            [
                cores(average.cpu),
                cores(peak.cpu),
                cores(learned.average.cpu),
                none(),
                none(),
            ],
        ),
        (
            "memory",
            [
                average.memory.to_string(),
                peak.memory.to_string(),
                learned.average.memory.to_string(),
                memory(learned.memory_p50),
                memory(learned.memory_p95),
            ],
        ),
        (
            "network",
            [
                rate(average.network.get()),
                rate(peak.network.get()),
                rate(learned.average.network.get()),
                none(),
                none(),
            ],
        ),
        (
            "disk",
            [
                rate(average.disk.get()),
                rate(peak.disk.get()),
                rate(learned.average.disk.get()),
                none(),
                none(),
            ],
        ),
    ];
    let rows = rows.map(|(name, cells)| {
        let cells = cells.into_iter().map(|cell| html! { (cell) });
        std::iter::once(html! { (name) })
            .chain(cells)
            .collect::<Vec<_>>()
    });
    let caption = format!(
        "Needs of one job, learned from {}",
        counted(learned.jobs, "job")
    );
    table(&caption, &columns, None, rows.to_vec())
}

/// Writes the run time of a job; 0 is unknown.
fn run(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(known) if !known.is_zero() => length(known),
        Ok(_) | Err(_) => "-".to_owned(),
    }
}

/// Writes an amount of memory; 0 is unknown.
fn memory(bytes: f64) -> String {
    if bytes > 0.0 {
        return Bytes::clamped(bytes).to_string();
    }
    "-".to_owned()
}
