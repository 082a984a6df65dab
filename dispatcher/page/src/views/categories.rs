//! Categories: what is declared of their jobs beside what was learned, and why jobs wait.

use std::time::Duration;

use maud::{Markup, html};
use rolecast_common::alarm::obstacles;
use rolecast_common::unit::{Bytes, Resources};
use rolecast_common::wire::{CategoryStatus, Status};
use rolecast_common::words::{cores, counted, length, one_line, rate};

use super::overview::state;
use crate::table::{number, table, text};
use crate::words::{age, arrivals, role_list};

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
            (entry("cancelled", category.cancelled.to_string()))
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
                @else { "nodes: " (obstacles(&category.obstacles)) }
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
    let learned = &category.profile.learned;
    let columns = [
        text("one job"),
        number("declared"),
        number("at most"),
        number("learned"),
        number("half within"),
        number("95 % within"),
    ];
    let rows = needs(category).map(|(name, cells)| {
        let cells = cells.into_iter().map(|cell| html! { (cell) });
        std::iter::once(html! { (name) }).chain(cells).collect()
    });
    let jobs = counted(learned.jobs, "job");
    let caption = format!("Needs of one job, learned from {jobs}");
    table(&caption, &columns, None, rows.to_vec())
}

/// Returns the needs of one job by resource: declared, at most, learned, and the learned
/// quantiles.
fn needs(category: &CategoryStatus) -> [(&'static str, [String; 5]); 5] {
    let (profile, learned) = (&category.profile, &category.profile.learned);
    let none = || "-".to_owned();
    let three = |of: &dyn Fn(&Resources) -> String| {
        let [declared, most, learned] = [&profile.average, &profile.peak, &learned.average].map(of);
        [declared, most, learned, none(), none()]
    };
    let mut of_memory = three(&|needs| needs.memory.to_string());
    of_memory[3] = memory(learned.memory_p50);
    of_memory[4] = memory(learned.memory_p95);
    let runs = [
        run(profile.duration_s),
        none(),
        run(learned.duration_s),
        run(learned.duration_p50_s),
        run(learned.duration_p95_s),
    ];
    [
        ("run, alone", runs),
        ("cpu", three(&|needs| cores(needs.cpu))),
        ("memory", of_memory),
        ("network", three(&|needs| rate(needs.network.get()))),
        ("disk", three(&|needs| rate(needs.disk.get()))),
    ]
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
