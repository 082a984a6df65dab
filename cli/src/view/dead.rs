//! Dead jobs, as a list and one by one.

use async_nats::HeaderMap;
use rolecast_common::options::HEADER_MSG_ID;
use rolecast_common::unit::Bytes;
use serde_json::{Value, json};

use super::job::{failed_attempt, payload};
use crate::dead_letter::DeadLetter;
use crate::style::{Palette, Tone, one_line};
use crate::table::{Align, plain, table};

const COLUMNS: [(&str, Align); 6] = [
    ("job", Align::Left),
    ("category", Align::Left),
    ("died", Align::Left),
    ("attempts", Align::Right),
    ("payload", Align::Right),
    ("reason", Align::Left),
];

/// The characters of a reason shown in a table.
const REASON_CHARS_MAX: usize = 70;

/// Lists dead jobs; `total` is their number in the stream.
pub(crate) fn list(letters: &[DeadLetter], total: usize, palette: Palette) -> String {
    if letters.is_empty() && total == 0 {
        return "no dead jobs\n".to_owned();
    }
    let rows = letters.iter().map(|letter| {
        vec![
            (letter.job.to_string(), Tone::Strong),
            plain(one_line(&letter.category, 32)),
            plain(letter.died),
            plain(letter.attempts.len()),
            plain(Bytes::new(letter.size)),
            plain(one_line(&letter.reason, REASON_CHARS_MAX)),
        ]
    });
    let mut text = table(palette, &COLUMNS, rows.collect());
    text.push('\n');
    if letters.len() < total {
        let shown = letters.len();
        text.push_str(&format!("\n{shown} of {total}; more with --limit\n"));
    }
    text
}

/// Shows one dead job with all data that are kept of it.
pub(crate) fn letter(
    letter: &DeadLetter,
    headers: &HeaderMap,
    body: &[u8],
    palette: Palette,
) -> String {
    let key = |key: &str| palette.paint(Tone::Faint, &format!("{key:<10}"));
    let mut lines = vec![
        format!(
            "{}{}  {}",
            key("job"),
            palette.paint(Tone::Strong, letter.job.as_str()),
            palette.paint(Tone::Bad, &one_line(&letter.reason, 300)),
        ),
        format!("{}{}", key("category"), one_line(&letter.category, 80)),
        format!("{}{}", key("died"), letter.died),
    ];
    if let Some(subject) = &letter.subject {
        lines.push(format!("{}{}", key("published"), one_line(subject, 200)));
    }
    for (index, attempt) in letter.attempts.iter().enumerate() {
        let name = if index == 0 { "failures" } else { "" };
        lines.push(format!("{}{}", key(name), failed_attempt(attempt)));
    }
    for (index, (name, value)) in producer_headers(headers).into_iter().enumerate() {
        let title = if index == 0 { "headers" } else { "" };
        let value = one_line(&format!("{name}: {value}"), 200);
        lines.push(format!("{}{value}", key(title)));
    }
    lines.push(format!("{}{}", key("payload"), Bytes::new(letter.size)));
    let mut text = lines.join("\n");
    for line in payload(body).lines() {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text.push('\n');
    text
}

/// Returns the headers except those that Rolecast wrote, by name.
fn producer_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, values) in headers.iter() {
        let name: &str = name.as_ref();
        if is_ours(name) {
            continue;
        }
        for value in values {
            all.push((name.to_owned(), value.as_str().to_owned()));
        }
    }
    all.sort();
    all
}

/// Returns whether the header was written for the letter: its message id keeps the same
/// letter from being stored twice, and does not belong to the job.
fn is_ours(name: &str) -> bool {
    name.to_ascii_lowercase().starts_with("rolecast-") || name == HEADER_MSG_ID
}

/// Writes a dead job as JSON.
pub(crate) fn to_json(letter: &DeadLetter) -> Value {
    json!({
        "job": letter.job,
        "category": letter.category,
        "sequence": letter.sequence,
        "subject": letter.subject,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "died_ms": letter.died,
        "payload_bytes": letter.size,
    })
}

/// Writes the headers as a JSON object of lists, without the letter's message id.
pub(crate) fn headers_to_json(headers: &HeaderMap) -> Value {
    let mut object = serde_json::Map::new();
    for (name, values) in headers.iter() {
        let values: Vec<&str> = values.iter().map(|value| value.as_str()).collect();
        let name: &str = name.as_ref();
        if name == HEADER_MSG_ID {
            continue;
        }
        object.insert(name.to_owned(), json!(values));
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::JobId;
    use rolecast_common::time::WallTime;

    use super::*;

    #[test]
    fn a_list_shows_when_there_is_more() {
        assert_eq!(list(&[], 0, Palette::PLAIN), "no dead jobs\n");
        let text = list(&[dead()], 7, Palette::PLAIN);
        assert!(text.starts_with("JOB  CATEGORY  DIED"), "{text}");
        assert!(text.contains("1 of 7; more with --limit"), "{text}");
    }

    #[test]
    fn one_letter_shows_the_producers_headers_and_payload() {
        let mut headers = HeaderMap::new();
        headers.insert("Language", "de");
        headers.insert("Rolecast-Reason", "x");
        headers.insert("Nats-Msg-Id", "dead-9-j1");
        let json = headers_to_json(&headers).to_string();
        assert!(
            json.contains("Rolecast-Reason") && !json.contains("dead-9"),
            "{json}"
        );
        let text = letter(&dead(), &headers, b"hello\x1b[2J", Palette::PLAIN);
        assert!(text.contains("headers   Language: de"), "{text}");
        assert!(!text.contains("Rolecast-Reason"), "{text}");
        assert!(!text.contains("dead-9"), "{text}");
        assert!(text.contains("\n  hello\u{fffd}[2J\n"), "{text}");
    }

    fn dead() -> DeadLetter {
        DeadLetter {
            sequence: 1,
            category: "ocr".to_owned(),
            job: JobId::new("j1").unwrap(),
            subject: Some("rolecast.jobs.ocr".to_owned()),
            reason: "exit code 1".to_owned(),
            attempts: vec![],
            died: WallTime::from_millis(0),
            size: 5,
        }
    }
}
