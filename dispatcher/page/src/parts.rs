//! Parts that the frame and several views share.

use maud::{Markup, html};
use rolecast_common::alarm::{Alarm, Gravity};
use rolecast_common::time::WallTime;

use crate::picture::{Picture, Standing};
use crate::words::seconds;

/// Returns what this dispatcher does among all.
pub(crate) fn standing(picture: &Picture) -> Markup {
    match &picture.standing {
        Standing::Connecting { .. } => html! { span.chip.bad { "connecting" } },
        Standing::Preparing { what } => html! { span.chip.warning { (what) } },
        Standing::StandingBy {
            leader: Some(leader),
        } => html! { span.chip { "stands by behind " (leader) } },
        Standing::StandingBy { leader: None } => html! { span.chip { "stands by" } },
        Standing::Leading { epoch } => html! { span.chip { "leads, epoch " (epoch) } },
    }
}

/// Lists alarms, each with its cause and the next command.
pub(crate) fn alarm_list(alarms: &[Alarm], now: WallTime) -> Markup {
    html! {
        ul.alarms {
            @for alarm in alarms {
                @let (class, sign) = match alarm.gravity {
                    Gravity::Bad => ("bad", "Alarm"),
                    Gravity::Warning => ("warning", "Warning"),
                };
                li class=(class) {
                    span.sign { (sign) }
                    p { strong { (alarm.what) } ": " (alarm.why)
                        @if let Some(since) = alarm.since {
                            " " span.faint { "for " time datetime=(since.to_string()) { (seconds(now.since(since))) } }
                        }
                    }
                    @if let Some(advice) = &alarm.advice { p.next { span.faint { "next " } (advice) } }
                    @if let Some(command) = &alarm.command { p.next { span.faint { "see " } code { (command) } } }
                }
            }
        }
    }
}
