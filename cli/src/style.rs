//! Colours, if wanted; and text of others made safe to show.

use rolecast_common::wire::{JobState, NodeHealth, RecordStatus};

/// What a piece of text means, which decides its colour.
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
            RecordStatus::Expired => Tone::Warning,
        }
    }

    pub(crate) fn of_state(state: JobState) -> Self {
        match state {
            JobState::Completed => Tone::Good,
            JobState::Dead => Tone::Bad,
            JobState::Expired | JobState::Unknown => Tone::Warning,
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

    /// Chooses by whether something that should be zero is.
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

/// Replaces control characters, so that a job's text cannot drive the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Makes one line of at most `chars_max` characters of it.
pub(crate) fn one_line(text: &str, chars_max: usize) -> String {
    let text = printable(text).replace(['\n', '\t'], " ");
    if text.chars().count() <= chars_max {
        return text;
    }
    let mut short: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    short.push('…');
    short
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
    fn text_of_a_job_cannot_drive_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\nc");
        assert_eq!(one_line("first\nsecond", 80), "first second");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }
}
