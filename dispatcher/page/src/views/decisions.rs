//! The latest decisions, each with the reason for its choice in words.

use maud::{Markup, html};
use rolecast_common::id::NodeId;
use rolecast_common::wire::{Decision, Verdict};
use rolecast_common::words::{counted, one_line, sentence};

use super::node_link;
use crate::picture::{Choice, Picture};
use crate::table::{number, table, text};
use crate::words::count;

/// Decisions about one node that are shown.
const OF_NODE_MAX: usize = 10;
/// The characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 100;

/// Lists all, or those by which a node got a job.
pub(super) fn view(picture: &Picture, of: Option<&NodeId>) -> Markup {
    let is_shown = |choice: &&std::sync::Arc<Choice>| {
        of.is_none_or(|node| choice.decision.node.as_ref() == Some(node))
    };
    let most = if of.is_some() {
        OF_NODE_MAX
    } else {
        usize::MAX
    };
    let shown: Vec<_> = picture
        .course
        .decisions
        .iter()
        .filter(is_shown)
        .take(most)
        .collect();
    if shown.is_empty() {
        return html! { p.faint { "No decision is recorded among the latest. " code { "rolecast explain JOB" } " shows the one about a job." } };
    }
    html! {
        @if of.is_none() {
            p.faint { "The latest " (counted(count(shown.len()), "recorded decision")) ", the newest first; of many jobs at a time not each is recorded." }
        }
        ol.decisions {
            @for choice in shown { li { (entry(choice)) } }
        }
    }
}

fn entry(choice: &Choice) -> Markup {
    let decision = &choice.decision;
    let (class, verdict) = match decision.verdict {
        Verdict::Sent => ("good", "sent"),
        Verdict::Held => ("warning", "held"),
        Verdict::Nowhere => ("warning", "waits"),
    };
    let text = sentence(decision, choice.replayed.as_ref(), |_, text| {
        text.to_owned()
    });
    html! {
        details id=[decision.job.as_ref().map(|job| format!("d-{job}-{}", decision.at_ms.as_millis()))] {
            summary { span class={ "mark " (class) } { (verdict) } " " (text) }
            (figures(decision))
        }
    }
}

fn figures(decision: &Decision) -> Markup {
    let columns = [
        text("node"),
        number("cost"),
        number("slow-down"),
        number("cpu now"),
        number("reserved"),
        number("speed"),
        number("feedback"),
    ];
    let rows = decision.best.iter().map(|found| {
        let is_chosen = decision.node.as_ref() == Some(&found.node);
        vec![
            html! { (node_link(&found.node)) @if is_chosen { " " span.mark { "chosen" } } },
            html! { (format!("{:.2}", found.cost)) },
            html! { (format!("{:.2}", found.slow_down)) },
            html! { (format!("{:.2}/{:.2}", found.present[0], found.capacity[0])) },
            html! { (format!("{:.2}", found.reserved[0])) },
            html! { (format!("{:.2}", found.speed)) },
            html! { (format!("{:.2}", found.feedback)) },
        ]
    });
    let refusals: Vec<String> = decision
        .refusals
        .iter()
        .map(|(why, count)| format!("{count} {}", one_line(why, REASON_CHARS_MAX)))
        .collect();
    html! {
        @if !decision.best.is_empty() { (table("The cheapest nodes; the cost is the predicted completion, and the delay of others", &columns, None, rows.collect())) }
        p {
            "Not possible: " @if refusals.is_empty() { "none" } @else { (refusals.join(", ")) }
            @if let Some(job) = &decision.job { ". " span.faint { "next " } code { "rolecast explain " (job) } }
        }
    }
}
