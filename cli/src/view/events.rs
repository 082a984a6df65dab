//! Events as lines: time, kind, and the event in words.

use rolecast_common::wire::CloudEvent;

use crate::style::{Palette, Tone, one_line};

/// Width of the longest kind.
const KIND_WIDTH: usize = 22;
/// Characters of a kind and of a message that are shown.
const KIND_CHARS_MAX: usize = 64;
const MESSAGE_CHARS_MAX: usize = 1_000;

/// Returns one line for an event.
pub(crate) fn line(event: &CloudEvent, palette: Palette) -> String {
    let kind = event.kind.strip_prefix("rolecast.").unwrap_or(&event.kind);
    let kind = format!("{:<KIND_WIDTH$}", one_line(kind, KIND_CHARS_MAX));
    let tone = match event.severity.as_str() {
        "error" => Tone::Bad,
        "warning" => Tone::Warning,
        _ => Tone::Good,
    };
    let message = event
        .data
        .get("message")
        .and_then(|message| message.as_str());
    let message = one_line(message.unwrap_or(&event.subject), MESSAGE_CHARS_MAX);
    let suppressed = event
        .data
        .get("suppressed")
        .and_then(|count| count.as_u64());
    let more = suppressed.map_or(String::new(), |count| {
        palette.paint(
            Tone::Faint,
            &format!(" (and {count} that were not published)"),
        )
    });
    format!(
        "{} {} {message}{more}\n",
        palette.paint(Tone::Faint, &one_line(&event.time, KIND_CHARS_MAX)),
        palette.paint(tone, &kind)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_whatever_it_says() {
        let text = r#"{"specversion": "1.0", "id": "3-17", "source": "/rolecast/dispatchers/d1",
            "type": "rolecast.node.gone", "subject": "n1", "time": "2026-01-31T12:00:00.000Z",
            "datacontenttype": "application/json", "severity": "warning",
            "data": {"message": "node n1 is\u001b[2J gone\nat once", "suppressed": 3}}"#;
        let event: CloudEvent = serde_json::from_str(text).unwrap();
        let line = line(&event, Palette::PLAIN);
        assert!(
            line.starts_with("2026-01-31T12:00:00.000Z node.gone              node n1 is"),
            "{line}"
        );
        assert!(
            line.ends_with("at once (and 3 that were not published)\n"),
            "{line}"
        );
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.contains('\x1b'));
    }
}
