//! Dispatchers and the lease by which one of them leads.

use maud::{Markup, html};
use rolecast_common::wire::{DispatcherState, Status};
use rolecast_common::words::one_line;

use crate::parts::standing;
use crate::picture::Picture;
use crate::table::{none, number, table, text};
use crate::words::age;

/// Characters of a name that are shown.
const NAME_CHARS_MAX: usize = 100;

/// The dispatchers whose signs of life were received.
fn list(status: &Status) -> Markup {
    if status.dispatchers.is_empty() {
        return html! { p.faint { "No sign of life was received yet." } };
    }
    let columns = [
        text("dispatcher"),
        text("state"),
        number("last sign"),
        text("page"),
        text("version"),
        text("start"),
    ];
    let rows = status.dispatchers.iter().map(|one| {
        let (class, state) = match one.state {
            DispatcherState::Leads => ("good", "leads"),
            DispatcherState::StandsBy => ("", "stands by"),
            DispatcherState::Silent => ("warning", "silent"),
            DispatcherState::SilentLeader => ("bad", "silent, it led"),
        };
        let known = |text: &str| match text {
            "" => none(),
            text => html! { (one_line(text, NAME_CHARS_MAX)) },
        };
        vec![
            html! { (one_line(&one.name, NAME_CHARS_MAX)) },
            html! { span class={ "mark " (class) } { (state) } },
            html! { (age(one.age_ms)) },
            known(&one.page),
            known(&one.version),
            known(&one.incarnation),
        ]
    });
    table("Dispatchers, by name", &columns, None, rows.collect())
}

pub(super) fn view(picture: &Picture, status: &Status) -> Markup {
    let counters = &status.counters;
    let entry = |name: &str, value: String| html! { div { dt { (name) } dd { (value) } } };
    html! {
        section.card aria-labelledby="h-this" {
            h2 #h-this { "This dispatcher: " (picture.name) " " (standing(picture)) }
            dl.facts {
                (entry("forecasts", status.forecast_mode.to_string()))
                (entry("heartbeats received", counters.heartbeats.to_string()))
                (entry("heartbeats refused", counters.heartbeats_refused.to_string()))
                (entry("outcomes out of date", counters.outcomes_stale.to_string()))
                (entry("outcomes malformed", counters.outcomes_malformed.to_string()))
                (entry("requests refused", counters.requests_refused.to_string()))
                (entry("jobs bounced", counters.jobs_bounced.to_string()))
                (entry("jobs lost with a node", counters.jobs_lost_with_node.to_string()))
                (entry("jobs delivered again", counters.jobs_redelivered.to_string()))
                (entry("ended twice", counters.duplicates.to_string()))
            }
            p.faint { "Counted since this dispatcher started." }
        }
        section.card aria-labelledby="h-lease" {
            h2 #h-lease { "Lease" }
            @match &picture.lease {
                Some(lease) => {
                    dl.facts {
                        (entry("holder", lease.holder.clone()))
                        (entry("epoch", lease.epoch.to_string()))
                    }
                },
                None => { p.faint { "Nobody holds it, as far as is known here." } },
            }
            @if status.is_lapsed { p { span.mark.bad { "lapsed" } " nothing is sent until it is renewed. " span.faint { "next " } code { "nats server report jetstream" } } }
        }
        section aria-labelledby="h-all" {
            h2 #h-all { "All dispatchers" }
            (list(status))
            p.faint { "Each reports itself every two seconds. A standby observes all heartbeats and serves this page too. A loopback address is one of its own host." }
        }
    }
}
