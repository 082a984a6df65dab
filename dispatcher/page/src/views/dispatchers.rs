//! Dispatchers and the lease by which one of them leads.

use maud::{Markup, html};
use rolecast_common::wire::Status;

use crate::parts::standing;
use crate::picture::Picture;

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
        p { "A standby observes all heartbeats and serves this page too, on its own address; which dispatchers there are is not stored. " code { "nats service ls" } " lists them." }
    }
}
