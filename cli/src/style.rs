//! Optional colours, and text of others made safe to show.

use std::borrow::Cow;

use rolecast_common::wire::{JobState, NodeHealth, RecordStatus};
pub(crate) use rolecast_common::words::{harmless, one_line, printable};

/// Meaning of a piece of text, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
}

impl Tone {
    pub(crate) fn of_record(status: RecordStatus) -> Self {
        match status {
            RecordStatus::Completed => Tone::Good,
            RecordStatus::Dead => Tone::Bad,
            RecordStatus::Expired | RecordStatus::Cancelled => Tone::Warning,
        }
    }

    pub(crate) fn of_state(state: JobState) -> Self {
        match state {
            JobState::Completed => Tone::Good,
            JobState::Dead => Tone::Bad,
            JobState::Expired | JobState::Cancelled | JobState::Unknown => Tone::Warning,
            JobState::Running => Tone::Strong,
            JobState::Waiting | JobState::Delayed => Tone::Plain,
        }
    }

    pub(crate) fn of_health(health: NodeHealth) -> Self {
        match health {
            NodeHealth::Ready => Tone::Good,
            NodeHealth::Draining => Tone::Warning,
            NodeHealth::Gone => Tone::Bad,
        }
    }

    /// Chooses the tone of a count that should be zero.
    pub(crate) fn of_trouble(count: u64, tone: Tone) -> Self {
        if count == 0 { Tone::Plain } else { tone }
    }

    fn escape(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Strong => "\x1b[1m",
            Tone::Faint => "\x1b[2m",
            Tone::Good => "\x1b[32m",
            Tone::Warning => "\x1b[33m",
            Tone::Bad => "\x1b[31m",
        }
    }
}

/// Whether one stream of output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Palette {
    colours: bool,
}

impl Palette {
    pub(crate) const PLAIN: Palette = Palette { colours: false };

    pub(crate) fn new(colours: bool) -> Self {
        Self { colours }
    }

    pub(crate) fn has_colours(self) -> bool {
        self.colours
    }

    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colours || tone == Tone::Plain {
            return text.to_owned();
        }
        format!("{}{text}\x1b[0m", tone.escape())
    }
}

/// Makes a whole page safe to show, colours included if it has any: a second protection
/// behind the piece by piece one of text from others.
pub(crate) fn guarded(page: &str, palette: Palette) -> Cow<'_, str> {
    if page.chars().all(|c| harmless(c) == c) {
        return Cow::Borrowed(page);
    }
    let mut safe = String::with_capacity(page.len());
    let mut rest = page;
    while let Some(first) = rest.chars().next() {
        let colour_len = match palette.colours {
            true => colour_len(rest),
            false => 0,
        };
        let (taken, left) = rest.split_at(colour_len.max(first.len_utf8()));
        match colour_len {
            0 => safe.push(harmless(first)),
            _ => safe.push_str(taken),
        }
        rest = left;
    }
    Cow::Owned(safe)
}

/// Returns the length of the colour that the text begins with: `ESC [ 3 1 m`, or 0.
fn colour_len(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\x1b[") else {
        return 0;
    };
    let is_part = |c: char| c.is_ascii_digit() || c == ';';
    let end = rest.trim_start_matches(is_part);
    match end.starts_with('m') {
        true => text.len() - end.len() + 1,
        false => 0,
    }
}

/// Escapes characters of a JSON text that its writer leaves as they are and a terminal
/// acts on; it stays the same document.
pub(crate) fn escaped_json(text: String) -> String {
    if text.chars().all(|c| harmless(c) == c) {
        return text;
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match harmless(c) == c {
            true => safe.push(c),
            false => safe.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_nothing_is_escaped() {
        assert_eq!(Palette::PLAIN.paint(Tone::Bad, "gone"), "gone");
        let painted = Palette::new(true).paint(Tone::Bad, "gone");
        assert_eq!(painted, "\x1b[31mgone\x1b[0m");
    }

    #[test]
    fn a_page_keeps_its_own_colours_and_nothing_else_that_drives_a_terminal() {
        let page = "\x1b[1mNODE\x1b[0m\n\x1b[38;5;9moak\x1b[39m\x1b[2J\x1b]0;x\x07\x1b[31";
        let safe =
            "\x1b[1mNODE\x1b[0m\n\x1b[38;5;9moak\x1b[39m\u{fffd}[2J\u{fffd}]0;x\u{fffd}\u{fffd}[31";
        assert_eq!(guarded(page, Palette::new(true)), safe);
        let plain = guarded(page, Palette::PLAIN);
        assert!(!plain.contains('\x1b'), "{plain:?}");
        assert!(matches!(
            guarded("NODE\n", Palette::PLAIN),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn a_document_that_is_safe_to_show_is_the_same_document() {
        let value = serde_json::json!({"reason": "a\x1b[2J\u{9b}2J\x7f\u{202e}é\n"});
        let text = escaped_json(serde_json::to_string_pretty(&value).unwrap());
        assert!(text.chars().all(|c| harmless(c) == c), "{text:?}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
