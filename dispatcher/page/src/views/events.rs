//! The latest published events: time, kind, and the event in words, with a link to the
//! view of the thing that it is about.

use maud::{Markup, html};
use rolecast_common::id::{Category, NodeId};
use rolecast_common::wire::CloudEvent;
use rolecast_common::words::one_line;

use crate::picture::Picture;

/// Characters that are shown of a message, and of a kind or a time.
const MESSAGE_CHARS_MAX: usize = 300;
const NAME_CHARS_MAX: usize = 40;

pub(super) fn section(picture: &Picture) -> Markup {
    html! {
        section aria-labelledby="h-events" {
            h2 #h-events { "Recent events" }
            @if picture.course.events.is_empty() {
                p.faint { "None in the last day, as far as could be read." }
            } @else {
                ol.events { @for event in &picture.course.events { li id=(format!("e-{}", one_line(&event.id, NAME_CHARS_MAX))) { (entry(picture, event)) } } }
            }
            p.faint { code { "rolecast events --since 1h" } " lists more, " code { "rolecast events --follow" } " waits for the next." }
        }
    }
}

fn entry(picture: &Picture, event: &CloudEvent) -> Markup {
    let kind = event.kind.strip_prefix("rolecast.").unwrap_or(&event.kind);
    let class = match event.severity.as_str() {
        "error" => "bad",
        "warning" => "warning",
        _ => "faint",
    };
    let message = event
        .data
        .get("message")
        .and_then(|message| message.as_str());
    let message = one_line(message.unwrap_or(&event.subject), MESSAGE_CHARS_MAX);
    let time = one_line(&event.time, NAME_CHARS_MAX);
    html! {
        time.faint datetime=(time) { (clock(&time, &picture.at.to_string())) }
        " " span class={ "mark " (class) } { (one_line(kind, NAME_CHARS_MAX)) }
        " " @match href(kind, &event.subject) {
            Some(href) => { a href=(href) { (message) } },
            None => { (message) },
        }
    }
}

/// Returns the time of day, and the date if that is another one than today's.
fn clock(time: &str, today: &str) -> String {
    let (Some((date, clock)), Some((today, _))) = (time.split_once('T'), today.split_once('T'))
    else {
        return time.to_owned();
    };
    let clock = clock.split('.').next().unwrap_or(clock);
    match date == today {
        true => clock.to_owned(),
        false => format!("{date} {clock}"),
    }
}

/// Returns the address of the view of the thing that an event of this kind is about.
fn href(kind: &str, subject: &str) -> Option<String> {
    let group = kind.split('.').next().unwrap_or_default();
    match group {
        // It is about many.
        "node" if kind == "node.many_missing" => Some("/nodes".to_owned()),
        "node" => {
            let node = NodeId::new(subject).ok()?;
            Some(format!("/node/{node}"))
        }
        "category" => {
            let category = Category::new(subject).ok()?;
            Some(format!("/categories#{category}"))
        }
        "role" => Some("/roles".to_owned()),
        "placement" => Some("/decisions".to_owned()),
        "lease" => Some("/dispatchers".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_links_to_the_view_of_its_subject_if_that_is_a_name() {
        for (kind, subject, expected) in [
            ("node.gone", "web-1", Some("/node/web-1")),
            ("node.gone", "../nodes", None),
            ("node.many_missing", "nodes", Some("/nodes")),
            ("nodes", "web-1", None),
            ("category.late", "ocr", Some("/categories#ocr")),
            ("category.late", "\"><b>", None),
            ("role.vacant", "leader", Some("/roles")),
            ("lease.taken", "d1", Some("/dispatchers")),
            ("job.dead", "j1", None),
        ] {
            assert_eq!(href(kind, subject).as_deref(), expected, "{kind}");
        }
    }

    #[test]
    fn only_another_day_has_its_date() {
        let today = "2026-01-31T12:00:00.000Z";
        assert_eq!(clock("2026-01-31T11:59:58.250Z", today), "11:59:58");
        assert_eq!(
            clock("2026-01-30T23:59:58.250Z", today),
            "2026-01-30 23:59:58"
        );
        assert_eq!(clock("soon", today), "soon");
    }
}
