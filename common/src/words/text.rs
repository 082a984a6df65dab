//! Text of others made safe and short enough to show.

/// Replaces control characters, so that a job's text cannot drive the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// Replaces characters that control a terminal; a new line and a tab are all that text
/// needs.
pub fn harmless(c: char) -> char {
    let is_layout = matches!(c, '\n' | '\t');
    // These show the following characters in another order.
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match (c.is_control() && !is_layout) || reorders {
        true => '\u{fffd}',
        false => c,
    }
}

/// Returns the text as one line of at most `chars_max` characters.
pub fn one_line(text: &str, chars_max: usize) -> String {
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
    fn text_of_a_job_cannot_drive_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\nc");
        assert_eq!(one_line("first\nsecond", 80), "first second");
        assert_eq!(one_line("abcdef", 4), "abc…");
        // C1 controls, which some terminals act on, and characters that reverse the order
        // of text.
        assert_eq!(
            printable("a\u{9b}2J\r\u{202e}b"),
            "a\u{fffd}2J\u{fffd}\u{fffd}b"
        );
    }
}
